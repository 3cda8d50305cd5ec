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
second listener or a second reading gives the same ones. What happened while nobody listened is told from what the
switch says afterwards, or not at all. It needs the classes call, agent, dialplan and system, and
`timestampevents=yes`. It does not know of wrap-up (Asterisk has none), heartbeats or Kafka.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from schemas.events import PRIORITY_MAX, EndedReason, Event, LeftReason, RefusedReason
from schemas.moments import SECOND
from telephony.ami_text import read
from telephony.asterisk_members import MEMBERS_MAX, Members
from telephony.origins import NOWHERE, Classifier
from telephony.pseudonyms import Pseudonyms
from telephony.reading import MalformedError, Reading, usable_id
from telephony.switch_channels import Channel, Memory, Visit, When
from telephony.switch_events import Incoming
from telephony.translating import LISTED_TOLERANCE, SwitchTranslator, UnrelatedError

SHUTDOWN_GRACE = 15 * SECOND  # how long a stopping Asterisk waits for its channels
RESTART_TOLERANCE = 5 * SECOND  # Uptime comes in whole seconds
LISTED_MAX = 20_000
WAIT_SECONDS_MAX = 7 * 86_400

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


@dataclass(slots=True)
class _Listing:
    """A QueueStatus and a CoreShowChannels on their way."""

    entries: dict[str, list[Reading]] = field(default_factory=dict)
    members: list[tuple[str, Reading]] = field(default_factory=list)
    items: int = 0
    channels: set[str] = field(default_factory=set)


def call_id(system: str, uniqueid: str) -> str:
    """The call that a channel is.

    A switch without `systemname` numbers channels as every other does: its name here keeps them apart.
    """
    return f"{system}-{uniqueid}" if _BARE_UNIQUEID.fullmatch(uniqueid) else uniqueid


class Translator(SwitchTranslator):
    """One Asterisk's events."""

    def __init__(
        self,
        centre: str,
        system: str,
        pseudonyms: Pseudonyms,
        *,
        origins: Classifier = NOWHERE,
        memory: Memory | None = None,
    ) -> None:
        super().__init__(centre, system, pseudonyms, origins=origins, memory=memory)
        self._system = system
        self._members = Members()
        self._listing = _Listing()
        self._behind = 0
        self._listening_since: int | None = None

    def _translate(self, block: Mapping[str, str], received_at: int) -> Iterable[Event]:
        seen = read(block, received_at)
        if seen.quality == "exact":
            self._behind = received_at - seen.at
        translate = _TRANSLATE.get(seen.text("Event"))
        if translate is None:
            raise UnrelatedError("not_used")
        return translate(self, seen)

    def heartbeat(self, callers_queued: int, received_at: int) -> Event:
        """The switch answered at `received_at`, and counts so many callers in its queues."""
        return self._events.heartbeat(
            self.events_seen, self.calls_up, callers_queued, self.newest_event_at, self._switch_clock(received_at)
        )

    # Calls

    def _new_channel(self, seen: Reading) -> Iterator[Event]:
        uniqueid, name = self._uniqueid(seen), seen.id("Channel")
        rang_in = seen.text("Uniqueid") == seen.text("Linkedid") and seen.text("ChannelState") != _DOWN
        if not rang_in or not self._is_callers(name):
            self._skip("not_a_caller")
        elif uniqueid in self._channels:
            self._skip("repeated")
        else:
            self._open(uniqueid, seen.when)
            yield self._events.offered(uniqueid, "offered", seen.when, _incoming(seen))

    def _find(self, uniqueid: str, seen: Reading, at: int) -> Iterator[Event]:
        """Make a channel known that is in a queue since `at` although nobody saw it ring in."""
        if uniqueid in self._channels:
            return
        if not self._is_callers(seen.id("Channel")):
            self._open(uniqueid, None)
            return
        arrived = When(at, "arrival")
        self._open(uniqueid, arrived)
        yield self._events.offered(uniqueid, "offered-before", arrived, _incoming(seen))

    def _variable(self, seen: Reading) -> Iterator[Event]:
        match seen.text("Variable"):
            case "QUEUESTATUS":
                yield from self._queue_status(seen)
            case "QUEUE_PRIO":
                self._channel(seen).priority = _priority(seen, "Value") or 0
            case "OCC_DIVERTED_FROM":
                channel = self._channel(seen)
                if channel.arrived is not None:
                    incoming = _incoming(seen, diverted_from=seen.text("Value"))
                    yield self._events.offered(channel.id, "diverted", channel.arrived, incoming)
            case _:
                self._skip("not_used")

    def _queue_status(self, seen: Reading) -> Iterator[Event]:
        """Set just after leaving for any reason but an answer, a key or a hang-up; or instead of joining."""
        channel, status = self._channel(seen), seen.text("Value")
        if status in _LEFT:
            for visit in channel.undecided():
                yield self._left(channel, visit, _LEFT[status])
        elif status in _REFUSED:
            yield self._events.refused(channel.id, channel.asked_queue, _REFUSED[status], seen.when)

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
            raise UnrelatedError("repeated")
        channel.gone = seen.when
        for visit in channel.waiting():
            self._unresolved(channel, visit)
        for visit in channel.undecided():
            if not visit.abandon_seen:
                yield self._left(channel, visit, "exited_by_key")
            elif channel.hangup_requested:
                yield self._left(channel, visit, "abandoned")
        if channel.offered:
            yield self._events.call_ended(channel.id, channel.gone)
        if channel.visits:
            self.memory.held.append((seen.received_at + SHUTDOWN_GRACE, channel.id))
        else:
            self._forget(channel)

    def _attended_transfer(self, seen: Reading) -> Iterable[Event]:
        """A handler handed a waiting leg over to the caller, whose channel waits in its place from now on."""
        second = self._channels.get(self._uniqueid(seen, "SecondTransfererUniqueid"))
        transferee = self._channels.get(self._uniqueid(seen, "TransfereeUniqueid"))
        if second is not None and transferee is not None:
            for visit in second.waiting():
                second.visits.remove(visit)
                transferee.visits.append(visit)
        return ()

    # Visits

    def _joined(self, seen: Reading) -> Iterator[Event]:
        uniqueid, queue, _ = self._uniqueid(seen), seen.id("Queue"), seen.id("Channel")
        yield from self._find(uniqueid, seen, seen.at)
        channel, when = self._channels[uniqueid], seen.when
        if when.at <= channel.joined_at:
            raise UnrelatedError("repeated")
        channel.joined_at = when.at
        yield from self._moved_on(channel)
        for talked in channel.answered():
            yield self._ended(channel, talked, when, "transfer")
        visit = channel.visit(queue, lambda visit: visit.waiting and visit.listed)
        if visit is not None and abs(when.at - visit.queued.at) <= LISTED_TOLERANCE:
            visit.queued, visit.listed = when, False
        else:
            for stale in channel.waiting():
                self._unresolved(channel, stale)
            visit = self._open_visit(channel, seen, queue, when)
        yield self._events.queued(visit, _position(seen))

    def _left_queue(self, seen: Reading) -> Iterable[Event]:
        _, visit = self._visit(seen, lambda visit: visit.waiting)
        visit.left = seen.when
        return ()

    def _abandon(self, seen: Reading) -> Iterable[Event]:
        _, visit = self._visit(seen, lambda visit: visit.waiting)
        visit.abandon_seen = True
        return ()

    def _called(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._visit(seen, lambda visit: not visit.answered)
        yield self._events.ringing(visit, _member_name(seen), seen.when)

    def _rang_out(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._visit(seen, lambda _: True)
        yield self._events.rang_out(visit, _member_name(seen), seen.when)

    def _connected(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._visit(seen, lambda visit: not visit.answered)
        name = _member_name(seen)
        visit.answered = True
        if len(self.memory.talking) < MEMBERS_MAX:
            self.memory.talking[self._pseudonyms.handler(name)] = visit.call
        yield self._events.answered(visit, name, seen.when)

    def _completed(self, seen: Reading) -> Iterator[Event]:
        try:
            channel, visit = self._visit(seen, lambda visit: visit.answered)
        except UnrelatedError:
            channel, visit = yield from self._answered_unheard(seen)
        self.memory.talking.pop(self._pseudonyms.handler(_member_name(seen)), None)
        yield self._ended(channel, visit, seen.when, _ENDED.get(seen.text("Reason").lower()))

    def _answered_unheard(self, seen: Reading) -> Generator[Event, None, tuple[Channel, Visit]]:
        """An answer given while nobody listened: the end of the conversation tells when it began."""
        answered = When(seen.at - seen.whole("TalkTime") * SECOND, "second")
        if self._listening_since is None or answered.at >= self._listening_since:
            raise UnrelatedError("unknown_visit")
        uniqueid, queue, name = self._uniqueid(seen), seen.id("Queue"), _member_name(seen)
        queued = When(answered.at - seen.whole("HoldTime") * SECOND, "second")
        yield from self._find(uniqueid, seen, queued.at)
        channel = self._channels[uniqueid]
        visit = channel.visit(queue, lambda visit: not visit.answered)
        if visit is None:
            visit = self._open_visit(channel, seen, queue, queued)
            visit.listed = True
            yield self._events.queued(visit, None)
        visit.answered = True
        yield self._events.answered(visit, name, answered)
        return channel, visit

    def _on_hold(self, seen: Reading) -> Iterator[Event]:
        for visit in self._talked_to(seen):
            yield self._events.held(visit, seen.when)

    def _off_hold(self, seen: Reading) -> Iterator[Event]:
        for visit in self._talked_to(seen):
            yield self._events.resumed(visit, seen.when)

    def _talked_to(self, seen: Reading) -> list[Visit]:
        """The visits that a handler's leg belongs to; a caller who presses hold is not on hold."""
        if self._uniqueid(seen) in self._channels:
            raise UnrelatedError("not_used")
        return self._channel(seen, "Linkedid").answered()

    def _moved_on(self, channel: Channel) -> Iterator[Event]:
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
        last_boot, self.memory.booted_at = self.memory.booted_at, booted_at
        self._listening_since = self._switch_clock(seen.received_at).at
        self._listing = _Listing()
        if last_boot is not None and booted_at > last_boot + RESTART_TOLERANCE:
            yield from self._shutdown(seen)
            for channel in list(self._channels.values()):
                yield from self._over(channel, self._switch_clock(booted_at))
            self.memory.talking.clear()

    def _shutdown(self, _: Reading) -> Iterator[Event]:
        """The switch hung up on everybody: who left without asking to did not abandon."""
        for channel in list(self._channels.values()):
            if channel.gone is not None:
                yield from self._settle(channel, "withdrawn")
            elif not channel.hangup_requested:
                for visit in channel.undecided():
                    if visit.abandon_seen:
                        yield self._left(channel, visit, "withdrawn")

    def _conclude(self, channel: Channel) -> Iterator[Event]:
        return self._settle(channel, "abandoned")

    def _settle(self, channel: Channel, left: LeftReason) -> Iterator[Event]:
        for visit in channel.undecided():
            yield self._left(channel, visit, left)
        for visit in channel.answered():
            yield self._ended(channel, visit, channel.gone or visit.queued, None)
        self._forget(channel)

    # Handlers

    def _member_changed(self, seen: Reading) -> Iterator[Event]:
        name = _member_name(seen)
        if standing := self._members.update(name, seen):
            yield self._events.handler_state(name, standing, seen.when)

    def _member_removed(self, seen: Reading) -> Iterator[Event]:
        name = _member_name(seen)
        if standing := self._members.remove(name, seen):
            yield self._events.handler_state(name, standing, seen.when)

    # QueueStatus

    def _listed_queue(self, seen: Reading) -> Iterable[Event]:
        self._listing.entries[seen.id("Queue")] = []
        return self._one_more()

    def _listed_member(self, seen: Reading) -> Iterable[Event]:
        seen.id("Queue"), seen.whole("Status")
        self._listing.members.append((_member_name(seen), seen))
        return self._one_more()

    def _listed_entry(self, seen: Reading) -> Iterable[Event]:
        self._uniqueid(seen), seen.id("Channel")
        if not 0 <= seen.whole("Wait") <= WAIT_SECONDS_MAX:
            raise MalformedError("Wait")
        self._listing.entries.setdefault(seen.id("Queue"), []).append(seen)
        return self._one_more()

    def _one_more(self) -> Iterable[Event]:
        self._listing.items += 1
        return self._bounded()

    def _bounded(self) -> Iterable[Event]:
        if self._listing.items + len(self._listing.channels) > LISTED_MAX:
            self._listing = _Listing()
            raise UnrelatedError("no_room")
        return ()

    def _listing_complete(self, seen: Reading) -> Iterator[Event]:
        """A listing speaks only when it is whole: a caller missing from it may be concluded to be lost."""
        listing, self._listing = self._listing, _Listing(channels=self._listing.channels)
        if seen.whole("ListItems") != listing.items:
            raise UnrelatedError("incomplete_listing")
        taken = self._switch_clock(seen.received_at)
        for queue, entries in listing.entries.items():
            listed: list[tuple[Visit, int | None]] = []
            for entry in entries:
                visit = yield from self._listed_visit(queue, entry, taken)
                listed.append((visit, _position(entry)))
            self._drop_unlisted(queue, {visit.id for visit, _ in listed})
            yield from self._events.waiting(queue, listed, taken)
        yield self._events.handlers(self._members.replace(listing.members), taken)

    def _listed_visit(self, queue: str, entry: Reading, taken: When) -> Generator[Event, None, Visit]:
        """The visit that a QueueEntry is about, opened with its true wait when nobody saw it begin."""
        uniqueid = self._uniqueid(entry)
        queued = When(taken.at - entry.whole("Wait") * SECOND, "second")
        yield from self._find(uniqueid, entry, queued.at)
        channel = self._channels[uniqueid]
        visit = channel.visit(queue, lambda visit: visit.waiting)
        if visit is not None and queued.at - visit.queued.at > LISTED_TOLERANCE:
            self._unresolved(channel, visit)  # it left and came again while nobody listened
            visit = None
        if visit is None:
            visit = self._open_visit(channel, entry, queue, queued)
            visit.listed = True
            yield self._events.queued(visit, _position(entry))
        visit.unlisted = 0
        priority = _priority(entry, "Priority")
        if priority is not None and priority != visit.priority:
            visit.priority = priority
            yield self._events.priority(visit, taken)
        return visit

    # CoreShowChannels

    def _listed_channel(self, seen: Reading) -> Iterable[Event]:
        self._listing.channels.add(self._uniqueid(seen))
        return self._bounded()

    def _channels_complete(self, seen: Reading) -> Iterator[Event]:
        listed, self._listing.channels = self._listing.channels, set()
        if seen.whole("ListItems") != len(listed):
            raise UnrelatedError("incomplete_listing")
        yield from self._over_unlisted(listed, self._switch_clock(seen.received_at))

    # Leaves

    def _switch_clock(self, received_at: int) -> When:
        """The moment of what carries no stamp: that of its receipt, on the switch's clock."""
        return When(received_at - self._behind, "arrival")

    def _uniqueid(self, seen: Reading, member: str = "Uniqueid") -> str:
        return call_id(self._system, seen.id(member))

    def _channel(self, seen: Reading, member: str = "Uniqueid") -> Channel:
        channel = self._channels.get(self._uniqueid(seen, member))
        if channel is None:
            raise UnrelatedError("unknown_call")
        return channel

    def _visit(self, seen: Reading, fits: Callable[[Visit], bool]) -> tuple[Channel, Visit]:
        channel = self._channels.get(self._uniqueid(seen))
        visit = channel.visit(seen.id("Queue"), fits) if channel else None
        if channel is None or visit is None:
            raise UnrelatedError("unknown_visit")
        return channel, visit

    def _is_callers(self, channel_name: str) -> bool:
        technology = channel_name.partition("/")[0]
        return technology not in _NOT_CALLERS and self._members.at(_device(channel_name)) is None

    def _open_visit(self, channel: Channel, seen: Reading, queue: str, queued: When) -> Visit:
        channel.joins += 1
        visit = Visit(
            f"{channel.id}#{channel.joins}",
            self._call_of(channel, seen),
            queue,
            seen.id("Uniqueid"),
            queued,
            channel.priority,
        )
        channel.visits.append(visit)
        return visit

    def _call_of(self, channel: Channel, seen: Reading) -> str:
        """Whose wait it is: Linkedid changes when calls are joined, so it counts only where it is all there is."""
        name = seen.id("Channel")
        if name.startswith("Local/") and seen.optional_id("Linkedid"):
            return self._uniqueid(seen, "Linkedid")
        handler = self._members.at(_device(name))
        return self.memory.talking.get(self._pseudonyms.handler(handler), channel.id) if handler else channel.id


def _incoming(seen: Reading, diverted_from: str = "") -> Incoming:
    return Incoming(
        number=seen.text("CallerIDNum"),
        trunk=_device(seen.text("Channel")),
        dialled=seen.text("Exten"),
        queue=seen.text("Queue"),
        language=seen.optional_id("Language"),
        diverted_from=diverted_from,
    )


def _device(channel_name: str) -> str:
    return channel_name.rpartition("-")[0]


def _member_name(seen: Reading) -> str:
    """The person where the switch knows one; `Name` and `Location` are what QueueStatus calls the same."""
    for member in ("MemberName", "Name", "Interface", "Location"):
        if name := seen.optional_id(member):
            return name
    raise MalformedError("MemberName")


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
    "CoreShowChannel": Translator._listed_channel,
    "CoreShowChannelsComplete": Translator._channels_complete,
}
