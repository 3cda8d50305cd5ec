"""The expected wait: hand-worked numbers, every case in which it is undefined, and independence of order."""

from random import Random

import pytest

from schemas import events as ev
from schemas.codec import Arrival
from schemas.moments import MINUTE, SECOND
from schemas.prompts import WAIT_MINUTES
from stream.announcements import MORE_THAN_THIRTY, minutes_for
from stream.engine import Engine
from stream.expected_wait import Estimator, Rates, waits
from stream.profile import Profile
from tests.feed import (
    CENTRE,
    answered,
    ended,
    handler,
    heartbeats,
    left,
    offered,
    priority,
    queued,
    us,
)
from tests.hours import NOW, an_hour, profile
from tests.rooms import heard


def rates(**changed: int) -> Rates:
    given = {
        "staff_share": 2 * 10**9,
        "handle_time": 300 * SECOND,
        "higher": 0,
        "abandons": 0,
        "waited": 3600 * SECOND,
    }
    return Rates(**{**given, **changed})


def in_seconds(of: Rates, positions: int = 3) -> list[float] | None:
    found = waits(of, positions)
    return None if found is None else [wait / SECOND for wait in found]


def test_two_handlers_with_calls_of_five_minutes_take_one_caller_each_150_seconds() -> None:
    #  s·µ = 2/300; nobody gives up: EWT(p) = p · 150 s
    assert in_seconds(rates()) == [150, 300, 450]


def test_callers_who_give_up_shorten_the_wait_of_those_behind() -> None:
    #  θ = 10/3600; EWT(2) = 1/(2/300) + 1/(2/300 + 1/360) = 150 + 105.882353
    #  EWT(3) = … + 1/(2/300 + 2/360) = … + 81.818182
    assert in_seconds(rates(abandons=10)) == [150, 255.882353, 337.700535]


def test_before_an_hour_was_waited_one_in_360_seconds_gives_up() -> None:
    #  θ = 1/360, whatever the few who waited did
    assert in_seconds(rates(abandons=9, waited=3599 * SECOND)) == [150, 255.882353, 337.700535]


def test_emergencies_take_their_share_of_the_same_people() -> None:
    #  λ_hi = 3/900: 2/300 − 1/300 = 1/300
    assert in_seconds(rates(higher=3)) == [300, 600, 900]


def test_a_queue_that_hardly_drains_has_no_expected_wait() -> None:
    #  s·µ = 2/200 = 0.01; λ_hi = 8/900 leaves 0.00111 > 0.001; 9/900 leaves 0
    assert in_seconds(rates(handle_time=200 * SECOND, higher=8), 1) == [900]
    assert in_seconds(rates(handle_time=200 * SECOND, higher=9), 1) is None
    #  exactly a tenth is too little: s·µ = 10/900, λ_hi = 9/900
    assert in_seconds(rates(staff_share=10**9, handle_time=90 * SECOND, higher=9), 1) is None


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [(0, 2), (100, 2), (100.000001, 5), (250, 5), (251, 10), (750, 15), (1500, 30), (1500.01, MORE_THAN_THIRTY)],
)
def test_a_fifth_is_added_and_the_next_time_that_can_be_said_is_taken(seconds: float, minutes: int) -> None:
    assert minutes_for(round(seconds * SECOND)) == minutes
    assert minutes == MORE_THAN_THIRTY or minutes in WAIT_MINUTES


def expected(events: list[Arrival], position: int = 3, now: float = NOW, **level: int) -> float | None:
    """EWT of the caller at `position` of 101, in seconds."""
    room = heard(events, now).rooms[CENTRE]
    estimator = Estimator(room)
    estimator.begin(us(now))
    wait = estimator.wait(room.queues["101"], level.get("level", 0), position)
    return None if wait is None else wait / SECOND


def test_three_handlers_and_an_hour_of_answers() -> None:
    #  1/(3/300) + 1/(3/300 + 1/360) + 1/(3/300 + 2/360) = 100 + 78.260870 + 64.285714
    assert expected(an_hour()) == 242.546584


def test_who_serves_another_queue_half_of_the_time_counts_half() -> None:
    #  h1 answered as many of another queue at the same priority: s = 1/2 + 1 + 1; 1/(2.5/300) = 120
    others = []
    for number in range(6):
        visit, at = f"i{number}", 600 * number - 60
        others += [queued(visit, at, "internal"), answered(visit, at + 10, "h1")]
    assert expected([*an_hour(), *others], 1) == 120


def test_emergencies_are_taken_out_by_their_arrivals_alone() -> None:
    #  h1 answered three emergencies in 15 minutes and six in the hour before: s stays 3; 3/300 − 3/900 = 1/150
    events = an_hour()
    for number, at in enumerate((100, 200, 300, 400, 500, 600, 2750, 3000, 3300)):
        events += [offered(f"call-e{number}", at, "999"), queued(f"e{number}", at, "999")]
        events += [answered(f"e{number}", at + 1, "h1"), ended(f"e{number}", at + 60)]
    assert expected(events, 1) == 150


def test_emergencies_that_other_people_served_take_nothing() -> None:
    events = [*an_hour(), handler("h9", 1, "available", queues=("999",))]
    for number in range(9):
        events += [queued(f"e{number}", 3000 + number, "999"), answered(f"e{number}", 3100, "h9")]
    assert expected(events, 1) == 100


def test_an_emergency_that_still_waits_for_the_same_people_counts() -> None:
    #  3/300 − 1/900 = 8/900
    both = [handler(name, 2, "available", queues=("101", "999")) for name in ("h1", "h2", "h3")]
    assert expected([*an_hour(), *both, queued("e", NOW - 5, "999")], 1) == 112.5


def test_somebody_moved_up_in_the_same_line_goes_first() -> None:
    #  d stands first, at priority 10: it is ahead in the line and an arrival of higher priority
    moved = [*an_hour(), queued("d", NOW - 20), priority("d", NOW - 10, 10)]
    assert expected(moved, 2) == pytest.approx(112.5 + 1 / (8 / 900 + 1 / 360))
    #  to d itself nobody is of higher priority
    assert expected(moved, 1, level=10) == 100


def test_call_backs_ahead_count_in_the_position() -> None:
    back = queued("k", NOW - 20, kind="callback", original_queued_at=NOW - 400, call="x")
    engine = heard([*an_hour(), back], NOW)
    line = engine.rooms[CENTRE].queues["101"].line
    assert line.visits() == ["k", "a", "b", "c"]


def test_under_twenty_handled_the_profile_fills_up() -> None:
    #  12 handled in the hour, of 300 s each; the profile says 600 s: (12·300 + 8·600)/20 = 420; 420/3 = 140
    #  T0 is a Tuesday, 08:00 local; now is 09:00
    assert expected([*an_hour(), profile(aht=600, minute=9 * 60)], 1) == 140
    #  a slot of another hour says nothing: then it is the mean of the last two days, 300
    assert expected([*an_hour(), profile(aht=600, minute=7 * 60)], 1) == 100


def without_handlers() -> list[Arrival]:
    return [each for each in an_hour() if not isinstance(each.event, ev.HandlerState | ev.HandlerSnapshot)]


def test_without_a_word_of_handlers_no_wait_is_expected() -> None:
    assert expected(without_handlers()) is None


@pytest.mark.parametrize("state", ["not_ready", "logged_out"])
def test_with_nobody_staffed_no_wait_is_expected(state: str) -> None:
    gone = [handler(name, NOW - 100, state) for name in ("h1", "h2", "h3")]
    assert expected([*an_hour(), *gone]) is None


def test_when_more_than_three_in_ten_went_within_a_minute_no_wait_is_expected() -> None:
    gone = handler("h3", NOW - 59, "logged_out")
    assert expected([*an_hour(), gone]) is None
    #  a minute later that is known to last: two handlers, 150 s
    assert expected([*an_hour(), gone], 1, now=NOW + 2) == 150
    #  one of four is not that many
    fourth = handler("h4", 1, "available", queues=("101",))
    assert expected([*an_hour(), fourth, gone], 1) == 100


def test_with_fewer_than_five_answers_in_half_an_hour_no_wait_is_expected() -> None:
    #  answers at −200, 100 … 3100: the last five of them are from 1900 on
    assert expected(an_hour(), now=3699) is not None
    assert expected(an_hour(), now=3701) is None


def test_where_nobody_knows_how_long_a_call_takes_no_wait_is_expected() -> None:
    unknown = [each for each in an_hour() if not isinstance(each.event, ev.VisitWrappedUp)]
    assert expected(unknown) is None
    assert expected([*unknown, profile(aht=300, minute=9 * 60)]) == 242.546584


def test_the_same_facts_in_any_order_give_the_same_wait() -> None:
    events = an_hour()
    for number in range(5):
        events += [queued(f"e{number}", 3000 + number, "999"), answered(f"e{number}", 3100 + number, "h1")]
        events += [queued(f"l{number}", 2000 + number), left(f"l{number}", 2900)]
    in_order = expected(events)
    assert in_order is not None
    for seed in range(5):
        shuffled = events + events[::3]
        Random(seed).shuffle(shuffled)
        assert expected(shuffled) == in_order


def test_an_answer_that_turns_out_to_have_been_anothers_counts_for_the_other() -> None:
    #  two handlers report the answer; the earlier report holds, whichever came first
    events = [*an_hour(), queued("x", 3300), queued("y", 3300, "internal")]
    reports = [answered("y", 3400, "h2"), answered("y", 3390, "h1")]
    assert expected(events + reports) == expected(events + reports[::-1]) != expected(events)


def test_what_passed_three_hours_ago_is_forgotten() -> None:
    engine = Engine(Profile())
    engine.apply(an_hour(), us(NOW))
    engine.tick(us(NOW))
    flow = engine.rooms[CENTRE].flow
    assert flow is not None
    assert set(flow.served) == {"h1", "h2"}
    later = NOW + 4 * 60 * MINUTE // SECOND
    engine.apply(heartbeats(later - 3, later), us(later))
    engine.tick(us(later))
    assert not flow.served
    assert set(flow.waiting["101"]) == set("abc")
