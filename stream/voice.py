"""The voice of one control room: asks the policy about each waiting caller and turns what it says into commands.

A caller is asked about when they join, when the line before them changes, and when the policy said to ask again.
Every command has an id of visit, epoch and sequence; what is still outstanding when its caller is answered or leaves
is cancelled, and what has no outcome 30 s after it expired is recorded as expired.
"""

from heapq import heappop, heappush
from typing import NamedTuple

from schemas import prompts
from schemas.moments import SECOND, micros, moment
from schemas.outputs import Cancellation, Command
from stream import tally as t
from stream.announcements import MORE_THAN_TEN, Policy, Say, Situation, Spoken, decide, language_for, pieces_of
from stream.queues import Queue
from stream.room import Room
from stream.visits import COUNTED, RINGING, Counting, Visit, story

OUTCOME_OVERDUE_AFTER = 30 * SECOND
_NUMBERED = 10
"""Beyond this position a change of the line changes nothing that is said."""


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
        self._cancelled: set[str] = set()
        self._asks: list[tuple[int, str]] = []

    def remember(self, command: Command) -> None:
        """Take a command decided by an earlier owner as spoken."""
        visit = self.room.visits.get(command.visit)
        if visit is None:
            return
        spoken = visit.spoken = visit.spoken or Spoken()
        issued_at = micros(command.issued_at)
        spoken.last_start_at = max(spoken.last_start_at or 0, issued_at)
        if command.position is not None:
            spoken.number = min(command.position, spoken.number or MORE_THAN_TEN)
        elif command.kind == "position":
            spoken.number = spoken.number or MORE_THAN_TEN
        expires_at = micros(command.expires_at)
        self.outstanding[command.id] = Outstanding(command.visit, command.queue, command.kind, expires_at)
        self._ask(visit, issued_at + self.policy.gap)

    def outcome(self, announcement: str, outcome: str) -> None:
        """An announcement ended in `outcome`; a second outcome of the same announcement changes nothing."""
        known = self.outstanding.pop(announcement, None)
        self._cancelled.discard(announcement)
        if known is not None:
            self._count(self.room.queues[known.queue], known.kind, outcome)

    def consider(self, now: int, epoch: int) -> tuple[list[Command], list[Cancellation]]:
        """Everything to be said, and to be left unsaid, as of `now`."""
        room = self.room
        for announcement, _, outcome in room.outcomes_of_announcements:
            self.outcome(announcement, outcome)
        room.outcomes_of_announcements.clear()
        cancellations = self._cancellations(now, epoch)
        commands = []
        for ident in self._to_ask(now):
            visit = room.visits.get(ident)
            if visit is not None and visit.counting is not None and visit.is_waiting:
                command = self._ask_policy(visit, visit.counting, now, epoch)
                if command is not None:
                    commands.append(command)
        return commands, cancellations

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
        return list(asked)

    def _ask_policy(self, visit: Visit, counting: Counting, now: int, epoch: int) -> Command | None:
        if counting.part != COUNTED:
            return None
        spoken = visit.spoken = visit.spoken or Spoken()
        since = spoken.last_start_at
        if since is not None and now < since + self.policy.gap:
            self._ask(visit, since + self.policy.gap)
            return None
        situation = self._situation(visit, counting, now)
        say, ask_at = decide(situation, spoken, self.policy)
        if ask_at is not None:
            self._ask(visit, ask_at)
        return None if say is None else self._command(visit, counting, spoken, say, now, epoch)

    def _ask(self, visit: Visit, at: int) -> None:
        if visit.spoken is not None and visit.spoken.ask_at != at:
            visit.spoken.ask_at = at
            heappush(self._asks, (at, visit.id))

    def _situation(self, visit: Visit, counting: Counting, now: int) -> Situation:
        queue = self.room.queues[counting.queue]
        offer = visit.call.offer if visit.call is not None else None
        emergency = offer is not None and offer.service == "999"
        return Situation(
            now=now,
            queued_at=counting.queued_at,
            position=queue.line.position(counting.line_key),
            head_is_ringing=visit.ringing is not None and visit.ringing[1] == RINGING,
            fresh=self.room.liveness.fresh(now),
            drift=queue.drifted,
            announce=queue.target.announce,
            service="999" if emergency else queue.target.service,
            channel=offer.channel if offer is not None else "voice",
        )

    def _command(self, visit: Visit, counting: Counting, spoken: Spoken, say: Say, now: int, epoch: int) -> Command:
        told = story(visit)
        assert told is not None
        assert visit.call is not None
        offer = visit.call.offer
        language = language_for(offer.language if offer is not None else None)
        spoken.sequence += 1
        spoken.last_start_at = now
        if say.number is not None:
            spoken.number = say.number
        expires_at = now + self.policy.expires_after
        pieces = pieces_of(say)
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
            position=None if say.number == MORE_THAN_TEN else say.number,
            pieces=pieces,
            text=prompts.spoken(pieces, language),
            issued_at=moment(now),
            expires_at=moment(expires_at),
        )
        self.outstanding[command.id] = Outstanding(visit.id, counting.queue, say.kind, expires_at)
        self._count(self.room.queues[counting.queue], say.kind, "issued")
        return command

    def _cancellations(self, now: int, epoch: int) -> list[Cancellation]:
        cancellations = []
        for ident, known in list(self.outstanding.items()):
            if now > known.expires_at + OUTCOME_OVERDUE_AFTER:
                self.outcome(ident, "expired")
                continue
            visit = self.room.visits.get(known.visit)
            if visit is None or visit.is_waiting or visit.counting is None or ident in self._cancelled:
                continue
            self._cancelled.add(ident)
            cancellations.append(
                Cancellation(
                    cancels=ident,
                    centre=self.room.centre,
                    visit=known.visit,
                    reason="answered" if visit.counting.outcome == t.ANSWERED else "left",
                    issued_at=moment(now),
                    epoch=epoch,
                )
            )
        return cancellations

    def _count(self, queue: Queue, kind: str, outcome: str) -> None:
        if self.room.counting:
            counts = queue.counters.announcements
            counts[kind, outcome] = counts.get((kind, outcome), 0) + 1
