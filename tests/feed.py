"""Events as a telephone system would send them, one line each.

Moments are seconds after `T0`. An event's id is made of what it says, so the same line twice is the same event;
give `ident` to make two events of one id. Everything is of one control room unless said otherwise.
"""

from datetime import date, datetime
from typing import Any

from schemas import events as ev
from schemas.codec import Arrival
from schemas.events import CallerToken, Data, Event, HandlerNow, WaitingNow
from schemas.moments import SECOND, moment, parse

CENTRE = "mercia"
PBX = f"//{CENTRE}/pbx1"
SAFE = f"//{CENTRE}/safe"
T0 = parse("2026-11-24T08:00:00Z")


def us(seconds: float) -> int:
    """`seconds` after `T0` in µs since the epoch."""
    return T0 + round(seconds * SECOND)


def when(seconds: float) -> datetime:
    """`seconds` after `T0` as a moment."""
    return moment(us(seconds))


def event(
    cls: type[Event],
    data: type[Data],
    at: float,
    /,
    *,
    source: str = PBX,
    ident: str | None = None,
    centre: str = CENTRE,
    **members: Any,
) -> Arrival:
    """An event of type `cls` that happened, and was appended, at second `at`."""
    said = data(centre=centre, **{name: value for name, value in members.items() if value is not None})
    if ident is None:
        ident = f"{cls.__name__}|{us(at)}|{'|'.join(str(value) for value in members.values())}"[:200]
    made = cls(specversion="1.0", id=ident, source=source, time=when(at), data=said)
    return Arrival(made, us(at), us(at))


def offered(call: str, at: float, service: str = "101", **more: Any) -> Arrival:
    if "caller" in more:
        more["caller_tokens"] = (CallerToken(date(2026, 11, 24), more.pop("caller")),)
    if "transferred_at" in more:
        more["transferred_at"] = when(more["transferred_at"])
    return event(ev.CallOffered, ev.CallOfferedData, at, call=call, service=service, **more)


def refused(call: str, at: float, reason: str = "full", queue: str | None = None, **more: Any) -> Arrival:
    return event(ev.CallRefused, ev.CallRefusedData, at, call=call, reason=reason, queue=queue, **more)


def call_ended(call: str, at: float, **more: Any) -> Arrival:
    return event(ev.CallEnded, ev.CallEndedData, at, call=call, **more)


def rung_back(for_call: str, at: float, result: str = "reached", **more: Any) -> Arrival:
    ringing = f"back-{for_call}-{at}"
    return event(ev.CallRungBack, ev.CallRungBackData, at, call=ringing, for_call=for_call, result=result, **more)


def queued(visit: str, at: float, queue: str = "101", call: str | None = None, **more: Any) -> Arrival:
    for member in ("queued_at", "original_queued_at"):
        if member in more:
            more[member] = when(more[member])
    call = call or f"call-{visit}"
    return event(ev.VisitQueued, ev.VisitQueuedData, at, call=call, visit=visit, queue=queue, **more)


def priority(visit: str, at: float, level: int, **more: Any) -> Arrival:
    return event(ev.VisitPriority, ev.VisitPriorityData, at, visit=visit, priority=level, **more)


def ringing(visit: str, at: float, handler: str = "h1", **more: Any) -> Arrival:
    return event(ev.VisitRinging, ev.VisitRingingData, at, visit=visit, handler=handler, **more)


def ring_no_answer(visit: str, at: float, handler: str = "h1", **more: Any) -> Arrival:
    return event(ev.VisitRingNoAnswer, ev.VisitRingingData, at, visit=visit, handler=handler, **more)


def answered(visit: str, at: float, handler: str = "h1", **more: Any) -> Arrival:
    return event(ev.VisitAnswered, ev.VisitAnsweredData, at, visit=visit, handler=handler, **more)


def left(visit: str, at: float, reason: str = "abandoned", **more: Any) -> Arrival:
    return event(ev.VisitLeft, ev.VisitLeftData, at, visit=visit, reason=reason, **more)


def held(visit: str, at: float, **more: Any) -> Arrival:
    return event(ev.VisitHeld, ev.VisitHeldData, at, visit=visit, **more)


def resumed(visit: str, at: float, **more: Any) -> Arrival:
    return event(ev.VisitResumed, ev.VisitHeldData, at, visit=visit, **more)


def ended(visit: str, at: float, **more: Any) -> Arrival:
    return event(ev.VisitEnded, ev.VisitEndedData, at, visit=visit, **more)


def wrapped_up(visit: str, at: float, **more: Any) -> Arrival:
    more.setdefault("source", SAFE)
    return event(ev.VisitWrappedUp, ev.VisitWrappedUpData, at, visit=visit, **more)


def handler(name: str, at: float, state: str, **more: Any) -> Arrival:
    return event(ev.HandlerState, ev.HandlerStateData, at, handler=name, state=state, **more)


def handlers(at: float, states: dict[str, str], queues: tuple[str, ...] = ("101",), **more: Any) -> Arrival:
    listed = tuple(HandlerNow(handler=name, state=state, queues=queues) for name, state in states.items())
    return event(ev.HandlerSnapshot, ev.HandlerSnapshotData, at, handlers=listed, **more)


def listed(visit: str, queued_at: float, call: str | None = None, **more: Any) -> WaitingNow:
    """One visit in a snapshot."""
    return WaitingNow(visit=visit, call=call or f"call-{visit}", queued_at=when(queued_at), **more)


def snapshot(
    at: float, waiting: tuple[WaitingNow, ...] = (), queue: str = "101", part: int = 1, parts: int = 1, **more: Any
) -> Arrival:
    taken_at = when(more.pop("taken_at", at))
    ident = more.pop("ident", f"snapshot|{queue}|{taken_at}|{part}/{parts}|{more.get('source', PBX)}")
    return event(
        ev.QueueSnapshot,
        ev.QueueSnapshotData,
        at,
        ident=ident,
        queue=queue,
        taken_at=taken_at,
        part=part,
        parts=parts,
        waiting=waiting,
        **more,
    )


def heartbeat(at: float, **more: Any) -> Arrival:
    return event(ev.SourceHeartbeat, ev.SourceHeartbeatData, at, events_seen=0, calls_up=0, callers_queued=0, **more)


def heartbeats(start: float, end: float, every: float = 3) -> list[Arrival]:
    """A living feed from `start` to `end`."""
    return [heartbeat(start + number * every) for number in range(int((end - start) / every) + 1)]


def in_order(arrivals: list[Arrival]) -> list[Arrival]:
    """Sorted as files are: by (time, source, id)."""
    return sorted(arrivals, key=lambda arrival: (arrival.at, arrival.event.source, arrival.event.id))
