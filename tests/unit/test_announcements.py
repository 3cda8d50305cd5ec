"""What one caller is told, moment by moment: the policy alone, and each fault that was seen elsewhere."""

from typing import Any

import pytest

from schemas.moments import MINUTE, SECOND
from stream.announcements import (
    MORE_THAN_TEN,
    MORE_THAN_THIRTY,
    Policy,
    Say,
    Situation,
    Spoken,
    decide,
    pieces_of,
    remember,
)

POLICY = Policy()


class Caller:
    """One caller of 101 who joined at second 0; what they are told counts as spoken."""

    def __init__(self, **always: Any) -> None:
        self.spoken = Spoken()
        self.always = {"announce": "position_with_way_out", "service": "101", "channel": "voice", **always}

    def at(self, second: float, position: int = 3, wait: float | None = None, **more: Any) -> tuple[str, ...] | None:
        """The pieces that are said at `second`, with an expected wait of so many seconds; None for silence."""
        said, ask_at = decide(self._situation(second, position, wait, more), self.spoken, POLICY)
        assert ask_at is None or ask_at > second * SECOND
        if said is None:
            return None
        remember(self.spoken, said, "command", round(second * SECOND))
        return pieces_of(said)

    def _situation(self, second: float, position: int, wait: float | None, more: dict[str, Any]) -> Situation:
        given = {"head_is_ringing": False, "fresh": True, "drift": False, **self.always, **more}
        reckoned = None if wait is None else round(wait * SECOND)
        return Situation(now=round(second * SECOND), queued_at=0, position=position, wait=reckoned, **given)


def welcomed(**always: Any) -> Caller:
    caller = Caller(**always)
    assert caller.at(2) == ("way-out", "welcome", "online")
    return caller


# --- rule by rule ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("always", [{"service": "999"}, {"channel": "text_relay"}, {"announce": "never"}])
def test_where_nothing_may_be_spoken_nothing_is_at_any_time(always: dict[str, str]) -> None:
    caller = Caller(**always)
    assert [caller.at(second, wait=60) for second in (0, 5, 30, 120, 3600)] == [None] * 5


def test_whatever_is_spoken_first_begins_with_the_way_out() -> None:
    assert Caller().at(30) == ("way-out", "position-3")
    assert Caller().at(40, wait=60) == ("way-out", "position-3", "wait-2")


def test_a_way_out_that_was_not_heard_is_said_again() -> None:
    caller = welcomed()
    caller.spoken.way_out_in = None
    assert caller.at(47) == ("way-out", "position-3")
    assert caller.at(92, 2) == ("position-2",)


def test_a_first_number_comes_with_its_wait_not_before_thirty_seconds() -> None:
    caller = Caller(announce="position_with_way_out")
    assert caller.at(6, wait=60) is None
    assert caller.at(29.9, wait=60) is None
    assert caller.at(30, wait=60) == ("way-out", "position-3", "wait-2")


def test_position_and_wait_are_each_said_when_they_alone_are_better() -> None:
    caller = welcomed()
    assert caller.at(47, 5, 500) == ("position-5", "wait-10")
    assert caller.at(92, 4, 450) == ("position-4",)
    assert caller.at(137, 4, 240) == ("wait-5",)
    assert caller.at(182, 4, 240) is None
    assert caller.at(227, 3, 60) == ("position-3", "wait-2")


def test_ten_is_said_exactly_and_beyond_it_is_more_than_ten_once() -> None:
    caller = welcomed()
    assert caller.at(47, 14) == ("position-more-than-10",)
    assert caller.at(92, 12) is None
    assert caller.at(137, 10) == ("position-10",)


def test_more_than_thirty_minutes_is_said_once_and_promises_nothing() -> None:
    caller = welcomed()
    assert caller.at(47, 9, 3000) == ("position-9", "wait-more-than-30")
    assert caller.spoken.aloud.deadline is None
    assert caller.at(92, 8, 3000) == ("position-8",)
    assert caller.at(137, 8, 1500) == ("wait-30",)
    assert caller.at(137 + 1800, 7, 3000) == ("apology",)


def test_a_shorter_wait_that_ends_after_the_deadline_is_not_said() -> None:
    #  "less than ten minutes" at 47 ends at 647: at 527 "less than two" ends at 647, a second later it is too late
    caller = welcomed()
    assert caller.at(47, 3, 500) == ("position-3", "wait-10")
    assert caller.at(527.1, 3, 100) == ("thank-you-for-waiting", "place-kept")
    again = welcomed()
    again.at(47, 3, 500)
    assert again.at(527, 3, 100) == ("wait-2",)


def test_a_promised_time_that_passed_is_apologised_for_once_with_a_new_one_and_then_no_more_times() -> None:
    caller = welcomed()
    assert caller.at(47, 3, 60) == ("position-3", "wait-2")
    assert caller.at(166, 3, 400) is None
    assert caller.at(167, 3, 400) == ("apology", "wait-10")
    assert caller.at(212, 2, 60) == ("position-2",)
    assert caller.at(767, 2, 60) == ("thank-you-for-waiting", "place-kept")
    assert caller.at(812, 1, 60) == ("position-1",)


def test_an_apology_names_no_time_where_none_may_be_said() -> None:
    for more in ({}, {"wait": 400, "position_only": True}):
        caller = welcomed()
        caller.at(47, 3, 60)
        assert caller.at(167, 3, **more) == ("apology",)


def test_who_is_pushed_back_by_an_emergency_hears_that_the_place_is_kept() -> None:
    caller = welcomed()
    assert caller.at(47, 3) == ("position-3",)
    assert caller.at(92, 4, overtaken=True) == ("emergency-first", "place-kept")
    assert caller.at(140, 4, overtaken=True) is None
    assert caller.at(160, 5, overtaken=True) == ("emergency-first", "place-kept")
    assert caller.at(205, 3, overtaken=True) is None
    assert caller.at(250, 2, overtaken=True) == ("position-2",)


def test_who_waits_longer_because_emergencies_wait_hears_so_once() -> None:
    caller = welcomed()
    assert caller.at(47, 3, 240) == ("position-3", "wait-5")
    assert caller.at(92, 3, 500) is None
    assert caller.at(100, 3, 500, emergencies_wait=True) == ("emergency-first", "place-kept")
    assert caller.at(145, 3, 500, emergencies_wait=True) is None


def test_nobody_is_told_of_emergencies_before_they_were_told_a_number() -> None:
    assert welcomed().at(47.0, 3, overtaken=True) == ("position-3",)
    caller = welcomed()
    assert caller.at(47, 12, overtaken=True) == ("position-more-than-10",)
    assert caller.at(92, 15, overtaken=True) is None


def test_a_quieter_time_is_named_once_to_who_waits_long() -> None:
    caller = welcomed()
    assert caller.at(47, 3, 600, quieter_after=20 * 60 + 30) == ("position-3", "wait-15")
    assert caller.at(92, 3, 600, quieter_after=20 * 60 + 30) == ("quieter-after", "time-20-30")
    assert caller.at(137, 3, 600, quieter_after=20 * 60 + 30) is None


def test_no_quieter_time_is_named_to_who_waits_less_than_ten_minutes_nor_where_waits_are_doubtful() -> None:
    for wait, more in ((240, {}), (600, {"position_only": True})):
        caller = welcomed()
        caller.at(47, 3, wait, **more)
        assert caller.at(92, 3, wait, quieter_after=0, **more) is None


def test_a_queue_that_broke_its_promises_says_positions_and_counts_in_silence() -> None:
    caller = welcomed()
    said, _ = decide(caller._situation(47, 3, 240, {"position_only": True}), caller.spoken, POLICY)
    assert said == Say("position", 3, unspoken_minutes=5)
    assert pieces_of(said) == ("position-3",)


def test_colleagues_hear_positions_only() -> None:
    caller = Caller(announce="position")
    assert caller.at(3, wait=60) is None
    assert caller.at(30, 3, 60, quieter_after=0) == ("position-3",)
    assert caller.at(150, 3, 60, quieter_after=0) == ("thank-you-for-waiting", "place-kept")


@pytest.mark.parametrize(
    "why",
    [{"fresh": False}, {"drift": True}, {"position": 1, "head_is_ringing": True}],
    ids=lambda why: next(iter(why)),
)
def test_silence_goes_before_all_that_is_due(why: dict[str, Any]) -> None:
    caller = welcomed()
    caller.at(47, 3, 60)
    assert caller.at(500, **({"position": 1, "wait": 60} | why)) is None
    assert caller.at(501, 1, 60) == ("apology", "wait-2")


def test_two_starts_are_forty_five_seconds_apart_whatever_is_due() -> None:
    caller = welcomed()
    assert caller.at(46.9, 1, 60) is None
    assert caller.at(47, 1, 60) == ("position-1", "wait-2")


# --- faults seen elsewhere ---------------------------------------------------------------------------------------


def test_eighth_having_been_seventh_is_never_said() -> None:
    caller = welcomed()
    assert caller.at(47, 7) == ("position-7",)
    assert caller.at(92, 8) is None
    assert caller.at(167, 8) == ("thank-you-for-waiting", "place-kept")
    assert caller.at(212, 6) == ("position-6",)


def test_speaking_on_improvement_only_does_not_mean_never_speaking() -> None:
    #  no number said yet is not 0
    assert welcomed().at(47, 7) == ("position-7",)


def test_a_spoken_wait_does_not_grow_once_the_caller_waited_past_the_average() -> None:
    caller = welcomed()
    assert caller.at(47, 2, 240) == ("position-2", "wait-5")
    waits = [caller.at(second, 2, 240 + second) for second in range(92, 347, 15)]
    assert {piece for said in waits if said for piece in said} == {"thank-you-for-waiting", "place-kept"}


def test_the_head_of_the_queue_is_not_talked_to_while_a_handler_is_rung() -> None:
    caller = welcomed()
    assert caller.at(47, 1, 30, head_is_ringing=True) is None
    assert caller.at(48, 1, 30) == ("position-1", "wait-2")


def test_a_second_caller_hears_on_while_the_first_is_rung() -> None:
    assert welcomed().at(47, 2, 60, head_is_ringing=True) == ("position-2", "wait-2")


def test_what_was_remembered_is_what_was_spoken() -> None:
    spoken = Spoken()
    remember(spoken, Say("position_and_wait", MORE_THAN_TEN, MORE_THAN_THIRTY, with_way_out=True), "c1", 10 * SECOND)
    remember(spoken, Say("position_and_wait", 4, 20), "c2", 60 * SECOND)
    assert (spoken.number, spoken.aloud.minutes, spoken.aloud.deadline) == (4, 20, 60 * SECOND + 20 * MINUTE)
    assert (spoken.way_out_in, spoken.aloud.beyond_said, spoken.last_start_at) == ("c1", True, 60 * SECOND)
