"""Bytes to events and back: the gate every record of the input topic passes.

`decode` decides whether a record says something this system can believe, and if not, why: an event comes out whole
and always encodable again, or a refusal that names the member and never repeats a value (it may be somebody's
telephone number). It never raises, whatever the bytes. The rules are those of the topic's contract that a record can
be judged by alone.

The common record is ASCII without escapes and goes one fast way; every other one, and every refusal, goes the
careful way, which reads the record as plain JSON first (a repeated member: the last wins).

It deliberately does not know Kafka keys, the horizon, or which control rooms exist.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import TypeVar

import msgspec
import orjson

from schemas import events as ev
from schemas.events import EVENT_TYPES, ID_BYTES_MAX, Data, Envelope, Event
from schemas.moments import MINUTE, micros, rfc3339
from schemas.outputs import RefusalReason
from schemas.unread import SnapshotUnread

RECORD_BYTES_MAX = 256 * 1024
DEPTH_MAX = 400  # below what any reader's recursion allows, so that a record is too deep everywhere or nowhere
_FIRST_MOMENT = datetime(2000, 1, 1, tzinfo=UTC)
MOMENT_MIN = micros(_FIRST_MOMENT)
MOMENT_MAX = micros(datetime(9999, 1, 1, tzinfo=UTC))  # a year of room before the calendar of `datetime` ends
CLOCK_TOLERANCE = 5 * MINUTE

AnyEvent = TypeVar("AnyEvent", bound=Envelope)


class Refusal(msgspec.Struct, frozen=True):
    """Why a record was not applied. `member` is the path of the member at fault; no value is ever repeated."""

    reason: RefusalReason
    why: str
    member: str | None = None


class Arrival(msgspec.Struct, frozen=True, gc=False):
    """An event, when it happened, and when it was appended to the log (`at` where there is no log); µs."""

    event: Event
    at: int
    appended_at: int


def decode(value: bytes | None, appended_at: int | None = None) -> Arrival | Refusal:
    """Read one record; `appended_at` is its append time in µs, `None` where there is none (files)."""
    if not value:
        return EMPTY
    is_long = len(value) > _LONG_BYTES_MIN
    if is_long and len(value) > RECORD_BYTES_MAX:
        return TOO_LARGE
    if is_long and _depth(value) > DEPTH_MAX:
        return TOO_DEEP
    if _BACKSLASH in value or _DELETE in value or not value.isascii():
        return _decode_carefully(value, appended_at)
    try:
        event = _read_handlers(value) if is_long and _HANDLERS in value else _read(value)
    except (msgspec.MsgspecError, RecursionError):
        return _decode_carefully(value, appended_at)
    at = micros(event.time)
    if not MOMENT_MIN <= at < MOMENT_MAX:
        return _impossible("time")
    if (inner := _INNER_MOMENTS.get(event.__class__)) and (refusal := _check_moments(event, inner)):
        return refusal
    return Arrival(event, at, at if appended_at is None else appended_at)


def encode(record: msgspec.Struct) -> bytes:
    """The JSON of any record of this package."""
    return orjson.dumps(msgspec.to_builtins(record))


def canonical(event: Event) -> bytes:
    """The same bytes for the same content: known members only, sorted, moments in UTC."""
    return orjson.dumps(
        msgspec.to_builtins(event, builtin_types=(datetime,)),
        default=_utc,
        option=orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME,
    )


def new_event(
    cls: type[AnyEvent],
    data: Data,
    *,
    id: str,  # noqa: A002 - CloudEvents' own word
    source: str,
    time: datetime,
    subject: str | None = None,
) -> AnyEvent:
    """An event of type `cls` in its envelope."""
    return cls(specversion="1.0", id=id, source=source, time=time, subject=subject, data=data)  # type: ignore[call-arg]


EMPTY = Refusal("not_json", "the record is empty")
TOO_LARGE = Refusal("too_large", f"the record is over {RECORD_BYTES_MAX} bytes")
TOO_DEEP = Refusal("too_deep", f"objects and arrays are nested more than {DEPTH_MAX} deep")
NOT_JSON = Refusal("not_json", "the record is not JSON in UTF-8")
NOT_OBJECT = Refusal("not_object", "the record is not a JSON object")

_LONG_BYTES_MIN = 2 * DEPTH_MAX  # what nests deeper in fewer bytes does not close, and is no JSON for anybody
_BACKSLASH, _DELETE = b"\\\x7f"
_ENVELOPE = ("specversion", "id", "source", "type", "time")
_STEMS = {name.rpartition(".v")[0] for name in EVENT_TYPES}
_VERSIONED = re.compile(r"(.+)\.v[0-9]+")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# Moments inside `data`: (attribute, whether it may lie after the event).
_INNER_MOMENTS: dict[type[Envelope], tuple[tuple[str, bool], ...]] = {
    ev.CallOffered: (("transferred_at", False),),
    ev.VisitQueued: (("queued_at", False), ("original_queued_at", False)),
    ev.QueueSnapshot: (("taken_at", False),),
    ev.SourceHeartbeat: (("newest_event_at", False),),
    ev.RosterPlanned: (("interval_start", True),),
    ev.RosterAbsence: (("from_", True), ("to", True)),
    ev.ProfilePublished: (("computed_at", True),),
    ev.Note: (("at", True), ("until", True)),
}


HANDLERS_KNOWN_MAX = 10_000
HANDLER_BYTES_KNOWN_MAX = 512
_HANDLERS = f'"{ev.HandlerSnapshot.__struct_config__.tag}"'.encode()
_known_handlers: dict[bytes, ev.HandlerNow] = {}

_read = msgspec.json.Decoder(Event).decode
# Of two types, since msgspec asks for `type` only where there is a choice.
_read_envelope = msgspec.json.Decoder(SnapshotUnread | ev.SourceHeartbeat).decode
_read_handler = msgspec.json.Decoder(ev.HandlerNow).decode
_skim = msgspec.json.Decoder(msgspec.Raw).decode


def _read_handlers(value: bytes) -> Event:
    """As `_read`, for what is by far the longest event: word for word it mostly repeats what was said before."""
    snapshot: SnapshotUnread | ev.SourceHeartbeat = _read_envelope(value)
    if not isinstance(snapshot, SnapshotUnread):
        return snapshot
    known = _known_handlers.get
    handlers = tuple([known(said) or _learn_handler(said) for said in map(bytes, snapshot.data.handlers)])
    data = ev.HandlerSnapshotData(
        centre=snapshot.data.centre, time_quality=snapshot.data.time_quality, handlers=handlers
    )
    return new_event(
        ev.HandlerSnapshot, data, id=snapshot.id, source=snapshot.source, time=snapshot.time, subject=snapshot.subject
    )


def _learn_handler(said: bytes) -> ev.HandlerNow:
    handler = _read_handler(said)
    if len(said) <= HANDLER_BYTES_KNOWN_MAX:
        if len(_known_handlers) >= HANDLERS_KNOWN_MAX:
            _known_handlers.clear()
        _known_handlers[said] = handler
    return handler


def _decode_carefully(value: bytes, appended_at: int | None) -> Arrival | Refusal:
    try:
        _skim(value)  # stricter than what follows: no NaN, no half of a surrogate pair
        document = json.loads(value.decode(), parse_int=_number)
    except RecursionError:
        return TOO_DEEP
    except (msgspec.DecodeError, ValueError):
        return NOT_JSON
    if not isinstance(document, dict):
        return NOT_OBJECT
    if refusal := _check_envelope(document):
        return refusal
    try:
        event = msgspec.convert(document, EVENT_TYPES[document["type"]])
    except msgspec.ValidationError as error:
        return _explain(str(error))
    at = micros(event.time)
    if not MOMENT_MIN <= at < MOMENT_MAX:
        return _impossible("time")
    refusal = _check_moments(event, _INNER_MOMENTS.get(type(event), ())) or _check_texts(event)
    return refusal or Arrival(event, at, at if appended_at is None else appended_at)


def _depth(value: bytes) -> int:
    """How deep arrays and objects nest at most; brackets inside strings do not count."""
    if (opening := value.count(b"{") + value.count(b"[")) <= DEPTH_MAX:
        return opening
    outside = _STRING.sub(b"", value) if _BACKSLASH in value else b"".join(value.split(b'"')[::2])
    brackets = outside.translate(None, _NOT_BRACKETS)
    return max(accumulate(1 if bracket in b"[{" else -1 for bracket in brackets), default=0)


def _number(digits: str) -> int | float:
    """No member holds more than 20 digits: a longer one need only be known as a number."""
    return int(digits) if len(digits) <= 20 else float(digits)


def _check_envelope(document: dict[str, object]) -> Refusal | None:
    for member in _ENVELOPE:
        if member not in document:
            return Refusal("no_envelope", "is missing from the CloudEvents envelope", member)
        if not isinstance(document[member], str):
            return Refusal("no_envelope", "is not a string", member)
    if document["specversion"] != "1.0":
        return Refusal("no_envelope", "is not 1.0", "specversion")
    name = str(document["type"])
    if name in EVENT_TYPES:
        return None
    if (versioned := _VERSIONED.fullmatch(name)) and versioned[1] in _STEMS:
        return Refusal("unknown_version", "is a version of this type that nobody here knows", "type")
    return Refusal("unknown_type", "is not a type of event known here", "type")


def _check_moments(event: Event, inner: tuple[tuple[str, bool], ...]) -> Refusal | None:
    data, time = event.data, event.time
    for member, may_be_later in inner:
        moment = getattr(data, member)
        if moment is None or _FIRST_MOMENT <= moment <= time:
            continue
        if refusal := _check_moment(moment, time, may_be_later, f"data.{member.rstrip('_')}"):
            return refusal
    return _check_snapshot(data, time) if isinstance(data, ev.QueueSnapshotData) else None


def _check_snapshot(data: ev.QueueSnapshotData, time: datetime) -> Refusal | None:
    if data.part > data.parts:
        return Refusal("bad_value", "is greater than data.parts", "data.part")
    for index, visit in enumerate(data.waiting):
        if _FIRST_MOMENT <= visit.queued_at <= time:
            continue
        if refusal := _check_moment(visit.queued_at, time, False, f"data.waiting[{index}].queued_at"):
            return refusal
    return None


def _check_moment(moment: datetime, time: datetime, may_be_later: bool, member: str) -> Refusal | None:
    at = micros(moment)
    if not MOMENT_MIN <= at < MOMENT_MAX:
        return _impossible(member)
    if at > micros(time) + CLOCK_TOLERANCE and not may_be_later:
        return Refusal("bad_value", "is more than 5 minutes after the event itself", member)
    return None


def _impossible(member: str) -> Refusal:
    return Refusal("bad_value", "is before the year 2000 or after 9998", member)


def _check_texts(event: Event) -> Refusal | None:
    """What only strings outside plain ASCII can break."""
    for member, text in _texts(event, ""):
        if member == "data.text":
            continue
        if len(text.encode()) > ID_BYTES_MAX:
            return Refusal("bad_value", f"is over {ID_BYTES_MAX} bytes", member)
        if _CONTROL.search(text):
            return Refusal("bad_value", "has a control character", member)
    return None


def _texts(value: object, member: str) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield member, value
        case msgspec.Struct():
            for name, written in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
                yield from _texts(getattr(value, name), f"{member}.{written}" if member else written)
        case tuple():
            for index, item in enumerate(value):
                yield from _texts(item, f"{member}[{index}]")
        case dict():
            for key in value:
                yield member, key


_MISSING = re.compile(r"Object missing required field `(\w+)`")
_PATH = re.compile(r" - at (?:`key` in )?`\$([^`]*)`\Z")
_TYPES = re.compile(r"`([a-z |]+)`")
_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "datetime": "a moment",
    "date": "a day",
}
# msgspec's messages that repeat no value; any other tells only that something is wrong.
_PROBLEMS = {
    "Expected `datetime` with a timezone component": "is a moment without an offset",
    "Invalid RFC3339 encoded datetime": "is not an RFC 3339 moment",
    "Invalid RFC3339 encoded date": "is not an RFC 3339 date",
    "Integer value out of range": "is out of range",
    "Number out of range": "is out of range",
}


def _explain(message: str) -> Refusal:
    """msgspec's message as a refusal. It may repeat a value of the event, so only known parts of it are used."""
    path = _PATH.search(message)
    member = path[1].removeprefix(".") if path else ""
    problem = message[: path.start()] if path else message
    if missing := _MISSING.fullmatch(problem):
        return Refusal("missing_member", "is missing", f"{member}.{missing[1]}" if member else missing[1])
    return Refusal("bad_value", _PROBLEMS.get(problem) or _in_words(problem), member or None)


def _in_words(problem: str) -> str:
    if problem.startswith("Invalid enum value"):
        return "is not one of the values of this member"
    if "matching regex" in problem:
        return "is not a token: a telephone number, or with control characters"
    if problem.startswith("Expected "):
        return "is wrong: " + _TYPES.sub(_type_in_words, problem.replace("Expected", "expected"))
    return "is not what this member holds"


def _type_in_words(types: re.Match[str]) -> str:
    return " or ".join(_WORDS.get(name, name) for name in types[1].split(" | "))


def _utc(moment: object) -> str:
    if isinstance(moment, datetime):
        return rfc3339(micros(moment))
    raise TypeError(f"no canonical form for {type(moment).__name__}")
