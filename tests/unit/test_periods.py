"""Where windows begin and end: rolling ones, London's days, and the intervals of history."""

import pytest

from schemas.moments import SECOND, parse, rfc3339
from stream.windows import day_start, next_day_start
from tests.feed import T0, answered, heartbeat, heartbeats, left, queued, us
from tests.rooms import figures, heard, history, shown

A_BIT = 0.000001
HOUR = 3600


def seconds(moment: str) -> float:
    """A moment as seconds after `T0`."""
    return (parse(moment) - T0) / SECOND


def test_a_rolling_window_begins_at_the_whole_second_after_as_of_less_its_length() -> None:
    #  as_of 300.5: five minutes reach from 1.0 on
    assert figures([queued("a", 1)], 300.5, window="5m")["queued"] == 1
    assert figures([queued("a", 1 - A_BIT)], 300.5, window="5m")["queued"] == 0


def test_at_a_whole_second_the_window_begins_one_second_after_as_of_less_its_length() -> None:
    assert figures([queued("a", 1)], 300, window="5m")["queued"] == 1
    assert figures([queued("a", 1 - A_BIT)], 300, window="5m")["queued"] == 0


@pytest.mark.parametrize(
    ("window", "length"), [("5m", 300), ("15m", 900), ("30m", 1800), ("60m", HOUR), ("6h", 6 * HOUR)]
)
def test_each_rolling_window_has_its_length(window: str, length: int) -> None:
    stay = [queued("a", 0), left("a", 0)]
    assert figures(stay, length - 1 + 0.999999, window=window)["queued"] == 1
    assert figures(stay, length, window=window)["queued"] == 0


def test_what_happens_at_as_of_is_in_and_what_happens_later_is_not() -> None:
    stay = [queued("a", 0, queued_at=20)]
    assert figures(stay, 20 - A_BIT, window="5m")["queued"] == 0
    assert figures(stay, 20, window="5m")["queued"] == 1


def test_a_visit_is_placed_by_its_joining_and_its_outcome_by_its_end() -> None:
    #  queued 0, answered 400: as of 500, five minutes know the answer but not the joining
    found = figures([queued("a", 0), answered("a", 400)], 500, window="5m")
    assert (found["queued"], found["answered"], found["average_speed_of_answer"]) == (0, 1, 400.0)


def test_today_begins_at_midnight_in_london() -> None:
    midnight = seconds("2026-06-01T23:00:00Z")  # 00:00 on 2 June, British Summer Time
    before, after = queued("a", midnight - A_BIT), queued("b", midnight)
    assert figures([before, after], midnight + 60, window="today")["queued"] == 1
    assert figures([before], midnight - A_BIT, window="today")["queued"] == 1


@pytest.mark.parametrize(
    ("noon", "starts", "ends", "hours"),
    [
        ("2026-03-29T12:00:00Z", "2026-03-29T00:00:00.000000Z", "2026-03-29T23:00:00.000000Z", 23),
        ("2026-10-25T12:00:00Z", "2026-10-24T23:00:00.000000Z", "2026-10-26T00:00:00.000000Z", 25),
        ("2026-11-24T12:00:00Z", "2026-11-24T00:00:00.000000Z", "2026-11-25T00:00:00.000000Z", 24),
    ],
)
def test_days_of_23_and_25_hours_exist(noon: str, starts: str, ends: str, hours: int) -> None:
    at = parse(noon)
    assert (rfc3339(day_start(at)), rfc3339(next_day_start(at))) == (starts, ends)
    assert next_day_start(at) - day_start(at) == hours * HOUR * SECOND
    assert day_start(day_start(at)) == day_start(at)


@pytest.mark.parametrize("midnight", ["2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z"])
def test_history_by_day_counts_a_visit_each_hour_of_a_day_of_odd_length(midnight: str) -> None:
    start = seconds(midnight)
    hourly = [queued(f"v{hour}", start + hour * HOUR) for hour in range(-2, 30)]
    end = next_day_start(us(start))
    found = history(hourly, window="1d")
    assert found[rfc3339(us(start)), "101", "queued"] == (end - us(start)) // (HOUR * SECOND)
    assert found[rfc3339(day_start(us(start) - 1)), "101", "queued"] == 2


def test_an_interval_of_history_holds_its_start_and_not_its_end() -> None:
    #  08:00          08:15          08:30
    edges = [queued("a", 0), queued("b", 900 - A_BIT), queued("c", 900)]
    found = history(edges, window="15m", end=us(1800))
    assert found["2026-11-24T08:00:00.000000Z", "101", "queued"] == 2
    assert found["2026-11-24T08:15:00.000000Z", "101", "queued"] == 1


def test_a_period_counts_from_its_start_up_to_and_without_its_end() -> None:
    stays = [queued("a", 99), queued("b", 100), queued("c", 200 - A_BIT), queued("d", 200)]
    found = history(stays, start=us(100), end=us(200))
    assert found[rfc3339(us(100)), "101", "queued"] == 2


def test_history_knows_nothing_of_what_happened_after_as_of() -> None:
    found = history([queued("a", 0), answered("a", 50)], as_of=us(50 - A_BIT))
    assert (found[rfc3339(T0), "101", "waiting"], found[rfc3339(T0), "101", "answered"]) == (1, 0)


def test_without_as_of_history_ends_at_the_last_event_that_is_no_heartbeat() -> None:
    found = history([queued("a", 0), queued("b", 40), heartbeat(500)])
    assert found[rfc3339(T0), "101", "oldest_wait"] == 40.0


def test_an_oldest_wait_is_never_negative() -> None:
    ahead = [queued("a", 0, queued_at=60)]
    assert history(ahead)[rfc3339(T0), "101", "oldest_wait"] == 0.0
    assert shown(ahead, 0)["oldest_wait_seconds"] == 0.0


def test_coverage_is_the_share_of_the_window_in_which_the_feed_was_alive() -> None:
    #  heartbeats 0..100, silence, 200..300; each keeps the feed alive for 15 s: dead 114..201 of 1..300
    beats = [*heartbeats(0, 99), *heartbeats(201, 300)]
    coverage = heard(beats, 300).board("mercia", us(300))["coverage"]["5m"]
    assert coverage == pytest.approx((299 - 87) / 299)


def test_a_source_that_once_sent_a_heartbeat_has_to_be_alive() -> None:
    beats = [*heartbeats(0, 300), *heartbeats(0, 140, 5)]
    other = [heartbeat(at, source="//mercia/safe") for at in range(0, 140, 5)]
    coverage = heard([*beats, *other], 300).board("mercia", us(300))["coverage"]["5m"]
    assert coverage == pytest.approx((150 - 1) / 299)
