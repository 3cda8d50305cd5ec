"""When the board of a control room is written: the first change at once, then not too often, never too seldom."""

from dataclasses import dataclass

from schemas.moments import SECOND

COALESCE = SECOND // 50
"""Changes that follow the first one so soon are in the same board."""
GAP = SECOND // 10
SILENCE_MAX = 2 * SECOND
"""Also the gap while catching up, when what is shown is old anyway."""
REST_FOR_COST = 5
"""A board that took so long to make is followed by a rest of so many times that, whatever else is due."""


@dataclass(slots=True)
class Pace:
    """The pace of one board. All moments in µs."""

    changed_at: int | None = None
    written_at: int | None = None
    cost: int = 0

    def change(self, now: int) -> None:
        """What the board shows may have changed."""
        if self.changed_at is None:
            self.changed_at = now

    def due_at(self, *, catching_up: bool) -> int:
        """When the next board is due."""
        if self.written_at is None:
            return 0
        rested_at = self.written_at + REST_FOR_COST * self.cost
        latest = self.written_at + SILENCE_MAX
        if self.changed_at is None:
            return max(latest, rested_at)
        gap = SILENCE_MAX if catching_up else GAP
        return max(rested_at, min(latest, max(self.changed_at + COALESCE, self.written_at + gap)))

    def write(self, now: int, cost: int) -> None:
        """The board as of `now` was written; making it took `cost`."""
        self.changed_at = None
        self.written_at = now
        self.cost = cost
