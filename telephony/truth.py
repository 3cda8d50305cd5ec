"""What really happened in a simulated control room, counted where it happened.

It is kept apart from the events, so that whoever counts events can be compared with it. Visits that are call-backs or
tests are counted by themselves, as the figures do; calls are counted with the tests among them.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Part = Literal["counted", "callbacks", "tests"]

OUTCOMES = (
    "answered",
    "abandoned",
    "abandoned_short",
    "callback_requested",
    "timed_out",
    "exited_by_key",
    "transferred_out",
    "withdrawn",
)


@dataclass(slots=True)
class Truth:
    """Counts so far; conservation holds at every moment for each queue and for the calls."""

    queues: tuple[str, ...]
    events: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    offered: Counter[str] = field(default_factory=Counter)
    visits: Counter[tuple[Part, str, str]] = field(default_factory=Counter)

    def joined(self, part: Part, queue: str) -> None:
        self.visits[part, queue, "queued"] += 1

    def finished(self, part: Part, queue: str, outcome: str) -> None:
        self.visits[part, queue, outcome] += 1

    def waiting(self, part: Part, queue: str) -> int:
        """Visits that joined and have no outcome yet."""
        ended = sum(self.visits[part, queue, outcome] for outcome in OUTCOMES)
        return self.visits[part, queue, "queued"] - ended

    def of_queue(self, queue: str, part: Part = "counted") -> dict[str, int]:
        """`queued`, each outcome and `waiting` of a queue."""
        return {
            "queued": self.visits[part, queue, "queued"],
            **{outcome: self.visits[part, queue, outcome] for outcome in OUTCOMES},
            "waiting": self.waiting(part, queue),
        }

    def as_json(self) -> dict[str, object]:
        """Everything, as JSON has it."""
        return {
            "events": self.events.total(),
            "events_by_type": dict(sorted(self.events.items())),
            "calls_offered_by_service": dict(sorted(self.offered.items())),
            "calls": dict(sorted(self.calls.items())),
            "queues": {queue: self.of_queue(queue) for queue in self.queues},
            "callbacks": {queue: self.of_queue(queue, "callbacks") for queue in self.queues},
            "tests": {queue: self.of_queue(queue, "tests") for queue in self.queues},
        }
