"""Targets of queues: the thresholds every figure, state and announcement depends on.

The defaults are those of the national standards named in docs/glossary.md; all of them are configuration.
Durations are integer microseconds. A queue without a target of its own takes the `101` row without announcements.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from schemas.moments import HOUR, MINUTE, SECOND

Announce = Literal["never", "position", "position_with_way_out"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueTarget:
    """The target of one queue: `service_level_target` of visits answered within `threshold`."""

    service: str
    threshold: int = 30 * SECOND
    service_level_target: float = 0.80
    short_limit: int = 5 * SECOND
    abandonment_warn: float | None = 0.05
    abandonment_bad: float | None = 0.10
    oldest_wait_amber: int | None = 120 * SECOND
    oldest_wait_red: int | None = 600 * SECOND
    announce: Announce = "never"
    lost_after: int = 8 * HOUR

    def __post_init__(self) -> None:
        if not 0 <= self.short_limit <= self.threshold:
            raise ValueError("short_limit must lie between 0 and threshold")
        if not 0 < self.service_level_target <= 1:
            raise ValueError("service_level_target must be above 0 and at most 1")
        if self.service == "999" and (self.announce != "never" or self.short_limit):
            raise ValueError("a queue of service 999 announces nothing and has no short limit")


def _default_targets() -> dict[str, QueueTarget]:
    return {
        "999": QueueTarget(
            service="999",
            threshold=10 * SECOND,
            service_level_target=0.90,
            short_limit=0,
            abandonment_warn=0.02,
            abandonment_bad=0.05,
            oldest_wait_amber=10 * SECOND,
            oldest_wait_red=30 * SECOND,
        ),
        "101": QueueTarget(service="101", announce="position_with_way_out"),
        "101-secondary": QueueTarget(
            service="101",
            threshold=60 * SECOND,
            abandonment_warn=0.10,
            abandonment_bad=0.15,
            oldest_wait_amber=300 * SECOND,
            oldest_wait_red=1200 * SECOND,
            announce="position_with_way_out",
        ),
        "internal": QueueTarget(
            service="internal",
            threshold=60 * SECOND,
            abandonment_warn=None,
            abandonment_bad=None,
            oldest_wait_amber=600 * SECOND,
            oldest_wait_red=None,
            announce="position",
        ),
        "digital": QueueTarget(
            service="digital",
            threshold=15 * MINUTE,
            short_limit=0,
            abandonment_warn=None,
            abandonment_bad=None,
            oldest_wait_amber=30 * MINUTE,
            oldest_wait_red=60 * MINUTE,
            lost_after=72 * HOUR,
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The targets of all queues, which control rooms exist and which sources each of them is expected to hear.

    `centres` empty means: any control room is accepted (up to `CENTRES_MAX`).
    """

    targets: dict[str, QueueTarget] = field(default_factory=_default_targets)
    centres: frozenset[str] = frozenset()
    expected_sources: dict[str, frozenset[str]] = field(default_factory=dict)
    other_queue: QueueTarget = QueueTarget(service="101")

    def target(self, queue: str) -> QueueTarget:
        """The target of `queue`; never raises."""
        return self.targets.get(queue, self.other_queue)

    def with_target(self, queue: str, target: QueueTarget) -> "Profile":
        """The same profile with another target for `queue`."""
        return replace(self, targets={**self.targets, queue: target})
