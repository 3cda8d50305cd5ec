"""Hears what the engine hears and listens to all it says: every rule of speech, checked apart from the policy.

It keeps the plainest picture of the room that will do (who waits where, whose telephone rings, who was told what) and
shares nothing with the policy but the targets of the queues. It expects events in order and from a switch that tells
the truth, so drift is a fault too.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from schemas import events as ev
from schemas.codec import Arrival
from schemas.moments import SECOND, micros
from schemas.outputs import Cancellation, Command
from stream.profile import Profile

FIRST_NUMBER_AFTER = 30 * SECOND
GAP = 45 * SECOND
SILENCE_MAX = 125 * SECOND
ACKNOWLEDGED_WITHIN = 6 * SECOND
EXPIRES_AFTER = 5 * SECOND
STALE_AFTER = 15 * SECOND
DOUBTFUL_AFTER = 10 * SECOND
MORE_THAN_TEN = 11
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
    over: bool = False
    ringing: bool = False
    starts: list[int] = field(default_factory=list)
    number: int | None = None
    silent_since: int = 0
    may_be_unwelcomed: bool = False
    last_command: Command | None = None


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

    def hear(self, arrivals: Iterable[Arrival], now: int) -> None:
        """Take events, all of which are known at `now`."""
        self._ended_now.clear()
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
        visit = Waiting(data, at, (-(data.priority or 0), since, data.visit), silent_since=at)
        visit.may_be_unwelcomed = now - at > SECOND
        self._visits[data.visit] = visit
        self._lines.setdefault(data.queue, {})[data.visit] = visit

    def _position(self, visit: Waiting) -> int:
        return 1 + sum(other.place < visit.place for other in self._lines[visit.joined.queue].values())

    def _is_at_head_with_a_handler_ringing(self, visit: Waiting) -> bool:
        return visit.ringing and self._position(visit) == 1

    def _may_be_spoken_to(self, visit: Waiting) -> bool:
        """Whether this is a voice call that waits and is neither an emergency, nor a test, nor a call-back."""
        call = self.calls.get(visit.joined.call)
        if call is None or visit.joined.kind == "callback" or call.test:
            return False
        return "999" not in (call.service, self._service(visit)) and (call.channel or "voice") == "voice"

    def _service(self, visit: Waiting) -> str:
        return self._profile.target(visit.joined.queue).service

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
        return begins == (not visit.starts and self._service(visit) == "101")

    def _numbers(self, visit: Waiting, command: Command, now: int) -> dict[str, bool]:
        if command.kind != "position":
            return {"only a position has a number": command.position is None}
        true = self._position(visit)
        said = MORE_THAN_TEN if command.position is None else command.position
        before, visit.number = visit.number, said
        return {
            "the position spoken is the true one": said == min(true, MORE_THAN_TEN),
            "its words say the number": said == MORE_THAN_TEN or f" {said} " in command.text,
            "spoken positions fall": before is None or said < before,
            "no number in the first 30 seconds": now - visit.queued_at >= FIRST_NUMBER_AFTER,
        }

    def _listen(self, line: dict[str, Waiting], now: int) -> None:
        for ident, visit in line.items():
            if now - self._heard_at > DOUBTFUL_AFTER or (
                visit.ringing and self._is_at_head_with_a_handler_ringing(visit)
            ):
                visit.silent_since = now
                visit.may_be_unwelcomed = True
            elif not self._may_be_spoken_to(visit):
                continue
            elif now - visit.silent_since > SILENCE_MAX:
                self._fault("nobody hears nothing for 125 seconds", now, ident)
                visit.silent_since = now
            elif (
                not visit.starts
                and not visit.may_be_unwelcomed
                and now - visit.queued_at > ACKNOWLEDGED_WITHIN
                and self._service(visit) == "101"
            ):
                self._fault("the public is acknowledged within five seconds", now, ident)
                visit.may_be_unwelcomed = True
