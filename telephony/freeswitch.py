"""FreeSWITCH's events (mod_callcenter over the event socket) into canonical events, one event in, some out.

A call is a channel that came in from outside; its id is the channel's. A visit is one stay of a member: its id is
`CC-Member-UUID`, and where a caller resumed the place they had given up, `<CC-Member-UUID>#<microseconds>`. Handlers'
telephones and loopback legs are no calls; a handler's telephone that joins a queue waits for the caller that the
handler is talking to.

What became of a caller is said only when it is known. `member-queue-end` means two things: `Terminated` is the end of
the conversation, `Cancel` that of waiting. Its reason `BREAK_OUT` is a hang-up as well as a transfer: the channel is
still up, or not. After `bridge-agent-start` connecting may yet fail: it has not when the agent is `In a queue call`.

What happened while nobody listened is told from the whole seconds that later events carry. It knows neither wrap-up
nor priorities: mod_callcenter tells of neither. Its source is mod_callcenter.c of FreeSWITCH 1.10.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

from schemas.events import EndedReason, Event, LeftReason
from schemas.moments import SECOND
from telephony.freeswitch_agents import AGENTS_MAX, IN_A_CALL, QUEUES_MAX, Agents
from telephony.freeswitch_text import BODY, listed_channels, micros_of, read, table
from telephony.origins import NOWHERE, Classifier
from telephony.pseudonyms import Pseudonyms
from telephony.reading import MalformedError, Reading, epoch_micros, usable_id
from telephony.switch_channels import Channel, Memory, Visit, When
from telephony.switch_events import Incoming
from telephony.translating import SwitchTranslator, UnrelatedError

END_GRACE = 15 * SECOND  # how long after a channel is gone the end of its visit may still come
RUNS_MAX = 100
SETTLED_MAX = 20_000  # visits whose end is known: what repeats them says nothing

_NOT_CALLERS = frozenset({"loopback", "null"})
_DIVERTED = re.compile(r"(?:sips?|tel):(\+?[0-9]{3,15})")
_ANONYMOUS = "anonymous"
_LEFT: dict[str, LeftReason] = {
    "TIMEOUT": "timed_out",
    "NO_AGENT_TIMEOUT": "timed_out",
    "EXIT_WITH_KEY": "exited_by_key",
}
# Whom the switch itself hung up on did not abandon.
_HUNG_UP_ON = frozenset({"SYSTEM_SHUTDOWN", "MANAGER_REQUEST", "ALLOTTED_TIMEOUT"})
_TRANSFERS = frozenset({"BLIND_TRANSFER", "ATTENDED_TRANSFER"})
# Somebody else took the call, or the caller left: the handler missed nothing.
_CALLED_OFF = frozenset({"LOSE_RACE", "ORIGINATOR_CANCEL", "PICKED_OFF"})
_LISTED_STATES = frozenset({"Waiting", "Trying"})


class Translator(SwitchTranslator):
    """One FreeSWITCH's events."""

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
        self._agents = Agents()
        self._connecting: dict[str, tuple[str, str]] = {}
        self._counts: dict[str, int] = {}
        self._settled: dict[str, None] = {}
        self._former_runs: dict[str, None] = {}

    def _translate(self, block: Mapping[str, str], received_at: int) -> Iterator[Event]:
        seen = read(block, received_at)
        name = seen.id("Event-Name")
        if name == "CUSTOM" and seen.text("Event-Subclass") == "callcenter::info":
            name = seen.text("CC-Action")
        yield from self._run_of(seen)
        translate = _TRANSLATE.get(name)
        if translate is None:
            raise UnrelatedError("not_used")
        yield from translate(self, seen)

    # Calls

    def _created(self, seen: Reading) -> Iterator[Event]:
        call = seen.id("Unique-ID")
        if agent := seen.optional_id("variable_cc_agent"):
            self._agents.learn(agent, seen.text("Channel-Presence-ID"))
        if seen.text("Call-Direction") != "inbound" or not self._is_callers(seen):
            raise UnrelatedError("not_a_caller")
        if call in self._channels:
            raise UnrelatedError("repeated")
        arrived = _arrived(seen)
        self._open(call, arrived)
        yield self._events.offered(call, "offered", arrived, _incoming(seen))

    def _hung_up(self, seen: Reading) -> Iterator[Event]:
        """CHANNEL_HANGUP comes before a member's end and CHANNEL_HANGUP_COMPLETE after it: either is enough."""
        channel = self._channel(seen.id("Unique-ID"))
        first = channel.gone is None
        if first:
            channel.gone = _hung_up_at(seen)
            if channel.offered:
                yield self._events.call_ended(channel.id, channel.gone)
        yield from self._gave_up(channel, seen)
        if not channel.visits:
            self._forget(channel)
        elif first:
            self.memory.held.append((seen.received_at + END_GRACE, channel.id))

    def _gave_up(self, channel: Channel, seen: Reading) -> Iterator[Event]:
        """The channel is hung up, so what it left it left for that: by whom it was tells the cause."""
        if cause := seen.text("Hangup-Cause"):
            for visit in channel.undecided():
                visit.left = min(visit.left or seen.when, _hung_up_at(seen), key=lambda left: left.at)
                yield self._left(channel, visit, "withdrawn" if cause in _HUNG_UP_ON else "abandoned")

    # Visits

    def _joined(self, seen: Reading) -> Iterator[Event]:
        session, member, queue = _session(seen), _member(seen), seen.id("CC-Queue")
        resumed = seen.text("CC-Action") == "member-queue-resume"
        visit_id = f"{member}#{seen.at}" if resumed else member
        if visit_id in self._settled:
            raise UnrelatedError("repeated")
        channel = yield from self._find(session, seen, queue, seen.when)
        visit = _of_member(channel, member)
        if visit is not None and visit.id == visit_id:
            if not visit.listed:
                raise UnrelatedError("repeated")
            visit.queued, visit.listed = seen.when, False
        else:
            for moved_on in channel.undecided():
                yield self._left(channel, moved_on, "transferred_out")
            for stale in channel.waiting():
                self._unresolved(channel, stale)
            visit = self._open_visit(channel, visit_id, queue, self._call_of(channel, seen), seen.when)
        yield self._events.queued(visit, None)

    def _offering(self, seen: Reading) -> Iterator[Event]:
        _, visit = self._known(seen)
        if not visit.waiting:
            raise UnrelatedError("repeated")
        yield self._events.ringing(visit, seen.id("CC-Agent"), seen.when)

    def _failed(self, seen: Reading) -> Iterator[Event]:
        agent = seen.id("CC-Agent")
        if seen.text("CC-Hangup-Cause") in _CALLED_OFF:
            raise UnrelatedError("not_used")
        _, visit = self._known(seen)
        yield self._events.rang_out(visit, agent, seen.when)

    def _connecting_with(self, seen: Reading) -> Iterator[Event]:
        agent, leg = seen.id("CC-Agent"), seen.id("CC-Agent-UUID")
        self._agents.learn(agent, seen.text("Channel-Presence-ID"))
        _, visit = yield from self._heard_of(seen)
        if not visit.waiting:
            raise UnrelatedError("repeated")
        visit.handler_leg = leg
        if len(self._connecting) < AGENTS_MAX:
            self._connecting[agent] = _session(seen), _member(seen)

    def _connected(self, agent: str, when: When) -> Iterator[Event]:
        session, member = self._connecting.pop(agent, ("", ""))
        channel = self._channels.get(session)
        visit = _of_member(channel, member) if channel else None
        if visit is not None and visit.waiting:
            yield self._answered(visit, agent, when)

    def _answered(self, visit: Visit, agent: str, when: When) -> Event:
        visit.answered = True
        if len(self.memory.talking) < AGENTS_MAX:
            self.memory.talking[self._pseudonyms.handler(agent)] = visit.call
        return self._events.answered(visit, agent, when)

    def _bridge_ended(self, seen: Reading) -> Iterator[Event]:
        """Its channel is the agent's. That two were connected an older FreeSWITCH says only by Terminated."""
        bridged = seen.text("CC-Agent-Bridged") == "true"
        channel, visit = (yield from self._heard_of(seen)) if bridged else self._known(seen)
        if bridged or visit.answered:
            yield from self._conversation_over(channel, visit, seen, _ended_by(channel, visit, seen))

    def _member_ended(self, seen: Reading) -> Iterator[Event]:
        match seen.text("CC-Cause"):
            case "Terminated":
                if seen.text("Answer-State") == "hangup" and seen.text("Unique-ID") in self._channels:
                    yield from self._hung_up(seen)  # for who came late, and did not hear that it was
                channel, visit = yield from self._heard_of(seen)
                yield from self._conversation_over(channel, visit, seen, None)
            case "Cancel":
                yield from self._cancelled(seen)
            case _:
                raise MalformedError("CC-Cause")

    def _conversation_over(
        self, channel: Channel, visit: Visit, seen: Reading, reason: EndedReason | None
    ) -> Iterator[Event]:
        agent = seen.id("CC-Agent")
        self._connecting.pop(agent, None)
        if not visit.answered:
            yield self._answered(visit, agent, _second(seen, "CC-Agent-Answered-Time"))
        self.memory.talking.pop(self._pseudonyms.handler(agent), None)
        yield self._ended(channel, visit, _hung_up_at(seen), reason)

    def _cancelled(self, seen: Reading) -> Iterator[Event]:
        """Its channel is the caller's."""
        channel, visit = yield from self._heard_of(seen, own=seen)
        if visit.answered:
            raise UnrelatedError("repeated")
        visit.left = seen.when
        reason = _LEFT.get(seen.text("CC-Cancel-Reason"))
        if reason is not None:
            yield self._left(channel, visit, reason)
        elif seen.text("Answer-State") == "hangup":
            yield from self._gave_up(channel, seen)
        elif seen.text("Answer-State") and channel.gone is None:
            yield self._left(channel, visit, "transferred_out")

    def _on_hold(self, seen: Reading) -> Iterator[Event]:
        yield self._events.held(self._talking_at(seen), seen.when)

    def _off_hold(self, seen: Reading) -> Iterator[Event]:
        yield self._events.resumed(self._talking_at(seen), seen.when)

    def _talking_at(self, seen: Reading) -> Visit:
        """The visit that a handler's leg belongs to; a caller who presses hold is not on hold."""
        leg = seen.id("Unique-ID")
        for channel in self._channels.values():
            for visit in channel.answered():
                if visit.handler_leg == leg:
                    return visit
        raise UnrelatedError("not_used")

    # Handlers

    def _agent_status(self, seen: Reading) -> Iterator[Event]:
        agent = seen.id("CC-Agent")
        if standing := self._agents.status(agent, seen.text("CC-Agent-Status")):
            yield self._events.handler_state(agent, standing, seen.when)

    def _agent_state(self, seen: Reading) -> Iterator[Event]:
        agent, state = seen.id("CC-Agent"), seen.text("CC-Agent-State")
        if state == IN_A_CALL:
            yield from self._connected(agent, seen.when)
        if standing := self._agents.state(agent, state):
            yield self._events.handler_state(agent, standing, seen.when)

    # The switch itself

    def _run_of(self, seen: Reading) -> Iterator[Event]:
        """Each start of FreeSWITCH has its own Core-UUID; what was up before is over."""
        run, memory = seen.id("Core-UUID"), self.memory
        if run == memory.run:
            return
        if run in self._former_runs:
            raise UnrelatedError("repeated")
        if memory.run is not None:
            if len(self._former_runs) >= RUNS_MAX:
                del self._former_runs[next(iter(self._former_runs))]
            self._former_runs[memory.run] = None
            for channel in list(self._channels.values()):
                if channel.gone is None:
                    yield from self._over(channel, When(seen.at, "arrival"))
                else:
                    yield from self._conclude(channel)
            memory.talking.clear()
            self._connecting.clear()
            self._counts.clear()
            self._agents = Agents()
        memory.run = run

    def _conclude(self, channel: Channel) -> Iterator[Event]:
        for visit in channel.answered():
            yield self._ended(channel, visit, channel.gone or visit.queued, None)
        for visit in list(channel.visits):
            self._unresolved(channel, visit)
        self._forget(channel)

    def _count(self, seen: Reading) -> Iterable[Event]:
        queue, count = seen.id("CC-Queue"), seen.whole("CC-Count")
        if seen.text("CC-Selection") != "Single-Queue":
            raise UnrelatedError("not_used")
        self._counted_by_switch(queue, count)
        return ()

    def _counted_by_switch(self, queue: str, count: int) -> None:
        if queue not in self._counts and len(self._counts) >= QUEUES_MAX:
            raise UnrelatedError("no_room")
        self._counts[queue] = max(0, count)

    def _alive(self, seen: Reading) -> Iterator[Event]:
        """What the switch counts; of a queue that it never counted, what was heard of it."""
        uncounted = sum(
            visit.waiting and visit.queue not in self._counts
            for channel in self._channels.values()
            for visit in channel.visits
        )
        queued = sum(self._counts.values()) + uncounted
        yield self._events.heartbeat(self.events_seen, self.calls_up, queued, self.newest_event_at, seen.when)

    # Listings, as answers to bgapi

    def _job(self, seen: Reading) -> Iterator[Event]:
        match [seen.text("Job-Command"), *seen.text("Job-Command-Arg").split()]:
            case ["show", "channels"]:
                channels = listed_channels(seen.text(BODY))
                if channels is None:
                    raise UnrelatedError("incomplete_listing")
                yield from self._over_unlisted(channels, seen.when)
            case ["callcenter_config", "tier", "list"]:
                self._agents.serve(_rows(seen))
            case ["callcenter_config", "agent", "list"]:
                standings = self._agents.replace(_rows(seen, "contact"))
                if standings is None:
                    raise UnrelatedError("incomplete_listing")
                yield self._events.handlers(standings, seen.when)
            case ["callcenter_config", "queue", "list", "members", queue] if usable_id(queue):
                yield from self._members(queue, _rows(seen, "cid_number", "cid_name"), seen)
            case _:
                raise UnrelatedError("not_used")

    def _members(self, queue: str, rows: list[dict[str, str]], seen: Reading) -> Iterator[Event]:
        """Members come in the order in which the switch will serve them."""
        waiting = [row for row in rows if row.get("state") in _LISTED_STATES]
        listed: list[tuple[Visit, int | None]] = []
        for position, row in enumerate(waiting, 1):
            visit = yield from self._listed(queue, row, seen.when)
            if visit is not None:
                listed.append((visit, position))
        self._counted_by_switch(queue, len(waiting))
        self._drop_unlisted(queue, {visit.id for visit, _ in listed})
        yield from self._events.waiting(queue, listed, seen.when)

    def _listed(self, queue: str, row: Mapping[str, str], taken: When) -> Generator[Event, None, Visit | None]:
        """The visit that a row is about, opened with its true wait when nobody heard it begin.

        A listing may be older than the events around it, so it does not open again what is over; and only the event
        says what a resumed place is called.
        """
        session, member = row.get("session_uuid", ""), row.get("uuid", "")
        joined = epoch_micros(row.get("joined_epoch", ""))
        if joined is None or joined > taken.at or not usable_id(session) or not usable_id(member):
            raise UnrelatedError("incomplete_listing")
        known = self._channels.get(session)
        visit = _of_member(known, member) if known else None
        if visit is not None:
            visit.unlisted = 0
            return visit if visit.waiting else None
        if member in self._settled or row.get("rejoined_epoch", "0") != "0":
            return None
        queued = When(joined, "second")
        channel = yield from self._find(session, None, queue, queued)
        visit = self._open_visit(channel, member, queue, channel.id, queued, listed=True)
        yield self._events.queued(visit, None)
        return visit

    # Leaves

    def _channel(self, session: str) -> Channel:
        channel = self._channels.get(session)
        if channel is None:
            raise UnrelatedError("unknown_call")
        return channel

    def _is_callers(self, seen: Reading) -> bool:
        technology = seen.text("Channel-Name").partition("/")[0]
        return technology not in _NOT_CALLERS and self._agents.at(seen.text("Channel-Presence-ID")) is None

    def _find(self, session: str, own: Reading | None, queue: str, queued: When) -> Generator[Event, None, Channel]:
        """The channel of a member, made known when nobody saw it come in; `own` where an event tells of the channel.

        Where none does it is not known whether they withheld their number, so it is not used.
        """
        if session in self._channels:
            return self._channels[session]
        if own is not None and not self._is_callers(own):
            return self._open(session, None)
        arrived = _arrived(own) if own else queued
        incoming = _incoming(own, queue) if own else Incoming("", "", "", _extension(queue))
        yield self._events.offered(session, "offered-before", arrived, incoming)
        return self._open(session, arrived)

    def _visit(self, seen: Reading) -> tuple[Channel, Visit] | None:
        """The visit that an event is about, with its channel; None when nobody heard it begin."""
        channel, member = self._channels.get(_session(seen)), _member(seen)
        visit = _of_member(channel, member) if channel else None
        if channel is not None and visit is not None:
            return channel, visit
        if member in self._settled:
            raise UnrelatedError("repeated")
        return None

    def _known(self, seen: Reading) -> tuple[Channel, Visit]:
        if (found := self._visit(seen)) is None:
            raise UnrelatedError("unknown_visit")
        return found

    def _heard_of(self, seen: Reading, own: Reading | None = None) -> Generator[Event, None, tuple[Channel, Visit]]:
        """As `_known`, opened when nobody heard it begin; `own` as in `_find`."""
        if found := self._visit(seen):
            return found
        session, member, queue = _session(seen), _member(seen), seen.id("CC-Queue")
        queued = _second(seen, "CC-Member-Joined-Time")
        channel = yield from self._find(session, own, queue, queued)
        visit = self._open_visit(channel, member, queue, channel.id, queued, listed=True)
        yield self._events.queued(visit, None)
        return channel, visit

    def _open_visit(
        self, channel: Channel, visit_id: str, queue: str, call: str, queued: When, *, listed: bool = False
    ) -> Visit:
        visit = Visit(visit_id, call, queue, channel.id, queued, listed=listed)
        channel.visits.append(visit)
        return visit

    def _call_of(self, channel: Channel, seen: Reading) -> str:
        handler = self._agents.at(seen.text("Channel-Presence-ID"))
        return self.memory.talking.get(self._pseudonyms.handler(handler), channel.id) if handler else channel.id

    def _left(self, channel: Channel, visit: Visit, reason: LeftReason) -> Event:
        self._settle(visit)
        return super()._left(channel, visit, reason)

    def _ended(self, channel: Channel, visit: Visit, when: When, reason: EndedReason | None) -> Event:
        self._settle(visit)
        return super()._ended(channel, visit, when, reason)

    def _settle(self, visit: Visit) -> None:
        if len(self._settled) >= SETTLED_MAX:
            del self._settled[next(iter(self._settled))]
        self._settled[visit.id] = None


def _session(seen: Reading) -> str:
    return seen.id("CC-Member-Session-UUID")


def _member(seen: Reading) -> str:
    return seen.id("CC-Member-UUID")


def _of_member(channel: Channel, member: str) -> Visit | None:
    return next((visit for visit in channel.visits if visit.id.partition("#")[0] == member), None)


def _second(seen: Reading, member: str) -> When:
    """A moment in whole seconds. Raises UnrelatedError where there is none, so that nothing can be told."""
    at = epoch_micros(seen.text(member))
    if at is None or at > seen.at:
        raise UnrelatedError("unknown_visit")
    return When(at, "second")


def _arrived(seen: Reading) -> When:
    """When the channel that the event tells of came in."""
    return _before(seen, "Caller-Channel-Created-Time")


def _hung_up_at(seen: Reading) -> When:
    """When the channel that the event tells of was hung up, if it was."""
    return _before(seen, "Caller-Channel-Hangup-Time")


def _before(seen: Reading, member: str) -> When:
    """A moment that is over by the event's own, which stands for one that is not told."""
    return When(min(micros_of(seen.text(member)) or seen.at, seen.at), "exact")


def _ended_by(channel: Channel, visit: Visit, seen: Reading) -> EndedReason | None:
    """By whom the conversation ended, told from the agent's leg; a caller who goes on without it was transferred."""
    cause = seen.text("Hangup-Cause")
    if cause in _TRANSFERS or channel.visits[-1] is not visit:
        return "transfer"
    match seen.text("variable_sip_hangup_disposition"):
        case "recv_bye":
            return "handler"
        case "send_bye" if cause not in _HUNG_UP_ON:
            return "caller" if channel.gone else "transfer"
    return None


def _incoming(seen: Reading, queue: str = "") -> Incoming:
    """`sofia/external/0…@host` is the profile a call came by, and whose number the rest is."""
    diverted = _DIVERTED.search(seen.text("variable_sip_h_Diversion"))
    withheld = seen.text("Caller-Privacy-Hide-Number") == "true"
    return Incoming(
        number=_ANONYMOUS if withheld else seen.text("Caller-Caller-ID-Number"),
        trunk="/".join(seen.text("Channel-Name").split("/")[:2]),
        dialled=seen.text("Caller-Destination-Number"),
        queue=_extension(queue),
        diverted_from=diverted[1] if diverted else "",
    )


def _extension(queue: str) -> str:
    """`101` of `101@default`: the domain does not change the service."""
    return queue.partition("@")[0]


def _rows(seen: Reading, *elastic: str) -> list[dict[str, str]]:
    rows = table(seen.text(BODY), elastic)
    if rows is None:
        raise UnrelatedError("incomplete_listing")
    return rows


_TRANSLATE: dict[str, Callable[[Translator, Reading], Iterable[Event]]] = {
    "CHANNEL_CREATE": Translator._created,
    "CHANNEL_HANGUP": Translator._hung_up,
    "CHANNEL_HANGUP_COMPLETE": Translator._hung_up,
    "CHANNEL_HOLD": Translator._on_hold,
    "CHANNEL_UNHOLD": Translator._off_hold,
    "HEARTBEAT": Translator._alive,
    "BACKGROUND_JOB": Translator._job,
    "member-queue-start": Translator._joined,
    "member-queue-resume": Translator._joined,
    "member-queue-end": Translator._member_ended,
    "members-count": Translator._count,
    "agent-offering": Translator._offering,
    "bridge-agent-start": Translator._connecting_with,
    "bridge-agent-end": Translator._bridge_ended,
    "bridge-agent-fail": Translator._failed,
    "agent-status-change": Translator._agent_status,
    "agent-status-get": Translator._agent_status,
    "agent-state-change": Translator._agent_state,
    "agent-state-get": Translator._agent_state,
}
