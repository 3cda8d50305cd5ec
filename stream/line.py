"""The line of one queue: who waits, in what order, since when.

Position is the place by priority descending, then `queued_at` (call-backs: `original_queued_at`), the position the
switch reported at joining, and the visit id, so that two workers with the same facts say the same number.
Call-backs and test calls hold their place in the line but are not among the callers waiting.
"""

from bisect import bisect_left, insort

from stream.visits import LineKey


class Line:
    """Waiting visits in order; positions count from 1."""

    __slots__ = ("_keys", "_since")

    def __init__(self) -> None:
        self._keys: list[LineKey] = []
        self._since: list[tuple[int, str]] = []

    def join(self, key: LineKey, counted_since: int | None) -> None:
        """Put a visit into the line; `counted_since` is its `queued_at`, or None if it is not counted."""
        insort(self._keys, key)
        if counted_since is not None:
            insort(self._since, (counted_since, key[3]))

    def leave(self, key: LineKey, counted_since: int | None) -> None:
        """Take out a visit with exactly what it joined with."""
        del self._keys[self._index(key)]
        if counted_since is not None:
            del self._since[bisect_left(self._since, (counted_since, key[3]))]

    def position(self, key: LineKey) -> int:
        """The position of the visit that joined with `key`, from 1."""
        return self._index(key) + 1

    def __len__(self) -> int:
        return len(self._keys)

    def visits(self, first: int | None = None) -> list[str]:
        """The ids of the visits in order, or of the `first` of them."""
        return [key[3] for key in self._keys[:first]]

    def above(self, rank: int) -> list[str]:
        """The ids of the visits of higher priority: with a key that begins with less than `rank`."""
        return [key[3] for key in self._keys[: bisect_left(self._keys, (rank,))]]

    @property
    def waiting(self) -> int:
        """How many callers are waiting."""
        return len(self._since)

    @property
    def oldest_since(self) -> int | None:
        """The `queued_at` of who waits longest, or None when nobody does."""
        return self._since[0][0] if self._since else None

    def _index(self, key: LineKey) -> int:
        index = bisect_left(self._keys, key)
        assert self._keys[index] == key
        return index
