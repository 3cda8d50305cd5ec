"""The plain text of FreeSWITCH's event socket: events as blocks of `Name: value` lines, values URL-encoded.

Around each event the socket says how long it is; an event with a body says its own length. Reading is streaming and
bounded, and bears lines, blocks and lengths that are wrong. It does not know what an event means.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO
from urllib.parse import unquote

from schemas.moments import SECOND
from telephony.reading import EARLIEST_SECOND, MalformedError, Reading

LINE_BYTES_MAX = 8_192
BLOCK_LINES_MAX = 2_048  # a channel may have many hundred variables
BODY_BYTES_MAX = 4_000_000

BODY = "_body"  # the name FreeSWITCH gives to a body among the members of its JSON
_EMPTY = "_undef_"
_STAMP = re.compile(r"[0-9]{15,16}")
_LENGTH = re.compile(r"[0-9]{1,7}")
_LISTED = "+OK"
_TOTAL = re.compile(r"([0-9]{1,6}) total\.")


def blocks(stream: BinaryIO) -> Iterator[Mapping[str, str]]:
    """The events of a recording in order, each as its members, a body as `BODY`."""
    fields: dict[str, str] = {}
    while line := _line(stream):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        name, colon, value = text.partition(":")
        if text and colon and len(fields) < BLOCK_LINES_MAX:
            fields[name.strip()] = _decoded(value.strip())
        elif not text and fields:
            yield from _block(fields, stream)
            fields = {}
    if fields:
        yield from _block(fields, stream)


def read(fields: Mapping[str, str], received_at: int) -> Reading:
    """An event with its moment. Raises MalformedError where there is none: FreeSWITCH stamps every event."""
    at = stamp(fields)
    if at is None:
        raise MalformedError("Event-Date-Timestamp")
    return Reading(fields, at, "exact", received_at)


def stamp(fields: Mapping[str, str]) -> int | None:
    """When FreeSWITCH made the event, in microseconds."""
    return micros_of(fields.get("Event-Date-Timestamp", ""))


def micros_of(text: str) -> int | None:
    """A moment as FreeSWITCH writes it, in whole microseconds; it writes 0 for what has not happened."""
    at = int(text) if _STAMP.fullmatch(text) else 0
    return at if at >= EARLIEST_SECOND * SECOND else None


def table(body: str, elastic: Sequence[str]) -> list[dict[str, str]] | None:
    """The rows of a listing by the names of its columns; None when it is not whole.

    Nothing is escaped in a listing. Only the columns `elastic`, which are neighbours, can hold a `|` (what a caller
    calls himself, where a handler is reached), and they are left out of a row whose columns are too many.
    """
    *lines, last = body.strip().split("\n")
    if last.strip() != _LISTED:
        return None
    header = lines[0].split("|") if lines else []
    rows = [_row(header, line.split("|"), elastic) for line in lines[1:]]
    return None if None in rows else [row for row in rows if row is not None]


def listed_channels(body: str) -> set[str] | None:
    """The channels that `show channels` lists; None when it is not whole."""
    *lines, last = body.strip().split("\n")
    total = _TOTAL.fullmatch(last.strip())
    rows = [line.partition(",")[0] for line in lines[1:] if line]
    if total is None or int(total[1]) != len(rows) or (lines and not lines[0].startswith("uuid,")):
        return None
    return set(rows)


def _row(header: list[str], cells: list[str], elastic: Sequence[str]) -> dict[str, str] | None:
    surplus = len(cells) - len(header)
    if surplus == 0:
        return dict(zip(header, cells, strict=True))
    places = [header.index(name) for name in elastic if name in header]
    if surplus < 0 or not places:
        return None
    before, after = min(places), max(places) + 1
    row = dict(zip(header[:before], cells, strict=False))
    return row | dict(zip(header[after:], cells[after + surplus :], strict=True))


def _line(stream: BinaryIO) -> bytes:
    """The next line, empty at the end; one that is too long to be one is replaced by a line that says nothing."""
    line = stream.readline(LINE_BYTES_MAX)
    if len(line) < LINE_BYTES_MAX or line.endswith(b"\n"):
        return line
    while (rest := stream.readline(LINE_BYTES_MAX)) and not rest.endswith(b"\n"):
        pass
    return b"#\n"


def _decoded(value: str) -> str:
    return "" if value == _EMPTY else unquote(value, errors="replace")


def _block(fields: dict[str, str], stream: BinaryIO) -> Iterator[Mapping[str, str]]:
    length = fields.get("Content-Length", "")
    size = int(length) if _LENGTH.fullmatch(length) else 0
    if "Content-Type" in fields and "Event-Name" not in fields:  # what the socket says around an event
        if fields["Content-Type"] != "text/event-plain":
            stream.read(min(size, BODY_BYTES_MAX))
        return
    if size:
        fields[BODY] = stream.read(min(size, BODY_BYTES_MAX)).decode("utf-8", "replace")
    yield fields
