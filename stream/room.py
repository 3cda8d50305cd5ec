"""One control room: takes its events as facts, and keeps what is counted equal to what the facts say.

Taking an event only adds facts and marks whom they concern; `settle` then derives the stories anew, takes old
contributions out of the tallies and puts the new ones in. So a thousand events about one visit cost one settling,
and no figure depends on the order they came in. Timers bring back the visits that only time can change: lost after
hours of silence, settled without a wrap-up.

Sequence here is: facts (stream.facts) → story (stream.visits) → contribution → windows, line, counts (stream.queues).
"""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from sys import intern
from typing import Any, cast

from schemas import events as ev
from schemas.codec import Refusal
from schemas.moments import HOUR, MINUTE, SECOND, micros
from stream import calls as c
from stream import facts as f
from stream import handlers as h
from stream import tally as t
from stream.callers import Callers, call_made
from stream.calls import Call
from stream.cold import COLD_AFTER, PACKED_TOGETHER, Cold
from stream.counters import RoomCounters
from stream.facts import Fact
from stream.flow import Flow, Passage, level_of
from stream.habits import Habits
from stream.liveness import Liveness
from stream.profile import Profile
from stream.queues import Queue, SnapshotTimes
from stream.visits import (
    CALLBACK,
    COUNTED,
    HELD,
    RESUMED,
    RING_NO_ANSWER,
    RINGING,
    TESTED,
    Counting,
    Story,
    Visit,
    contribution,
    story,
)
from stream.windows import HORIZON, Windows

QUEUES_MAX = 32
DRIFT_COMPARED_WITHIN = 60 * SECOND
"""An older snapshot, read while catching up, says nothing of the present line."""
COOL_EVERY = 2_000
"""New calls between two looks for calls to pack: many, since what comes later has to fill the holes they leave."""
COOLED_TOGETHER_MAX = 1_000
"""Calls packed before anything else has a turn: some 15 ms."""
HEADLESS_ANOMALY_AFTER = 60 * SECOND
LOST_AFTER = 8 * HOUR
FORGET_AFTER = HORIZON + LOST_AFTER
"""A closed visit is forgotten this long after its last fact, or later where its queue waits longer for it: any event
that may still arrive within the horizon about a visit that could be waiting then finds it."""

FORGET_EVERY = 10 * MINUTE
"""Looking through all that is kept takes some 30 ms in a large room."""

TOO_MANY_QUEUES = Refusal("too_many_queues", f"a centre has at most {QUEUES_MAX} queues", "data.queue")

Settled = tuple[Visit, Story, int, Call]
"""A visit of which every fact is settled: (visit, story, outcome, call)."""


class Room:
    """The state of one control room."""

    def __init__(
        self,
        centre: str,
        profile: Profile,
        make_windows: Callable[[], Windows],
        *,
        anomalies: dict[str, int],
        make_callers: Callable[[], Callers] = Callers,
        follow_flow: bool = False,
    ) -> None:
        self.centre = centre
        self.profile = profile
        self.services = (*sorted({target.service for target in profile.targets.values()}), "other")
        self.visits: dict[str, Visit] = {}
        self.calls: dict[str, Call] = {}
        self.queues: dict[str, Queue] = {}
        self.handlers = h.Handlers()
        self.flow = Flow() if follow_flow else None
        """Who was served by whom; only where somebody is told how long they will wait."""
        self.habits = Habits(frozenset(profile.targets))
        self.liveness = Liveness(profile.expected_sources.get(centre, frozenset()))
        self.call_windows = make_windows()
        self.callers = make_callers()
        self.counters = RoomCounters(anomalies)
        self.counting = True
        """False while the state is being restored: counters then stand still."""
        self.headless: set[str] = set()
        self.abandoned_999: set[str] = set()
        self.callers_999: dict[tuple[str, str], dict[str, int]] = {}
        """By token: the answered 999 calls of that caller, with `offered_at`."""
        self.changed_lines: set[str] = set()
        self.joined: list[str] = []
        self.stopped_waiting: set[str] = set()
        """Visits that were spoken to."""
        self.outcomes_of_announcements: list[tuple[str, str, str]] = []
        self.settled: list[Settled] = []
        self.needed_since = 0
        self.now = 0
        self._make_windows = make_windows
        self._dirty_visits: set[Visit] = set()
        self._dirty_calls: set[Call] = set()
        self._timers: list[tuple[int, str]] = []
        self._heard: dict[str, int] = {}
        self._cold: dict[str, Cold] = {}
        self._cold_visits: dict[str, Cold] = {}
        self._cool_at = COOL_EVERY
        self._forget_at = 0
        for name, target in profile.targets.items():
            self.queues[name] = Queue(name, target, make_windows())

    # Taking events -------------------------------------------------------------------------------------------

    def take(self, event: ev.Event, at: int, appended_at: int) -> Refusal | None:
        """Add what `event` says; a refusal is returned when there is no room for its queue."""
        kind = event.__class__
        refusal = _TAKE[kind](self, event, at)
        if refusal is not None:
            return refusal
        self.counters.events[kind] += 1
        if kind in _TELEPHONY:
            self._heard[event.source] = appended_at
            if kind is _HEARTBEAT:
                self.liveness.heartbeat(cast(ev.SourceHeartbeat, event), at, appended_at)
        return None

    def queue(self, name: str) -> Queue | None:
        """The queue of that name, made when first heard of; None when the room has too many."""
        queue = self.queues.get(name)
        if queue is None:
            if len(self.queues) >= QUEUES_MAX:
                return None
            queue = self.queues[name] = Queue(intern(name), self.profile.target(name), self._make_windows())
        queue.is_heard_of = True
        return queue

    def find(self, ident: str) -> Visit | None:
        """The visit of that id if anything is known of it."""
        visit = self.visits.get(ident)
        if visit is None and ident in self._cold_visits:
            self._thaw(self._cold_visits[ident])
            return self.visits[ident]
        return visit

    def _visit(self, ident: str, at: int) -> Visit:
        visit = self.visits.get(ident) or self.find(ident)
        if visit is None:
            visit = self.visits[ident] = Visit(ident)
            self.headless.add(ident)
            self._remind(at + HEADLESS_ANOMALY_AFTER, visit)
        if at > visit.last_at:
            visit.last_at = at
        self._dirty_visits.add(visit)
        return visit

    def _call(self, ident: str, at: int) -> Call:
        call = self.calls.get(ident)
        if call is None:
            if ident in self._cold:
                self._thaw(self._cold[ident])
                call = self.calls[ident]
            else:
                call = self.calls[ident] = Call(ident)
        if at > call.last_at:
            call.last_at = at
        if 0 < at < call.first_at:
            call.first_at = at
        self._dirty_calls.add(call)
        return call

    def _add(self, facts: list[Fact], kind: int, rank: int, event: Any, at: int, payload: tuple[Any, ...]) -> None:
        quality = f.TIME_QUALITY[event.data.time_quality]
        odd = f.merge(facts, (quality, at, rank, intern(event.source), event.id, kind, payload))
        if odd is not None:
            self.anomaly(odd)

    def _add_to_call(self, ident: str, kind: int, event: Any, at: int, payload: tuple[Any, ...]) -> None:
        """Add a fact of a call, any of which may displace what was offered by being a version of it."""
        call = self._call(ident, at)
        self._add(call.facts, kind, 0, event, at, payload)
        if kind == f.OFFERED or call.offer is not None:
            self._forget_999(call)
            call.offer = c.offer_of(call)

    def anomaly(self, kind: str) -> None:
        """Count something that should not happen, and go on."""
        if self.counting:
            self.counters.anomalies[kind] += 1

    def _take_queued(self, event: ev.VisitQueued, at: int) -> Refusal | None:
        data = event.data
        queue = self.queue(data.queue)
        if queue is None:
            return TOO_MANY_QUEUES
        payload = f.queued_payload(data, self._call(data.call, at).id, queue.name)
        self._add(self._visit(data.visit, at).facts, f.QUEUED, 0, event, at, payload)
        return None

    def _take_priority(self, event: ev.VisitPriority, at: int) -> None:
        self._visit(event.data.visit, at).add_to_timeline("priorities", (at, event.data.priority), keep_latest=True)

    def _take_ringing(self, event: ev.VisitRinging, at: int) -> None:
        self._ring(event.data, at, RINGING)

    def _take_ring_no_answer(self, event: ev.VisitRingNoAnswer, at: int) -> None:
        self._ring(event.data, at, RING_NO_ANSWER)

    def _ring(self, data: ev.VisitRingingData, at: int, kind: int) -> None:
        visit = self._visit(data.visit, at)
        ring = (at, kind, intern(data.handler))
        if visit.ringing is None or ring > visit.ringing:
            visit.ringing = ring

    def _take_answered(self, event: ev.VisitAnswered, at: int) -> None:
        data = event.data
        payload = (intern(data.handler), data.queue)
        self._add(self._visit(data.visit, at).facts, f.ANSWERED, 0, event, at, payload)

    def _take_left(self, event: ev.VisitLeft, at: int) -> None:
        data = event.data
        self._add(self._visit(data.visit, at).facts, f.LEFT, f.OUTCOME_RANK[data.reason], event, at, (data.reason,))

    def _take_held(self, event: ev.VisitHeld, at: int) -> None:
        self._visit(event.data.visit, at).add_to_timeline("holds", (at, HELD), keep_latest=False)

    def _take_resumed(self, event: ev.VisitResumed, at: int) -> None:
        self._visit(event.data.visit, at).add_to_timeline("holds", (at, RESUMED), keep_latest=False)

    def _take_ended(self, event: ev.VisitEnded, at: int) -> None:
        data = event.data
        self._add(self._visit(data.visit, at).facts, f.ENDED, 0, event, at, (data.reason, data.to_queue))

    def _take_wrapped_up(self, event: ev.VisitWrappedUp, at: int) -> None:
        data = event.data
        self._add(self._visit(data.visit, at).facts, f.WRAPPED_UP, 0, event, at, (data.outcome_class, data.agency))

    def _take_offered(self, event: ev.CallOffered, at: int) -> None:
        data = event.data
        first = self._call(data.call, at).offer is None
        self._add_to_call(data.call, f.OFFERED, event, at, f.offered_payload(data))
        if first and self.counting and not data.test:
            service = data.service if data.service in self.services else "other"
            key = (service, data.origin or "unknown", data.channel or "voice")
            self.counters.calls_offered[key] = self.counters.calls_offered.get(key, 0) + 1

    def _take_refused(self, event: ev.CallRefused, at: int) -> Refusal | None:
        data = event.data
        if data.queue is not None and self.queue(data.queue) is None:
            return TOO_MANY_QUEUES
        self._add_to_call(data.call, f.REFUSED, event, at, (data.queue, data.reason))
        return None

    def _take_call_ended(self, event: ev.CallEnded, at: int) -> None:
        data = event.data
        self._add_to_call(data.call, f.CALL_ENDED, event, at, (data.reason,))

    def _take_rung_back(self, event: ev.CallRungBack, at: int) -> None:
        data = event.data
        self._add_to_call(data.for_call, f.RUNG_BACK, event, at, (data.call, data.result, data.handler))

    def _take_handler_state(self, event: ev.HandlerState, at: int) -> None:
        data = event.data
        handler = self.handlers.get(intern(data.handler))
        if handler is None:
            self.anomaly("too_many_handlers")
            return
        state = h.state_fact(at, data.state)
        if self.handlers.heard(handler, state, intern(event.source)):
            for visit in h.affected_by(handler, state):
                affected = self.find(visit)
                if affected is not None:
                    self._dirty_visits.add(affected)
        self.handlers.in_queues(handler, (at, event.id), data.queues)

    def _take_handler_snapshot(self, event: ev.HandlerSnapshot, at: int) -> None:
        if self.liveness.admit(event.source):
            self.handlers.snapshot(event.source, at, event.id, event.data.handlers)

    def _take_queue_snapshot(self, event: ev.QueueSnapshot, at: int) -> Refusal | None:
        data = event.data
        queue = self.queue(data.queue)
        if queue is None:
            return TOO_MANY_QUEUES
        if not self.liveness.admit(event.source):
            return None
        source = intern(event.source)
        taken_at = micros(data.taken_at)
        snapshots = queue.snapshots_of(source)
        listed = snapshots.part(taken_at, data.part, data.parts, data.waiting)
        if data.parts > 1 and snapshots.give_up():
            self.anomaly("timed_out_snapshot_parts")
        if listed is not None and taken_at == snapshots.times[-1] and self.now - taken_at <= DRIFT_COMPARED_WITHIN:
            self.settle(self.now)
            queue.drift[source] = self._drift(queue, source, taken_at, listed)
        quality = f.TIME_QUALITY[data.time_quality]
        for waiting in data.waiting:
            visit = self.find(waiting.visit) or self._visit(waiting.visit, 0)
            call = self._call(waiting.call, at)
            news = visit.seen_by(source, taken_at) and not visit.is_waiting
            place = f.listing_place(visit.facts, (quality, at, 1, source, event.id))
            if place is not None:
                payload = f.listed_payload(waiting, call.id, queue.name)
                listing = (quality, at, 1, source, event.id, f.LISTED, payload)
                known = visit.facts[place : place + 1]
                least = min(listing, *known, key=f.order_and_content) if known else listing
                visit.facts[place : place + 1] = [least]
            if news or place is not None:
                self._dirty_visits.add(visit)
        if listed is not None and len(queue.line):
            self._suspect_unlisted(queue, source, snapshots)
        return None

    def _suspect_unlisted(self, queue: Queue, source: str, snapshots: SnapshotTimes) -> None:
        for ident in queue.line.visits():
            visit = self.visits[ident]
            counting = visit.counting
            assert counting is not None
            if counting.source != source:
                continue
            if snapshots.prove_gone(max(counting.queued_at, visit.last_at, visit.last_seen(source))):
                self._dirty_visits.add(visit)

    def _drift(self, queue: Queue, source: str, taken_at: int, listed: Sequence[ev.WaitingNow]) -> int:
        """How many visits we and the switch disagree about, as of its snapshot; misplaced ones count too."""
        theirs = {waiting.visit: waiting for waiting in listed}
        ours = []
        for ident in queue.line.visits():
            counting = self.visits[ident].counting
            assert counting is not None
            if counting.queued_at <= taken_at and (ident in theirs or counting.source == source):
                ours.append(ident)
        missing = 0
        for ident in theirs.keys() - set(ours):
            known = self.find(ident)
            told = story(known) if known else None
            if told is None or told.outcome is None or told.wait_ends_at <= taken_at:
                missing += 1
        surplus = sum(ident not in theirs for ident in ours)
        shared = [ident for ident in ours if ident in theirs]
        misplaced = 0
        if all(theirs[ident].position is not None for ident in shared):
            by_theirs = sorted(shared, key=lambda ident: theirs[ident].position or 0)
            misplaced = sum(a != b for a, b in zip(shared, by_theirs, strict=True))
        return missing + surplus + misplaced

    def _take_announcement_outcome(self, event: ev.AnnouncementOutcome, _: int) -> None:
        data = event.data
        self.outcomes_of_announcements.append((data.announcement, data.visit, data.outcome))

    def _take_profile(self, event: ev.ProfilePublished, _: int) -> None:
        self.habits.take(event)

    def _take_nothing(self, _: Any, __: int) -> None:
        """Heartbeats are heard by `take`; rosters and notes change no figure of this version."""

    # Settling ------------------------------------------------------------------------------------------------

    def settle(self, now: int) -> None:
        """Make everything counted equal to what the facts say, as of `now`."""
        self.now = now
        while self._dirty_visits or self._dirty_calls:
            visits, self._dirty_visits = self._dirty_visits, set()
            stories: dict[Visit, Story] = {}
            for visit in visits:
                told = story(visit)
                if told is not None:
                    stories[visit] = told
                    self._link(visit, told.call)
                elif visit.call is not None:
                    self._unlink(visit, visit.call)
            calls, self._dirty_calls = self._dirty_calls, set()
            for call in calls:
                self._settle_call(call, stories, now)
        for source, appended_at in self._heard.items():
            if not self.liveness.heard(source, appended_at):
                self.anomaly("too_many_sources")
        self._heard.clear()
        if len(self.calls) >= self._cool_at:
            all_cooled = self._cool()
            self._cool_at = len(self.calls) + COOL_EVERY if all_cooled else 0

    def wake(self, now: int) -> None:
        """Settle the visits whose time has come."""
        timers = self._timers
        while timers and timers[0][0] <= now:
            at, ident = heappop(timers)
            visit = self.visits.get(ident)
            if visit is None or visit.remind_at != at:
                continue
            visit.remind_at = 0
            if visit.counting is None:
                self.anomaly("headless_for_60s")
            self._dirty_visits.add(visit)
        self.settle(now)

    def forget_what_voices_need(self) -> None:
        """Drop what is only kept for a voice; for readers of history, who have none."""
        self.joined.clear()
        self.stopped_waiting.clear()
        self.changed_lines.clear()
        self.outcomes_of_announcements.clear()

    def _remind(self, at: int, visit: Visit) -> None:
        """Wake for `visit` at `at`, or earlier: whoever is woken too early asks again."""
        if not visit.remind_at or at < visit.remind_at:
            visit.remind_at = at
            heappush(self._timers, (at, visit.id))

    def _link(self, visit: Visit, ident: str) -> None:
        call = visit.call
        if call is None or call.id != ident:
            if call is not None:
                call.visits.remove(visit)
                self._dirty_calls.add(call)
            call = visit.call = self._call(ident, 0)
            call.visits.append(visit)
            self.headless.discard(visit.id)
        self._dirty_calls.add(call)

    def _unlink(self, visit: Visit, call: Call) -> None:
        """Make a visit headless again: what said how it joined was displaced by another version of the same id."""
        call.visits.remove(visit)
        self._dirty_calls.add(call)
        visit.call = None
        if visit.counting is not None:
            _replace(self.queues[visit.counting.queue].windows, visit.atoms, ())
        visit.atoms = ()
        self._count(visit, None)
        if self.flow is not None:
            self.flow.note(visit.id, None)
        self.headless.add(visit.id)

    def _settle_call(self, call: Call, known: dict[Visit, Story], now: int) -> None:
        stories: list[tuple[Visit, Story]] = []
        first: Visit | None = None
        first_told: Story | None = None
        for visit in call.visits:
            told = known.get(visit) or story(visit)
            assert told is not None
            stories.append((visit, told))
            if told.kind == "call" and (
                first_told is None
                or (told.queued_at, told.line_key[3]) < (first_told.queued_at, first_told.line_key[3])
            ):
                first, first_told = visit, told
        offer = call.offer
        test = offer is not None and offer.test
        wait_of_call = ended = 0
        for visit, told in stories:
            outcome = self._outcome(visit, told, visit is first, now)
            part = TESTED if test else (CALLBACK if told.kind == "callback" else COUNTED)
            self._contribute(visit, told, outcome, part, offer)
            self._count(visit, Counting(told.queue, part, outcome, told.queued_at, told.line_key, told.source))
            if self.flow is not None:
                self._follow(self.flow, visit, told, outcome, part, offer)
            if part == COUNTED:
                self._move_counters(visit, told, outcome)
                if outcome is not None and outcome != t.LOST:
                    wait_of_call += told.wait
                    ended += 1
            self._follow_up(visit, told, outcome, call, now)
        self._show_wait_of_call(call, first_told, wait_of_call if ended and not test else None)
        self._contribute_call(call)
        if offer is not None and offer.service == "999" and not test:
            self._note_999(call, offer)

    def _outcome(self, visit: Visit, told: Story, first: bool, now: int) -> int | None:
        """How the wait ended, completing `told` by what other facts than the visit's own say."""
        outcome = told.outcome
        target = self.queues[told.queue].target
        if outcome is None:
            known = self._last_known(visit, told)
            snapshots = self.queues[told.queue].snapshots.get(told.source)
            if now < known + target.lost_after and not (snapshots and snapshots.prove_gone(known)):
                return None
            told.wait_ends_at = known
            told.wait = known - told.queued_at
            return t.LOST
        if outcome == t.ABANDONED and first and told.wait < target.short_limit:
            return t.ABANDONED_SHORT
        if told.ended_at is not None and told.wrap_up is None and told.handler is not None:
            handler = self.handlers.get(told.handler)
            if handler is not None:
                h.note_conversation(handler, told.ended_at, visit.id)
                interval = h.wrap_up_after(handler, told.ended_at)
                if interval is not None:
                    told.wrap_up, told.handle_settles_at = interval
        return outcome

    def _follow(
        self, flow: Flow, visit: Visit, told: Story, outcome: int | None, part: int, offer: c.Offer | None
    ) -> None:
        if part == TESTED:
            flow.note(visit.id, None)
            return
        emergency = self.queues[told.queue].target.service == "999" or (offer is not None and offer.service == "999")
        level = level_of(emergency, -told.line_key[0])
        ended_at = None if outcome is None else told.wait_ends_at
        passage = Passage(told.queue, level, told.queued_at, part == COUNTED, outcome, ended_at, told.handler)
        flow.note(visit.id, passage)

    @staticmethod
    def _last_known(visit: Visit, told: Story) -> int:
        """The last moment a visit without outcome was known to wait."""
        return max(told.queued_at, visit.last_at, visit.last_seen(told.source))

    def _count(self, visit: Visit, after: Counting | None) -> None:
        """Count `visit` as `after` instead of as before."""
        before = visit.counting
        if before == after:
            return
        if before is not None:
            self._enter(before, -1)
        if after is not None:
            self._enter(after, 1)
            if after.outcome is None and visit.spoken is None and self.queues[after.queue].target.announce != "never":
                self.joined.append(visit.id)
            elif after.outcome is not None and visit.spoken is not None:
                self.stopped_waiting.add(visit.id)
        visit.counting = after

    def _enter(self, counting: Counting, sign: int) -> None:
        queue = self.queues[counting.queue]
        counted = counting.part == COUNTED
        if counted:
            queue.counted.queued += sign
        if counting.outcome is not None:
            if counted:
                queue.counted.ended[counting.outcome] += sign
            return
        since = counting.queued_at if counted else None
        if sign > 0:
            queue.line.join(counting.line_key, since)
        else:
            queue.line.leave(counting.line_key, since)
        if counting.part == CALLBACK:
            queue.callbacks += sign
        elif counting.part == TESTED:
            queue.tests += sign
        self.changed_lines.add(counting.queue)

    def _contribute(self, visit: Visit, told: Story, outcome: int | None, part: int, offer: c.Offer | None) -> None:
        """Replace the visit's atoms in the windows of its queue."""
        atoms: tuple[t.Atom, ...] = ()
        windows = self.queues[told.queue].windows
        if part == COUNTED:
            transferred_at = offer.transferred_at if offer is not None else None
            atoms = contribution(told, outcome, self.queues[told.queue].target, transferred_at)
        if visit.counting is not None and visit.counting.queue != told.queue:
            _replace(self.queues[visit.counting.queue].windows, visit.atoms, ())
            visit.atoms = ()
        if visit.atoms != atoms:
            _replace(windows, visit.atoms, atoms)
            visit.atoms = atoms

    def _move_counters(self, visit: Visit, told: Story, outcome: int | None) -> None:
        """Count first conclusions, and corrections of them."""
        counters = self.queues[told.queue].counters
        if not visit.counters_know:
            visit.counters_know = True
            if self.counting:
                counters.queued += 1
        before = visit.concluded
        if outcome is None or outcome == before:
            return
        visit.concluded = outcome
        if not self.counting:
            return
        if told.wait_ends_at < told.queued_at:
            self.anomaly("negative_duration")
        if before is None:
            counters.ended_with(outcome, told.wait)
        else:
            counters.corrected(before, outcome)

    def _follow_up(self, visit: Visit, told: Story, outcome: int | None, call: Call, now: int) -> None:
        """Ask to be woken when only time can change this visit, and hand on what is settled."""
        if outcome is None:
            lost_at = self._last_known(visit, told) + self.queues[told.queue].target.lost_after
            self._remind(lost_at, visit)
            return
        if told.handle_settles_at is not None and told.handle_settles_at > now:
            self._remind(told.handle_settles_at, visit)
            return
        visit.remind_at = 0
        self.settled.append((visit, told, outcome, call))

    def _show_wait_of_call(self, call: Call, first: Story | None, wait: int | None) -> None:
        """Show the call's whole wait beside the queue it joined first, at `offered_at`."""
        after: tuple[str, t.Atom] | None = None
        if first is not None and wait is not None and call.offer is not None:
            after = (first.queue, (call.offer.at, t.CALL_WAIT_KNOWN, 1, t.CALL_WAIT, wait))
        before = call.wait_shown
        if before == after:
            return
        if before is not None:
            self.queues[before[0]].windows.remove(before[1])
        if after is not None:
            self.queues[after[0]].windows.add(after[1])
        call.wait_shown = after

    def _contribute_call(self, call: Call) -> None:
        offer = call.offer
        atoms: tuple[t.Atom, ...] = ()
        if offer is not None and not offer.test:
            atoms = c.contribution(call, offer, self.services)
        if atoms != call.atoms:
            _replace(self.call_windows, call.atoms, atoms)
            call.atoms = atoms
        made = None if offer is None else call_made(offer)
        if made != call.made:
            if call.made is not None:
                self.callers.remove(call.made)
            if made is not None:
                self.callers.add(made)
            call.made = made

    # 999 calls that were abandoned -----------------------------------------------------------------------------

    def _note_999(self, call: Call, offer: c.Offer) -> None:
        outcomes = [visit.counting.outcome for visit in call.visits if visit.counting is not None]
        answered = t.ANSWERED in outcomes
        abandoned = not answered and (t.ABANDONED in outcomes or t.ABANDONED_SHORT in outcomes)
        (self.abandoned_999.add if abandoned else self.abandoned_999.discard)(call.id)
        for token in offer.caller_tokens:
            callers = self.callers_999.setdefault(token, {})
            if answered:
                callers[call.id] = offer.at
            else:
                callers.pop(call.id, None)
            if not callers:
                del self.callers_999[token]

    def ring_backs_due(self, now: int) -> list[tuple[int, int]]:
        """(age in µs, attempts) of each abandoned 999 call that has to be rung back, oldest first.

        One that was reached, or whose caller had a later 999 call answered, is no longer due.
        """
        due = []
        for ident in self.abandoned_999:
            call = self.calls[ident]
            attempts = [fact for fact in call.facts if fact[f.KIND] == f.RUNG_BACK]
            if any(fact[f.PAYLOAD][1] == "reached" for fact in attempts) or self._called_again(call):
                continue
            left_at = max(told.wait_ends_at for visit in call.visits if (told := story(visit)) is not None)
            due.append((max(0, now - left_at), len(attempts)))
        return sorted(due, reverse=True)

    def _called_again(self, call: Call) -> bool:
        offer = call.offer
        assert offer is not None
        return any(
            offered_at > offer.at
            for token in offer.caller_tokens
            for offered_at in self.callers_999.get(token, {}).values()
        )

    # Cold calls ------------------------------------------------------------------------------------------------

    def _cool(self) -> bool:
        """Pack calls nobody has spoken of for an hour; returns whether all of them are packed now."""
        before = max((call.last_at for call in self.calls.values()), default=0) - COLD_AFTER
        cooled = []
        for call in self.calls.values():
            last_at = call.last_at
            for visit in call.visits:
                last_at = max(last_at, visit.last_at)
                if visit.remind_at or visit.is_waiting:
                    break
            else:
                if last_at < before and call.id not in self.abandoned_999:
                    cooled.append(call)
        cooled.sort(key=self._kept_until)
        all_cooled = len(cooled) <= COOLED_TOGETHER_MAX
        del cooled[COOLED_TOGETHER_MAX:]
        for start in range(0, len(cooled), PACKED_TOGETHER):
            together = cooled[start : start + PACKED_TOGETHER]
            cold = Cold(together, self._kept_until(together[0]))
            for call in together:
                self._cold[call.id] = cold
                self._cold_visits.update((visit.id, cold) for visit in call.visits)
                self._let_go(call)
        return all_cooled

    def _let_go(self, call: Call) -> None:
        """Drop a call that is packed or forgotten; without circles, or it would stay until the collector runs."""
        del self.calls[call.id]
        for visit in call.visits:
            del self.visits[visit.id]
            self._count_cold(visit, 1)
            visit.call = None

    def _thaw(self, cold: Cold) -> None:
        """Unpack cold calls."""
        for call in cold.unpack():
            del self._cold[call.id]
            self.calls[call.id] = call
            for visit in call.visits:
                self.visits[visit.id] = visit
                del self._cold_visits[visit.id]
                self._count_cold(visit, -1)

    def _count_cold(self, visit: Visit, sign: int) -> None:
        counting = visit.counting
        if counting is not None and counting.part == COUNTED and counting.outcome is not None:
            unseen = self.queues[counting.queue].unseen
            unseen.queued += sign
            unseen.ended[counting.outcome] += sign

    # Once a minute ---------------------------------------------------------------------------------------------

    def sweep(self, now: int) -> None:
        """Recount every visit one by one, and now and then forget what lies beyond the horizon."""
        if now >= self._forget_at:
            if self._forget_at:  # a room that has just opened has nothing to forget
                self._forget(now)
            self._forget_at = now + FORGET_EVERY
        for queue in self.queues.values():
            queue.recount_error = 0
            queue.promises.forget(now)
        recounted = {name: [queue.unseen.queued, *queue.unseen.ended] for name, queue in self.queues.items()}
        waiting = dict.fromkeys(self.queues, 0)
        for visit in self.visits.values():
            counting = visit.counting
            if counting is None or counting.part != COUNTED:
                continue
            counts = recounted[counting.queue]
            counts[0] += 1
            if counting.outcome is None:
                waiting[counting.queue] += 1
            else:
                counts[counting.outcome + 1] += 1
        for name, queue in self.queues.items():
            counted = [queue.counted.queued, *queue.counted.ended]
            differences = [abs(a - b) for a, b in zip(counted, recounted[name], strict=True)]
            queue.recount_error = max(*differences, abs(waiting[name] - queue.line.waiting))

    def _forget(self, now: int) -> None:
        needed = before = now - FORGET_AFTER
        for cold in set(self._cold.values()):
            if now > cold.kept_until:
                self._thaw(cold)
            else:
                needed = min(needed, cold.first_at)
        for call in list(self.calls.values()):
            if call.last_at >= before or now <= self._kept_until(call) or any(v.is_waiting for v in call.visits):
                needed = min(needed, call.first_at)
            else:
                self._forget_999(call)
                self._let_go(call)
        for ident in [ident for ident in self.headless if self.visits[ident].last_at < before]:
            self.headless.discard(ident)
            del self.visits[ident]
        self.needed_since = needed
        self.handlers.prune(before)
        if self.flow is not None:
            self.flow.forget(now)
        for queue in self.queues.values():
            for snapshots in queue.snapshots.values():
                snapshots.forget_before(before)

    def _kept_until(self, call: Call) -> int:
        """Until when events may arrive, within the horizon, of a time at which `call` could still be waiting."""
        newest, lost_after = call.last_at, LOST_AFTER
        for visit in call.visits:
            newest = max(newest, visit.last_at)
            if visit.counting is not None:
                lost_after = max(lost_after, self.queues[visit.counting.queue].target.lost_after)
        return newest + HORIZON + lost_after

    def _forget_999(self, call: Call) -> None:
        self.abandoned_999.discard(call.id)
        if call.offer is not None:
            for token in call.offer.caller_tokens:
                callers = self.callers_999.get(token)
                if callers is not None:
                    callers.pop(call.id, None)
                    if not callers:
                        del self.callers_999[token]


def _replace(windows: Windows, before: tuple[t.Atom, ...], after: tuple[t.Atom, ...]) -> None:
    for atom in before:
        if atom not in after:
            windows.remove(atom)
    for atom in after:
        if atom not in before:
            windows.add(atom)


_TAKE: dict[type, Callable[[Room, Any, int], Refusal | None]] = {
    ev.CallOffered: Room._take_offered,
    ev.CallRefused: Room._take_refused,
    ev.CallEnded: Room._take_call_ended,
    ev.CallRungBack: Room._take_rung_back,
    ev.VisitQueued: Room._take_queued,
    ev.VisitPriority: Room._take_priority,
    ev.VisitRinging: Room._take_ringing,
    ev.VisitRingNoAnswer: Room._take_ring_no_answer,
    ev.VisitAnswered: Room._take_answered,
    ev.VisitLeft: Room._take_left,
    ev.VisitHeld: Room._take_held,
    ev.VisitResumed: Room._take_resumed,
    ev.VisitEnded: Room._take_ended,
    ev.VisitWrappedUp: Room._take_wrapped_up,
    ev.HandlerState: Room._take_handler_state,
    ev.HandlerSnapshot: Room._take_handler_snapshot,
    ev.QueueSnapshot: Room._take_queue_snapshot,
    ev.AnnouncementOutcome: Room._take_announcement_outcome,
    ev.SourceHeartbeat: Room._take_nothing,
    ev.RosterPlanned: Room._take_nothing,
    ev.RosterAbsence: Room._take_nothing,
    ev.ProfilePublished: Room._take_profile,
    ev.Note: Room._take_nothing,
}
_TELEPHONY = _TAKE.keys() - {
    ev.AnnouncementOutcome,
    ev.RosterPlanned,
    ev.RosterAbsence,
    ev.ProfilePublished,
    ev.Note,
}
"""Only these say that a telephone system is alive."""
_HEARTBEAT = ev.SourceHeartbeat
