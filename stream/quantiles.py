"""Waits in buckets one can take values out of again.

A wait falls into the bucket whose bounds enclose it; neighbouring bounds differ by at most 2 %, so the value that
stands for a bucket is within 1 % of every wait in it. Small waits have a bucket each: 0 to 99 µs are exact. The
bounds are integers, so a wait falls into the same bucket on every machine. Counting in and out commutes, which a
sample or a merging digest would not do; no maintained library offers removal at this cost.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from itertools import accumulate

RELATIVE_ERROR = 0.01
_EXACT_BELOW = 100
_LONGEST = 10**13


def _make_bounds() -> tuple[int, ...]:
    bounds = list(range(_EXACT_BELOW))
    while bounds[-1] < _LONGEST:
        bounds.append(bounds[-1] * 51 // 50)
    return tuple(bounds)


UPPER_BOUNDS = _make_bounds()
BUCKETS = len(UPPER_BOUNDS)


def bucket_of(wait: int) -> int:
    """The bucket of a wait in µs: the first whose upper bound is not below it."""
    return min(bisect_left(UPPER_BOUNDS, wait), BUCKETS - 1)


def value_of(bucket: int) -> int:
    """The wait in µs that stands for `bucket`, within 1 % of every wait in it."""
    upper = UPPER_BOUNDS[bucket]
    if bucket < _EXACT_BELOW:
        return upper
    lowest = UPPER_BOUNDS[bucket - 1] + 1
    return (2 * lowest * upper + (lowest + upper) // 2) // (lowest + upper)


def nearest_ranks(counts: Mapping[int, int], total: int, percents: Iterable[int]) -> list[int | None]:
    """The percentiles in µs by nearest rank over bucket `counts`; None when there is no value."""
    if total <= 0:
        return [None for _ in percents]
    buckets = sorted(counts)
    seen = list(accumulate(map(counts.__getitem__, buckets)))
    ranks = [max(1, -(-percent * total // 100)) for percent in percents]
    return [value_of(buckets[bisect_left(seen, rank)]) for rank in ranks]
