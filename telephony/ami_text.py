"""The text of Asterisk's manager interface (AMI): blocks of `Key: value` lines.

Reading is streaming and forgiving: CRLF or LF, a missing blank line at the end or between two events, lines
that belong to no block, and lines or blocks without end, which are cut off. A recording may say before each
block when it was received: `; recv <epoch seconds>`. It does not know what an event means.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from telephony.reading import Reading, epoch_micros

LINE_BYTES_MAX = 8_192
BLOCK_LINES_MAX = 512

_RECEIVED = "; recv "
_NOTHING = b";"  # what stands for a line that is too long to be one


@dataclass(frozen=True, slots=True)
class Block:
    """One message of the switch; `received_at` in microseconds where the recording says so."""

    fields: Mapping[str, str]
    received_at: int | None


def read(fields: Mapping[str, str], received_at: int) -> Reading:
    """A block with its moment: `timestampevents=yes` makes Asterisk stamp its events."""
    stamp = epoch_micros(fields.get("Timestamp", ""))
    if stamp is None:
        return Reading(fields, received_at, "arrival", received_at)
    return Reading(fields, stamp, "exact", received_at)


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
