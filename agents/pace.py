"""When the board of a control room is written: the first change at once, then not too often, never too seldom."""

from dataclasses import dataclass

from schemas.moments import SECOND

COALESCE = SECOND // 50
"""Changes that follow the first one so soon are in the same board."""
GAP = SECOND // 10
GAP_CATCHING_UP = SECOND // 2
SILENCE_MAX = 2 * SECOND


@dataclass(slots=True)
class Pace:
    """The pace of one board. All moments in µs."""

    changed_at: int | None = None
    written_at: int | None = None

    def change(self, now: int) -> None:
        """What the board shows may have changed."""
        if self.changed_at is None:
            self.changed_at = now

    def due_at(self, *, catching_up: bool) -> int:
        """When the next board is due."""
        if self.written_at is None:
            return 0
        latest = self.written_at + SILENCE_MAX
        if self.changed_at is None:
            return latest
        gap = GAP_CATCHING_UP if catching_up else GAP
        return min(latest, max(self.changed_at + COALESCE, self.written_at + gap))

    def write(self, now: int) -> None:
        """The board was written."""
        self.changed_at = None
        self.written_at = now
