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
from stream.flow import Flow, Share
from stream.handlers import Handlers
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
STAFF_LOOK_BACK = 60 * SECOND
_SHARE = 10**9


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
    unit = _SHARE * rates.handle_time * fl.ARRIVALS_COUNT_FOR
    served = rates.staff_share * fl.ARRIVALS_COUNT_FOR
    drained = served - rates.higher * _SHARE * rates.handle_time
    if 10 * drained <= served:
        return None
    known = rates.waited >= WAITED_ENOUGH
    abandons, waited = (rates.abandons, rates.waited) if known else (1, ABANDON_AFTER)
    total = unit * waited
    return list(accumulate(_divided(total, drained * waited + j * abandons * unit) for j in range(positions)))


def _divided(numerator: int, denominator: int) -> int:
    """The nearest integer to their ratio."""
    return (2 * numerator + denominator) // (2 * denominator)


@dataclass(frozen=True, slots=True)
class Staff:
    """Who is staffed in one queue, and how many were a minute ago."""

    now: tuple[str, ...] = ()
    before: int = 0

    @property
    def collapsed(self) -> bool:
        """Whether more than 30 % of them went within a minute: nobody knows yet what that means for the wait."""
        return 10 * len(self.now) < 7 * self.before


class Estimator:
    """The expected waits of one control room as of one moment: call `begin`, then ask.

    What the waits are made of is worked out once a second at most.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._now = 0
        self._worked_out_at = 0
        self._staff: dict[str, Staff] | None = None
        self._service: dict[str, tuple[int, int] | None] = {}
        self._rates: dict[tuple[str, int], Rates | None] = {}
        self._waits: dict[tuple[str, int], list[int]] = {}

    def begin(self, now: int) -> None:
        """Forget what was worked out more than a second before `now`."""
        self._now = now
        if 0 <= now - self._worked_out_at < SECOND:
            return
        self._worked_out_at = now
        self._staff = None
        for worked_out in (self._service, self._rates, self._waits):
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
        return flow is not None and _higher_waiting(flow, self._shared(queue.name), level, self._now) > 0

    def _work_out(self, queue: Queue, level: int) -> Rates | None:
        flow, now, staff = self._room.flow, self._now, self._staff_of(queue.name)
        if flow is None or not staff.now or staff.collapsed:
            return None
        if queue.name not in self._service:
            self._service[queue.name] = self._work_out_service(queue)
        service = self._service[queue.name]
        if service is None or service[0] < ANSWERS_MIN:
            return None
        served = [flow.shares(handler, now) for handler in staff.now]
        abandons, waited = flow.abandoned(queue.name, now)
        return Rates(
            staff_share=sum(_share(shares, queue.name, level) for shares in served),
            handle_time=service[1],
            higher=sum(_higher_served(shares, level) for shares in served)
            + _higher_waiting(flow, self._shared(queue.name), level, now),
            abandons=abandons,
            waited=waited,
        )

    def _staff_of(self, queue: str) -> Staff:
        if self._staff is None:
            self._staff = staffing(self._room.handlers, self._now)
        return self._staff.get(queue, Staff())

    def _shared(self, queue: str) -> list[str]:
        """The queues that have a handler in common with `queue`."""
        people = set(self._staff_of(queue).now)
        return [name for name, staff in (self._staff or {}).items() if not people.isdisjoint(staff.now)]

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


def staffing(handlers: Handlers, now: int) -> dict[str, Staff]:
    """By queue: who is staffed. A handler who is on a break, logged out or not heard of is not."""
    teams: dict[tuple[str, ...], list[list[str]]] = {}
    """By the queues they serve: [who is staffed, who was]."""
    for ident, place in handlers.places(now).items():
        staffed = place.state in STAFFED
        earlier = handlers.said_at(ident, now - STAFF_LOOK_BACK)
        team = teams.setdefault(place.queues, [[], []])
        if staffed:
            team[0].append(ident)
        if staffed if earlier is None else earlier in STAFFED:
            team[1].append(ident)
    people: dict[str, list[str]] = {}
    before: dict[str, int] = {}
    for queues, (present, earlier_present) in teams.items():
        for queue in queues:
            people.setdefault(queue, []).extend(present)
            before[queue] = before.get(queue, 0) + len(earlier_present)
    return {queue: Staff(tuple(people[queue]), count) for queue, count in before.items()}


STAFFED = frozenset({"available", "ringing", "talking", "hold", "wrap_up"})


def _share(shares: Iterable[Share], queue: str, level: int) -> int:
    """The queue's share of a handler's answers of equal or lower priority in 60 minutes, in billionths."""
    own = every = 0
    for share in shares:
        if share.level <= level:
            every += share.answered
            own += share.answered if share.queue == queue else 0
    return own * _SHARE // every if every else _SHARE


def _higher_served(shares: Iterable[Share], level: int) -> int:
    """How many visits of higher priority a handler answered that joined in the last 15 minutes."""
    return sum(share.joined for share in shares if share.level > level)


def _higher_waiting(flow: Flow, queues: Iterable[str], level: int, now: int) -> int:
    since = now - fl.ARRIVALS_COUNT_FOR
    return sum(
        passage.level > level and since < passage.queued_at <= now
        for queue in queues
        for passage in flow.waiting.get(queue, {}).values()
    )
