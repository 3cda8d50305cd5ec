"""Who was served by whom, and who gave up: what the expected wait is made of, kept for the last three hours.

Each visit passes once, and its passage is replaced whenever its facts change; so what is counted here depends on the
facts alone, in whatever order they came. Counts are asked for with the time, which is not known here.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from typing import NamedTuple

from schemas.moments import HOUR, MINUTE
from stream import tally as t

ANSWERS_COUNT_FOR = 60 * MINUTE
ARRIVALS_COUNT_FOR = 15 * MINUTE
ABANDONS_COUNT_FOR = 2 * HOUR
KEPT_FOR = 3 * HOUR
_EMERGENCY = 4_096
_NEVER = 2**63


def level_of(emergency: bool, priority: int) -> int:
    """One number for who goes first: emergencies before all others, then by priority."""
    return priority + _EMERGENCY * emergency


class Passage(NamedTuple):
    """One visit's way through its queue; `outcome`, `ended_at` and `handler` are None while it waits."""

    queue: str
    level: int
    queued_at: int
    counted: bool
    outcome: int | None
    ended_at: int | None
    handler: str | None


Kind = tuple[str, int]
"""(queue, level)"""


class Served:
    """The visits one handler answered of one kind: when they were answered, and when they had joined."""

    __slots__ = ("answered", "queued")

    def __init__(self) -> None:
        self.answered: list[int] = []
        self.queued: list[int] = []


class Share(NamedTuple):
    """How many visits of one kind a handler answered in the last 60 minutes, and how many of all joined in 15."""

    queue: str
    level: int
    answered: int
    joined: int


class Flow:
    """The passages of one control room."""

    def __init__(self) -> None:
        self.waiting: dict[str, dict[str, Passage]] = defaultdict(dict)
        """By queue and visit: who waits now."""
        self.served: dict[str, dict[Kind, Served]] = defaultdict(lambda: defaultdict(Served))
        self._shares: dict[str, tuple[int, int, list[Share]]] = {}
        """By handler: from when to when their shares are those."""
        self._known: dict[str, Passage] = {}
        self._ends: dict[str, dict[int, list[int]]] = defaultdict(dict)
        """By queue and minute: [visits abandoned, µs waited by all whose wait ended then]."""

    def note(self, visit: str, passage: Passage | None) -> None:
        """Let `passage` be what is known of `visit`, instead of what was."""
        before = self._known.get(visit)
        if passage == before:
            return
        if before is not None:
            self._move(visit, before, -1)
            del self._known[visit]
        if passage is not None:
            self._known[visit] = passage
            self._move(visit, passage, 1)

    def abandoned(self, queue: str, now: int) -> tuple[int, int]:
        """(visits abandoned, µs waited by all) of the last two hours, in whole minutes."""
        last = now // MINUTE
        first = last - ABANDONS_COUNT_FOR // MINUTE
        cells = [cell for minute, cell in self._ends[queue].items() if first < minute <= last]
        return sum(cell[0] for cell in cells), sum(cell[1] for cell in cells)

    def shares(self, handler: str, now: int) -> list[Share]:
        """What the handler did lately, by kind."""
        since, until, shares = self._shares.get(handler, (0, 0, []))
        if since <= now < until:
            return shares
        shares, until = [], now + ARRIVALS_COUNT_FOR
        for (queue, level), served in self.served.get(handler, {}).items():
            answered, changes_at = _within(served.answered, ANSWERS_COUNT_FOR, now)
            joined, turns_at = _within(served.queued, ARRIVALS_COUNT_FOR, now)
            shares.append(Share(queue, level, answered, joined))
            until = min(until, changes_at, turns_at)
        self._shares[handler] = now, until, shares
        return shares

    def forget(self, now: int) -> None:
        """Drop what ended more than `KEPT_FOR` ago."""
        before = now - KEPT_FOR
        for visit in [visit for visit, known in self._known.items() if (known.ended_at or now) < before]:
            self.note(visit, None)

    def _move(self, visit: str, passage: Passage, sign: int) -> None:
        queue, level, queued_at, counted, outcome, ended_at, handler = passage
        if outcome is None or ended_at is None:
            if sign > 0:
                self.waiting[queue][visit] = passage
            else:
                del self.waiting[queue][visit]
            return
        if handler is not None:
            self._serve(handler, (queue, level), queued_at, ended_at, sign)
        if counted:
            cell = self._ends[queue].setdefault(ended_at // MINUTE, [0, 0])
            cell[0] += sign * (outcome in (t.ABANDONED, t.ABANDONED_SHORT))
            cell[1] += sign * max(0, ended_at - queued_at)
            if cell == [0, 0]:
                del self._ends[queue][ended_at // MINUTE]

    def _serve(self, handler: str, kind: Kind, queued_at: int, answered_at: int, sign: int) -> None:
        self._shares.pop(handler, None)
        served = self.served[handler][kind]
        if sign > 0:
            insort(served.answered, answered_at)
            insort(served.queued, queued_at)
            return
        del served.answered[bisect_left(served.answered, answered_at)]
        del served.queued[bisect_left(served.queued, queued_at)]
        if not served.answered:
            del self.served[handler][kind]
            if not self.served[handler]:
                del self.served[handler]


def _within(moments: list[int], length: int, now: int) -> tuple[int, int]:
    """How many of `moments` (rising) lie in the `length` before `now` and not after it, and until when that is so."""
    first, end = bisect_right(moments, now - length), bisect_right(moments, now)
    leaves_at = moments[first] + length if first < end else _NEVER
    return end - first, min(leaves_at, moments[end]) if end < len(moments) else leaves_at
