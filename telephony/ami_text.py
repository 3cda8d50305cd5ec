"""The text of Asterisk's manager interface (AMI): blocks of `Key: value` lines, and what can be read off a block.

Reading is streaming and forgiving: CRLF or LF, a missing blank line at the end or between two events, lines
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
_NOTHING = b";"  # what stands for a line that is too long to be one


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


class Parser:
    """Text in pieces, cut anywhere, as a connection gives it; each block as soon as it is complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._cut_off = False
        self._fields: dict[str, str] = {}
        self._received_at: int | None = None

    def push(self, piece: bytes) -> Iterator[Block]:
        """The blocks that end within `piece`."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            if self._cut_off or len(line) >= LINE_BYTES_MAX:
                self._cut_off, line = False, _NOTHING
            yield from self._line(line)
        if len(self._rest) >= LINE_BYTES_MAX:
            self._cut_off, self._rest = True, b""

    def end(self) -> Iterator[Block]:
        """What is left when no more will come."""
        yield from self._line(_NOTHING if self._cut_off else self._rest)
        yield from self._line(b"")

    def _line(self, raw: bytes) -> Iterator[Block]:
        line = raw.decode("utf-8", "replace").rstrip("\r")
        received = line.startswith(_RECEIVED)
        key, colon, value = line.partition(":")
        starts_anew = key == "Event" and not self._fields.keys().isdisjoint(("Event", "Response"))
        if self._fields and (not line or received or starts_anew):
            yield Block(self._fields, self._received_at)
            self._fields, self._received_at = {}, None
        if received:
            self._received_at = epoch_micros(line.removeprefix(_RECEIVED).strip())
        elif colon and not line.startswith(";") and len(self._fields) < BLOCK_LINES_MAX:
            self._fields[key.strip()] = value.strip()


def blocks(stream: BinaryIO) -> Iterator[Block]:
    """The blocks of a recording, in order."""
    parser = Parser()
    while piece := stream.readline(LINE_BYTES_MAX):
        yield from parser.push(piece)
    yield from parser.end()
