"""A FreeSWITCH with mod_callcenter as its event socket tells of it; moments are seconds after `T0`.

Members, their order and which channel an event tells of are those of mod_callcenter.c and switch_channel.c of
FreeSWITCH 1.10: an event of a member tells of the caller's channel, the start and end of a bridge of the agent's, the
others of none.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, TypeVar
from urllib.parse import quote

from schemas.codec import Arrival, decode, encode
from schemas.events import Event, VisitLeft
from schemas.moments import SECOND, micros
from telephony.freeswitch import Translator
from telephony.freeswitch_text import blocks, stamp
from telephony.pseudonyms import KeyRing
from tests import rooms
from tests.feed import CENTRE, T0, us

KEYS = KeyRing(b"a secret for tests")
QUEUE = "101@default"
AN_HOUR = 3600
FIRST_RUN, SECOND_RUN = "6c3e7d1f-run-1", "6c3e7d1f-run-2"
Fields = dict[str, object]
AnyEvent = TypeVar("AnyEvent", bound=Event)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who rings, on a channel that came in at `created`."""

    name: str
    number: str = "07700900101"
    created: float = 0
    stay: str = "member"

    @property
    def session(self) -> str:
        return f"{self.name}-session"

    @property
    def member(self) -> str:
        return f"{self.name}-{self.stay}"

    def leg(self) -> Fields:
        return {
            "Channel-Name": f"sofia/external/{self.number}@192.0.2.1",
            "Unique-ID": self.session,
            "Call-Direction": "inbound",
            "Answer-State": "answered",
            "Caller-Caller-ID-Number": self.number,
            "Caller-Destination-Number": "101",
            "Caller-Privacy-Hide-Number": "false",
            "Caller-Channel-Created-Time": us(self.created),
            "Caller-Channel-Hangup-Time": 0,
        }

    def is_member(self, queue: str = QUEUE) -> Fields:
        return {
            "CC-Queue": queue,
            "CC-Member-UUID": self.member,
            "CC-Member-Session-UUID": self.session,
            "CC-Member-CID-Name": self.name,
            "CC-Member-CID-Number": self.number,
        }

    def joined(self) -> Fields:
        return {"CC-Member-Joined-Time": us(self.created) // SECOND}


A, B, C = Caller("a"), Caller("b", "07700900102"), Caller("c", "07700900103")
ANN, BOB = "1001@default", "1002@default"


def agents_leg(agent: str) -> Fields:
    return {
        "Channel-Name": f"sofia/internal/{agent}",
        "Unique-ID": f"{agent}-leg",
        "Call-Direction": "outbound",
        "Answer-State": "answered",
        "Channel-Presence-ID": agent,
        "Caller-Channel-Hangup-Time": 0,
    }


def hung_up(at: float, cause: str = "NORMAL_CLEARING", disposition: str = "") -> Fields:
    said: Fields = {
        "Answer-State": "hangup",
        "Hangup-Cause": cause,
        "Caller-Channel-Hangup-Time": us(at),
    }
    return said | ({"variable_sip_hangup_disposition": disposition} if disposition else {})


class Switch:
    """Writes what it says as the event socket would; `events` is what a translator makes of all of it."""

    def __init__(self) -> None:
        self.run = FIRST_RUN
        self.said: list[bytes] = []
        self.picked_up_at: dict[str, float] = {}

    def says(self, at: float, event: str, fields: Fields | None = None, body: str = "") -> None:
        """`event` is the name of an event, or what mod_callcenter says in one of its own."""
        own = event[0].islower()
        members: Fields = {"Event-Subclass": "callcenter::info"} if own else {}
        members |= {
            "Event-Name": "CUSTOM" if own else event,
            "Core-UUID": self.run,
            "Event-Date-Timestamp": us(at),
            "Event-Sequence": len(self.said) + 1,
        }
        members |= (fields or {}) | ({"CC-Action": event} if own else {})
        lines = [f"{name}: {quote(str(value), safe='/()!*,') or '_undef_'}" for name, value in members.items()]
        if body:
            lines.append(f"Content-Length: {len(body.encode())}")
        text = "".join(f"{line}\n" for line in [*lines, ""]) + body
        self.said.append(f"Content-Length: {len(text)}\nContent-Type: text/event-plain\n\n{text}".encode())

    # A caller

    def rings_in(self, at: float, who: Caller, leg: Fields | None = None) -> None:
        self.says(at, "CHANNEL_CREATE", who.leg() | {"Caller-Channel-Created-Time": us(at)} | (leg or {}))

    def joins(self, at: float, who: Caller, queue: str = QUEUE, *, resumed: bool = False) -> None:
        self.says(at, f"member-queue-{'resume' if resumed else 'start'}", who.leg() | who.is_member(queue))

    def waits(self, at: float, who: Caller, queue: str = QUEUE) -> None:
        """Rings in and joins."""
        self.rings_in(at, who)
        self.joins(at, who, queue)

    def cancels(self, at: float, who: Caller, reason: str, queue: str = QUEUE, leg: Fields | None = None) -> None:
        left: Fields = {"CC-Cause": "Cancel", "CC-Cancel-Reason": reason, "CC-Member-Leaving-Time": us(at) // SECOND}
        self.says(at, "member-queue-end", who.leg() | (leg or {}) | who.is_member(queue) | left | who.joined())

    def hangs_up(self, at: float, who: Caller, cause: str = "NORMAL_CLEARING") -> None:
        self.says(at, "CHANNEL_HANGUP", who.leg() | hung_up(at, cause) | {"Caller-Channel-Hangup-Time": 0})
        self.says(at + 0.02, "CHANNEL_HANGUP_COMPLETE", who.leg() | hung_up(at, cause, "recv_bye"))

    def gives_up(self, at: float, who: Caller, cause: str = "NORMAL_CLEARING", reason: str = "BREAK_OUT") -> None:
        """Is hung up while waiting: the channel first, 3 ms later the member, then the rest of the channel."""
        self.says(at, "CHANNEL_HANGUP", who.leg() | hung_up(at, cause) | {"Caller-Channel-Hangup-Time": 0})
        self.cancels(at + 0.003, who, reason, leg=hung_up(at, cause))
        self.says(at + 0.02, "CHANNEL_HANGUP_COMPLETE", who.leg() | hung_up(at, cause, "recv_bye"))

    # An agent

    def rings(self, at: float, who: Caller, agent: str = ANN, queue: str = QUEUE) -> None:
        self.says(at, "agent-offering", who.is_member(queue) | {"CC-Agent": agent, "CC-Agent-Type": "callback"})
        self.state(at, agent, "Receiving")

    def fails(self, at: float, who: Caller, agent: str = ANN, cause: str = "NO_ANSWER") -> None:
        failed: Fields = {"CC-Hangup-Cause": cause, "CC-Agent": agent, "CC-Agent-Aborted-Time": us(at) // SECOND}
        self.says(at, "bridge-agent-fail", who.is_member() | failed | who.joined())
        self.state(at, agent, "Waiting")

    def picks_up(self, at: float, who: Caller, agent: str = ANN, queue: str = QUEUE) -> None:
        """The agent's telephone is answered; whether the two are connected comes later."""
        self.picked_up_at[agent] = at
        agents: Fields = {"CC-Agent": agent, "CC-Agent-UUID": f"{agent}-leg"}
        picked_up: Fields = {"CC-Agent-Answered-Time": us(at) // SECOND}
        said = agents_leg(agent) | who.is_member(queue) | agents | picked_up | who.joined()
        self.says(at, "bridge-agent-start", said)

    def answers(self, at: float, who: Caller, agent: str = ANN, queue: str = QUEUE) -> None:
        """Connected at `at`; the telephone was picked up 20 ms before."""
        self.picks_up(at - 0.02, who, agent, queue)
        self.state(at, agent, "In a queue call")

    def parts(
        self,
        at: float,
        who: Caller,
        agent: str = ANN,
        queue: str = QUEUE,
        *,
        disposition: str = "recv_bye",
        cause: str = "NORMAL_CLEARING",
        bridged: str | None = "true",
        connected: bool = True,
    ) -> None:
        """The agent's leg is hung up at `at`, which mod_callcenter sees up to 100 ms later."""
        self.says(at, "CHANNEL_HANGUP", agents_leg(agent) | hung_up(at, cause))
        agents: Fields = {
            "CC-Agent": agent,
            "CC-Agent-UUID": f"{agent}-leg",
            "CC-Agent-Answered-Time": us(self.picked_up_at.get(agent, at)) // SECOND,
        } | who.joined()
        proof: Fields = {} if bridged is None else {"CC-Agent-Bridged": bridged}
        leg = agents_leg(agent) | hung_up(at, cause, disposition)
        self.says(at + 0.08, "bridge-agent-end", leg | who.is_member(queue) | agents | proof)
        if connected:
            over = who.leg() | who.is_member(queue) | agents | {"CC-Cause": "Terminated"}
            self.says(at + 0.0801, "member-queue-end", over)
        self.state(at + 0.0802, agent, "Waiting")

    def state(self, at: float, agent: str, state: str) -> None:
        self.says(at, "agent-state-change", {"CC-Agent": agent, "CC-Agent-State": state})

    def status(self, at: float, agent: str, status: str) -> None:
        self.says(at, "agent-status-change", {"CC-Agent": agent, "CC-Agent-Status": status})

    def counts(self, at: float, count: int, queue: str = QUEUE) -> None:
        self.says(at, "members-count", {"CC-Queue": queue, "CC-Count": count, "CC-Selection": "Single-Queue"})

    def lists(self, at: float, what: str, rows: str, command: str = "callcenter_config") -> None:
        """What `bgapi <command> <what>` gives."""
        job: Fields = {"Job-UUID": "j", "Job-Command": command, "Job-Command-Arg": what}
        self.says(at, "BACKGROUND_JOB", job, rows)

    # What is made of it

    def events(self, translator: Translator | None = None, said: list[bytes] | None = None) -> list[Event]:
        """What a translator, a new one unless one is given, makes of all that was said, and nothing follows."""
        translator = translator or a_translator()
        return fed(translator, self.said if said is None else said) + translator.finish()


def fed(translator: Translator, said: list[bytes]) -> list[Event]:
    """What `translator` says at once."""
    return [
        event for fields in blocks(BytesIO(b"".join(said))) for event in translator.feed(fields, stamp(fields) or 0)
    ]


def a_translator() -> Translator:
    return Translator(CENTRE, "pbx1", KEYS)


def arrivals(events: list[Event]) -> list[Arrival]:
    """The events as the processor gets them: none is refused."""
    decoded = [decode(encode(event)) for event in events]
    accepted = [arrival for arrival in decoded if isinstance(arrival, Arrival)]
    assert len(accepted) == len(events), decoded
    return accepted


def members(*rows: Caller, state: str = "Waiting", joined: float = 0, rejoined: int = 0, name: str = "x") -> str:
    """What `queue list members` gives; nothing in it is escaped."""
    header = "queue|instance_id|uuid|session_uuid|cid_number|cid_name|system_epoch|joined_epoch|rejoined_epoch"
    lines = [f"{header}|bridge_epoch|abandoned_epoch|base_score|skill_score|serving_agent|serving_system|state|score"]
    at = us(joined) // SECOND
    lines += [
        f"{QUEUE}|single_box|{who.member}|{who.session}|{who.number}|{name}|{at}|{at}|{rejoined}|0|0|0|0|||{state}|9"
        for who in rows
    ]
    return "\n".join([*(lines if rows else []), "+OK\n"])


def of(events: list[Event], cls: type[AnyEvent]) -> list[AnyEvent]:
    return [event for event in events if isinstance(event, cls)]


def second(event: Event) -> float:
    return round((micros(event.time) - T0) / SECOND, 6)


def reasons(events: list[Event]) -> dict[str, str]:
    return {event.data.visit: event.data.reason for event in of(events, VisitLeft)}


def figures(events: list[Event], queue: str = QUEUE, now: float = AN_HOUR) -> Any:
    """The final figures of a queue, once the processor has heard `events`."""
    return rooms.figures(arrivals(events), now, queue)


def outcomes(events: list[Event], queue: str = QUEUE) -> dict[str, int]:
    """How often each outcome happened in a queue, by its figures, and that nobody waits there any more."""
    shown = rooms.shown(arrivals(events), AN_HOUR, queue)
    found = shown["windows"]["retained"]
    names = ("queued", "answered", "abandoned", "abandoned_short", "timed_out", "exited_by_key", "transferred_out")
    assert shown["waiting"] == 0
    return {name: found[name] for name in (*names, "withdrawn", "lost") if found[name]}
