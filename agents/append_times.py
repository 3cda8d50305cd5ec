"""Which offset of a partition was appended when, to the minute: where reading again has to begin."""

from bisect import bisect_right

from schemas.moments import MINUTE

APART = MINUTE
ENTRIES_MAX = 14 * 24 * 60
"""Two weeks; beyond that the oldest is forgotten, so that reading begins later, as retention makes it anyway."""


class AppendTimes:
    """A sparse index of one partition from append time (µs) to offset."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._offsets: list[int] = []

    def note(self, offset: int, appended_at: int) -> None:
        """The record at `offset` was appended at `appended_at`; both only rise."""
        if not self._times or appended_at >= self._times[-1] + APART:
            self._times.append(appended_at)
            self._offsets.append(offset)
            if len(self._times) > ENTRIES_MAX:
                self._drop(1)

    def before(self, at: int) -> int | None:
        """An offset such that every record at or after it includes all those appended at `at` or later.

        None when nothing is known yet. What lies before the answer is forgotten.
        """
        if not self._times:
            return None
        self._drop(max(0, bisect_right(self._times, at) - 1))
        return self._offsets[0]

    def _drop(self, count: int) -> None:
        del self._times[:count], self._offsets[:count]
