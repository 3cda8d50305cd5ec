"""The export of a contact log: when handlers were done with what they had to write down. CSV with a header.

A row names the visit, or the call and where several handlers answered it the handler too, and says when the wrap-up
was over: at `end`, `seconds` after `start`, or so many seconds after the conversation, whose end is not in the
export. Handlers' names become pseudonyms here. Which visit a call means is decided elsewhere.

Always: every row gives a wrap-up or the reason why not, which repeats nothing of the row but the names of columns.
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import get_args
from zoneinfo import ZoneInfo

from schemas.events import OutcomeClass, TimeQuality
from schemas.moments import SECOND, micros
from telephony.asterisk_ami import call_id
from telephony.local_time import moments_of, quality_of
from telephony.reading import EARLIEST_SECOND, usable_id

COLUMNS = ("visit", "call", "handler", "start", "end", "seconds", "outcome_class", "agency")

_SECONDS = re.compile(r"([0-9]{1,5})(?:\.([0-9]{1,6}))?")
_CLASSES: dict[str, OutcomeClass] = {name: name for name in get_args(OutcomeClass)}


@dataclass(frozen=True, slots=True)
class WrapUp:
    """Of a visit, or of a call; over at `end`, or where that is None, `lasted` after the conversation. µs."""

    visit: str | None
    call: str | None
    handler: str | None
    end: int | None
    quality: TimeQuality
    lasted: int
    outcome_class: OutcomeClass | None
    agency: str | None


class FaultyHeaderError(Exception):
    """The file is no export of this kind; the message says why."""


class _FaultyError(Exception):
    """The message says what is wrong with a row."""


class ContactLog:
    """Reads exports of one system. `pseudonym` is asked only for the handlers that are named."""

    def __init__(self, system: str, pseudonym: Callable[[str], str], zone: ZoneInfo | None) -> None:
        self._system = system
        self._pseudonym = pseudonym
        self._zone = zone

    def read(self, lines: Iterable[str]) -> Iterator[tuple[int, WrapUp | str]]:
        """(number of the line, the wrap-up or why there is none). Raises FaultyHeaderError."""
        rows = csv.reader(lines, strict=True)
        try:
            header = [name.strip().lower() for name in next(rows, [])]
        except csv.Error:
            raise FaultyHeaderError("the first line is no CSV") from None
        _check(header)
        while True:
            try:
                fields = next(rows, None)
            except csv.Error as error:
                yield rows.line_num, f"is no CSV: {error}"
                continue
            if fields is None:
                return
            if any(field.strip() for field in fields):
                yield rows.line_num, self._row(header, fields)

    def _row(self, header: list[str], fields: list[str]) -> WrapUp | str:
        if len(fields) != len(header):
            return f"has {len(fields)} fields, and the header {len(header)}"
        row = dict.fromkeys(COLUMNS, "") | {name: field.strip() for name, field in zip(header, fields, strict=True)}
        try:
            return self._wrap_up(row)
        except _FaultyError as error:
            return str(error)

    def _wrap_up(self, row: dict[str, str]) -> WrapUp:
        for name in ("visit", "call", "handler", "agency"):
            if row[name] and not usable_id(row[name]):
                raise _FaultyError(f"{name} is over 100 bytes, or has control characters")
        if not row["visit"] and not row["call"]:
            raise _FaultyError("names neither a visit nor a call")
        end, quality = self._end(row)
        outcome_class = _CLASSES.get(row["outcome_class"])
        if row["outcome_class"] and outcome_class is None:
            raise _FaultyError(f"outcome_class is none of {', '.join(_CLASSES)}")
        uniqueid, hash_sign, join = row["visit"].partition("#")
        return WrapUp(
            visit=call_id(self._system, uniqueid) + hash_sign + join if uniqueid else None,
            call=call_id(self._system, row["call"]) if row["call"] else None,
            handler=self._pseudonym(row["handler"]) if row["handler"] else None,
            end=end,
            quality=quality,
            lasted=_lasted(row["seconds"]) or 0,
            outcome_class=outcome_class,
            agency=row["agency"] or None,
        )

    def _end(self, row: dict[str, str]) -> tuple[int | None, TimeQuality]:
        """When the wrap-up was over, where the row alone says it."""
        lasted = _lasted(row["seconds"])
        start = self._moment(row, "start")
        end = self._moment(row, "end")
        if end is not None:
            if start is not None and end[0] < start[0]:
                raise _FaultyError("ends before it starts")
            return end
        if lasted is None:
            raise _FaultyError("has neither an end nor seconds")
        return (None, "second") if start is None else (start[0] + lasted, start[1])

    def _moment(self, row: dict[str, str], name: str) -> tuple[int, TimeQuality] | None:
        text = row[name]
        if not text:
            return None
        try:
            read = datetime.fromisoformat(text)
        except ValueError:
            raise _FaultyError(f"{name} is no time such as 2026-11-24T08:00:00Z or 2026-11-24 08:00:00") from None
        readings = self._readings(read, name)
        if readings[0] < EARLIEST_SECOND * SECOND:
            raise _FaultyError(f"{name} is before the year 2000")
        fraction = re.search(r"\.([0-9]+)", text)
        return readings[0], quality_of(fraction[1] if fraction else "")

    def _readings(self, read: datetime, name: str) -> tuple[int, ...]:
        if read.tzinfo is not None:
            return (micros(read),)
        if self._zone is None:
            raise _FaultyError(f"{name} is a local time, and no time zone was given (--timezone)")
        readings = moments_of(read, self._zone)
        if not readings:
            raise _FaultyError(f"{name} was skipped when the clocks of {self._zone} went forward")
        if len(readings) > 1:
            raise _FaultyError(f"{name} came twice when the clocks went back: write it with its offset, as +00:00")
        return readings


def _check(header: list[str]) -> None:
    if unknown := [name for name in header if name not in COLUMNS]:
        raise FaultyHeaderError(f"{len(unknown)} unknown columns; those known are {', '.join(COLUMNS)}")
    if len(set(header)) < len(header):
        raise FaultyHeaderError("a column is there twice")
    if not {"visit", "call"} & set(header):
        raise FaultyHeaderError("there is neither a column visit nor a column call")
    if not {"end", "seconds"} & set(header):
        raise FaultyHeaderError("there is neither a column end nor a column seconds")


def _lasted(text: str) -> int | None:
    if not text:
        return None
    found = _SECONDS.fullmatch(text)
    if found is None:
        raise _FaultyError("seconds is no number from 0 to 99999")
    return int(found[1]) * SECOND + int((found[2] or "").ljust(6, "0"))
