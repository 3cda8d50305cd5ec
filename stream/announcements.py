"""What a waiting caller is told, and when (docs/glossary.md, Announcements).

`decide` is the whole policy for one visit at one moment: it is handed everything it may know and returns what to
say, or nothing, and when to ask again. Silence wins over speech wherever a rule forbids it: on queues of service
999 and channels other than voice, on stale data, on drift, at the head of the queue with a handler ringing, and
within 45 s of the last start. A number or a time is only ever said when it is better than the last one said.

It does not know how speech reaches the caller, nor how long a wait is reckoned to be.
"""

from dataclasses import dataclass, field
from typing import assert_never

from schemas import prompts
from schemas.moments import MINUTE, SECOND
from schemas.outputs import Command, CommandKind
from stream.profile import Announce

MORE_THAN_TEN = prompts.POSITION_MAX + 1
"""What is remembered as spoken when a position beyond ten was said as "more than ten"."""
MORE_THAN_THIRTY = prompts.WAIT_MINUTES[-1] + 1
"""What is remembered as spoken when a wait beyond 30 minutes was said as "more than 30 minutes": no promise."""
QUIETER_FROM = 10
"""Who waits less is not told when it is quieter."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The times of the policy in µs."""

    welcome_within: int = 5 * SECOND
    first_number_after: int = 30 * SECOND
    gap: int = 45 * SECOND
    silence_max: int = 120 * SECOND
    expires_after: int = 5 * SECOND
    ask_again_after: int = SECOND
    wait_asked_every: int = 15 * SECOND
    """Counted from joining: a wait may shorten while the line stands still."""


@dataclass(slots=True)
class Times:
    """What a caller was told of their wait: the last time said, in minutes, and the deadline it set (µs)."""

    minutes: int | None = None
    deadline: int | None = None
    beyond_said: bool = False
    """Whether it was "more than 30 minutes" once."""

    def say(self, minutes: int, now: int) -> None:
        """Remember that `minutes`, or `MORE_THAN_THIRTY`, was said."""
        self.minutes = minutes
        if minutes == MORE_THAN_THIRTY:
            self.beyond_said = True
        else:
            self.deadline = now + minutes * MINUTE


@dataclass(slots=True)
class Spoken:
    """What one visit has been told so far."""

    sequence: int = 0
    last_start_at: int | None = None
    number: int | None = None
    number_at: int = 0
    """When a position was last said."""
    aloud: Times = field(default_factory=Times)
    silent: Times = field(default_factory=Times)
    """What would have been said of the wait, had the queue spoken times."""
    apologised: bool = False
    pushed_to: int | None = None
    """The worst position at which it was said that emergency calls go first."""
    quieter_said: bool = False
    way_out_in: str | None = None
    """The command that said the way out."""
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
    wait: int | None = None
    """The expected wait in µs; None when it is undefined."""
    position_only: bool = False
    """Whether the queue broke so many promises that it speaks no times."""
    overtaken: bool = False
    """Whether somebody of higher priority went before this caller since they were last told a position."""
    emergencies_wait: bool = False
    """Whether somebody of higher priority waits for the same handlers, in whatever line."""
    quieter_after: int | None = None
    """The local time of day, in minutes, after which it is usually quieter."""

    @property
    def is_public(self) -> bool:
        """Whether this caller is told the way out, and times."""
        return self.announce == "position_with_way_out"


@dataclass(frozen=True, slots=True)
class Say:
    """One announcement. `number` and `minutes` are what will count as the last ones spoken, where it says them."""

    kind: CommandKind
    number: int | None = None
    minutes: int | None = None
    unspoken_minutes: int | None = None
    pushed_to: int | None = None
    quieter_after: int | None = None
    with_way_out: bool = False


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


def minutes_for(wait: int) -> int:
    """The least of the times that may be said which is no less than 1.2 times the expected wait (µs)."""
    needed = -(-wait * 12 // 10)
    return next((minutes for minutes in prompts.WAIT_MINUTES if needed <= minutes * MINUTE), MORE_THAN_THIRTY)


def may_be_said(minutes: int, told: Times, now: int) -> bool:
    """Rule 3 for times: better than the last one, and no later than the deadline already given."""
    return is_better(minutes, told.minutes) and (told.deadline is None or _end(minutes, now) <= told.deadline)


def _end(minutes: int, now: int) -> int:
    return now + minutes * MINUTE


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
    say = _choose(situation, spoken, policy)
    if say is not None:
        return say, now + policy.gap
    return None, ask_next(situation, spoken, policy)


def _choose(situation: Situation, spoken: Spoken, policy: Policy) -> Say | None:
    """The first of all announcements that has a reason to be made."""
    now = situation.now
    waited = now - situation.queued_at
    way_out = situation.is_public and spoken.way_out_in is None
    if way_out and spoken.last_start_at is None and waited <= policy.welcome_within:
        return Say("welcome", with_way_out=True)
    if apology_is_due(spoken, now):
        return Say("apology", minutes=_apologetic_minutes(situation, spoken), with_way_out=way_out)
    if waited >= policy.first_number_after:
        said = _better_news(situation, spoken, way_out)
        if said is not None:
            return said
    if was_pushed_back(situation, spoken):
        return Say("emergency_first", pushed_to=min(situation.position, MORE_THAN_TEN), with_way_out=way_out)
    if quieter_is_worth_saying(situation, spoken):
        return Say("quieter_times", quieter_after=situation.quieter_after, with_way_out=way_out)
    if now >= _silent_since(situation, spoken) + policy.silence_max:
        return Say("reassurance", with_way_out=way_out)
    return None


def apology_is_due(spoken: Spoken, now: int) -> bool:
    """Rule 4: a promised time has passed, and nobody has apologised yet."""
    return not spoken.apologised and spoken.aloud.deadline is not None and now >= spoken.aloud.deadline


def _apologetic_minutes(situation: Situation, spoken: Spoken) -> int | None:
    """The new time of an apology, worse than the last as it may be; None where none can be said."""
    if situation.position_only or situation.wait is None:
        return None
    minutes = minutes_for(situation.wait)
    return None if minutes == MORE_THAN_THIRTY and spoken.aloud.beyond_said else minutes


def _better_news(situation: Situation, spoken: Spoken, way_out: bool) -> Say | None:
    """Rules 2 and 3: the position, the wait, or both, as far as each is better than the last one spoken."""
    place = min(situation.position, MORE_THAN_TEN)
    number = place if is_better(place, spoken.number) else None
    minutes = unspoken = None
    if situation.is_public and situation.wait is not None and not spoken.apologised:
        reckoned = minutes_for(situation.wait)
        told = spoken.silent if situation.position_only else spoken.aloud
        if may_be_said(reckoned, told, situation.now):
            minutes, unspoken = (None, reckoned) if situation.position_only else (reckoned, None)
    if minutes is not None:
        return Say("position_and_wait", number, minutes, with_way_out=way_out)
    if number is not None:
        promised = None if unspoken == MORE_THAN_THIRTY else unspoken
        return Say("position", number, unspoken_minutes=promised, with_way_out=way_out)
    return None


def was_pushed_back(situation: Situation, spoken: Spoken) -> bool:
    """Rule 3: emergency calls made the caller's position or wait worse than what they were told."""
    if spoken.number is None:
        return False
    number = min(situation.position, MORE_THAN_TEN)
    if situation.overtaken and number > max(spoken.number, spoken.pushed_to or 0):
        return True
    told = spoken.aloud.minutes
    if told is None or situation.wait is None or spoken.pushed_to is not None or not situation.emergencies_wait:
        return False
    return minutes_for(situation.wait) > told


def quieter_is_worth_saying(situation: Situation, spoken: Spoken) -> bool:
    """Rule 7: once, to whom waits for long, where a quieter time is known; after something else was said."""
    if situation.quieter_after is None or situation.wait is None or not situation.is_public:
        return False
    long = minutes_for(situation.wait) >= QUIETER_FROM
    return long and spoken.last_start_at is not None and not spoken.quieter_said and not situation.position_only


def _silent_since(situation: Situation, spoken: Spoken) -> int:
    return situation.queued_at if spoken.last_start_at is None else spoken.last_start_at


def ask_next(situation: Situation, spoken: Spoken, policy: Policy) -> int:
    """When time alone may give a reason to speak; a matter of facts, so that a restarted worker asks then too."""
    now, queued_at, every = situation.now, situation.queued_at, policy.wait_asked_every
    times = [queued_at + policy.first_number_after, _silent_since(situation, spoken) + policy.silence_max]
    if situation.is_public:
        times.append(now + every - (now - queued_at) % every)
    if spoken.aloud.deadline is not None and not spoken.apologised:
        times.append(spoken.aloud.deadline)
    return min((at for at in times if at > now), default=now + every)


def remember(spoken: Spoken, say: Say, command: str, now: int) -> None:
    """Take `say` as spoken at `now` by `command`."""
    spoken.last_start_at = max(spoken.last_start_at or 0, now)
    if say.with_way_out:
        spoken.way_out_in = command
    if say.number is not None:
        spoken.number_at = max(spoken.number_at, now)
        spoken.number = say.number if spoken.number is None else min(say.number, spoken.number)
    if say.minutes is not None:
        spoken.aloud.say(say.minutes, now)
    if say.unspoken_minutes is not None:
        spoken.silent.say(say.unspoken_minutes, now)
    if say.pushed_to is not None:
        spoken.pushed_to = max(say.pushed_to, spoken.pushed_to or 0)
    spoken.apologised |= say.kind == "apology"
    spoken.quieter_said |= say.kind == "quieter_times"


def said_by(command: Command) -> Say:
    """What `command` says; its pieces tell, since an absent position may be none or "more than ten"."""
    number = None
    if prompts.POSITION_BEYOND in command.pieces:
        number = MORE_THAN_TEN
    elif command.kind != "emergency_first":
        number = command.position
    minutes = MORE_THAN_THIRTY if prompts.WAIT_BEYOND in command.pieces else command.wait_minutes
    return Say(
        command.kind,
        number,
        minutes,
        command.unspoken_minutes,
        pushed_to=(command.position or MORE_THAN_TEN) if command.kind == "emergency_first" else None,
        with_way_out=prompts.WAY_OUT in command.pieces,
    )


def language_for(wanted: str | None) -> str:
    """The language a caller is spoken to in: English where none is known, or one without words."""
    return wanted if wanted in prompts.LANGUAGES else "en"


def pieces_of(say: Say) -> tuple[str, ...]:
    """The pieces of `say` in the order in which they are spoken."""
    pieces = _pieces(say)
    return (prompts.WAY_OUT, *pieces) if say.with_way_out else pieces


def _pieces(say: Say) -> tuple[str, ...]:
    match say.kind:
        case "welcome":
            return (prompts.WELCOME, prompts.ONLINE)
        case "position" | "position_and_wait":
            number = () if say.number is None else (prompts.position_piece(say.number),)
            return (*number, *_wait_pieces(say))
        case "reassurance":
            return (prompts.THANKS, prompts.PLACE_KEPT)
        case "emergency_first":
            return (prompts.EMERGENCY_FIRST, prompts.PLACE_KEPT)
        case "apology":
            return (prompts.APOLOGY, *_wait_pieces(say))
        case "quieter_times":
            assert say.quieter_after is not None
            return (prompts.QUIETER_AFTER, prompts.time_piece(say.quieter_after))
        case _:
            assert_never(say.kind)


def _wait_pieces(say: Say) -> tuple[str, ...]:
    if say.minutes is None:
        return ()
    return (prompts.wait_piece(None if say.minutes == MORE_THAN_THIRTY else say.minutes),)
