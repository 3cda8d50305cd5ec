"""Were callers told the truth: what becomes of promises, and when a queue may no longer make any."""

import pytest

from schemas.moments import HOUR, MINUTE, SECOND
from stream import tally as t
from stream.promises import REMEMBERED, Judged, Promise, Promises, judge

DEADLINE = 300 * SECOND
PROMISE = Promise("v", 0, DEADLINE, aloud=True)


@pytest.mark.parametrize(
    ("outcome", "second", "result"),
    [
        (t.ANSWERED, 299, "kept"),
        (t.ANSWERED, 300, "kept"),
        (t.ANSWERED, 300.000001, "broken"),
        (t.ABANDONED, 299, "left_early"),
        (t.ABANDONED, 301, "broken"),
        (t.CALLBACK_REQUESTED, 100, "left_early"),
        (t.LOST, 100, "left_early"),
        (None, 100, "broken"),
    ],
)
def test_what_becomes_of_a_promise(outcome: int | None, second: float, result: str) -> None:
    ended_at = round(second * SECOND)
    at = DEADLINE if result == "broken" else ended_at
    assert judge(PROMISE, outcome, ended_at) == Judged(at, 0, result)


def scored(*runs: tuple[int, str]) -> Promises:
    """Promises with so many of each result, one after the other."""
    promises = Promises()
    for count, result in runs:
        for _ in range(count):
            promises.score(Judged(0, 0, result))  # type: ignore[arg-type]
    return promises


def test_under_seventy_in_a_hundred_of_the_last_fifty_kept_a_queue_speaks_no_times() -> None:
    assert not scored((35, "kept"), (15, "broken")).position_only
    assert scored((34, "kept"), (16, "broken")).position_only


def test_forty_nine_are_too_few_to_judge_by() -> None:
    assert not scored((49, "broken")).position_only
    assert scored((50, "broken")).position_only


def test_eighty_in_a_hundred_kept_in_silence_end_it_and_seventy_nine_do_not() -> None:
    fallen = (16, "broken"), (34, "kept")
    #  the broken ones leave first: after 6 more kept 10 of 50 are broken
    assert scored(*fallen, (5, "kept")).position_only
    assert not scored(*fallen, (6, "kept")).position_only


def test_who_left_early_counts_beside_it_and_not_in_it() -> None:
    promises = scored((3, "kept"), (5, "left_early"), (1, "broken"))
    assert (promises.kept, promises.broken, promises.left_early, promises.ratio) == (3, 1, 5, 0.75)
    assert scored((5, "left_early")).ratio is None
    assert not scored((60, "left_early")).position_only


def test_what_is_older_than_the_last_fifty_no_longer_counts() -> None:
    promises = scored((20, "broken"), (7, "left_early"), (50, "kept"))
    assert (promises.kept, promises.broken, promises.left_early, promises.ratio) == (50, 0, 0, 1)


def test_what_a_restarted_worker_would_not_know_is_forgotten() -> None:
    promises = scored((50, "broken"))
    promises.forget(REMEMBERED)
    assert promises.position_only
    promises.forget(REMEMBERED + 1)
    assert not promises.position_only
    assert promises.ratio is None


def test_commands_are_read_back_further_than_promises_count() -> None:
    assert REMEMBERED + MINUTE < 12 * HOUR
