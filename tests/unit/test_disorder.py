from collections import Counter
from collections.abc import Iterator
from itertools import islice

from telephony.disorder import disordered

ITEMS = range(20_000)


def test_every_item_comes_out_at_least_once_and_none_is_made_up():
    counts = Counter(disordered(ITEMS, seed=1, duplicates=0.1))
    assert set(counts) == set(ITEMS)
    assert set(counts.values()) == {1, 2}
    assert 0.08 < sum(count == 2 for count in counts.values()) / len(ITEMS) < 0.12


def test_the_same_seed_gives_the_same_disorder():
    assert list(disordered(ITEMS, seed=1)) == list(disordered(ITEMS, seed=1))
    assert list(disordered(ITEMS, seed=1)) != list(disordered(ITEMS, seed=2))


def test_nothing_is_overtaken_by_more_than_the_window():
    newest, furthest = 0, 0
    for item in disordered(ITEMS, seed=1, late=0, shuffle_window=20):
        newest = max(newest, item)
        furthest = max(furthest, newest - item)
    assert 10 < furthest <= 20


def test_a_few_come_much_later_but_within_their_own_window():
    newest, lateness = 0, []
    for item in disordered(ITEMS, seed=1, duplicates=0, late=0.02, shuffle_window=20, late_window=1_000):
        newest = max(newest, item)
        lateness.append(newest - item)
    late = sum(behind > 20 for behind in lateness)
    assert 0.01 < late / len(ITEMS) < 0.03
    assert 900 < max(lateness) <= 1_000


def test_without_any_disorder_everything_stays_as_it_was():
    assert list(disordered(ITEMS, seed=1, duplicates=0, late=0, shuffle_window=0)) == list(ITEMS)


def test_no_more_is_read_ahead_than_the_window_holds():
    read = 0

    def counting() -> Iterator[int]:
        nonlocal read
        for item in ITEMS:
            read += 1
            yield item

    list(islice(disordered(counting(), seed=1, late=0, shuffle_window=50), 1_000))
    assert read <= 1_000 + 50
