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
SHARE = 10**9
"""The whole of a handler, in billionths."""
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


class Lately:
    """What one handler did lately, which holds from `since` until `until`."""

    __slots__ = ("_kinds", "_shares", "since", "until")

    def __init__(self, since: int, until: int, kinds: list[tuple[Kind, int, int]]) -> None:
        self.since = since
        self.until = until
        self._kinds = kinds
        """(kind, how many were answered in 60 minutes, how many of all ever answered joined in 15)"""
        self._shares: dict[Kind, tuple[int, int]] = {}

    def share(self, kind: Kind) -> tuple[int, int]:
        """(the queue's share of their answers of equal or lower priority in billionths, joins of higher priority)"""
        share = self._shares.get(kind)
        if share is None:
            share = self._shares[kind] = self._share(*kind)
        return share

    def _share(self, queue: str, level: int) -> tuple[int, int]:
        own = every = higher = 0
        for (served, served_level), answered, joined in self._kinds:
            if served_level > level:
                higher += joined
            else:
                every += answered
                own += answered if served == queue else 0
        return own * SHARE // every if every else SHARE, higher


class Flow:
    """The passages of one control room."""

    def __init__(self) -> None:
        self.waiting: dict[str, dict[str, Passage]] = defaultdict(dict)
        """By queue and visit: who waits now."""
        self.served: dict[str, dict[Kind, Served]] = defaultdict(lambda: defaultdict(Served))
        self._lately: dict[str, Lately] = {}
        """By handler, as long as it holds."""
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

    def lately(self, handler: str, now: int) -> Lately:
        """What the handler did lately."""
        lately = self._lately.get(handler)
        if lately is not None and lately.since <= now < lately.until:
            return lately
        kinds, until = [], now + ARRIVALS_COUNT_FOR
        for kind, served in self.served.get(handler, {}).items():
            answered, changes_at = _within(served.answered, ANSWERS_COUNT_FOR, now)
            joined, turns_at = _within(served.queued, ARRIVALS_COUNT_FOR, now)
            kinds.append((kind, answered, joined))
            until = min(until, changes_at, turns_at)
        lately = self._lately[handler] = Lately(now, until, kinds)
        return lately

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
        self._lately.pop(handler, None)
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
