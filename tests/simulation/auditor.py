"""Hears what the engine hears and listens to all it says: every rule of speech, checked apart from the policy.

It keeps the plainest picture of the room that will do (who waits where, whose telephone rings, who was told what) and
shares nothing with the policy but the targets of the queues and the words. It expects events in order and from a
switch that tells the truth, so drift is a fault too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas import events as ev
from schemas import prompts
from schemas.codec import Arrival
from schemas.moments import HOUR, LONDON, MINUTE, SECOND, micros, moment
from schemas.outputs import Cancellation, Command
from stream.profile import Profile
from tests.simulation.reckoner import Reckoner

FIRST_NUMBER_AFTER = 30 * SECOND
GAP = 45 * SECOND
SILENCE_MAX = 125 * SECOND
ACKNOWLEDGED_WITHIN = 6 * SECOND
EXPIRES_AFTER = 5 * SECOND
STALE_AFTER = 15 * SECOND
DOUBTFUL_AFTER = 10 * SECOND
MORE_THAN_TEN = 11
BANDS = (2, 5, 10, 15, 20, 30)
MORE_THAN_THIRTY = 31
PATIENT_FOR = 2 * GAP + 20 * SECOND
"""What is owed to a caller may wait for one other announcement, and for the next look."""
KINDS = {
    "welcome": [("welcome", "online")],
    "position": [("position",)],
    "position_and_wait": [("position", "wait"), ("wait",)],
    "reassurance": [("thank-you-for-waiting", "place-kept")],
    "emergency_first": [("emergency-first", "place-kept")],
    "apology": [("apology", "wait"), ("apology",)],
    "quieter_times": [("quieter-after", "time")],
}
"""What each kind may consist of, after the way out."""
WAY_OUT = ("If someone is in danger", "Os oes rhywun mewn perygl")


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule that was broken, when and by what."""

    rule: str
    at: int
    about: str


@dataclass(slots=True, eq=False)
class Waiting:
    """One visit as the auditor sees it."""

    joined: ev.VisitQueuedData
    queued_at: int
    place: tuple[int, int, str]
    service: str
    over: bool = False
    audible: bool | None = None
    ringing: bool = False
    starts: list[int] = field(default_factory=list)
    number: int | None = None
    silent_since: int = 0
    may_be_unwelcomed: bool = False
    last_command: Command | None = None
    minutes: int | None = None
    deadline: int | None = None
    apologised: bool = False
    pushed_to: int = 0
    beyond_said: bool = False
    quieter_said: bool = False
    owed_since: dict[str, int] = field(default_factory=dict)


class Auditor:
    """Call `hear` with what the engine is about to hear, then `check` with what it said."""

    def __init__(self, profile: Profile) -> None:
        self.faults: list[Fault] = []
        self.calls: dict[str, ev.CallOfferedData] = {}
        self._profile = profile
        self._visits: dict[str, Waiting] = {}
        self._lines: dict[str, dict[str, Waiting]] = {}
        self._commands: dict[str, Command] = {}
        self._ended_now: list[Waiting] = []
        self._heard_at = 0
        self.reckoner = Reckoner(profile)

    @property
    def anybody_waits(self) -> bool:
        """Whether somebody waits in any line."""
        return any(self._lines.values())

    def hear(self, arrivals: Iterable[Arrival], now: int) -> None:
        """Take events, all of which are known at `now`."""
        self._ended_now.clear()
        arrivals = list(arrivals)
        self.reckoner.hear(arrivals)
        if now % (HOUR // 6) == 0:
            self.reckoner.forget(now)
        for arrival in arrivals:
            self._heard_at = now
            match arrival.event:
                case ev.CallOffered(data=data):
                    self.calls[data.call] = data
                case ev.VisitQueued(data=data):
                    self._join(data, arrival.at, now)
                case ev.VisitPriority(data=data):
                    visit = self._visits[data.visit]
                    visit.place = (-data.priority, *visit.place[1:])
                case ev.VisitRinging(data=data):
                    self._visits[data.visit].ringing = True
                case ev.VisitRingNoAnswer(data=data):
                    self._visits[data.visit].ringing = False
                case ev.VisitAnswered(data=data) | ev.VisitLeft(data=data):
                    visit = self._visits[data.visit]
                    visit.over = True
                    del self._lines[visit.joined.queue][data.visit]
                    self._ended_now.append(visit)
                case _:
                    pass

    def check(self, commands: Iterable[Command], cancellations: Iterable[Cancellation], now: int) -> None:
        """Hold what was said at `now` against the rules, and the silence of all the others."""
        for command in commands:
            self._check(command, now)
        cancelled = {cancellation.cancels for cancellation in cancellations}
        for visit in self._ended_now:
            last = visit.last_command
            if last is not None and micros(last.expires_at) >= now and last.id not in cancelled:
                self._fault("what is left unsaid is cancelled", now, last.id)
        for ident in cancelled:
            if ident not in self._commands or not self._visits[self._commands[ident].visit].over:
                self._fault("only what was said to one who left is cancelled", now, ident)
        for queue, line in self._lines.items():
            if self._profile.target(queue).announce != "never":
                self._listen(line, now)

    def _fault(self, rule: str, at: int, about: str) -> None:
        self.faults.append(Fault(rule, at, about))

    def _join(self, data: ev.VisitQueuedData, at: int, now: int) -> None:
        since = at if data.original_queued_at is None else micros(data.original_queued_at)
        service = self._profile.target(data.queue).service
        visit = Waiting(data, at, (-(data.priority or 0), since, data.visit), service, silent_since=at)
        visit.may_be_unwelcomed = now - at > SECOND
        self._visits[data.visit] = visit
        self._lines.setdefault(data.queue, {})[data.visit] = visit

    def _position(self, visit: Waiting) -> int:
        return 1 + sum(other.place < visit.place for other in self._lines[visit.joined.queue].values())

    def _is_at_head_with_a_handler_ringing(self, visit: Waiting) -> bool:
        return visit.ringing and self._position(visit) == 1

    def _may_be_spoken_to(self, visit: Waiting) -> bool:
        """Whether this is a voice call that waits and is neither an emergency, nor a test, nor a call-back."""
        if visit.audible is None:
            call = self.calls.get(visit.joined.call)
            visit.audible = (
                call is not None
                and not (call.test or visit.joined.kind == "callback")
                and "999" not in (call.service, visit.service)
                and (call.channel or "voice") == "voice"
            )
        return visit.audible

    def _check(self, command: Command, now: int) -> None:
        known = self._commands.setdefault(command.id, command)
        if known is not command:
            self._fault("every id is used once", now, command.id)
        visit = self._visits[command.visit]
        rules = {
            "nothing is spoken to emergencies, tests, call-backs or where there is no voice": self._may_be_spoken_to(
                visit
            ),
            "nothing is spoken to one who was answered or left": not visit.over,
            "nothing is spoken on stale data": now - self._heard_at <= STALE_AFTER,
            "a command expires after five seconds": micros(command.expires_at) - micros(command.issued_at)
            == EXPIRES_AFTER,
            "a command is issued at the time of the clock": micros(command.issued_at) == now,
            "starts are at least 45 seconds apart": not visit.starts or now - visit.starts[-1] >= GAP,
            "its words are its pieces": command.text == prompts.spoken(command.pieces, command.language)
            and _families(command) in KINDS[command.kind],
            "the caller's language is spoken": command.language == self._language(visit),
            "a command names the source, channel, queue and call of its visit": (
                command.queue,
                command.call,
                command.channel_ref,
            )
            == (visit.joined.queue, visit.joined.call, visit.joined.channel_ref),
        }
        if not visit.over:
            rules |= {
                "nothing is spoken at the head with a handler ringing": not self._is_at_head_with_a_handler_ringing(
                    visit
                ),
                "what is spoken first begins with the way out, for the public only": self._way_out_is_right(
                    visit, command
                ),
                **self._numbers(visit, command, now),
                **self._times(visit, command, now),
                **self._reasons(visit, command, now),
            }
        for rule, holds in rules.items():
            if not holds:
                self._fault(rule, now, command.id)
        visit.starts.append(now)
        visit.silent_since = now
        visit.last_command = command

    def _language(self, visit: Waiting) -> str:
        call = self.calls.get(visit.joined.call)
        return "cy" if call is not None and call.language == "cy" else "en"

    def _way_out_is_right(self, visit: Waiting, command: Command) -> bool:
        begins = command.text.startswith(WAY_OUT[0 if command.language == "en" else 1]) and "999" in command.text
        return begins == (not visit.starts and visit.service == "101")

    def _numbers(self, visit: Waiting, command: Command, now: int) -> dict[str, bool]:
        said = _number(command)
        if said is None:
            return {"only a position has a number": command.position is None or command.kind == "emergency_first"}
        before, visit.number = visit.number, said
        return {
            "the position spoken is the true one": said == min(self._position(visit), MORE_THAN_TEN),
            "its words say the number": command.position == (None if said == MORE_THAN_TEN else said),
            "spoken positions fall": before is None or said < before,
            "no number in the first 30 seconds": now - visit.queued_at >= FIRST_NUMBER_AFTER,
        }

    def _times(self, visit: Waiting, command: Command, now: int) -> dict[str, bool]:
        apology, deadline = command.kind == "apology", visit.deadline
        rules = {
            "an apology is made once, when a promised time has passed": not apology
            or (deadline is not None and now >= deadline and not visit.apologised),
        }
        said = _minutes(command)
        if said is not None:
            promised = None if said == MORE_THAN_THIRTY else said
            rules |= {
                "its words promise what it promises": command.wait_minutes == promised,
                "the wait spoken is the expected one": self._is_expected(visit, said, now),
                "spoken waits fall": apology or visit.minutes is None or said < visit.minutes,
                "a new time ends no later than the one given": apology
                or deadline is None
                or now + said * MINUTE <= deadline,
                "no times after the apology": not visit.apologised,
                "more than 30 minutes is said once": promised is not None or not visit.beyond_said,
                "times are for the public": visit.service == "101",
                "no number in the first 30 seconds": now - visit.queued_at >= FIRST_NUMBER_AFTER,
            }
            visit.minutes = said
            visit.beyond_said |= promised is None
            visit.deadline = deadline if promised is None else now + promised * MINUTE
        visit.apologised |= apology
        return rules

    def _is_expected(self, visit: Waiting, said: int, now: int) -> bool:
        """Whether `said` is what the slow way gives; asked in every third second, since it is slow."""
        if now // SECOND % 3:
            return True
        wait = self.reckoner.wait(visit.joined.visit, self._position(visit), now)
        if wait is None:
            return False
        seconds = float(wait) * 1.2
        fitting = [band for band in (*BANDS, 10**6) if seconds <= band * 60 + 0.001]
        exactly = [band for band in (*BANDS, 10**6) if seconds <= band * 60 - 0.001]
        return min(said, MORE_THAN_THIRTY) in {min(fitting[0], MORE_THAN_THIRTY), min(exactly[0], MORE_THAN_THIRTY)}

    def _reasons(self, visit: Waiting, command: Command, now: int) -> dict[str, bool]:
        match command.kind:
            case "reassurance":
                since = visit.starts[-1] if visit.starts else visit.queued_at
                return {"reassurance comes after two minutes of silence": now - since >= 120 * SECOND}
            case "emergency_first":
                rule = "emergencies go first is said to those who were pushed back"
                true = self._was_overtaken(visit) or (
                    visit.minutes is not None and self.reckoner.higher_waits(visit.joined.visit)
                )
                visit.pushed_to = max(visit.pushed_to, min(self._position(visit), MORE_THAN_TEN))
                return {rule: true}
            case "quieter_times":
                first, visit.quieter_said = not visit.quieter_said, True
                return {
                    "a quieter time is named once, after something else": first and bool(visit.starts),
                    "a quieter time is one that is usually quieter": self._is_quieter(visit, command.quieter, now),
                }
            case _:
                return {}

    def _was_overtaken(self, visit: Waiting) -> bool:
        line = self._lines[visit.joined.queue].values()
        if visit.number is None or not any(other.place[0] < visit.place[0] for other in line):
            return False
        return min(self._position(visit), MORE_THAN_TEN) > max(visit.number, visit.pushed_to)

    def _is_quieter(self, visit: Waiting, named: str | None, now: int) -> bool:
        wait = self.reckoner.wait(visit.joined.visit, self._position(visit), now)
        if wait is None or named is None or wait * 12 / 10 <= 5 * 60:
            return False
        quieter = []
        for at in range(now - now % (30 * MINUTE) + 30 * MINUTE, now + 12 * HOUR + 1, 30 * MINUTE):
            local = moment(at).astimezone(LONDON)
            slot = self.reckoner.slots.get((local.weekday(), local.hour * 60 + local.minute))
            if slot is not None and slot.n >= 4 and slot.wait_median <= wait / 4:
                quieter.append(f"{local:%H:%M}")
        return quieter[:1] == [named]

    def _overdue(self, visit: Waiting, now: int) -> str | None:
        """What this caller should have been told long ago."""
        if visit.number is None or visit.service != "101":
            return None
        owed = {
            "a promised time that has passed is apologised for": not visit.apologised
            and visit.deadline is not None
            and now > visit.deadline,
            "who is pushed back hears that emergencies go first": self._was_overtaken(visit),
        }
        for rule, is_owed in owed.items():
            if not is_owed:
                visit.owed_since.pop(rule, None)
            elif now - visit.owed_since.setdefault(rule, now) > PATIENT_FOR:
                return rule
        return None

    def _listen(self, line: dict[str, Waiting], now: int) -> None:
        for ident, visit in line.items():
            if now - self._heard_at > DOUBTFUL_AFTER or (
                visit.ringing and self._is_at_head_with_a_handler_ringing(visit)
            ):
                visit.silent_since = now
                visit.may_be_unwelcomed = True
                visit.owed_since.clear()
            elif not self._may_be_spoken_to(visit):
                continue
            elif (owed := self._overdue(visit, now)) is not None:
                self._fault(owed, now, ident)
                visit.owed_since.clear()
            elif now - visit.silent_since > SILENCE_MAX:
                self._fault("nobody hears nothing for 125 seconds", now, ident)
                visit.silent_since = now
            elif (
                not visit.starts
                and not visit.may_be_unwelcomed
                and now - visit.queued_at > ACKNOWLEDGED_WITHIN
                and visit.service == "101"
            ):
                self._fault("the public is acknowledged within five seconds", now, ident)
                visit.may_be_unwelcomed = True


def _number(command: Command) -> int | None:
    """The position that its pieces say."""
    for piece in command.pieces:
        if piece.startswith("position-"):
            return MORE_THAN_TEN if piece.startswith("position-more") else int(piece.removeprefix("position-"))
    return None


def _minutes(command: Command) -> int | None:
    """The wait that its pieces say."""
    for piece in command.pieces:
        if piece.startswith("wait-"):
            return MORE_THAN_THIRTY if piece.startswith("wait-more") else int(piece.removeprefix("wait-"))
    return None


def _families(command: Command) -> tuple[str, ...]:
    """Its pieces without the way out, numbers and times by the sentence they are in."""
    families = [
        next((f for f in ("position", "wait", "time") if piece.startswith(f"{f}-")), piece)
        for piece in command.pieces
    ]
    return tuple(families[families[:1] == ["way-out"] :])
