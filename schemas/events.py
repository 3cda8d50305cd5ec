"""The events a control room's telephone systems send: CloudEvents 1.0 envelopes, one type each.

This file is the contract of topic `occ.events.v1`; the JSON Schemas and the AsyncAPI document beside it are
generated from these types. Every event is a frozen record. Members that are absent are `None`; members nobody
here knows are ignored when read, so that a source may say more than this version understands.

It deliberately does not know what a figure is, nor how events reach it.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

ID_BYTES_MAX = 200
PRIORITY_MAX = 1000
LISTED_MAX = 2_000
"""Handlers, or visits, in one snapshot or part of one."""

# What only the codec enforces is still said in the JSON Schema: `extra_json_schema` costs the decoder nothing.
_NO_CONTROL = r"[^\x00-\x1f\x7f-\x9f]+$"
_MOMENT_PATTERN = r"^(?!9999)[2-9]\d{3}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:?\d{2})$"

Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ID_BYTES_MAX,
        description=f"At most {ID_BYTES_MAX} bytes of UTF-8.",
        extra_json_schema={"pattern": f"^{_NO_CONTROL}"},
    ),
]
Token = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=ID_BYTES_MAX,
        pattern=rf"^(?!\+?[0-9]{{5,20}}$){_NO_CONTROL}",
        description="A pseudonym made at the edge; never a telephone number.",
    ),
]
Text = Annotated[str, Meta(max_length=2000)]
Moment = Annotated[
    datetime,
    Meta(tz=True, description="RFC 3339, 2000 to 9998.", extra_json_schema={"pattern": _MOMENT_PATTERN}),
]
Priority = Annotated[int, Meta(ge=-PRIORITY_MAX, le=PRIORITY_MAX)]
Position = Annotated[int, Meta(ge=1, le=1_000_000)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]

TimeQuality = Literal["exact", "second", "arrival"]
Channel = Literal["voice", "digital", "text_relay"]
Origin = Literal["public", "diverted_mobile", "internal", "station_phone", "other_agency", "unknown"]
SHARED_BY_MANY: frozenset[Origin] = frozenset({"internal", "station_phone", "other_agency"})
"""Origins whose telephones many share: their numbers tell nobody apart."""
CallerState = Literal["ok", "withheld", "shared", "absent"]
RefusedReason = Literal["full", "closed", "unstaffed"]
VisitKind = Literal["call", "callback"]
LeftReason = Literal["abandoned", "timed_out", "exited_by_key", "callback_requested", "transferred_out", "withdrawn"]
EndedReason = Literal["caller", "handler", "transfer"]
OutcomeClass = Literal["police", "other_agency", "advice", "no_trace"]
RungBackResult = Literal["reached", "no_answer", "failed"]
HandlerStateName = Literal["available", "ringing", "talking", "hold", "wrap_up", "not_ready", "logged_out"]
AbsenceClass = Literal["sick", "leave", "training", "other"]
NoteKind = Literal["go_live", "campaign", "pilot", "incident", "planned_work"]
AnnouncementOutcomeName = Literal["played", "cut_by_answer", "caller_left", "expired", "failed"]


class Data(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """What every `data` has. `time_quality` says how far the envelope's `time` can be trusted."""

    centre: Id
    time_quality: TimeQuality = "exact"


class CallerToken(Struct, frozen=True, gc=False):
    """A caller's pseudonym under the key of one day (keys change at 04:00 local time)."""

    key_day: date
    token: Token


class CallOfferedData(Data, frozen=True):
    call: Id
    service: Id
    channel: Channel | None = None
    origin: Origin | None = None
    site: Id | None = None
    department: Id | None = None
    dialled: Id | None = None
    language: Id | None = None
    caller_tokens: Annotated[tuple[CallerToken, ...], Meta(min_length=1, max_length=2)] | None = None
    caller_state: CallerState | None = None
    transferred_at: Moment | None = None
    test: bool | None = None


class CallRefusedData(Data, frozen=True):
    call: Id
    reason: RefusedReason
    queue: Id | None = None


class CallEndedData(Data, frozen=True):
    call: Id
    reason: Id | None = None


class CallRungBackData(Data, frozen=True):
    call: Id
    for_call: Id
    result: RungBackResult
    handler: Id | None = None


class VisitQueuedData(Data, frozen=True):
    call: Id
    visit: Id
    queue: Id
    priority: Priority | None = None
    position: Position | None = None
    channel_ref: Id | None = None
    queued_at: Moment | None = None
    kind: VisitKind | None = None
    original_queued_at: Moment | None = None
    callback_of: Id | None = None


class VisitPriorityData(Data, frozen=True):
    visit: Id
    priority: Priority


class VisitRingingData(Data, frozen=True):
    visit: Id
    handler: Id


class VisitAnsweredData(Data, frozen=True):
    visit: Id
    handler: Id
    queue: Id | None = None


class VisitLeftData(Data, frozen=True):
    visit: Id
    reason: LeftReason


class VisitHeldData(Data, frozen=True):
    visit: Id


class VisitEndedData(Data, frozen=True):
    visit: Id
    reason: EndedReason | None = None
    to_queue: Id | None = None


class VisitWrappedUpData(Data, frozen=True):
    visit: Id
    outcome_class: OutcomeClass | None = None
    agency: Id | None = None


class HandlerStateData(Data, frozen=True):
    handler: Id
    state: HandlerStateName
    reason_class: Id | None = None
    queues: Annotated[tuple[Id, ...], Meta(max_length=32)] | None = None
    team: Id | None = None


class HandlerNow(Struct, frozen=True, gc=False, omit_defaults=True):
    handler: Id
    state: HandlerStateName
    queues: Annotated[tuple[Id, ...], Meta(max_length=32)]
    team: Id | None = None


class HandlerSnapshotData(Data, frozen=True):
    handlers: Annotated[tuple[HandlerNow, ...], Meta(max_length=LISTED_MAX)]


class RosterPlannedData(Data, frozen=True):
    queue: Id
    interval_start: Moment
    interval_minutes: Annotated[int, Meta(ge=1, le=1440)]
    planned: Seconds
    rostered: Seconds
    team: Id | None = None


class RosterAbsenceData(Data, frozen=True, rename={"from_": "from", "class_": "class"}):
    handler: Id
    from_: Moment
    to: Moment
    class_: AbsenceClass


class WaitingNow(Struct, frozen=True, gc=False, omit_defaults=True):
    visit: Id
    call: Id
    queued_at: Moment
    priority: Priority | None = None
    position: Position | None = None


class QueueSnapshotData(Data, frozen=True):
    queue: Id
    taken_at: Moment
    part: Annotated[int, Meta(ge=1, le=1000)]
    parts: Annotated[int, Meta(ge=1, le=1000)]
    waiting: Annotated[tuple[WaitingNow, ...], Meta(max_length=LISTED_MAX)]


class SourceHeartbeatData(Data, frozen=True):
    events_seen: Count
    calls_up: Count
    callers_queued: Count
    newest_event_at: Moment | None = None


class ProfileSlot(Struct, frozen=True, gc=False):
    """One slot of the week; `minute` counts from local midnight, `weekday` from Monday = 0."""

    weekday: Annotated[int, Meta(ge=0, le=6)]
    minute: Annotated[int, Meta(ge=0, le=1439)]
    offered: Seconds
    aht_mean: Seconds
    wait_median: Seconds
    crossover: Seconds
    n: Count


class ProfilePublishedData(Data, frozen=True):
    slots: Annotated[tuple[ProfileSlot, ...], Meta(max_length=2016)]
    month_to_date: dict[Id, Count]
    computed_at: Moment
    queue: Id | None = None


class NoteData(Data, frozen=True):
    at: Moment
    scope: Id
    kind: NoteKind
    text: Text
    until: Moment | None = None


class AnnouncementOutcomeData(Data, frozen=True):
    announcement: Id
    visit: Id
    outcome: AnnouncementOutcomeName


class Envelope(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True, tag_field="type"):
    """CloudEvents 1.0. `id` is unique within `source` and the same however often the thing is reported."""

    specversion: Literal["1.0"]
    id: Id
    source: Id
    time: Moment
    subject: Id | None = None


class CallOffered(Envelope, frozen=True, tag="occ.call.offered.v1"):
    """A call reached the control room."""

    data: CallOfferedData


class CallRefused(Envelope, frozen=True, tag="occ.call.refused.v1"):
    """A call was turned away before any queue."""

    data: CallRefusedData


class CallEnded(Envelope, frozen=True, tag="occ.call.ended.v1"):
    """A call is over; this is what ends calls that never joined a queue."""

    data: CallEndedData


class CallRungBack(Envelope, frozen=True, tag="occ.call.rung_back.v1"):
    """The control room rang back an abandoned call."""

    data: CallRungBackData


class VisitQueued(Envelope, frozen=True, tag="occ.visit.queued.v1"):
    """A call joined a queue."""

    data: VisitQueuedData


class VisitPriority(Envelope, frozen=True, tag="occ.visit.priority.v1"):
    """A waiting visit was moved up or down."""

    data: VisitPriorityData


class VisitRinging(Envelope, frozen=True, tag="occ.visit.ringing.v1"):
    """A handler's phone rings for this visit."""

    data: VisitRingingData


class VisitRingNoAnswer(Envelope, frozen=True, tag="occ.visit.ring_no_answer.v1"):
    """A handler's phone rang out; the visit goes on waiting."""

    data: VisitRingingData


class VisitAnswered(Envelope, frozen=True, tag="occ.visit.answered.v1"):
    """A person is connected."""

    data: VisitAnsweredData


class VisitLeft(Envelope, frozen=True, tag="occ.visit.left.v1"):
    """A visit left its queue unanswered."""

    data: VisitLeftData


class VisitHeld(Envelope, frozen=True, tag="occ.visit.held.v1"):
    """The caller was put on hold."""

    data: VisitHeldData


class VisitResumed(Envelope, frozen=True, tag="occ.visit.resumed.v1"):
    """The caller was taken off hold."""

    data: VisitHeldData


class VisitEnded(Envelope, frozen=True, tag="occ.visit.ended.v1"):
    """The answered conversation ended; wrap-up starts."""

    data: VisitEndedData


class VisitWrappedUp(Envelope, frozen=True, tag="occ.visit.wrapped_up.v1"):
    """The contact log of a visit was closed."""

    data: VisitWrappedUpData


class HandlerState(Envelope, frozen=True, tag="occ.handler.state.v1"):
    """A handler changed state."""

    data: HandlerStateData


class HandlerSnapshot(Envelope, frozen=True, tag="occ.handler.snapshot.v1"):
    """What the switch says of all its handlers; absent means logged out."""

    data: HandlerSnapshotData


class RosterPlanned(Envelope, frozen=True, tag="occ.roster.planned.v1"):
    """Duties planned for a queue and interval."""

    data: RosterPlannedData


class RosterAbsence(Envelope, frozen=True, tag="occ.roster.absence.v1"):
    """A handler's abstraction from duty."""

    data: RosterAbsenceData


class QueueSnapshot(Envelope, frozen=True, tag="occ.queue.snapshot.v1"):
    """Who the switch itself says is waiting in a queue."""

    data: QueueSnapshotData


class SourceHeartbeat(Envelope, frozen=True, tag="occ.source.heartbeat.v1"):
    """A feed is alive: sent every 3 s, only while the switch really answers."""

    data: SourceHeartbeatData


class ProfilePublished(Envelope, frozen=True, tag="occ.profile.published.v1"):
    """History that live figures need."""

    data: ProfilePublishedData


class Note(Envelope, frozen=True, tag="occ.note.v1"):
    """A mark to compare figures before and after."""

    data: NoteData


class AnnouncementOutcome(Envelope, frozen=True, tag="occ.announcement.outcome.v1"):
    """What became of a spoken message."""

    data: AnnouncementOutcomeData


Event = (
    CallOffered
    | CallRefused
    | CallEnded
    | CallRungBack
    | VisitQueued
    | VisitPriority
    | VisitRinging
    | VisitRingNoAnswer
    | VisitAnswered
    | VisitLeft
    | VisitHeld
    | VisitResumed
    | VisitEnded
    | VisitWrappedUp
    | HandlerState
    | HandlerSnapshot
    | RosterPlanned
    | RosterAbsence
    | QueueSnapshot
    | SourceHeartbeat
    | ProfilePublished
    | Note
    | AnnouncementOutcome
)
EVENT_TYPES: dict[str, type[Event]] = {str(cls.__struct_config__.tag): cls for cls in Event.__args__}
