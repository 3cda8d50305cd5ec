"""The text of Asterisk's manager interface (AMI): blocks of `Key: value` lines, and what can be read off a block.

`blocks` is streaming and forgiving: CRLF or LF, a missing blank line at the end or between two events, lines
that belong to no block, and lines or blocks without end, which are cut off. A recording may say before each
block when it was received: `; recv <epoch seconds>`. It does not know what an event means.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Self

from schemas.events import TimeQuality
from schemas.moments import SECOND

LINE_BYTES_MAX = 8_192
BLOCK_LINES_MAX = 512
ID_BYTES_MAX = 100  # what a switch calls things becomes part of our ids, which may have 200

_EPOCH_SECONDS = re.compile(r"([0-9]{9,10})(?:\.([0-9]{1,9}))?")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_EARLIEST_SECOND = 946_684_800  # 2000-01-01
_RECEIVED = "; recv "


class MalformedError(Exception):
    """A block lacks something it must have, or has it in a form that cannot be used."""


@dataclass(frozen=True, slots=True)
class Block:
    """One message of the switch; `received_at` in microseconds where the recording says so."""

    fields: Mapping[str, str]
    received_at: int | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A block with its moment: the switch's own stamp where it has one, else when it was received."""

    fields: Mapping[str, str]
    at: int
    quality: TimeQuality
    received_at: int

    @classmethod
    def of(cls, fields: Mapping[str, str], received_at: int) -> Self:
        stamp = epoch_micros(fields.get("Timestamp", ""))
        if stamp is None:
            return cls(fields, received_at, "arrival", received_at)
        return cls(fields, stamp, "exact", received_at)

    def text(self, member: str) -> str:
        return self.fields.get(member, "")

    def id(self, member: str) -> str:
        """A name the switch gave to something; `MalformedError` when it cannot serve as one."""
        value = self.optional_id(member)
        if value is None:
            raise MalformedError(member)
        return value

    def optional_id(self, member: str) -> str | None:
        value = self.fields.get(member, "")
        return value if usable_id(value) else None

    def whole(self, member: str) -> int:
        """A whole number of at most nine digits; `MalformedError` when it is none."""
        value = self.optional_whole(member)
        if value is None:
            raise MalformedError(member)
        return value

    def optional_whole(self, member: str) -> int | None:
        value = self.fields.get(member, "")
        return int(value) if _WHOLE.fullmatch(value) else None


def usable_id(value: str) -> bool:
    return bool(value) and value.isprintable() and len(value.encode()) <= ID_BYTES_MAX


def epoch_micros(text: str) -> int | None:
    """Microseconds of `seconds.fraction` since 1970, or None when it is no moment since 2000."""
    found = _EPOCH_SECONDS.fullmatch(text)
    if found is None or int(found[1]) < _EARLIEST_SECOND:
        return None
    return int(found[1]) * SECOND + int((found[2] or "").ljust(6, "0")[:6])


def blocks(stream: BinaryIO) -> Iterator[Block]:
    """The blocks of a recording or a connection, in order."""
    fields: dict[str, str] = {}
    received_at: int | None = None
    for line in _lines(stream):
        received = line.startswith(_RECEIVED)
        key, colon, value = line.partition(":")
        starts_anew = key == "Event" and not fields.keys().isdisjoint(("Event", "Response"))
        if fields and (not line or received or starts_anew):
            yield Block(fields, received_at)
            fields, received_at = {}, None
        if received:
            received_at = epoch_micros(line.removeprefix(_RECEIVED).strip())
        elif colon and not line.startswith(";") and len(fields) < BLOCK_LINES_MAX:
            fields[key.strip()] = value.strip()
    if fields:
        yield Block(fields, received_at)


def _lines(stream: BinaryIO) -> Iterator[str]:
    while line := stream.readline(LINE_BYTES_MAX):
        cut_off = len(line) == LINE_BYTES_MAX and not line.endswith(b"\n")
        while cut_off and (rest := stream.readline(LINE_BYTES_MAX)):
            cut_off = not rest.endswith(b"\n")
            line = b";"
        yield line.decode("utf-8", "replace").rstrip("\r\n")
