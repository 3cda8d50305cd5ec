"""How long a caller will still wait, and when that cannot be said (definitions in docs/glossary.md).

The formula is abandonment- and priority-aware: the queue drains at s·µ, less what emergencies take of the same
people, and faster the more callers wait, since some of them give up. Everything it is made of is a sum of integers
over facts, so the same facts and the same moment give the same wait, whatever order they came in.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from schemas.moments import SECOND
from stream import flow as fl
from stream import tally as t
from stream.flow import Flow
from stream.handlers import Staff
from stream.queues import Queue
from stream.room import Room
from stream.windows import RollingWindows

ANSWERS_MIN = 5
"""Fewer answers in 30 minutes than this say nothing of the next ones."""
HANDLED_ENOUGH = 20
ABANDON_AFTER = 360 * SECOND
"""θ to begin with is one abandon in this much waiting …"""
WAITED_ENOUGH = 3600 * SECOND
"""… until callers have waited for so long altogether."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What the wait in one queue is made of; see `waits`."""

    staff_share: int
    """s in billionths of a handler."""
    handle_time: int
    """1/µ in µs."""
    higher: int
    """Arrivals of higher priority served by the same people in 15 minutes."""
    abandons: int
    waited: int
    """µs waited by all who left the queue in two hours, of whom `abandons` gave up."""


def waits(rates: Rates, positions: int) -> list[int] | None:
    """EWT(1) … EWT(`positions`) in µs: Σ_{j=0..p−1} 1 / (s·µ − λ_hi + j·θ); None when the queue hardly drains.

    In integers throughout: rates are in 1/`unit` a µs, and each step is rounded to a µs.
    """
    unit = fl.SHARE * rates.handle_time * fl.ARRIVALS_COUNT_FOR
    served = rates.staff_share * fl.ARRIVALS_COUNT_FOR
    drained = served - rates.higher * fl.SHARE * rates.handle_time
    if 10 * drained <= served:
        return None
    known = rates.waited >= WAITED_ENOUGH
    abandons, waited = (rates.abandons, rates.waited) if known else (1, ABANDON_AFTER)
    total = unit * waited
    return list(accumulate(_divided(total, drained * waited + j * abandons * unit) for j in range(positions)))


def _divided(numerator: int, denominator: int) -> int:
    """The nearest integer to their ratio."""
    return (2 * numerator + denominator) // (2 * denominator)


class Estimator:
    """The expected waits of one control room as of one moment: call `begin`, then ask.

    What the waits are made of is worked out once a second at most.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._now = 0
        self._worked_out_at = 0
        self._shared: dict[str, list[str]] = {}
        self._service: dict[str, tuple[int, int] | None] = {}
        self._rates: dict[tuple[str, int], Rates | None] = {}
        self._waits: dict[tuple[str, int], list[int]] = {}

    def begin(self, now: int) -> None:
        """Forget what was worked out more than a second before `now`."""
        self._now = now
        if 0 <= now - self._worked_out_at < SECOND:
            return
        self._worked_out_at = now
        for worked_out in (self._shared, self._service, self._rates, self._waits):
            worked_out.clear()

    def wait(self, queue: Queue, level: int, position: int) -> int | None:
        """EWT of `position` in µs for a visit of `level`; None when it is undefined."""
        key = (queue.name, level)
        if key not in self._rates:
            self._rates[key] = self._work_out(queue, level)
        rates = self._rates[key]
        if rates is None:
            return None
        known = self._waits.get(key, [])
        if position > len(known):
            known = self._waits[key] = waits(rates, max(position, len(queue.line))) or []
        return known[position - 1] if known else None

    def emergencies_wait(self, queue: Queue, level: int) -> bool:
        """Whether somebody of higher priority waits for the same people."""
        flow = self._room.flow
        return flow is not None and _higher_waiting(flow, self._served_with(queue.name), level, self._now) > 0

    def _work_out(self, queue: Queue, level: int) -> Rates | None:
        flow, now = self._room.flow, self._now
        staff = self._room.handlers.staff(now).get(queue.name, Staff())
        if flow is None or not staff.now or staff.collapsed:
            return None
        if queue.name not in self._service:
            self._service[queue.name] = self._work_out_service(queue)
        service = self._service[queue.name]
        if service is None or service[0] < ANSWERS_MIN:
            return None
        kind = queue.name, level
        served = [flow.lately(handler, now).share(kind) for handler in staff.now]
        abandons, waited = flow.abandoned(queue.name, now)
        return Rates(
            staff_share=sum(share for share, _ in served),
            handle_time=service[1],
            higher=sum(higher for _, higher in served)
            + _higher_waiting(flow, self._served_with(queue.name), level, now),
            abandons=abandons,
            waited=waited,
        )

    def _served_with(self, queue: str) -> list[str]:
        """The queues that have a handler in common with `queue`."""
        if queue not in self._shared:
            staffs = self._room.handlers.staff(self._now)
            people = staffs.get(queue, Staff()).now
            self._shared[queue] = [name for name, staff in staffs.items() if not people.isdisjoint(staff.now)]
        return self._shared[queue]

    def _work_out_service(self, queue: Queue) -> tuple[int, int] | None:
        """(answers in 30 minutes, mean handling time in µs), or None when nobody knows how long a call takes."""
        windows = queue.windows
        assert isinstance(windows, RollingWindows)
        windows.advance(self._now)
        usual = self._room.habits.handle_time(queue.name, self._now)
        if usual is None and (ever := windows.amount("retained", t.HANDLE_KNOWN)):
            usual = windows.amount("retained", t.HANDLE) // ever
        if usual is None:
            return None
        handled, total = windows.amount("60m", t.HANDLE_KNOWN), windows.amount("60m", t.HANDLE)
        missing = max(0, HANDLED_ENOUGH - handled)
        mean = (total + missing * usual) // (handled + missing)
        return windows.amount("30m", t.OUTCOME + t.ANSWERED), max(SECOND, mean)


def _higher_waiting(flow: Flow, queues: Iterable[str], level: int, now: int) -> int:
    since = now - fl.ARRIVALS_COUNT_FOR
    return sum(
        passage.level > level and since < passage.queued_at <= now
        for queue in queues
        for passage in flow.waiting.get(queue, {}).values()
    )
