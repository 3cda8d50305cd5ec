"""Asterisk's manager events (AMI) into canonical events: a pure state machine, one block in, some events out.

It decides what happened to each caller. A call is a channel that rang in from outside; its id is the channel's
Uniqueid. A visit is one join of one queue, `<Uniqueid>#<n>`: a channel can join many times. Handlers' legs, our own
Snoop and Local channels and handlers' own calls are no calls. A handler's phone that joins a queue waits for the
caller that handler is talking to.

Why somebody left is said only when it is known. QueueCallerAbandon comes for hang-ups, timeouts, redirections and
shutdowns alike, and QueueCallerLeave comes for answers too, so a visit that left is decided by what follows on its
channel: AgentConnect, VarSet QUEUESTATUS, the next dialplan step, or the hang-up. A hang-up that nobody
requested is held for `SHUTDOWN_GRACE`: if the switch shuts down meanwhile, the caller did not abandon.

Always: no clock, no randomness, no exception for any input. Ids come from the switch's own ids and stamps, so a
second listener or a second reading gives the same ones. It needs the classes call, agent, dialplan and system,
and `timestampevents=yes`. It does not know of wrap-up (Asterisk has none), heartbeats or Kafka.
"""

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal, get_args

from schemas.codec import new_event
from schemas.events import (
    PRIORITY_MAX,
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
    LeftReason,
    QueueSnapshot,
    QueueSnapshotData,
    RefusedReason,
    TimeQuality,
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
from schemas.moments import SECOND, micros, moment
from telephony.ami_text import MalformedError, Reading, usable_id
from telephony.asterisk_members import MEMBERS_MAX, Members, Standing
from telephony.pseudonyms import Pseudonyms

SHUTDOWN_GRACE = 15 * SECOND  # how long a stopping Asterisk waits for its channels
RESTART_TOLERANCE = 5 * SECOND  # Uptime comes in whole seconds
LISTED_TOLERANCE = 3 * SECOND  # so does Wait
CHANNELS_MAX = 10_000
LISTED_MAX = 20_000
WAIT_SECONDS_MAX = 7 * 86_400
PART_SIZE = 500  # waiting visits in one part of a snapshot: under 256 kB with the longest ids

SERVICES: Mapping[str, str] = {"999": "999", "112": "999", "101": "101"}
OTHER_SERVICE = "101"

Skipped = Literal[
    "not_used",  # an event of a kind nothing here depends on
    "malformed",
    "not_a_caller",
    "unknown_call",
    "unknown_visit",
    "repeated",
    "unresolved",  # a visit whose end nobody saw: the snapshots will show that it is gone
    "incomplete_listing",
    "no_room",
]

_NOT_CALLERS = frozenset({"Local", "Snoop", "Surrogate", "AsyncGoto", "Message", "Announcer", "Recorder", "CBAnn"})
_BARE_UNIQUEID = re.compile(r"[0-9]+\.[0-9]+")
_DOWN = "0"  # the state in which Asterisk makes a channel that it dials itself
_LEFT: dict[str, LeftReason] = {
    "TIMEOUT": "timed_out",
    "LEAVEEMPTY": "timed_out",
    "LEAVEUNAVAIL": "timed_out",
    "WITHDRAW": "withdrawn",
}
_REFUSED: dict[str, RefusedReason] = {
    "FULL": "full",
    "JOINEMPTY": "unstaffed",
    "JOINUNAVAIL": "unstaffed",
    "CLOSED": "closed",
}
_ENDED: dict[str, EndedReason] = {"caller": "caller", "agent": "handler", "transfer": "transfer"}


class _UnrelatedError(Exception):
    """A block that is well-formed and changes nothing here; `kind` says why."""

    def __init__(self, kind: Skipped) -> None:
        self.kind = kind


@dataclass(frozen=True, slots=True)
class _When:
    at: int
    quality: TimeQuality


@dataclass(slots=True)
class _Visit:
    id: str
    call: str
    queue: str
    queued: _When
    priority: int = 0
    listed: bool = False  # known from a QueueStatus only, so `queued` is within a second or two
    unlisted: int = 0  # how many QueueStatus in a row lacked it
    abandon_seen: bool = False
    left: _When | None = None
    answered: bool = False

    @property
    def waiting(self) -> bool:
        return self.left is None and not self.answered

    @property
    def undecided(self) -> bool:
        return self.left is not None and not self.answered


@dataclass(slots=True)
class _Channel:
    """A caller's channel, with the visits whose end is not yet known."""

    id: str
    offered: bool
    joins: int = 0
    joined_at: int = 0
    priority: int = 0
    asked_queue: str | None = None
    hangup_requested: bool = False
    gone: _When | None = None
    visits: list[_Visit] = field(default_factory=list)

    def visit(self, queue: str, fits: Callable[[_Visit], bool]) -> _Visit | None:
        return next((visit for visit in self.visits if visit.queue == queue and fits(visit)), None)

    def waiting(self) -> list[_Visit]:
        return [visit for visit in self.visits if visit.waiting]

    def undecided(self) -> list[_Visit]:
        return [visit for visit in self.visits if visit.undecided]

    def answered(self) -> list[_Visit]:
        return [visit for visit in self.visits if visit.answered]


@dataclass(slots=True)
class _Listing:
    """A QueueStatus on its way."""

    entries: dict[str, list[Reading]] = field(default_factory=dict)
    members: list[tuple[str, Reading]] = field(default_factory=list)
    items: int = 0


class Translator:
    """One switch's events; `feed` them in the order in which they came, `finish` at the end of a recording."""

    def __init__(
        self,
        centre: str,
        system: str,
        pseudonyms: Pseudonyms,
        *,
        services: Mapping[str, str] = SERVICES,
    ) -> None:
        """`services` says which service an extension is; `OTHER_SERVICE` is every other one."""
        self._centre = centre
        self._system = system
        self._source = f"//{centre}/{system}"
        self._pseudonyms = pseudonyms
        self._services = services
        self._channels: dict[str, _Channel] = {}
        self._held: deque[tuple[int, _Channel]] = deque()
        self._talking: dict[str, str] = {}
        self._members = Members()
        self._listing = _Listing()
        self._behind = 0
        self._booted_at: int | None = None
        self.events_seen = 0
        self.newest_event_at: int | None = None
        self.skipped: dict[Skipped, int] = dict.fromkeys(get_args(Skipped), 0)

    @property
    def calls_up(self) -> int:
        return sum(channel.offered and channel.gone is None for channel in self._channels.values())

    @property
    def callers_queued(self) -> int:
        return sum(visit.waiting for channel in self._channels.values() for visit in channel.visits)

    def feed(self, block: Mapping[str, str], received_at: int) -> list[Event]:
        """What `block`, received at `received_at` microseconds, says; nothing when it says nothing."""
        events = list(self._overdue(received_at))
        seen = Reading.of(block, received_at)
        if seen.quality == "exact":
            self._behind = received_at - seen.at
        translate = _TRANSLATE.get(seen.text("Event"))
        if translate is None:
            self._skip("not_used")
        else:
            try:
                events.extend(translate(self, seen))
            except MalformedError:
                self._skip("malformed")
            except _UnrelatedError as unrelated:
                self._skip(unrelated.kind)
        return self._count(events)

    def finish(self) -> list[Event]:
        """What is still held when nothing more will come."""
        held, self._held = self._held, deque()
        return self._count([event for _, channel in held for event in self._conclude(channel, "abandoned")])

    def _count(self, events: list[Event]) -> list[Event]:
        self.events_seen += len(events)
        for event in events:
            self.newest_event_at = max(self.newest_event_at or 0, micros(event.time))
        return events

    # Calls

    def _new_channel(self, seen: Reading) -> Iterator[Event]:
        uniqueid, name = self._uniqueid(seen), seen.id("Channel")
        rang_in = seen.text("Uniqueid") == seen.text("Linkedid") and seen.text("ChannelState") != _DOWN
        known = self._channels.get(uniqueid)
        if not rang_in or not self._is_callers(name):
            self._skip("not_a_caller")
        elif known is not None and known.gone is None:
            self._skip("repeated")
        else:
            self._open(uniqueid, offered=True)
            yield self._offered(uniqueid, seen, _When(seen.at, seen.quality), "offered")

    def _find(self, uniqueid: str, seen: Reading, when: _When) -> Iterator[Event]:
        """Make a channel known that is in a queue although nobody saw it ring in."""
        if uniqueid in self._channels:
            return
        offered = self._is_callers(seen.id("Channel"))
        self._open(uniqueid, offered)
        if offered:
            yield self._offered(uniqueid, seen, when, "offered-before")

    def _offered(self, uniqueid: str, seen: Reading, when: _When, what: str) -> Event:
        dialled = seen.text("Exten")
        service = self._services.get(dialled) or self._services.get(seen.text("Queue")) or OTHER_SERVICE
        caller = self._pseudonyms.caller(seen.text("CallerIDNum"), when.at)
        data = CallOfferedData(
            centre=self._centre,
            time_quality=when.quality,
            call=uniqueid,
            service=service,
            channel="voice",
            # An extension nobody declared may be a private number that somebody dials outwards.
            dialled=dialled if dialled in self._services else None,
            language=seen.optional_id("Language"),
            caller_tokens=caller.tokens or None,
            caller_state=caller.state,
        )
        return self._event(CallOffered, data, when.at, f"{uniqueid}/{what}/{when.at}", uniqueid)

    def _variable(self, seen: Reading) -> Iterator[Event]:
        match seen.text("Variable"):
            case "QUEUESTATUS":
                yield from self._queue_status(seen)
            case "QUEUE_PRIO":
                self._channel(seen).priority = _priority(seen, "Value") or 0
            case _:
                self._skip("not_used")

    def _queue_status(self, seen: Reading) -> Iterator[Event]:
        channel, status = self._channel(seen), seen.text("Value")
        if status in _LEFT:
            for visit in channel.undecided():
                yield self._left(channel, visit, _LEFT[status])
        elif status in _REFUSED:
            data = CallRefusedData(
                centre=self._centre,
                time_quality=seen.quality,
                call=channel.id,
                reason=_REFUSED[status],
                queue=channel.asked_queue,
            )
            yield self._event(CallRefused, data, seen.at, f"{channel.id}/{status}/{seen.at}", channel.id)

    def _dialplan_step(self, seen: Reading) -> Iterator[Event]:
        channel = self._channel(seen)
        yield from self._moved_on(channel)
        if seen.text("Application") == "Queue":
            asked = seen.text("AppData").partition(",")[0]
            channel.asked_queue = asked if usable_id(asked) else None

    def _hangup_request(self, seen: Reading) -> Iterable[Event]:
        self._channel(seen).hangup_requested = True
        return ()

    def _hangup(self, seen: Reading) -> Iterator[Event]:
        channel = self._channel(seen)
        if channel.gone is not None:
            self._skip("repeated")
            return
        channel.gone = _When(seen.at, seen.quality)
        for visit in channel.waiting():
            self._unresolved(channel, visit)
        for visit in channel.undecided():
            if not visit.abandon_seen:
                yield self._left(channel, visit, "exited_by_key")
            elif channel.hangup_requested:
                yield self._left(channel, visit, "abandoned")
        if channel.offered:
            data = CallEndedData(centre=self._centre, time_quality=seen.quality, call=channel.id)
            yield self._event(CallEnded, data, seen.at, f"{channel.id}/ended/{seen.at}", channel.id)
        if channel.visits:
            self._held.append((seen.received_at + SHUTDOWN_GRACE, channel))
        else:
            self._forget(channel)

    def _attended_transfer(self, seen: Reading) -> Iterable[Event]:
        """A handler handed a waiting leg over to the caller, whose channel waits in its place from now on."""
        second = self._channels.get(self._uniqueid(seen, "SecondTransfererUniqueid"))
        transferee = self._uniqueid(seen, "TransfereeUniqueid")
        if second is not None and transferee in self._channels:
            moved = second.waiting()
            second.visits = [visit for visit in second.visits if visit not in moved]
            self._channels[transferee].visits.extend(moved)
        return ()

    # Visits

    def _joined(self, seen: Reading) -> Iterator[Event]:
        uniqueid, queue, when = self._uniqueid(seen), seen.id("Queue"), _When(seen.at, seen.quality)
        seen.id("Channel")
        yield from self._find(uniqueid, seen, _When(seen.at, "arrival"))
        channel = self._channels[uniqueid]
        if seen.at <= channel.joined_at:
            self._skip("repeated")
            return
        channel.joined_at = seen.at
        yield from self._moved_on(channel)
        for talked in channel.answered():
            yield self._ended(channel, talked, when, "transfer")
        visit = channel.visit(queue, lambda visit: visit.waiting and visit.listed)
        if visit is not None and abs(seen.at - visit.queued.at) <= LISTED_TOLERANCE:
            visit.queued, visit.listed = when, False
        else:
            for stale in channel.waiting():
                self._unresolved(channel, stale)
            visit = self._open_visit(channel, seen, queue, when)
        yield self._queued(visit, seen, "queued")

    def _left_queue(self, seen: Reading) -> Iterable[Event]:
        _, visit = self._visit(seen, lambda visit: visit.waiting)
        visit.left = _When(seen.at, seen.quality)
        return ()

    def _abandon(self, seen: Reading) -> Iterable[Event]:
        _, visit = self._visit(seen, lambda visit: not visit.answered)
        visit.abandon_seen = True
        return ()

    def _called(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._visit(seen, lambda visit: not visit.answered)
        yield self._event(VisitRinging, self._ringing(visit, seen), *self._of(visit, seen, "ringing"))

    def _rang_out(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._visit(seen, lambda _: True)
        yield self._event(VisitRingNoAnswer, self._ringing(visit, seen), *self._of(visit, seen, "rang-out"))

    def _connected(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._visit(seen, lambda visit: not visit.answered)
        name = _member_name(seen)
        visit.answered = True
        if len(self._talking) < MEMBERS_MAX:
            self._talking[name] = visit.call
        data = VisitAnsweredData(
            centre=self._centre,
            time_quality=seen.quality,
            visit=visit.id,
            handler=self._pseudonyms.handler(name),
            queue=visit.queue,
        )
        yield self._event(VisitAnswered, data, *self._of(visit, seen, "answered"))

    def _completed(self, seen: Reading) -> Iterator[Event]:
        channel, visit = self._visit(seen, lambda visit: visit.answered)
        reason = _ENDED.get(seen.text("Reason").lower())
        yield self._ended(channel, visit, _When(seen.at, seen.quality), reason)
        self._talking.pop(_member_name(seen), None)
        if channel.gone is not None and not channel.visits:
            self._forget(channel)

    def _on_hold(self, seen: Reading) -> Iterator[Event]:
        for visit in self._talked_to(seen):
            data = VisitHeldData(centre=self._centre, time_quality=seen.quality, visit=visit.id)
            yield self._event(VisitHeld, data, *self._of(visit, seen, "held"))

    def _off_hold(self, seen: Reading) -> Iterator[Event]:
        for visit in self._talked_to(seen):
            data = VisitHeldData(centre=self._centre, time_quality=seen.quality, visit=visit.id)
            yield self._event(VisitResumed, data, *self._of(visit, seen, "resumed"))

    def _talked_to(self, seen: Reading) -> list[_Visit]:
        """The visits that a handler's leg belongs to; a caller who presses hold is not on hold."""
        if self._uniqueid(seen) in self._channels:
            raise _UnrelatedError("not_used")
        return self._channel(seen, "Linkedid").answered()

    def _moved_on(self, channel: _Channel) -> Iterator[Event]:
        """The channel does something else, so what it left it left without an answer and without a timeout."""
        for visit in channel.undecided():
            if not visit.abandon_seen:
                yield self._left(channel, visit, "exited_by_key")
            else:
                yield self._left(channel, visit, "abandoned" if channel.hangup_requested else "transferred_out")

    # The switch itself

    def _fully_booted(self, seen: Reading) -> Iterator[Event]:
        """Sent at each login: only an Uptime that began later than the last one means a restart."""
        booted_at = seen.received_at - seen.whole("Uptime") * SECOND
        restarted = self._booted_at is not None and booted_at > self._booted_at + RESTART_TOLERANCE
        self._booted_at = booted_at
        self._listing = _Listing()
        if restarted:
            yield from self._shutdown(seen)
            for channel in list(self._channels.values()):
                for visit in list(channel.visits):
                    self._unresolved(channel, visit)
                self._forget(channel)
            self._talking.clear()

    def _shutdown(self, seen: Reading) -> Iterator[Event]:
        """The switch hung up on everybody: who left without asking to did not abandon."""
        self._held.clear()
        for channel in list(self._channels.values()):
            if channel.gone is not None:
                yield from self._conclude(channel, "withdrawn")
            elif not channel.hangup_requested:
                for visit in channel.undecided():
                    if visit.abandon_seen:
                        yield self._left(channel, visit, "withdrawn")

    def _overdue(self, received_at: int) -> Iterator[Event]:
        while self._held and self._held[0][0] <= received_at:
            _, channel = self._held.popleft()
            yield from self._conclude(channel, "abandoned")

    def _conclude(self, channel: _Channel, left: LeftReason) -> Iterator[Event]:
        """Settle what was held of a channel that is gone."""
        for visit in channel.undecided():
            yield self._left(channel, visit, left)
        for visit in channel.answered():
            yield self._ended(channel, visit, channel.gone or visit.queued, None)
        self._forget(channel)

    # Handlers

    def _member_changed(self, seen: Reading) -> Iterator[Event]:
        name = _member_name(seen)
        if standing := self._members.update(name, seen):
            yield self._handler_state(name, standing, seen)

    def _member_removed(self, seen: Reading) -> Iterator[Event]:
        name = _member_name(seen)
        if standing := self._members.remove(name, seen):
            yield self._handler_state(name, standing, seen)

    def _handler_state(self, name: str, standing: Standing, seen: Reading) -> Event:
        handler = self._pseudonyms.handler(name)
        data = HandlerStateData(
            centre=self._centre,
            time_quality=seen.quality,
            handler=handler,
            state=standing.state,
            reason_class=standing.reason,
            queues=standing.queues or None,
        )
        queues = sha256("\n".join(standing.queues).encode()).hexdigest()[:16]
        return self._event(HandlerState, data, seen.at, f"{handler}/{standing.state}/{queues}/{seen.at}", handler)

    # QueueStatus

    def _listed_queue(self, seen: Reading) -> Iterable[Event]:
        self._listing.entries[seen.id("Queue")] = []
        self._list_one()
        return ()

    def _listed_member(self, seen: Reading) -> Iterable[Event]:
        seen.id("Queue"), seen.whole("Status")
        self._listing.members.append((_member_name(seen), seen))
        self._list_one()
        return ()

    def _listed_entry(self, seen: Reading) -> Iterable[Event]:
        self._uniqueid(seen), seen.id("Channel")
        if not 0 <= seen.whole("Wait") <= WAIT_SECONDS_MAX:
            raise MalformedError("Wait")
        self._listing.entries.setdefault(seen.id("Queue"), []).append(seen)
        self._list_one()
        return ()

    def _list_one(self) -> None:
        self._listing.items += 1
        if self._listing.items > LISTED_MAX:
            self._listing = _Listing()
            raise MalformedError("a listing without end")

    def _listing_complete(self, seen: Reading) -> Iterator[Event]:
        """A listing speaks only when it is whole: a caller missing from it may be concluded to be lost."""
        listing, self._listing = self._listing, _Listing()
        if seen.whole("ListItems") != listing.items:
            raise _UnrelatedError("incomplete_listing")
        # Its blocks carry no stamp: their moment is that of receipt, on the switch's clock.
        taken = _When(seen.received_at - self._behind, "arrival")
        for queue, entries in listing.entries.items():
            waiting: list[WaitingNow] = []
            for entry in entries:
                visit = yield from self._listed_visit(queue, entry, taken)
                waiting.append(_waiting_now(visit, entry))
            self._drop_unlisted(queue, {now.visit for now in waiting})
            yield from self._queue_snapshot(queue, waiting, taken)
        standings = self._members.replace(listing.members)
        handlers = tuple(
            HandlerNow(self._pseudonyms.handler(name), standing.state, standing.queues)
            for name, standing in standings.items()
        )
        data = HandlerSnapshotData(centre=self._centre, time_quality=taken.quality, handlers=handlers)
        yield self._event(HandlerSnapshot, data, taken.at, f"handlers/{taken.at}", None)

    def _listed_visit(self, queue: str, entry: Reading, taken: _When) -> Generator[Event, None, _Visit]:
        """The visit that a QueueEntry is about, opened with its true wait when nobody saw it begin."""
        uniqueid = self._uniqueid(entry)
        queued = _When(taken.at - entry.whole("Wait") * SECOND, "second")
        yield from self._find(uniqueid, entry, _When(queued.at, "arrival"))
        channel = self._channels[uniqueid]
        visit = channel.visit(queue, lambda visit: visit.waiting)
        if visit is None:
            visit = self._open_visit(channel, entry, queue, queued)
            visit.listed = True
            yield self._queued(visit, entry, "listed")
        visit.unlisted = 0
        priority = _priority(entry, "Priority")
        if priority is not None and priority != visit.priority:
            visit.priority = priority
            said = VisitPriorityData(
                centre=self._centre, time_quality=taken.quality, visit=visit.id, priority=priority
            )
            yield self._event(VisitPriority, said, taken.at, f"{visit.id}/priority/{taken.at}", visit.id)
        return visit

    def _drop_unlisted(self, queue: str, listed: set[str]) -> None:
        """A listing runs ahead of the events by a moment, so only the second absence counts."""
        for channel in list(self._channels.values()):
            for visit in channel.waiting():
                if visit.queue == queue and visit.id not in listed:
                    visit.unlisted += 1
                    if visit.unlisted > 1:
                        self._unresolved(channel, visit)

    def _queue_snapshot(self, queue: str, waiting: list[WaitingNow], taken: _When) -> Iterator[Event]:
        parts = max(1, -(-len(waiting) // PART_SIZE))
        for part in range(1, parts + 1):
            data = QueueSnapshotData(
                centre=self._centre,
                time_quality=taken.quality,
                queue=queue,
                taken_at=moment(taken.at),
                part=part,
                parts=parts,
                waiting=tuple(waiting[(part - 1) * PART_SIZE : part * PART_SIZE]),
            )
            yield self._event(QueueSnapshot, data, taken.at, f"{queue}/waiting/{part}/{taken.at}", queue)

    # Leaves

    def _uniqueid(self, seen: Reading, member: str = "Uniqueid") -> str:
        """A switch without `systemname` numbers channels as every other does: its name here keeps them apart."""
        uniqueid = seen.id(member)
        return f"{self._system}-{uniqueid}" if _BARE_UNIQUEID.fullmatch(uniqueid) else uniqueid

    def _channel(self, seen: Reading, member: str = "Uniqueid") -> _Channel:
        channel = self._channels.get(self._uniqueid(seen, member))
        if channel is None:
            raise _UnrelatedError("unknown_call")
        return channel

    def _visit(self, seen: Reading, fits: Callable[[_Visit], bool]) -> tuple[_Channel, _Visit]:
        channel = self._channels.get(self._uniqueid(seen))
        visit = channel.visit(seen.id("Queue"), fits) if channel else None
        if channel is None or visit is None:
            raise _UnrelatedError("unknown_visit")
        return channel, visit

    def _is_callers(self, channel_name: str) -> bool:
        technology = channel_name.partition("/")[0]
        return technology not in _NOT_CALLERS and self._members.at(_device(channel_name)) is None

    def _open(self, uniqueid: str, offered: bool) -> None:
        if len(self._channels) >= CHANNELS_MAX:
            self._channels.pop(next(iter(self._channels)))
            self._skip("no_room")
        self._channels[uniqueid] = _Channel(uniqueid, offered)

    def _open_visit(self, channel: _Channel, seen: Reading, queue: str, queued: _When) -> _Visit:
        channel.joins += 1
        name = seen.id("Channel")
        call = channel.id
        if name.startswith("Local/") and seen.optional_id("Linkedid"):
            call = self._uniqueid(seen, "Linkedid")
        elif handler := self._members.at(_device(name)):
            call = self._talking.get(handler, call)
        visit = _Visit(f"{channel.id}#{channel.joins}", call, queue, queued, priority=channel.priority)
        channel.visits.append(visit)
        return visit

    def _queued(self, visit: _Visit, seen: Reading, what: str) -> Event:
        data = VisitQueuedData(
            centre=self._centre,
            time_quality=visit.queued.quality,
            call=visit.call,
            visit=visit.id,
            queue=visit.queue,
            priority=visit.priority or None,
            position=_position(seen),
            channel_ref=seen.id("Uniqueid"),
        )
        return self._event(VisitQueued, data, visit.queued.at, f"{visit.id}/{what}/{visit.queued.at}", visit.id)

    def _left(self, channel: _Channel, visit: _Visit, reason: LeftReason) -> Event:
        channel.visits.remove(visit)
        left = visit.left or visit.queued
        data = VisitLeftData(centre=self._centre, time_quality=left.quality, visit=visit.id, reason=reason)
        return self._event(VisitLeft, data, left.at, f"{visit.id}/{reason}/{left.at}", visit.id)

    def _ended(self, channel: _Channel, visit: _Visit, when: _When, reason: EndedReason | None) -> Event:
        channel.visits.remove(visit)
        data = VisitEndedData(centre=self._centre, time_quality=when.quality, visit=visit.id, reason=reason)
        return self._event(VisitEnded, data, when.at, f"{visit.id}/ended/{when.at}", visit.id)

    def _ringing(self, visit: _Visit, seen: Reading) -> VisitRingingData:
        handler = self._pseudonyms.handler(_member_name(seen))
        return VisitRingingData(centre=self._centre, time_quality=seen.quality, visit=visit.id, handler=handler)

    def _of(self, visit: _Visit, seen: Reading, what: str) -> tuple[int, str, str]:
        return seen.at, f"{visit.id}/{what}/{seen.at}", visit.id

    def _event(self, cls: type[Event], data: Data, at: int, name: str, subject: str | None) -> Event:
        return new_event(cls, data, id=name, source=self._source, time=moment(at), subject=subject)

    def _unresolved(self, channel: _Channel, visit: _Visit) -> None:
        channel.visits.remove(visit)
        self._skip("unresolved")

    def _forget(self, channel: _Channel) -> None:
        if self._channels.get(channel.id) is channel:
            del self._channels[channel.id]

    def _skip(self, kind: Skipped) -> None:
        self.skipped[kind] += 1


def _device(channel_name: str) -> str:
    return channel_name.rpartition("-")[0]


def _member_name(seen: Reading) -> str:
    """The person where the switch knows one; `Name` and `Location` are what QueueStatus calls the same."""
    for member in ("MemberName", "Name", "Interface", "Location"):
        if name := seen.optional_id(member):
            return name
    raise MalformedError("MemberName")


def _waiting_now(visit: _Visit, entry: Reading) -> WaitingNow:
    return WaitingNow(
        visit=visit.id,
        call=visit.call,
        queued_at=moment(visit.queued.at),
        priority=visit.priority or None,
        position=_position(entry),
    )


def _priority(seen: Reading, member: str) -> int | None:
    priority = seen.optional_whole(member)
    return None if priority is None else max(-PRIORITY_MAX, min(PRIORITY_MAX, priority))


def _position(seen: Reading) -> int | None:
    position = seen.optional_whole("Position")
    return position if position and 0 < position <= LISTED_MAX else None


_TRANSLATE: dict[str, Callable[[Translator, Reading], Iterable[Event]]] = {
    "Newchannel": Translator._new_channel,
    "Newexten": Translator._dialplan_step,
    "VarSet": Translator._variable,
    "HangupRequest": Translator._hangup_request,
    "Hangup": Translator._hangup,
    "AttendedTransfer": Translator._attended_transfer,
    "QueueCallerJoin": Translator._joined,
    "QueueCallerLeave": Translator._left_queue,
    "QueueCallerAbandon": Translator._abandon,
    "AgentCalled": Translator._called,
    "AgentRingNoAnswer": Translator._rang_out,
    "AgentConnect": Translator._connected,
    "AgentComplete": Translator._completed,
    "Hold": Translator._on_hold,
    "Unhold": Translator._off_hold,
    "QueueMemberAdded": Translator._member_changed,
    "QueueMemberStatus": Translator._member_changed,
    "QueueMemberPause": Translator._member_changed,
    "QueueMemberRemoved": Translator._member_removed,
    "FullyBooted": Translator._fully_booted,
    "Shutdown": Translator._shutdown,
    "QueueParams": Translator._listed_queue,
    "QueueMember": Translator._listed_member,
    "QueueEntry": Translator._listed_entry,
    "QueueStatusComplete": Translator._listing_complete,
}
