"""A control room's days as the telephone system would report them: a discrete-event simulation.

Callers arrive, wait, give up, ring again; handlers serve the most urgent queue first, log contacts, take breaks,
change shifts. Positions, snapshots, handler states and heartbeats are all read from that one room, so they agree.
The same configuration and seed give the same events, ids included. Memory holds who is in the room and what is
still to happen, never the day. Time is the simulation's own: there is no clock here and nothing is sent.
"""

import hmac
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil
from random import Random
from typing import Any

from schemas import events as ev
from schemas.codec import new_event
from schemas.events import Data, EndedReason, Envelope, Event, HandlerStateName, LeftReason, RefusedReason
from schemas.moments import HOUR, LONDON, MINUTE, SECOND, micros, moment
from telephony.callers import Caller, Callers
from telephony.room import SHIFT_STARTS, Demand, QueueModel, SimulationConfig, Spread, Team
from telephony.truth import Part, Truth

HEARTBEAT_EVERY = 3 * SECOND
QUEUE_SNAPSHOT_EVERY = 15 * SECOND
HANDLER_SNAPSHOT_EVERY = 30 * SECOND
SNAPSHOT_PART_MAX = 500

HOLD = Spread(40)
BREAK = Spread(900, 0.4)
PAUSE_AFTER_RING_NO_ANSWER = Spread(60)
RING_OUT_AFTER = 15 * SECOND
CALLBACK_RINGS = Spread(14, 0.3)
CALLBACK_REACHED = 0.8
CALLBACK_LINE_MIN = 3
REDIAL_AFTER = Spread(240, 0.9)
RING_BACK_AFTER = Spread(60)
RING_BACK_TAKES = Spread(45)
RING_BACK_REACHED = 0.6
RING_BACK_ATTEMPTS_MAX = 3
STAFF_GROWTH = 0.95  # larger rooms pool better: as many people a call would leave no callers waiting
WRAP_UP_REPORTED = 0.93
PRIORITY_WHEN_MOVED_UP = 10

AGENCIES = ("ambulance", "council", "fire", "highways")


@dataclass(slots=True, eq=False)
class _Call:
    id: str
    service: str
    caller: Caller
    test: bool
    visits: int = 0


@dataclass(slots=True, eq=False)
class _Visit:
    id: str
    call: _Call
    queue: str
    queued_at: int
    part: Part
    first: bool
    priority: int = 0
    original_queued_at: int | None = None
    waiting: bool = True
    handler: "_Handler | None" = None

    @property
    def order(self) -> tuple[int, int, str]:
        return (-self.priority, self.original_queued_at or self.queued_at, self.id)


@dataclass(slots=True, eq=False)
class _Handler:
    id: str
    team: Team
    idle: "dict[_Handler, None]"
    """Those of the team with nothing to do, longest idle first."""
    state: HandlerStateName = "logged_out"
    visit: _Visit | None = None
    shift_over: bool = False


@dataclass(slots=True, eq=False)
class _Floor:
    """One team's people, shift by shift, and those of them with nothing to do, longest idle first."""

    team: Team
    people: tuple[tuple[_Handler, ...], ...]
    idle: dict[_Handler, None]

    @property
    def staffed(self) -> bool:
        return any(handler.state != "logged_out" for shift in self.people for handler in shift)


class Simulation:
    """One run, to be gone through once: by `events()`, or step by step when each is due.

    `truth` counts exactly what was taken so far.
    """

    def __init__(self, config: SimulationConfig, seed: int) -> None:
        secret = hmac.digest(b"occ simulator", f"{seed} {config}".encode(), "sha256")
        self.truth = Truth(tuple(config.queues))
        self._config = config
        self._rng = Random(seed)  # noqa: S311 - a simulation has to be repeatable, not unpredictable
        self._callers = Callers(self._rng, secret)
        self._run = secret.hex()[:8]
        self._switch = f"//{config.centre}/pbx1"
        self._contact_log = f"//{config.centre}/safe"
        self._roster = f"//{config.centre}/roster"
        self._now = micros(config.starts_at)
        self._until = self._now + round(config.hours * HOUR)
        self._agenda: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers: dict[str, int] = {}
        self._said: list[Event] = []
        self._lines: dict[str, list[_Visit]] = {queue: [] for queue in config.queues}
        self._floors = [self._floor(team) for team in config.teams]
        self._serving = {
            queue: [floor for floor in self._floors if queue in floor.team.queues] for queue in config.queues
        }
        self._calls_up = 0
        self._to_finish = 0
        """Calls, call-backs, wrap-ups and ring-backs that are still going on."""
        self._switch_events = 0
        self._busy_at = self._now
        self._local_hour: tuple[int, int] = (-HOUR, 0)
        self._at(self._now, self._open_the_room)

    def events(self) -> Iterator[Event]:
        """All events in time order."""
        while self.due_at is not None:
            yield from self.take()

    @property
    def due_at(self) -> int | None:
        """When something happens next, in µs; None when the last caller was served and every queue seen empty."""
        at = self._agenda[0][0]
        return None if at >= self._until and at > self._busy_at + QUEUE_SNAPSHOT_EVERY else at

    def take(self) -> list[Event]:
        """Let it happen; what is reported of it, which may be nothing."""
        self._now, _, happen, about = heappop(self._agenda)
        happen(*about)
        if self._to_finish:
            self._busy_at = self._now
        said, self._said = self._said, []
        return said

    def _open_the_room(self) -> None:
        for service, demand in self._config.demands.items():
            self._next_arrival(service, demand)
        for number, queue in enumerate(self._lines):
            self._every(QUEUE_SNAPSHOT_EVERY, self._snapshot_queue, queue, first=SECOND * (number + 1))
        self._every(HANDLER_SNAPSHOT_EVERY, self._snapshot_handlers, first=SECOND)
        if self._config.heartbeats:
            self._every(HEARTBEAT_EVERY, self._heartbeat, first=0)
        self._every(HOUR, self._turn_of_the_hour, first=HOUR - self._now % HOUR)
        shift = self._shift_at(self._now)
        for floor in self._floors:
            self._come_on_duty(floor, shift, within=SECOND)

    def _say(self, cls: type[Envelope], subject: str, data: Data, source: str = "") -> None:
        source = source or self._switch
        ident = self._new_id(source.rpartition("/")[2])
        event = new_event(cls, data, id=ident, source=source, time=moment(self._now), subject=subject)
        self._said.append(event)  # type: ignore[arg-type]
        self.truth.events[str(cls.__struct_config__.tag)] += 1
        if source == self._switch and cls is not ev.SourceHeartbeat:
            self._switch_events += 1

    def _new_id(self, kind: str) -> str:
        number = self._numbers[kind] = self._numbers.get(kind, 0) + 1
        return f"{kind}-{self._run}-{number:x}"

    def _at(self, at: int, happen: Callable[..., None], *about: Any) -> None:
        number = self._numbers[""] = self._numbers.get("", 0) + 1
        heappush(self._agenda, (at, number, happen, about))

    def _in(self, delay: int, happen: Callable[..., None], *about: Any) -> None:
        self._at(self._now + delay, happen, *about)

    def _every(self, period: int, happen: Callable[..., None], *about: Any, first: int) -> None:
        def again() -> None:
            happen(*about)
            self._in(period, again)

        self._in(first, again)

    def _chance(self, share: float) -> bool:
        return share > 0 and self._rng.random() < share

    def _hour(self, at: int) -> int:
        """The local hour; offsets from UTC are whole hours, so one look at the calendar lasts an hour."""
        since, hour = self._local_hour
        if not since <= at < since + HOUR:
            since = at - at % HOUR
            hour = moment(since).astimezone(LONDON).hour
            self._local_hour = (since, hour)
        return hour

    # --- callers ---------------------------------------------------------------------------------------------

    def _next_arrival(self, service: str, demand: Demand) -> None:
        """A Poisson process of changing rate, by thinning one of the highest rate."""
        scale = self._config.scale / HOUR
        highest = max(demand.per_hour) * max(1.0, demand.surge) * scale
        at = self._now
        while at < self._until:
            at += round(self._rng.expovariate(highest))
            hour = self._hour(at)
            surge = demand.surge if hour == self._config.surge_hour else 1.0
            if self._chance(demand.per_hour[hour] * surge * scale / highest):
                break
        if at < self._until:
            self._at(at, self._arrive, service, demand)

    def _arrive(self, service: str, demand: Demand) -> None:
        self._next_arrival(service, demand)
        self._offer(service, self._callers.draw(service, demand))

    def _offer(self, service: str, caller: Caller) -> None:
        rng, demand = self._rng, self._config.demands[service]
        test = service == "101" and self._chance(self._config.test_calls)
        call = _Call(self._new_id("call"), service, caller, test)
        handed_over = service == "999" and not self._chance(0.05)
        data = ev.CallOfferedData(
            centre=self._config.centre,
            call=call.id,
            service=service,
            channel=caller.channel,
            origin=caller.origin,
            site=caller.site,
            department=caller.department,
            dialled=_dialled(service, rng.random()),
            language=caller.language,
            caller_tokens=self._callers.tokens(caller, self._now),
            caller_state=caller.state,
            transferred_at=moment(self._now - round(rng.uniform(0.8, 4) * SECOND)) if handed_over else None,
            test=test or None,
        )
        self._say(ev.CallOffered, call.id, data)
        self.truth.offered[service] += 1
        self.truth.calls["offered"] += 1
        self._calls_up += 1
        self._to_finish += 1
        greeting = demand.greeting.draw(rng)
        if self._chance(demand.lost_in_greeting):
            self._in(round(greeting * rng.random()), self._end_before_queue, call)
        else:
            self._in(greeting, self._leave_greeting, call, demand)

    def _end_before_queue(self, call: _Call) -> None:
        self._say(ev.CallEnded, call.id, ev.CallEndedData(centre=self._config.centre, call=call.id, reason="caller"))
        self.truth.calls["ended_before_queue"] += 1
        self._call_is_over()

    def _leave_greeting(self, call: _Call, demand: Demand) -> None:
        reason = self._refusal(demand.queue)
        if reason is None:
            self.truth.calls["with_visit"] += 1
            self._join(call, demand.queue)
            return
        data = ev.CallRefusedData(centre=self._config.centre, call=call.id, reason=reason, queue=demand.queue)
        self._say(ev.CallRefused, call.id, data)
        self.truth.calls["refused"] += 1
        self._call_is_over()
        self._maybe_redial(call)

    def _refusal(self, queue: str) -> RefusedReason | None:
        model = self._config.queues[queue]
        if not model.opens <= self._hour(self._now) < model.closes:
            return "closed"
        if not any(floor.staffed for floor in self._serving[queue]):
            return "unstaffed"
        if len(self._lines[queue]) >= ceil(model.capacity * self._config.scale):
            return "full"
        return None

    def _call_is_over(self) -> None:
        self._calls_up -= 1
        self._to_finish -= 1

    def _maybe_redial(self, call: _Call) -> None:
        if call.service != "101" or call.caller.person is None or not self._chance(self._config.redials):
            return
        at = self._now + REDIAL_AFTER.draw(self._rng)
        service = "999" if self._chance(self._config.redials_to_999) else "101"
        if at < self._until:
            self._at(at, self._offer, service, call.caller)

    # --- waiting ---------------------------------------------------------------------------------------------

    def _join(self, call: _Call, queue: str, callback_of: _Visit | None = None) -> None:
        model = self._config.queues[queue]
        call.visits += 1
        part: Part = "tests" if call.test else "callbacks" if callback_of else "counted"
        visit = _Visit(
            id=self._new_id("visit"),
            call=call,
            queue=queue,
            queued_at=self._now,
            part=part,
            first=call.visits == 1,
            priority=model.priority or 0,
            original_queued_at=callback_of.queued_at if callback_of else None,
        )
        line = self._lines[queue]
        insort(line, visit, key=_order)
        self.truth.joined(part, queue)
        data = ev.VisitQueuedData(
            centre=self._config.centre,
            call=call.id,
            visit=visit.id,
            queue=queue,
            priority=model.priority,
            position=self._position(visit),
            channel_ref=None if callback_of else f"sip-{call.id}",
            kind="callback" if callback_of else None,
            original_queued_at=moment(callback_of.queued_at) if callback_of else None,
            callback_of=callback_of.id if callback_of else None,
        )
        self._say(ev.VisitQueued, visit.id, data)
        if callback_of:
            self._in(round(model.timeout * SECOND), self._leave, visit, "withdrawn")
        else:
            self._decide_how_long(visit, model)
        self._find_handler(visit)

    def _decide_how_long(self, visit: _Visit, model: QueueModel) -> None:
        rng = self._rng
        patience = model.patience.draw(rng)
        if self._chance(model.hurried):
            patience = round(rng.uniform(0.5, 6) * SECOND)
        self._in(patience, self._leave, visit, "abandoned")
        self._in(round(model.timeout * SECOND), self._leave, visit, "timed_out")
        if self._chance(model.exits_by_key):
            self._in(round(rng.uniform(12, 90) * SECOND), self._leave, visit, "exited_by_key")
        if self._chance(model.asks_callback):
            self._in(round(rng.uniform(30, 120) * SECOND), self._ask_callback, visit)
        if self._chance(model.moved_up):
            self._in(round(rng.uniform(10, 60) * SECOND), self._move_up, visit)
        if model.transfers_to and self._chance(model.moved_out):
            self._in(round(rng.uniform(20, 180) * SECOND), self._move_out, visit, model.transfers_to)

    def _position(self, visit: _Visit) -> int:
        return bisect_left(self._lines[visit.queue], visit.order, key=_order) + 1

    def _move_up(self, visit: _Visit) -> None:
        if visit.waiting:
            line = self._lines[visit.queue]
            del line[self._position(visit) - 1]
            visit.priority = PRIORITY_WHEN_MOVED_UP
            insort(line, visit, key=_order)
            data = ev.VisitPriorityData(centre=self._config.centre, visit=visit.id, priority=visit.priority)
            self._say(ev.VisitPriority, visit.id, data)

    def _ask_callback(self, visit: _Visit) -> None:
        if visit.waiting and self._position(visit) >= CALLBACK_LINE_MIN:
            self._to_finish += 1
            self._leave(visit, "callback_requested")
            self._join(visit.call, visit.queue, callback_of=visit)

    def _move_out(self, visit: _Visit, to_queue: str) -> None:
        if visit.waiting and self._refusal(to_queue) is None:
            self._calls_up += 1
            self._to_finish += 1
            self._leave(visit, "transferred_out")
            self._join(visit.call, to_queue)

    def _leave(self, visit: _Visit, reason: LeftReason) -> None:
        """Nothing happens if the visit was answered or left before."""
        if not visit.waiting:
            return
        self._stop_waiting(visit)
        self._say(ev.VisitLeft, visit.id, ev.VisitLeftData(centre=self._config.centre, visit=visit.id, reason=reason))
        model = self._config.queues[visit.queue]
        short = visit.first and self._now - visit.queued_at < model.short_limit * SECOND
        outcome = "abandoned_short" if reason == "abandoned" and short else reason
        self.truth.finished(visit.part, visit.queue, outcome)
        if visit.handler is not None:
            self._is_free(visit.handler)
        if visit.original_queued_at is None:
            self._calls_up -= 1
        self._to_finish -= 1
        if reason == "abandoned":
            self._maybe_redial(visit.call)
            if visit.call.service == "999":
                self._to_finish += 1
                self._in(RING_BACK_AFTER.draw(self._rng), self._ring_back, visit.call, 1)

    def _stop_waiting(self, visit: _Visit) -> None:
        del self._lines[visit.queue][self._position(visit) - 1]
        visit.waiting = False

    # --- answering -------------------------------------------------------------------------------------------

    def _find_handler(self, visit: _Visit) -> None:
        for floor in self._serving[visit.queue]:
            if floor.idle:
                self._ring(next(iter(floor.idle)), visit)
                return

    def _find_visit(self, handler: _Handler) -> None:
        for queue in handler.team.queues:
            for visit in self._lines[queue]:
                if visit.handler is None:
                    self._ring(handler, visit)
                    return

    def _ring(self, handler: _Handler, visit: _Visit) -> None:
        visit.handler, handler.visit = handler, visit
        self._is_now(handler, "ringing")
        data = ev.VisitRingingData(centre=self._config.centre, visit=visit.id, handler=handler.id)
        self._say(ev.VisitRinging, visit.id, data)
        if visit.original_queued_at is not None:
            happen = self._answer if self._chance(CALLBACK_REACHED) else self._withdraw
            self._in(CALLBACK_RINGS.draw(self._rng), happen, visit, handler)
        elif self._chance(self._config.ring_no_answer):
            self._in(RING_OUT_AFTER, self._ring_out, visit, handler)
        else:
            self._in(self._config.queues[visit.queue].ring.draw(self._rng), self._answer, visit, handler)

    def _ring_out(self, visit: _Visit, handler: _Handler) -> None:
        if not (visit.waiting and visit.handler is handler):
            return
        data = ev.VisitRingingData(centre=self._config.centre, visit=visit.id, handler=handler.id)
        self._say(ev.VisitRingNoAnswer, visit.id, data)
        visit.handler = handler.visit = None
        self._is_now(handler, "not_ready", "ring_no_answer")
        self._in(PAUSE_AFTER_RING_NO_ANSWER.draw(self._rng), self._is_free, handler)
        self._find_handler(visit)

    def _withdraw(self, visit: _Visit, handler: _Handler) -> None:
        if visit.handler is handler:
            self._leave(visit, "withdrawn")

    def _answer(self, visit: _Visit, handler: _Handler) -> None:
        if not (visit.waiting and visit.handler is handler):
            return
        rng, model = self._rng, self._config.queues[visit.queue]
        self._stop_waiting(visit)
        self.truth.finished(visit.part, visit.queue, "answered")
        data = ev.VisitAnsweredData(centre=self._config.centre, visit=visit.id, handler=handler.id, queue=visit.queue)
        self._say(ev.VisitAnswered, visit.id, data)
        self._is_now(handler, "talking")
        if visit.original_queued_at is not None:
            self._calls_up += 1
        talk = model.talk.draw(rng)
        if self._chance(self._config.holds):
            held_after = round(talk * rng.uniform(0.2, 0.8))
            hold = HOLD.draw(rng)
            self._in(held_after, self._hold, visit, handler)
            self._in(held_after + hold, self._resume, visit, handler)
            talk += hold
        self._in(talk, self._end, visit, handler)

    def _hold(self, visit: _Visit, handler: _Handler) -> None:
        self._say(ev.VisitHeld, visit.id, ev.VisitHeldData(centre=self._config.centre, visit=visit.id))
        self._is_now(handler, "hold")

    def _resume(self, visit: _Visit, handler: _Handler) -> None:
        self._say(ev.VisitResumed, visit.id, ev.VisitHeldData(centre=self._config.centre, visit=visit.id))
        self._is_now(handler, "talking")

    def _end(self, visit: _Visit, handler: _Handler) -> None:
        rng, model = self._rng, self._config.queues[visit.queue]
        to_queue = model.transfers_to if self._chance(model.transfers) else None
        if to_queue is not None and self._refusal(to_queue) is not None:
            to_queue = None
        reason: EndedReason = "transfer" if to_queue else "handler" if self._chance(0.3) else "caller"
        data = ev.VisitEndedData(centre=self._config.centre, visit=visit.id, reason=reason, to_queue=to_queue)
        self._say(ev.VisitEnded, visit.id, data)
        self._is_now(handler, "wrap_up")
        wrap_up = model.wrap_up.draw(rng) + round(model.contact_log * rng.uniform(0.6, 1.4) * SECOND)
        self._in(wrap_up, self._wrap_up, visit, handler)
        if to_queue is None:
            self._calls_up -= 1
        else:
            self._to_finish += 1
            self._join(visit.call, to_queue)

    def _wrap_up(self, visit: _Visit, handler: _Handler) -> None:
        rng = self._rng
        if self._chance(WRAP_UP_REPORTED):
            agency = rng.choice(AGENCIES) if self._chance(0.15) else None
            data = ev.VisitWrappedUpData(
                centre=self._config.centre,
                visit=visit.id,
                outcome_class="other_agency" if agency else rng.choice(("police", "police", "advice", "no_trace")),
                agency=agency,
            )
            self._say(ev.VisitWrappedUp, visit.id, data, self._contact_log)
        self._to_finish -= 1
        handler.visit = None
        if self._chance(self._config.breaks):
            self._is_now(handler, "not_ready", "break")
            self._in(BREAK.draw(rng), self._is_free, handler)
        else:
            self._is_free(handler)

    def _ring_back(self, call: _Call, attempt: int) -> None:
        """The next idle handler rings an abandoned emergency caller back."""
        if self._now >= self._until:
            self._to_finish -= 1
            return
        handler = next((person for floor in self._serving["999"] for person in floor.idle), None)
        if handler is None:
            self._in(RING_BACK_AFTER.draw(self._rng), self._ring_back, call, attempt)
            return
        self._is_now(handler, "talking")
        self._in(RING_BACK_TAKES.draw(self._rng), self._rang_back, call, attempt, handler)

    def _rang_back(self, call: _Call, attempt: int, handler: _Handler) -> None:
        reached = self._chance(RING_BACK_REACHED)
        data = ev.CallRungBackData(
            centre=self._config.centre,
            call=self._new_id("call"),
            for_call=call.id,
            result="reached" if reached else "no_answer",
            handler=handler.id,
        )
        self._say(ev.CallRungBack, call.id, data)
        self._is_free(handler)
        if reached or attempt == RING_BACK_ATTEMPTS_MAX:
            self._to_finish -= 1
        else:
            self._in(RING_BACK_AFTER.draw(self._rng), self._ring_back, call, attempt + 1)

    # --- people ----------------------------------------------------------------------------------------------

    def _floor(self, team: Team) -> _Floor:
        idle: dict[_Handler, None] = {}
        people = tuple(
            tuple(_Handler(self._new_id(team.name), team, idle) for _ in range(self._headcount(planned)))
            for planned in team.staff
        )
        return _Floor(team, people, idle)

    def _headcount(self, planned: int) -> int:
        growth: float = self._config.scale**STAFF_GROWTH
        return ceil(planned * growth)

    def _shift_at(self, at: int) -> int:
        hour = self._hour(at)
        return max(
            (shift for shift, start in enumerate(SHIFT_STARTS) if start <= hour), default=len(SHIFT_STARTS) - 1
        )

    def _turn_of_the_hour(self) -> None:
        hour = self._hour(self._now)
        if hour in SHIFT_STARTS:
            shift = SHIFT_STARTS.index(hour)
            for floor in self._floors:
                self._come_on_duty(floor, shift, within=4 * MINUTE)
                for handler in floor.people[shift - 1]:
                    self._in(round(self._rng.uniform(4, 9) * MINUTE), self._go_off_duty, handler)
        if hour == self._config.surge_hour:
            data = ev.NoteData(
                centre=self._config.centre,
                at=moment(self._now),
                until=moment(self._now + HOUR),
                scope=self._config.centre,
                kind="incident",
                text="A surge of calls about one incident.",
            )
            self._say(ev.Note, self._config.centre, data)

    def _come_on_duty(self, floor: _Floor, shift: int, within: int) -> None:
        length = 8 * HOUR
        begins = self._now - (self._hour(self._now) - SHIFT_STARTS[shift]) % 24 * HOUR - self._now % HOUR
        sick = 0
        for handler in floor.people[shift]:
            if self._chance(self._config.sick):
                sick += 1
                absence = ev.RosterAbsenceData(
                    centre=self._config.centre,
                    handler=handler.id,
                    from_=moment(begins),
                    to=moment(begins + length),
                    class_="sick",
                )
                self._say(ev.RosterAbsence, handler.id, absence, self._roster)
            else:
                self._in(round(self._rng.random() * within), self._log_in, handler)
        planned = len(floor.people[shift])
        for start in range(begins, begins + length, HOUR):
            roster = ev.RosterPlannedData(
                centre=self._config.centre,
                queue=floor.team.queues[0],
                interval_start=moment(start),
                interval_minutes=60,
                planned=float(planned),
                rostered=float(planned - sick),
                team=floor.team.name,
            )
            self._say(ev.RosterPlanned, floor.team.name, roster, self._roster)

    def _log_in(self, handler: _Handler) -> None:
        handler.shift_over = False
        self._is_free(handler)

    def _go_off_duty(self, handler: _Handler) -> None:
        """Who is in the middle of something finishes it first."""
        handler.shift_over = True
        if handler.state in ("available", "not_ready"):
            self._is_now(handler, "logged_out")

    def _is_free(self, handler: _Handler) -> None:
        handler.visit = None
        if handler.shift_over:
            if handler.state != "logged_out":
                self._is_now(handler, "logged_out")
            return
        self._is_now(handler, "available")
        self._find_visit(handler)

    def _is_now(self, handler: _Handler, state: HandlerStateName, reason: str | None = None) -> None:
        handler.state = state
        if state == "available":
            handler.idle[handler] = None
        else:
            handler.idle.pop(handler, None)
        data = ev.HandlerStateData(
            centre=self._config.centre,
            handler=handler.id,
            state=state,
            reason_class=reason,
            queues=handler.team.queues,
            team=handler.team.name,
        )
        self._say(ev.HandlerState, handler.id, data)

    # --- what the switch says of itself -----------------------------------------------------------------------

    def _snapshot_queue(self, queue: str) -> None:
        waiting = [
            ev.WaitingNow(
                visit=visit.id,
                call=visit.call.id,
                queued_at=moment(visit.queued_at),
                priority=visit.priority or None,
                position=position,
            )
            for position, visit in enumerate(self._lines[queue], 1)
        ]
        parts = [waiting[i : i + SNAPSHOT_PART_MAX] for i in range(0, len(waiting), SNAPSHOT_PART_MAX)] or [[]]
        for number, part in enumerate(parts, 1):
            data = ev.QueueSnapshotData(
                centre=self._config.centre,
                queue=queue,
                taken_at=moment(self._now),
                part=number,
                parts=len(parts),
                waiting=tuple(part),
            )
            self._say(ev.QueueSnapshot, queue, data)

    def _snapshot_handlers(self) -> None:
        handlers = tuple(
            ev.HandlerNow(handler=handler.id, state=handler.state, queues=floor.team.queues, team=floor.team.name)
            for floor in self._floors
            for shift in floor.people
            for handler in shift
            if handler.state != "logged_out"
        )
        data = ev.HandlerSnapshotData(centre=self._config.centre, handlers=handlers)
        self._say(ev.HandlerSnapshot, self._switch, data)

    def _heartbeat(self) -> None:
        queued = sum(visit.part == "counted" for line in self._lines.values() for visit in line)
        data = ev.SourceHeartbeatData(
            centre=self._config.centre,
            events_seen=self._switch_events,
            calls_up=self._calls_up,
            callers_queued=queued,
        )
        self._say(ev.SourceHeartbeat, self._switch, data)


def _order(visit: _Visit) -> tuple[int, int, str]:
    return visit.order


def _dialled(service: str, draw: float) -> str:
    match service:
        case "999":
            return "112" if draw < 0.01 else "999"
        case "101":
            return "switchboard" if draw < 0.05 else "101"
        case "digital":
            return "website"
        case _:
            return "control-room"
