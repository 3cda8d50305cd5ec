"""The voice of one control room: asks the policy about each waiting caller and turns what it says into commands.

A caller is asked about when they join, when the line before them changes, and when the policy said to ask again.
Every command has an id of visit, epoch and sequence; what is still outstanding when its caller is answered or leaves
is cancelled, and what has no outcome 30 s after it expired is recorded as expired. Promises are judged here, from the
facts of the visits they were made to.
"""

from dataclasses import replace
from heapq import heappop, heappush
from typing import Literal, NamedTuple

from schemas import prompts
from schemas.moments import MINUTE, SECOND, micros, moment
from schemas.outputs import Cancellation, Command
from stream import tally as t
from stream.announcements import (
    MORE_THAN_TEN,
    MORE_THAN_THIRTY,
    Policy,
    Say,
    Situation,
    Spoken,
    ask_next,
    decide,
    language_for,
    may_speak,
    must_be_silent,
    pieces_of,
    remember,
    said_by,
)
from stream.expected_wait import Estimator
from stream.flow import level_of
from stream.promises import JUDGED_AFTER, Judged, Promise, judge
from stream.queues import Queue
from stream.room import Room
from stream.visits import COUNTED, RINGING, Counting, Visit, story

OUTCOME_OVERDUE_AFTER = 30 * SECOND
_NUMBERED = 10
"""Beyond this position a change of the line changes nothing that is said."""
_UNHEARD = ("expired", "failed")


class Outstanding(NamedTuple):
    """A command without an outcome."""

    visit: str
    queue: str
    kind: str
    expires_at: int


class Voice:
    """What the callers of one room are told."""

    def __init__(self, room: Room, policy: Policy) -> None:
        self.room = room
        self.policy = policy
        self.outstanding: dict[str, Outstanding] = {}
        self._overdue: list[tuple[int, str]] = []
        """A heap of (from when on a command without an outcome counts as expired, its id)."""
        self._told: dict[str, list[str]] = {}
        """By visit: the ids of its outstanding commands."""
        self._cancelled: set[str] = set()
        self._asks: list[tuple[int, str]] = []
        self._estimator = Estimator(room)
        self._judged_at = 0

    def remember(self, command: Command) -> None:
        """Take a command decided by an earlier owner as spoken; one of a call long over only if it promised."""
        promised = command.wait_minutes or command.unspoken_minutes
        visit = self.room.find(command.visit) if promised else self.room.visits.get(command.visit)
        if visit is None:
            return
        spoken = visit.spoken = visit.spoken or Spoken()
        issued_at = micros(command.issued_at)
        remember(spoken, said_by(command), command.id, issued_at)
        self._expect(command, micros(command.expires_at))
        self._promise(command, issued_at)

    def catch_up(self) -> None:
        """After the last `remember`: conclude and ask as the earlier owner did, counting nothing again."""
        self._take_outcomes()
        for queue in self.room.queues.values():
            self._judge_remembered(queue)
            if queue.target.announce != "never":
                for ident in queue.line.visits():
                    self._resume(self.room.visits[ident])
        self.room.joined.clear()
        self.room.changed_lines.clear()
        self.room.stopped_waiting = set(self._told)

    def _judge_remembered(self, queue: Queue) -> None:
        """Replay what made the queue speak times or not: each promise tells whether it did then."""
        promises, now = queue.promises, self.room.now
        made = sorted(promises.open.values(), key=_made)
        settled = self._settled(queue, now)
        for promise in made:
            while settled and settled[0].at < promise.made_at:
                promises.score(settled.pop(0))
            promises.position_only = not promise.aloud
        for judged in settled:
            promises.score(judged)
        promises.forget(now)

    def _resume(self, visit: Visit) -> None:
        """Ask about a caller when the earlier owner would have: it asked when they joined and the line changed."""
        counting, now = visit.counting, self.room.now
        if counting is None or counting.part != COUNTED:
            return
        spoken = visit.spoken = visit.spoken or Spoken()
        self._estimator.begin(now)
        situation = self._situation(visit, counting, spoken, now)
        say, ask_at = decide(situation, spoken, self.policy)
        if say is not None:
            ask_at = ask_next(situation, spoken, self.policy) if say.minutes is not None else now
        if ask_at is not None:
            self._ask(visit, ask_at)

    def outcome(self, announcement: str, outcome: str) -> None:
        """An announcement ended in `outcome`; a second outcome of the same announcement changes nothing."""
        known = self.outstanding.pop(announcement, None)
        self._cancelled.discard(announcement)
        if known is None:
            return
        told = self._told[known.visit]
        told.remove(announcement)
        if not told:
            del self._told[known.visit]
        self._count(self.room.queues[known.queue], known.kind, outcome)
        visit = self.room.visits.get(known.visit)
        spoken = None if visit is None else visit.spoken
        if spoken is not None and spoken.way_out_in == announcement and outcome in _UNHEARD:
            spoken.way_out_in = None

    def consider(self, now: int, epoch: int) -> tuple[list[Command], list[Cancellation]]:
        """Everything to be said, and to be left unsaid, as of `now`."""
        room = self.room
        self._take_outcomes()
        if now >= self._judged_at + SECOND:
            self._judged_at = now
            self._judge_promises(now)
        cancellations = self._cancellations(now, epoch)
        commands = []
        self._estimator.begin(now)
        for ident in self._to_ask(now):
            visit = room.visits.get(ident)
            if visit is not None and visit.counting is not None and visit.is_waiting:
                command = self._ask_policy(visit, visit.counting, now, epoch)
                if command is not None:
                    commands.append(command)
        return commands, cancellations

    def _take_outcomes(self) -> None:
        for announcement, _, outcome in self.room.outcomes_of_announcements:
            self.outcome(announcement, outcome)
        self.room.outcomes_of_announcements.clear()

    # Promises ------------------------------------------------------------------------------------------------

    def _promise(self, command: Command, issued_at: int) -> None:
        minutes = command.wait_minutes or command.unspoken_minutes
        queue = self.room.queues.get(command.queue)
        if minutes is not None and queue is not None:
            promise = Promise(
                command.visit, issued_at, issued_at + minutes * MINUTE, command.wait_minutes is not None
            )
            queue.promises.open[command.id] = promise

    def _judge_promises(self, now: int) -> None:
        """Judge what can be; on a feed that is not live nobody knows who still waits."""
        open_in = [queue for queue in self.room.queues.values() if queue.promises.open]
        if open_in and not self.room.liveness.fresh(now):
            return
        for queue in open_in:
            for judged in self._settled(queue, now):
                queue.promises.score(judged)
                if self.room.counting:
                    counts = queue.counters.promises
                    counts[judged.result] = counts.get(judged.result, 0) + 1

    def _settled(self, queue: Queue, now: int) -> list[Judged]:
        """The verdicts on open promises as of `now`, in the order in which they were settled."""
        settled = []
        for command, promise in list(queue.promises.open.items()):
            visit = self.room.find(promise.visit)
            counting = None if visit is None else visit.counting
            if visit is None or counting is None:
                del queue.promises.open[command]
            elif counting.outcome is not None or now >= promise.deadline + JUDGED_AFTER:
                del queue.promises.open[command]
                settled.append(judge(promise, counting.outcome, _wait_ended_at(visit)))
        return sorted(settled)

    # Asking --------------------------------------------------------------------------------------------------

    def _to_ask(self, now: int) -> list[str]:
        room = self.room
        asked = dict.fromkeys(room.joined)
        room.joined.clear()
        for name in room.changed_lines:
            queue = room.queues[name]
            if queue.target.announce != "never":
                asked.update(dict.fromkeys(queue.line.visits(_NUMBERED)))
        room.changed_lines.clear()
        while self._asks and self._asks[0][0] <= now:
            at, ident = heappop(self._asks)
            visit = room.visits.get(ident)
            if visit is not None and visit.spoken is not None and visit.spoken.ask_at == at:
                asked[ident] = None
        return sorted(asked)

    def _ask_policy(self, visit: Visit, counting: Counting, now: int, epoch: int) -> Command | None:
        if counting.part != COUNTED:
            return None
        spoken = visit.spoken = visit.spoken or Spoken()
        since = spoken.last_start_at
        if since is not None and now < since + self.policy.gap:
            self._ask(visit, since + self.policy.gap)
            return None
        situation = self._situation(visit, counting, spoken, now)
        say, ask_at = decide(situation, spoken, self.policy)
        if ask_at is not None:
            self._ask(visit, ask_at)
        return None if say is None else self._command(visit, counting, spoken, say, now, epoch)

    def _ask(self, visit: Visit, at: int) -> None:
        if visit.spoken is not None and visit.spoken.ask_at != at:
            visit.spoken.ask_at = at
            heappush(self._asks, (at, visit.id))

    def _situation(self, visit: Visit, counting: Counting, spoken: Spoken, now: int) -> Situation:
        queue = self.room.queues[counting.queue]
        offer = visit.call.offer if visit.call is not None else None
        emergency = offer is not None and offer.service == "999"
        situation = Situation(
            now=now,
            queued_at=counting.queued_at,
            position=queue.line.position(counting.line_key),
            head_is_ringing=visit.ringing is not None and visit.ringing[1] == RINGING,
            fresh=self.room.liveness.fresh(now),
            drift=queue.drifted,
            announce=queue.target.announce,
            service="999" if emergency else queue.target.service,
            channel=offer.channel if offer is not None else "voice",
            position_only=queue.promises.position_only,
            overtaken=spoken.number is not None and self._was_overtaken(counting, queue, spoken.number_at),
        )
        if not situation.is_public or not may_speak(situation) or must_be_silent(situation):
            return situation
        return self._with_wait(situation, spoken, queue, counting)

    def _was_overtaken(self, counting: Counting, queue: Queue, since: int) -> bool:
        """Whether somebody of higher priority joined, or was moved up, after `since`."""
        for ident in queue.line.above(counting.line_key[0]):
            other = self.room.visits[ident]
            joined_at = 0 if other.counting is None else other.counting.queued_at
            moved_at = other.priorities[-1][0] if other.priorities else 0
            if max(joined_at, moved_at) > since:
                return True
        return False

    def _with_wait(self, situation: Situation, spoken: Spoken, queue: Queue, counting: Counting) -> Situation:
        now = situation.now
        if now < situation.queued_at + self.policy.first_number_after:
            return situation
        level = level_of(False, -counting.line_key[0])
        wait = self._estimator.wait(queue, level, situation.position)
        if wait is None:
            return situation
        known_quieter = not spoken.quieter_said and self.room.habits.quieter_after(queue.name, now, wait)
        return replace(
            situation,
            wait=wait,
            emergencies_wait=self._estimator.emergencies_wait(queue, level),
            quieter_after=known_quieter if known_quieter is not False else None,
        )

    def _command(self, visit: Visit, counting: Counting, spoken: Spoken, say: Say, now: int, epoch: int) -> Command:
        told = story(visit)
        assert told is not None
        assert visit.call is not None
        offer = visit.call.offer
        language = language_for(offer.language if offer is not None else None)
        spoken.sequence += 1
        expires_at = now + self.policy.expires_after
        pieces = pieces_of(say)
        number = say.number if say.pushed_to is None else say.pushed_to
        command = Command(
            id=f"{visit.id}:{epoch}:{spoken.sequence}",
            centre=self.room.centre,
            visit=visit.id,
            call=visit.call.id,
            queue=counting.queue,
            source=told.source,
            channel_ref=told.channel_ref,
            epoch=epoch,
            kind=say.kind,
            language=language,
            position=None if number == MORE_THAN_TEN else number,
            wait_minutes=None if say.minutes == MORE_THAN_THIRTY else say.minutes,
            unspoken_minutes=say.unspoken_minutes,
            quieter=None if say.quieter_after is None else _clock(say.quieter_after),
            pieces=pieces,
            text=prompts.spoken(pieces, language),
            issued_at=moment(now),
            expires_at=moment(expires_at),
        )
        remember(spoken, say, command.id, now)
        self._promise(command, now)
        self._expect(command, expires_at)
        self._count(self.room.queues[counting.queue], say.kind, "issued")
        return command

    def _cancellations(self, now: int, epoch: int) -> list[Cancellation]:
        while self._overdue and self._overdue[0][0] < now:
            self.outcome(heappop(self._overdue)[1], "expired")
        stopped, self.room.stopped_waiting = self.room.stopped_waiting, set()
        cancellations = []
        for of in sorted(stopped & self._told.keys()):
            visit = self.room.visits.get(of)
            if visit is None or visit.is_waiting or visit.counting is None:
                continue
            reason: Literal["answered", "left"] = "answered" if visit.counting.outcome == t.ANSWERED else "left"
            for ident in self._told[of]:
                if ident not in self._cancelled:
                    self._cancelled.add(ident)
                    cancellations.append(
                        Cancellation(
                            cancels=ident,
                            centre=self.room.centre,
                            visit=of,
                            reason=reason,
                            issued_at=moment(now),
                            epoch=epoch,
                        )
                    )
        return cancellations

    def _expect(self, command: Command, expires_at: int) -> None:
        """Wait for the outcome of `command`."""
        if command.id not in self.outstanding:
            self._told.setdefault(command.visit, []).append(command.id)
            heappush(self._overdue, (expires_at + OUTCOME_OVERDUE_AFTER, command.id))
        self.outstanding[command.id] = Outstanding(command.visit, command.queue, command.kind, expires_at)

    def _count(self, queue: Queue, kind: str, outcome: str) -> None:
        if self.room.counting:
            counts = queue.counters.announcements
            counts[kind, outcome] = counts.get((kind, outcome), 0) + 1


def _wait_ended_at(visit: Visit) -> int:
    """When a visit's wait ended; of one that is lost or waits, when it was last heard of."""
    told = story(visit)
    return visit.last_at if told is None or told.outcome is None else told.wait_ends_at


def _made(promise: Promise) -> int:
    return promise.made_at


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
