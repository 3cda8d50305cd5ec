"""What a waiting caller is told, and when (definitions.md §7).

`decide` is the whole policy for one visit at one moment: it is handed everything it may know and returns what to
say, or nothing, and when to ask again. Silence wins over speech wherever a rule forbids it: on queues of service
999 and channels other than voice, on stale data, on drift, at the head of the queue with a handler ringing, and
within 45 s of the last start. A number is only ever said when it is better than the last one said.

It does not know how speech reaches the caller, nor what became of it.
"""

from dataclasses import dataclass, field
from typing import Literal, assert_never

from schemas import prompts
from schemas.moments import SECOND
from stream.profile import Announce

MORE_THAN_TEN = 11
"""What is remembered as spoken when a position beyond ten was said as "more than ten"."""

Kind = Literal["welcome", "position", "reassurance"]


@dataclass(frozen=True, slots=True)
class Policy:
    """The times of the policy in µs."""

    welcome_within: int = 5 * SECOND
    first_number_after: int = 30 * SECOND
    gap: int = 45 * SECOND
    silence_max: int = 120 * SECOND
    expires_after: int = 5 * SECOND
    ask_again_after: int = SECOND


@dataclass(slots=True)
class Spoken:
    """What one visit has been told so far."""

    sequence: int = 0
    last_start_at: int | None = None
    number: int | None = None
    outstanding: dict[str, int] = field(default_factory=dict)
    """Commands without an outcome, by id, with the moment they expire."""
    ask_at: int | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """All that may be known when deciding what to say to one caller. Moments in µs."""

    now: int
    queued_at: int
    position: int
    head_is_ringing: bool
    fresh: bool
    drift: bool
    announce: Announce
    service: str
    channel: str


@dataclass(frozen=True, slots=True)
class Say:
    """One announcement; `number` is what will count as the last number spoken, if it says one."""

    kind: Kind
    number: int | None
    with_way_out: bool


def may_speak(situation: Situation) -> bool:
    """Rule 0: on queues of service 999 and on channels other than voice nothing is ever spoken."""
    return situation.announce != "never" and situation.service != "999" and situation.channel == "voice"


def must_be_silent(situation: Situation) -> bool:
    """Rules 5 and 10: stale data, drift, or the head of the queue with a handler ringing."""
    at_head = situation.position == 1 and situation.head_is_ringing
    return not situation.fresh or situation.drift or at_head


def is_better(number: int, spoken: int | None) -> bool:
    """Rule 3: better than what was said; nothing said yet is not 0."""
    return spoken is None or number < spoken


def decide(situation: Situation, spoken: Spoken, policy: Policy) -> tuple[Say | None, int | None]:
    """(what to say now or None, when to ask again or None for never)."""
    now = situation.now
    if not may_speak(situation):
        return None, None
    if must_be_silent(situation):
        return None, now + policy.ask_again_after
    since = spoken.last_start_at
    if since is not None and now < since + policy.gap:
        return None, since + policy.gap
    waited = now - situation.queued_at
    first = since is None
    way_out = situation.announce == "position_with_way_out"
    if first and way_out and waited <= policy.welcome_within:
        return Say("welcome", None, with_way_out=True), now + policy.gap
    number = min(situation.position, MORE_THAN_TEN)
    if waited >= policy.first_number_after and is_better(number, spoken.number):
        return Say("position", number, with_way_out=first and way_out), now + policy.gap
    silent_since = situation.queued_at if since is None else since
    if now >= silent_since + policy.silence_max:
        return Say("reassurance", None, with_way_out=first and way_out), now + policy.gap
    next_times = (situation.queued_at + policy.first_number_after, silent_since + policy.silence_max)
    return None, min(at for at in next_times if at > now)


def language_for(wanted: str | None) -> str:
    """The language a caller is spoken to in: English where none is known, or one without words."""
    return wanted if wanted in prompts.LANGUAGES else "en"


def pieces_of(say: Say) -> tuple[str, ...]:
    """The pieces of `say` in the order in which they are spoken."""
    match say.kind:
        case "welcome":
            pieces: tuple[str, ...] = (prompts.WELCOME, prompts.ONLINE)
        case "reassurance":
            pieces = (prompts.THANKS, prompts.PLACE_KEPT)
        case "position":
            assert say.number is not None
            pieces = (prompts.position_piece(say.number),)
        case _:
            assert_never(say.kind)
    return (prompts.WAY_OUT, *pieces) if say.with_way_out else pieces
