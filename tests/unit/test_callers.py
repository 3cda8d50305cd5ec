"""Distinct callers of a day from 04:00, worked by hand."""

from datetime import date
from typing import Any

from schemas.codec import Arrival
from schemas.events import CallerToken
from schemas.moments import parse
from stream.callers import day_of
from stream.history import History, Period
from stream.profile import Profile
from tests.feed import T0, in_order, offered, us
from tests.rooms import heard

SECONDS_TO_FOUR = (parse("2026-11-25T04:00:00Z") - T0) // 1_000_000


def by(call: str, at: float, *tokens: str, day: int = 24, **more: Any) -> Arrival:
    """An offered call that carries `tokens` under the key of a day of November."""
    pairs = tuple(CallerToken(date(2026, 11, day), token) for token in tokens)
    return offered(call, at, caller_tokens=pairs, **more)


def told(*arrivals: Arrival, **period: Any) -> list[tuple[str, str, str, Any]]:
    history = History(Profile(), Period(**period))
    list(history.take(in_order(list(arrivals))))
    return [
        (row["from"][8:16], row["to"][8:16], row["figure"], row["value"])
        for row in history.rows()
        if row["figure"].startswith("unique_callers")
    ]


def test_a_caller_who_rings_twice_is_one_and_the_share_that_can_be_told_is_beside_it() -> None:
    assert told(by("a", 0, "ann"), by("b", 60, "ben"), by("c", 90, "ann"), offered("withheld", 100)) == [
        ("24T04:00", "25T04:00", "unique_callers", 2),
        ("24T04:00", "25T04:00", "unique_callers_coverage", 0.75),
    ]


def test_a_day_ends_at_four_and_the_tokens_of_both_keys_count_for_their_own_day() -> None:
    before, after = SECONDS_TO_FOUR - 1, SECONDS_TO_FOUR
    both = (CallerToken(date(2026, 11, 24), "ann"), CallerToken(date(2026, 11, 25), "annie"))
    calls = [
        by("a", before, "ann"),
        offered("b", after, caller_tokens=both),
        by("c", after + 9_000, "annie", day=25),
    ]
    assert [value for *_, value in told(*calls)] == [1, 1.0, 1, 1.0]


def test_station_phones_agencies_shared_numbers_and_tests_are_nobody() -> None:
    assert told(
        by("a", 0, "ann", origin="station_phone"),
        by("b", 1, "ben", origin="other_agency"),
        by("c", 2, "cid", caller_state="shared"),
        by("d", 3, "dan", test=True),
        by("e", 4, "eve", origin="diverted_mobile"),
    ) == [
        ("24T04:00", "25T04:00", "unique_callers", 1),
        ("24T04:00", "25T04:00", "unique_callers_coverage", 0.25),
    ]


def test_a_day_that_was_asked_for_in_part_says_which_part() -> None:
    calls = [by("a", 0, "ann"), by("b", 3600, "ben")]
    assert told(*calls, start=us(1800), end=us(7200), window="1d")[0] == (
        "24T08:30", "24T10:00", "unique_callers", 1,
    )  # fmt: skip


def test_the_board_shows_today_and_takes_back_what_was_corrected() -> None:
    calls = [by("a", 0, "ann"), by("b", 1, "ben"), by("b", 1, "ann", time_quality="exact", source="//mercia/a")]
    shown = heard(calls, 60).board("mercia", us(60))["callers"]
    assert shown == {"from": "2026-11-24T04:00:00.000000Z", "unique_callers": 1, "unique_callers_coverage": 1.0}
    tomorrow = us(SECONDS_TO_FOUR)
    assert heard(calls, SECONDS_TO_FOUR).board("mercia", tomorrow)["callers"]["unique_callers"] == 0


def test_days_of_23_and_25_hours_go_from_four_to_four_on_the_wall() -> None:
    spring, autumn = day_of(parse("2026-03-28T12:00:00Z")), day_of(parse("2026-10-24T12:00:00+01:00"))
    assert (spring.end - spring.start, autumn.end - autumn.start) == (23 * 3600 * 10**6, 25 * 3600 * 10**6)
