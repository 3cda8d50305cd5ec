"""One queue of a control room: its windows, its line, its counts by state, and what its switch says of it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from schemas.events import WaitingNow
from schemas.moments import SECOND
from stream import tally as t
from stream.counters import QueueCounters
from stream.line import Line
from stream.profile import QueueTarget
from stream.promises import Promises
from stream.windows import Windows

LOST_AFTER_SNAPSHOTS_APART = 5 * SECOND
PENDING_SNAPSHOTS_MAX = 16


@dataclass(slots=True)
class PendingSnapshot:
    """The parts received of a snapshot that is not complete yet."""

    received: set[int] = field(default_factory=set)
    waiting: list[WaitingNow] = field(default_factory=list)


class SnapshotTimes:
    """When one source completely listed one queue: a set of distinct moments."""

    __slots__ = ("pending", "times")

    def __init__(self) -> None:
        self.times: list[int] = []
        self.pending: dict[tuple[int, int], PendingSnapshot] = {}
        """By (taken_at, parts): parts of a snapshot said to have another number of them are another snapshot's."""

    def part(
        self, taken_at: int, part: int, parts: int, waiting: tuple[WaitingNow, ...]
    ) -> Sequence[WaitingNow] | None:
        """Take one part; returns the whole list when it completes the snapshot, else None."""
        times = self.times
        index = bisect_right(times, taken_at) if times and times[-1] >= taken_at else len(times)
        if index and times[index - 1] == taken_at:
            return None
        if parts == 1:
            times.insert(index, taken_at)
            return waiting
        pending = self.pending.setdefault((taken_at, parts), PendingSnapshot())
        if part in pending.received:
            return None
        pending.received.add(part)
        pending.waiting.extend(waiting)
        if len(pending.received) == parts:
            del self.pending[taken_at, parts]
            times.insert(index, taken_at)
            return pending.waiting
        return None

    def give_up(self) -> bool:
        """Drop the oldest incomplete snapshot when there are too many; returns whether one was dropped."""
        if len(self.pending) <= PENDING_SNAPSHOTS_MAX:
            return False
        del self.pending[min(self.pending)]
        return True

    def prove_gone(self, last_known: int) -> bool:
        """Whether two snapshots at least 5 s apart were taken after `last_known`."""
        times = self.times
        if not times or times[-1] <= last_known:
            return False
        return times[-1] - times[bisect_right(times, last_known)] >= LOST_AFTER_SNAPSHOTS_APART

    def forget_before(self, before: int) -> None:
        """Drop the moments before `before`."""
        del self.times[: bisect_right(self.times, before)]


@dataclass(slots=True)
class Counted:
    """How many visits were counted as queued and in each outcome: moved by transitions, corrected by them too."""

    queued: int = 0
    ended: list[int] = field(default_factory=lambda: [0] * len(t.OUTCOMES))

    def error(self, waiting: int) -> int:
        """By how much `queued = Σ outcomes + waiting` fails."""
        return self.queued - sum(self.ended) - waiting


class Queue:
    """One queue of a control room."""

    __slots__ = (
        "callbacks",
        "counted",
        "counters",
        "drift",
        "is_heard_of",
        "line",
        "name",
        "promises",
        "recount_error",
        "snapshots",
        "target",
        "tests",
        "unseen",
        "windows",
    )

    def __init__(self, name: str, target: QueueTarget, windows: Windows) -> None:
        self.name = name
        self.target = target
        self.windows = windows
        self.line = Line()
        self.counted = Counted()
        self.unseen = Counted()
        """What `counted` holds of visits a recount does not see: those packed away, and those forgotten."""
        self.counters = QueueCounters()
        self.promises = Promises()
        self.callbacks = 0
        self.tests = 0
        self.snapshots: dict[str, SnapshotTimes] = {}
        self.drift: dict[str, int] = {}
        self.recount_error = 0
        self.is_heard_of = False
        """Whether any event named this queue; one that is configured exists all the same."""

    def snapshots_of(self, source: str) -> SnapshotTimes:
        """The snapshots `source` took of this queue."""
        known = self.snapshots.get(source)
        if known is None:
            known = self.snapshots[source] = SnapshotTimes()
        return known

    @property
    def drifted(self) -> bool:
        """Whether a source's last snapshot differs from what we hold."""
        return any(self.drift.values())

    @property
    def conservation_error(self) -> int:
        """The larger of the failures found by transitions and by the last recount."""
        moved = abs(self.counted.error(self.line.waiting))
        return max(moved, abs(self.recount_error))
