"""When a row of a queue_log was written: whole seconds, microseconds, and the two nights when clocks change."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.moments import moment
from telephony.queue_log_rows import Fault, Row, Rows

LONDON = ZoneInfo("Europe/London")


def read(*times: str, zone: ZoneInfo | None = LONDON, channel: str = "NONE") -> list[Row | Fault]:
    """What rows of these times give, in the order of their lines."""
    rows = Rows(zone)
    told = [each for time in times for each in rows.push(f"{time}|{channel}|101|NONE|INFO\n".encode())]
    return sorted([*told, *rows.end()], key=lambda each: each.line)


def utc(*times: str, **options: str) -> list[str]:
    """The same as hours, minutes and seconds in UTC; what has no moment as "refused"."""
    told = read(*times, **options)  # type: ignore[arg-type]
    return [f"{moment(each.at):%H:%M:%S}" if isinstance(each, Row) else "refused" for each in told]


@pytest.mark.parametrize(
    ("time", "at", "quality"),
    [
        ("1795507200", "2026-11-24T08:00:00Z", "second"),
        ("1795507200.250000", "2026-11-24T08:00:00.25Z", "exact"),
        ("2026-11-24 08:00:00", "2026-11-24T08:00:00Z", "second"),
        ("2026-11-24 08:00:00.5", "2026-11-24T08:00:00.5Z", "second"),
        ("2026-11-24 08:00:00.123", "2026-11-24T08:00:00.123Z", "exact"),
        ("2026-06-24 08:00:00.123456", "2026-06-24T07:00:00.123456Z", "exact"),
    ],
)
def test_time_is_as_exact_as_it_is_written(time: str, at: str, quality: str):
    (row,) = read(time)
    assert isinstance(row, Row)
    assert (moment(row.at), row.quality) == (datetime.fromisoformat(at).astimezone(UTC), quality)


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("2026-13-01 08:00:00", "has a time that no calendar has"),
        ("2026-03-29 01:30:00", "has a time that Europe/London skipped when the clocks went forward"),
        ("24/11/2026 08:00", "does not begin with epoch seconds or with a time as in 2026-11-24 08:00:00"),
        ("1", "does not begin with epoch seconds or with a time as in 2026-11-24 08:00:00"),
    ],
)
def test_time_that_cannot_be_is_refused_with_the_reason(time: str, why: str):
    (fault,) = read(time)
    assert fault == Fault(1, why)


def test_local_time_without_a_zone_is_refused_and_epoch_seconds_need_none():
    fault, row = read("2026-11-24 08:00:00", "1795507200", zone=None)
    assert fault == Fault(1, "has a local time, and no time zone was given (--timezone)")
    assert isinstance(row, Row)


def test_clocks_going_forward_leave_no_doubt():
    assert utc("2026-03-29 00:59:59", "2026-03-29 02:00:00") == ["00:59:59", "01:00:00"]


def test_rows_before_and_after_the_step_back_tell_the_two_hours_apart():
    #  BST until 02:00, then GMT from 01:00 on
    times = ("00:59:00", "01:10:00", "01:50:00", "01:05:00", "01:40:00", "02:00:00")
    assert utc(*(f"2026-10-25 {time}" for time in times)) == [
        *("23:59:00", "00:10:00", "00:50:00", "01:05:00", "01:40:00", "02:00:00")
    ]


def test_without_a_step_back_the_rows_of_the_hour_that_came_twice_are_refused():
    told = read("2026-10-25 00:59:00", "2026-10-25 01:10:00", "2026-10-25 01:50:00", "2026-10-25 02:00:00")
    why = "has a time that came twice when the clocks went back, and the rows around it do not say which it is"
    assert told[1:3] == [Fault(2, why, undecided=True), Fault(3, why, undecided=True)]
    assert all(isinstance(row, Row) for row in (told[0], told[3]))


def test_rows_that_change_places_within_seconds_are_no_step_back():
    assert utc("2026-10-25 01:10:02", "2026-10-25 01:10:00", "2026-10-25 02:00:00")[:2] == ["refused", "refused"]


def test_row_between_others_whose_moment_is_sure_is_decided_by_them():
    #  a log of which part is in epoch seconds: 01:20 and 01:40 GMT, then 00:20 and 00:40 (that is BST) the other way
    assert utc("1792891200", "2026-10-25 01:30:00", "1792892400") == ["01:20:00", "01:30:00", "01:40:00"]
    assert utc("1792887600", "2026-10-25 01:30:00", "1792888800") == ["00:20:00", "00:30:00", "00:40:00"]


def test_row_is_not_older_than_its_channel():
    #  the channel began at 01:20 GMT, so what it wrote at 01:30 was not at 01:30 BST
    assert utc("2026-10-25 01:30:00", channel="pbx1-1792891200.7") == ["01:30:00"]
    assert utc("2026-10-25 01:30:00", channel="1792887600.7") == ["refused"]


def test_row_that_fits_nowhere_is_refused():
    assert utc("1792895000", "2026-10-25 01:30:00", "1792896000")[1] == "refused"


def test_every_row_of_a_night_in_another_zone_is_placed():
    #  New York goes back at 06:00 UTC
    zone = ZoneInfo("America/New_York")
    times = ("00:30:00", "01:30:00", "01:15:00", "02:00:00")
    told = read(*(f"2026-11-01 {time}" for time in times), zone=zone)
    assert [f"{moment(each.at):%H:%M}" for each in told if isinstance(each, Row)] == [
        *("04:30", "05:30", "06:15", "07:00")
    ]
