"""The rows of Asterisk's queue_log, and the moment of each.

A row is `time|channel|queue|handler|verb|figures…`. Its time is epoch seconds, as in the file that the switch writes,
or local text (`2026-11-24 08:00:00.123456`), as it writes to a database. Local text needs a time zone. Rows stand in
the order in which they were written, and that decides about the hour that comes twice when the clocks go back: a
reading that would put a row before its predecessor or after its successor is out, and so is one before the channel
itself began, as its Uniqueid says. A row of which two readings are left is refused, and so is one in the hour
that the clocks skip.

Always: every line that is not empty gives a row or a fault, whatever its bytes. A fault names its line and repeats
nothing of it. It does not know what a verb means.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from schemas.events import TimeQuality
from schemas.moments import SECOND
from telephony.ami_text import LINE_BYTES_MAX
from telephony.local_time import moments_of, quality_of
from telephony.reading import epoch_micros

JITTER = 5 * SECOND  # by so much rows may change places, since each caller's thread writes its own

FIELDS_MIN = 5
_LOCAL = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,6})?")
_BORN = re.compile(r"(?:.*-)?([0-9]{9,10})\.[0-9]+")
_NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `at` in microseconds, `figures` are what follows the verb."""

    line: int
    at: int
    quality: TimeQuality
    channel: str
    queue: str
    handler: str
    verb: str
    figures: tuple[str, ...]

    def figure(self, index: int) -> str:
        """A figure, or the empty text where the row has not so many."""
        return self.figures[index] if index < len(self.figures) else ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line is no row."""

    line: int
    why: str
    undecided: bool = False
    """It is a row, at one of two moments."""


@dataclass(frozen=True, slots=True)
class _Unplaced:
    """A row that may have been written at either of two moments."""

    line: int
    fields: Sequence[str]
    quality: TimeQuality
    readings: tuple[int, ...]


class _FaultyError(Exception):
    """The message says why a line is no row."""


class Rows:
    """Lines into rows: `push` them in order, `end` when there are no more."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._line = 0
        self._before = 0
        """The moment of the last row that was placed."""
        self._held: list[_Unplaced] = []

    def push(self, line: bytes) -> Iterator[Row | Fault]:
        """What can be told now that `line` is known."""
        self._line += 1
        text = line.decode("utf-8", "replace").strip("\r\n")
        if not text.strip():
            return
        try:
            row = self._read(text, too_long=len(line) > LINE_BYTES_MAX)
        except _FaultyError as error:
            yield Fault(self._line, str(error))
            return
        if len(row.readings) > 1:
            self._held.append(row)
            return
        (at,) = row.readings
        yield from self._place_held(at)
        self._before = at
        yield _placed(row, at)

    def end(self) -> Iterator[Row | Fault]:
        """What was still held."""
        yield from self._place_held(_NEVER)

    def _read(self, text: str, *, too_long: bool) -> _Unplaced:
        fields = text.split("|")
        if too_long:
            raise _FaultyError(f"is over {LINE_BYTES_MAX} bytes")
        if len(fields) < FIELDS_MIN:
            raise _FaultyError(f"has fewer than {FIELDS_MIN} fields separated by |")
        stamp = fields[0].strip()
        if (at := epoch_micros(stamp)) is not None:
            return _Unplaced(self._line, fields, quality_of(stamp.partition(".")[2]), (at,))
        if (local := _LOCAL.fullmatch(stamp)) is None:
            raise _FaultyError("does not begin with epoch seconds or with a time as in 2026-11-24 08:00:00")
        readings = self._readings(local[1], local[2] or "")
        if born := _BORN.fullmatch(fields[1]):
            readings = tuple(at for at in readings if at >= int(born[1]) * SECOND) or readings
        return _Unplaced(self._line, fields, quality_of((local[2] or "").removeprefix(".")), readings)

    def _readings(self, text: str, fraction: str) -> tuple[int, ...]:
        """The moments that a local time can mean, in order."""
        if self._zone is None:
            raise _FaultyError("has a local time, and no time zone was given (--timezone)")
        try:
            local = datetime.fromisoformat(text + fraction.ljust(7, "0") if fraction else text)
        except ValueError:
            raise _FaultyError("has a time that no calendar has") from None
        readings = moments_of(local, self._zone)
        if not readings:
            raise _FaultyError(f"has a time that {self._zone} skipped when the clocks went forward")
        return readings

    def _place_held(self, after: int) -> Iterator[Row | Fault]:
        """Place the rows that were held, between the row before them and the one at `after`."""
        held, self._held = self._held, []
        earliest = _earliest([row.readings for row in held], self._before)
        latest = _earliest([tuple(-at for at in reversed(row.readings)) for row in reversed(held)], -after)
        for row, first, last in zip(held, earliest, reversed(latest), strict=True):
            if first is None or last is None or first != -last:
                yield Fault(row.line, _UNDECIDED, undecided=True)
            else:
                yield _placed(row, first)


_UNDECIDED = "has a time that came twice when the clocks went back, and the rows around it do not say which it is"


def _earliest(readings: Sequence[tuple[int, ...]], after: int) -> list[int | None]:
    """The earliest moment of each row that keeps the order, none before `after`; None where none does."""
    chosen: list[int | None] = []
    for moments in readings:
        fitting = next((at for at in moments if at >= after - JITTER), None)
        chosen.append(fitting)
        after = max(after, fitting) if fitting is not None else after
    return chosen


def _placed(row: _Unplaced, at: int) -> Row:
    _, channel, queue, handler, verb, *figures = row.fields
    return Row(row.line, at, row.quality, channel, queue, handler, verb.strip(), tuple(figures))
