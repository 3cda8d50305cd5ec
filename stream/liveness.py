"""Is each source alive, how old is what we know, and what share of a window did we hear.

Age is measured by append time only: an event's own time would let a fast clock hide a dead feed (definitions.md §9).
Coverage of a window, which also has to be computed from files years later, is by the times of heartbeats: a source
was alive for `ALIVE_FOR` after each.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

from schemas.events import SourceHeartbeat
from schemas.moments import SECOND

SOURCES_MAX = 64
LIVE_UP_TO = 15 * SECOND
LATE_UP_TO = 30 * SECOND
CATCHING_UP_AFTER = 10 * SECOND
ALIVE_FOR = 15 * SECOND
_INTERVALS_MAX = 4_096


class Intervals:
    """A set of moments as disjoint intervals `[start, end)`."""

    __slots__ = ("_ends", "_starts")

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []

    def add(self, start: int, end: int) -> None:
        """Add `[start, end)`; beyond a bound the oldest interval is forgotten."""
        if self._ends and self._starts[-1] <= start <= self._ends[-1]:
            self._ends[-1] = max(end, self._ends[-1])
            return
        low = bisect_left(self._ends, start)
        high = bisect_right(self._starts, end)
        if low < high:
            start = min(start, self._starts[low])
            end = max(end, self._ends[high - 1])
        self._starts[low:high] = [start]
        self._ends[low:high] = [end]
        if len(self._starts) > _INTERVALS_MAX:
            del self._starts[0], self._ends[0]

    def within(self, start: int, end: int) -> list[tuple[int, int]]:
        """The intervals of the set cut to `[start, end)`."""
        low = bisect_right(self._ends, start)
        high = bisect_left(self._starts, end)
        return [
            (max(start, s), min(end, e)) for s, e in zip(self._starts[low:high], self._ends[low:high], strict=True)
        ]


def _both(left: list[tuple[int, int]], right: list[tuple[int, int]]) -> list[tuple[int, int]]:
    shared = []
    for start, end in left:
        for other_start, other_end in right:
            low, high = max(start, other_start), min(end, other_end)
            if low < high:
                shared.append((low, high))
    return shared


@dataclass(slots=True)
class SourceLife:
    """When one source was last heard, and what it last said of itself."""

    heard_appended_at: int = 0
    heartbeat_appended_at: int | None = None
    heartbeat: tuple[int, str] = (0, "")
    clock_skew: int = 0
    events_seen: int = 0
    callers_queued: int = 0
    alive: Intervals = field(default_factory=Intervals)


class Liveness:
    """The sources of one control room; `expected` come from configuration."""

    __slots__ = ("_expected", "newest_appended_at", "sources")

    def __init__(self, expected: frozenset[str]) -> None:
        self.sources: dict[str, SourceLife] = {}
        self.newest_appended_at = 0
        self._expected = expected

    def admit(self, source: str) -> SourceLife | None:
        """What is known of `source`; None when there are too many and it is not expected."""
        life = self.sources.get(source)
        if life is None and (len(self.sources) < SOURCES_MAX or source in self._expected):
            life = self.sources[source] = SourceLife()
        return life

    def heard(self, source: str, appended_at: int) -> bool:
        """A telephony event or heartbeat of `source` was appended; returns whether it is admitted."""
        life = self.admit(source)
        if life is not None and appended_at > life.heard_appended_at:
            life.heard_appended_at = appended_at
        return life is not None

    def applied_up_to(self, appended_at: int) -> None:
        """Everything appended until then has been applied."""
        self.newest_appended_at = max(self.newest_appended_at, appended_at)

    def heartbeat(self, event: SourceHeartbeat, at: int, appended_at: int) -> None:
        """A source said that it is alive and what its switch counts."""
        self.heard(event.source, appended_at)
        life = self.sources.get(event.source)
        if life is None:
            return
        life.alive.add(at, at + ALIVE_FOR)
        life.heartbeat_appended_at = max(life.heartbeat_appended_at or 0, appended_at)
        if (at, event.id) >= life.heartbeat:
            life.heartbeat = (at, event.id)
            life.clock_skew = at - appended_at
            life.events_seen = event.data.events_seen
            life.callers_queued = event.data.callers_queued

    def expected(self) -> list[str]:
        """The sources that have to be alive: those configured, else all that ever sent a heartbeat."""
        if self._expected:
            return sorted(self._expected)
        return sorted(name for name, life in self.sources.items() if life.heartbeat_appended_at is not None)

    def data_age(self, now: int) -> int | None:
        """Age in µs of what we know: the worst of the expected sources; None before anything was heard."""
        expected = self.expected()
        if not expected:
            newest = max((life.heard_appended_at for life in self.sources.values()), default=0)
            return max(0, now - newest) if newest else None
        heard = [self.sources[name].heard_appended_at for name in expected if name in self.sources]
        if len(heard) < len(expected):
            return None
        return max(0, now - min(heard))

    def catching_up(self, now: int) -> bool:
        """Whether the newest event applied was appended more than 10 s ago."""
        return now - self.newest_appended_at > CATCHING_UP_AFTER

    def fresh(self, now: int) -> bool:
        """Whether figures may be spoken of as of `now`."""
        age = self.data_age(now)
        return age is not None and age <= LIVE_UP_TO and not self.catching_up(now)

    def state(self, now: int) -> str:
        """`live`, `late`, `dead`, or `unknown` before anything was heard."""
        age = self.data_age(now)
        if age is None:
            return "unknown"
        if age <= LIVE_UP_TO:
            return "live"
        return "late" if age <= LATE_UP_TO else "dead"

    def coverage(self, start: int, end: int) -> int | None:
        """µs of `[start, end)` in which every expected source was alive; None when none ever said so."""
        expected = self.expected()
        if not expected or end <= start:
            return None
        shared: list[tuple[int, int]] = [(start, end)]
        for name in expected:
            life = self.sources.get(name)
            shared = _both(shared, life.alive.within(start, end)) if life else []
        return sum(high - low for low, high in shared)
