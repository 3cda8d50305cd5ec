"""The canonical events of one switch: what each holds, and its id.

An id is made of the switch's own id, what happened and when, so that whoever reports the same thing gives it the
same id. What happened includes a reason: two listeners who conclude differently contradict each other openly, and
the processor's rules choose. Nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from schemas.codec import new_event
from schemas.events import (
    SHARED_BY_MANY,
    CallEnded,
    CallEndedData,
    CallOffered,
    CallOfferedData,
    CallRefused,
    CallRefusedData,
    Data,
    EndedReason,
    Event,
    HandlerNow,
    HandlerSnapshot,
    HandlerSnapshotData,
    HandlerState,
    HandlerStateData,
    HandlerStateName,
    LeftReason,
    QueueSnapshot,
    QueueSnapshotData,
    RefusedReason,
    SourceHeartbeat,
    SourceHeartbeatData,
    VisitAnswered,
    VisitAnsweredData,
    VisitEnded,
    VisitEndedData,
    VisitHeld,
    VisitHeldData,
    VisitLeft,
    VisitLeftData,
    VisitPriority,
    VisitPriorityData,
    VisitQueued,
    VisitQueuedData,
    VisitResumed,
    VisitRinging,
    VisitRingingData,
    VisitRingNoAnswer,
    WaitingNow,
)
from schemas.moments import moment
from telephony.origins import Classifier
from telephony.pseudonyms import Caller, Pseudonyms
from telephony.switch_channels import Visit, When

PART_SIZE = 500  # waiting visits in one part of a snapshot: under 256 kB with the longest ids
SERVICES: Mapping[str, str] = {"999": "999", "112": "999", "101": "101"}
"""By extension or queue; every other one is `OTHER_SERVICE`."""
OTHER_SERVICE = "101"
Arrived = Literal["diverted", "offered", "offered-before"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a switch shows of a call that comes in, as it spells it: it stays here."""

    number: str
    trunk: str
    dialled: str
    queue: str = ""
    language: str | None = None
    diverted_from: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a handler is doing, and for which queues."""

    state: HandlerStateName
    queues: tuple[str, ...]
    reason: str | None = None


class Events:
    """Of one switch; `origins` says where its calls come from."""

    def __init__(self, centre: str, system: str, pseudonyms: Pseudonyms, origins: Classifier) -> None:
        self._centre = centre
        self._source = f"//{centre}/{system}"
        self._pseudonyms = pseudonyms
        self._origins = origins

    def offered(self, call: str, what: Arrived, when: When, incoming: Incoming) -> Event:
        """`what` says how much is known: of the same arrival the least id counts, so "diverted" outdoes "offered"."""
        number, dialled = incoming.number, incoming.dialled
        place = self._origins.classify(number, incoming.trunk, incoming.diverted_from)
        shared = place.origin in SHARED_BY_MANY
        caller = Caller("shared") if shared else self._pseudonyms.caller(number, when.at)
        data = CallOfferedData(
            centre=self._centre,
            time_quality=when.quality,
            call=call,
            service=SERVICES.get(dialled) or SERVICES.get(incoming.queue) or OTHER_SERVICE,
            channel="voice",
            origin=place.origin,
            site=place.site,
            department=place.department,
            # An extension nobody declared may be a private number that somebody dials outwards.
            dialled=dialled if dialled in SERVICES else None,
            language=incoming.language,
            caller_tokens=caller.tokens or None,
            caller_state=caller.state,
        )
        return self._event(CallOffered, data, call, what, when)

    def refused(self, call: str, queue: str | None, reason: RefusedReason, when: When) -> Event:
        data = CallRefusedData(centre=self._centre, time_quality=when.quality, call=call, reason=reason, queue=queue)
        return self._event(CallRefused, data, call, reason, when)

    def call_ended(self, call: str, when: When) -> Event:
        data = CallEndedData(centre=self._centre, time_quality=when.quality, call=call)
        return self._event(CallEnded, data, call, "ended", when)

    def queued(self, visit: Visit, position: int | None) -> Event:
        data = VisitQueuedData(
            centre=self._centre,
            time_quality=visit.queued.quality,
            call=visit.call,
            visit=visit.id,
            queue=visit.queue,
            priority=visit.priority or None,
            position=position,
            channel_ref=visit.channel_ref,
        )
        return self._event(VisitQueued, data, visit.id, "listed" if visit.listed else "queued", visit.queued)

    def priority(self, visit: Visit, when: When) -> Event:
        data = VisitPriorityData(
            centre=self._centre, time_quality=when.quality, visit=visit.id, priority=visit.priority
        )
        return self._event(VisitPriority, data, visit.id, "priority", when)

    def ringing(self, visit: Visit, member: str, when: When) -> Event:
        return self._event(VisitRinging, self._ringing(visit, member, when), visit.id, "ringing", when)

    def rang_out(self, visit: Visit, member: str, when: When) -> Event:
        return self._event(VisitRingNoAnswer, self._ringing(visit, member, when), visit.id, "rang-out", when)

    def answered(self, visit: Visit, member: str, when: When) -> Event:
        data = VisitAnsweredData(
            centre=self._centre,
            time_quality=when.quality,
            visit=visit.id,
            handler=self._pseudonyms.handler(member),
            queue=visit.queue,
        )
        return self._event(VisitAnswered, data, visit.id, "answered", when)

    def left(self, visit: Visit, reason: LeftReason) -> Event:
        when = visit.left or visit.queued
        data = VisitLeftData(centre=self._centre, time_quality=when.quality, visit=visit.id, reason=reason)
        return self._event(VisitLeft, data, visit.id, reason, when)

    def held(self, visit: Visit, when: When) -> Event:
        data = VisitHeldData(centre=self._centre, time_quality=when.quality, visit=visit.id)
        return self._event(VisitHeld, data, visit.id, "held", when)

    def resumed(self, visit: Visit, when: When) -> Event:
        data = VisitHeldData(centre=self._centre, time_quality=when.quality, visit=visit.id)
        return self._event(VisitResumed, data, visit.id, "resumed", when)

    def ended(self, visit: Visit, when: When, reason: EndedReason | None) -> Event:
        data = VisitEndedData(centre=self._centre, time_quality=when.quality, visit=visit.id, reason=reason)
        return self._event(VisitEnded, data, visit.id, "ended", when)

    def handler_state(self, member: str, standing: Standing, when: When) -> Event:
        handler = self._pseudonyms.handler(member)
        data = HandlerStateData(
            centre=self._centre,
            time_quality=when.quality,
            handler=handler,
            state=standing.state,
            reason_class=standing.reason,
            queues=standing.queues or None,
        )
        queues = sha256("\n".join(standing.queues).encode()).hexdigest()[:16]
        return self._event(HandlerState, data, handler, f"{standing.state}/{queues}", when)

    def handlers(self, standings: Mapping[str, Standing], when: When) -> Event:
        handlers = tuple(
            HandlerNow(self._pseudonyms.handler(member), standing.state, standing.queues)
            for member, standing in standings.items()
        )
        data = HandlerSnapshotData(centre=self._centre, time_quality=when.quality, handlers=handlers)
        return self._event(HandlerSnapshot, data, None, "handlers", when)

    def heartbeat(
        self, events_seen: int, calls_up: int, callers_queued: int, newest_at: int | None, when: When
    ) -> Event:
        data = SourceHeartbeatData(
            centre=self._centre,
            time_quality=when.quality,
            events_seen=events_seen,
            calls_up=calls_up,
            callers_queued=callers_queued,
            # A switch whose clock was set back has told of what is yet to come: that would refuse all its heartbeats.
            newest_event_at=None if newest_at is None else moment(min(newest_at, when.at)),
        )
        return self._event(SourceHeartbeat, data, None, "heartbeat", when)

    def waiting(self, queue: str, listed: Sequence[tuple[Visit, int | None]], when: When) -> list[Event]:
        """A snapshot of `queue`, visits with their positions, in as many parts as it needs."""
        waiting = [
            WaitingNow(visit.id, visit.call, moment(visit.queued.at), visit.priority or None, position)
            for visit, position in listed
        ]
        parts = max(1, -(-len(waiting) // PART_SIZE))
        return [self._part(queue, part, parts, waiting, when) for part in range(1, parts + 1)]

    def _part(self, queue: str, part: int, parts: int, waiting: list[WaitingNow], when: When) -> Event:
        data = QueueSnapshotData(
            centre=self._centre,
            time_quality=when.quality,
            queue=queue,
            taken_at=moment(when.at),
            part=part,
            parts=parts,
            waiting=tuple(waiting[(part - 1) * PART_SIZE : part * PART_SIZE]),
        )
        return self._event(QueueSnapshot, data, queue, f"waiting/{part}", when)

    def _ringing(self, visit: Visit, member: str, when: When) -> VisitRingingData:
        handler = self._pseudonyms.handler(member)
        return VisitRingingData(centre=self._centre, time_quality=when.quality, visit=visit.id, handler=handler)

    def _event(self, cls: type[Event], data: Data, subject: str | None, what: str, when: When) -> Event:
        name = f"{what}/{when.at}" if subject is None else f"{subject}/{what}/{when.at}"
        return new_event(cls, data, id=name, source=self._source, time=moment(when.at), subject=subject)
