"""What networks do to events: repeat them, hold them back, hand them over in another order.

Events move within a bounded window, so a file of any length passes through little memory; those held back move
within a wider one. Every event comes out at least once and unchanged. The same seed gives the same disorder.
"""

from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

SHUFFLE_WINDOW = 50
LATE_WINDOW = 5_000


def disordered(
    items: Iterable[Item],
    seed: int,
    *,
    duplicates: float = 0.05,
    late: float = 0.01,
    shuffle_window: int = SHUFFLE_WINDOW,
    late_window: int = LATE_WINDOW,
) -> Iterator[Item]:
    """`items` in another order: each moves back by at most `shuffle_window` places, those held back (the share
    `late`) by at most `late_window`; the share `duplicates` comes twice."""
    rng = Random(seed)  # noqa: S311 - a test has to be repeatable, not unpredictable
    held: list[tuple[int, int, Item]] = []
    copies = 0

    def hold(place: int, item: Item) -> None:
        nonlocal copies
        copies += 1
        window = late_window if rng.random() < late else shuffle_window
        heappush(held, (place + rng.randint(0, window), copies, item))

    for place, item in enumerate(items):
        hold(place, item)
        if rng.random() < duplicates:
            hold(place, item)
        while held and held[0][0] <= place:
            yield heappop(held)[2]
    while held:
        yield heappop(held)[2]
