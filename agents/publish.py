"""Files of canonical events, as they are or moved in time, ready to be sent.

Files are checked whole before anything is sent: one line that would be refused, and nothing is published. What is
sent is the line itself, unless it is moved; the order within a file is kept, and several files are merged by time.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import click
import msgspec
import orjson
from msgspec import inspect

from agents.sending import Record
from schemas.codec import Arrival, Refusal, decode
from schemas.events import EVENT_TYPES
from schemas.moments import micros, rfc3339

SHOWN_MAX = 10

_MOVED_IDS = UUID("7e54b9a1-4c0d-4f7b-9d0c-5a1f6f0f7c11")
_CALLS_AND_VISITS = ("call", "visit", "for_call", "callback_of")


class BadLines(click.ClickException):
    """Some lines are no events the worker would accept; the message names the first of them."""

    def __init__(self, faults: list[str], count: int) -> None:
        more = [f"… and {count - len(faults)} more"] if count > len(faults) else []
        listed = "\n".join(f"  {fault}" for fault in faults + more)
        super().__init__(f"Nothing was published. {count} lines would be refused:\n{listed}")


@dataclass(frozen=True, slots=True)
class Survey:
    """How many events there are, and the event times they lie between, in µs."""

    events: int
    oldest: int
    newest: int


def survey(files: Sequence[Path], progress: Callable[[int], None] = lambda _: None) -> Survey:
    """Read all of `files`. Raises BadLines, or ClickException when there is no event in them."""
    events, oldest, newest = 0, 1 << 62, 0
    faults: list[str] = []
    bad = 0
    for file in files:
        for number, line in _lines(file):
            arrival = decode(line)
            if isinstance(arrival, Arrival):
                events += 1
                oldest, newest = min(oldest, arrival.at), max(newest, arrival.at)
            else:
                bad += 1
                if len(faults) < SHOWN_MAX:
                    faults.append(_fault(file, number, arrival))
            progress(events + bad)
    if bad:
        raise BadLines(faults, bad)
    if not events:
        raise click.ClickException("There is not one event in these files.")
    return Survey(events, oldest, newest)


def shift_to(now: int, surveyed: Survey, speed: float | None) -> int:
    """How far to move all times so that no event is sent before it happens, and the newest just as it happens.

    At the recorded pace the oldest event happens now; flat out (`speed` None) the newest does. At a higher speed the
    newest happens when it will be sent; at a lower one the oldest happens now.
    """
    span = surveyed.newest - surveyed.oldest
    takes = 0 if speed is None else round(span / max(speed, 1))
    return now + takes - surveyed.newest


def moved(line: bytes, shift: int) -> bytes:
    """The same event `shift` µs later, as another event about another call and visit.

    Every moment moves; ids of events, calls and visits are new ones, the same for the same id and shift, so that a
    recording can be published again beside itself. Handlers and callers' tokens stay: who rang twice still did.
    Members unknown here stay as they are.
    """
    event: dict[str, Any] = orjson.loads(line)
    data: dict[str, Any] = event["data"]
    subject = event.get("subject")
    if subject is not None and subject in [data.get(member) for member in _CALLS_AND_VISITS]:
        event["subject"] = _moved_id(subject, shift)
    event["id"] = _moved_id(event["id"], shift)
    event["time"] = _moved_moment(event["time"], shift)
    _move(data, _PLANS[event["type"]], shift)
    return orjson.dumps(event)


class FileFeed:
    """The events of surveyed files, each due when its time comes at `speed`; all at once when that is None."""

    def __init__(self, files: Sequence[Path], oldest: int, starts_at: int, speed: float | None, shift: int) -> None:
        self._oldest = oldest
        self._starts_at = starts_at
        self._speed = speed
        self._shift = shift
        self._timed = heapq.merge(*map(_timed_lines, files), key=lambda timed: timed.at)
        self._next = next(self._timed, None)

    @property
    def due_at(self) -> int | None:
        if self._next is None:
            return None
        if self._speed is None:
            return self._starts_at
        return self._starts_at + round((self._next.at - self._oldest) / self._speed)

    def take(self) -> list[Record]:
        assert self._next is not None
        _, centre, line = self._next
        self._next = next(self._timed, None)
        return [(centre, moved(line, self._shift) if self._shift else line)]


class _Timed(NamedTuple):
    at: int
    centre: str
    line: bytes


def _timed_lines(file: Path) -> Iterator[_Timed]:
    for number, line in _lines(file):
        arrival = decode(line)
        if isinstance(arrival, Refusal):
            raise click.ClickException(
                f"The file changed while it was being published: {_fault(file, number, arrival)}"
            )
        yield _Timed(arrival.at, arrival.event.data.centre, line)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if text := line.strip():
                yield number, text


def _fault(file: Path, number: int, refusal: Refusal) -> str:
    member = f"{refusal.member} " if refusal.member else ""
    return f"{file.name}:{number}: {refusal.reason}: {member}{refusal.why}"


@dataclass(frozen=True, slots=True)
class _Plan:
    """What of an object has to move: its moments, its ids of calls and visits, and members that hold such objects."""

    moments: tuple[str, ...]
    ids: tuple[str, ...]
    lists: tuple[tuple[str, "_Plan"], ...]


def _plan(kind: inspect.StructType) -> _Plan:
    moments, ids, lists = [], [], []
    for member in kind.fields:
        for of in _plain(member.type):
            if isinstance(of, inspect.DateTimeType):
                moments.append(member.encode_name)
            elif isinstance(of, inspect.VarTupleType) and isinstance(of.item_type, inspect.StructType):
                lists.append((member.encode_name, _plan(of.item_type)))
        if member.encode_name in _CALLS_AND_VISITS:
            ids.append(member.encode_name)
    return _Plan(tuple(moments), tuple(ids), tuple(lists))


def _plain(kind: inspect.Type) -> Iterator[inspect.Type]:
    """The types a member may have, without what is said of them for the JSON Schema."""
    match kind:
        case inspect.UnionType():
            for one in kind.types:
                yield from _plain(one)
        case inspect.Metadata():
            yield from _plain(kind.type)
        case _:
            yield kind


def _plan_of_data(event: type[msgspec.Struct]) -> _Plan:
    envelope = inspect.type_info(event)
    assert isinstance(envelope, inspect.StructType)
    data = next(member.type for member in envelope.fields if member.name == "data")
    assert isinstance(data, inspect.StructType)
    return _plan(data)


_PLANS = {name: _plan_of_data(event) for name, event in EVENT_TYPES.items()}


def _move(value: dict[str, Any], plan: _Plan, shift: int) -> None:
    for member in plan.moments:
        if value.get(member) is not None:
            value[member] = _moved_moment(value[member], shift)
    for member in plan.ids:
        if value.get(member) is not None:
            value[member] = _moved_id(value[member], shift)
    for member, each in plan.lists:
        for item in value.get(member) or ():
            _move(item, each, shift)


def _moved_moment(text: str, shift: int) -> str:
    return rfc3339(micros(msgspec.convert(text, datetime)) + shift)


def _moved_id(text: str, shift: int) -> str:
    return str(uuid5(_MOVED_IDS, f"{shift} {text}"))
