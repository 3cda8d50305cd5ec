"""Counters for Prometheus: they count first conclusions and never fall.

What is corrected later goes to `corrections`; the exact, correctable figures are gauges computed from facts. They
belong to one worker's life and are not part of the state that is restored.
"""

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field

from schemas.moments import SECOND
from stream import tally as t

WAIT_BUCKETS_SECONDS = (
    1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1800, 3600, 7200, 21600,
)  # fmt: skip
_UPPER = tuple(seconds * SECOND for seconds in WAIT_BUCKETS_SECONDS)

WAIT_GROUPS = ("answered", "abandoned", "other")
_GROUP_OF = {t.ANSWERED: 0, t.ABANDONED: 1, t.ABANDONED_SHORT: 1}


@dataclass(slots=True)
class QueueCounters:
    """The counters of one queue."""

    queued: int = 0
    ended: list[int] = field(default_factory=lambda: [0] * len(t.OUTCOMES))
    wait_buckets: list[list[int]] = field(default_factory=lambda: [[0] * (len(_UPPER) + 1) for _ in WAIT_GROUPS])
    wait_sums: list[int] = field(default_factory=lambda: [0] * len(WAIT_GROUPS))
    corrections: dict[tuple[int, int], int] = field(default_factory=dict)
    announcements: dict[tuple[str, str], int] = field(default_factory=dict)
    """By (kind, outcome)."""
    promises: dict[str, int] = field(default_factory=dict)
    """By result."""

    def ended_with(self, outcome: int, wait: int) -> None:
        """A visit's wait was first concluded."""
        self.ended[outcome] += 1
        group = _GROUP_OF.get(outcome, 2)
        self.wait_buckets[group][bisect_left(_UPPER, wait)] += 1
        self.wait_sums[group] += wait

    def corrected(self, before: int, after: int) -> None:
        """A concluded outcome turned out to be another."""
        self.corrections[before, after] = self.corrections.get((before, after), 0) + 1


ANOMALIES = (
    "repeated",
    "same_id_other_content",
    "losing_fact",
    "negative_duration",
    "too_many_facts",
    "too_many_handlers",
    "too_many_sources",
    "headless_for_60s",
    "timed_out_snapshot_parts",
)


def no_anomalies() -> dict[str, int]:
    """By kind."""
    return dict.fromkeys(ANOMALIES, 0)


@dataclass(slots=True)
class RoomCounters:
    """The counters of one control room; `anomalies` are shared by all rooms of a worker."""

    anomalies: dict[str, int]
    events: defaultdict[type, int] = field(default_factory=lambda: defaultdict(int))
    calls_offered: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By (service, origin, channel)."""
