"""Every formula on numbers worked by hand. Queue 101: target 30 s, an abandon under 5 s is short."""

import pytest

from stream.profile import Profile, QueueTarget
from tests.feed import (
    SECOND,
    answered,
    call_ended,
    ended,
    held,
    left,
    offered,
    queued,
    refused,
    resumed,
    us,
    wrapped_up,
)
from tests.rooms import calls, figures, heard, queue_of, shown

A_BIT = 0.000001

#  101   |0....5........10........20........30........40........60|
#  met         answered 10            answered 29.999999
#  missed                                 answered 30   abandoned 40   timed out 60   never answered
#  short  abandoned 4
#  long         abandoned 5
#  over                      timed out 20
#  left out         by key 10
ONE_OF_EACH = [
    *(queued(visit, 0) for visit in "abcdefghij"),
    answered("a", 10),
    answered("b", 30 - A_BIT),
    answered("c", 30),
    left("d", 40),
    left("e", 60, "timed_out"),
    left("f", 4),
    left("g", 5),
    left("h", 20, "timed_out"),
    left("i", 10, "exited_by_key"),
]


def test_service_level_counts_each_visit_in_exactly_one_result() -> None:
    found = figures(ONE_OF_EACH, 100)
    results = {
        name: found[f"service_level_{name}"] for name in ("met", "missed", "abandoned_short", "abandoned_long")
    }
    assert results == {"met": 2, "missed": 4, "abandoned_short": 1, "abandoned_long": 1}
    assert (found["service_level_timed_out"], found["service_level_excluded"]) == (1, 1)


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("service_level", 0.25),  # A / (A + X + B_long + O) = 2 / (2 + 4 + 1 + 1)
        ("service_level_negative", 0.222222222),  # A / (A + B + X + O) = 2 / (2 + 2 + 4 + 1)
        ("service_level_ignore", 0.285714286),  # A / (A + X + O) = 2 / (2 + 4 + 1)
        ("service_level_positive", 0.444444444),  # (A + B) / (A + B + X + O) = 4 / 9
        ("service_level_published", 0.666666667),  # answered under 30 s / answered = 2 / 3
        ("average_speed_of_answer", 23.333333),  # (10 + 29.999999 + 30) / 3
        ("time_to_abandon", 22.5),  # (40 + 5) / 2, without the short one
        ("abandonment_rate", 0.285714286),  # 2 / (3 + 2 + 2)
        ("abandonment_rate_including_short", 0.375),  # 3 / (3 + 2 + 1 + 2)
        ("abandonment_rate_30s", 0.1),  # after more than 30 s: d, of 10 queued
        ("abandonment_rate_30s_still_waiting", 1),
        ("unknown_outcome_share", 0.0),
    ],
)
def test_formulas_on_one_visit_of_each_kind(formula: str, value: float) -> None:
    assert figures(ONE_OF_EACH, 100)[formula] == value


def test_a_visit_answered_after_exactly_the_target_is_missed() -> None:
    assert figures([queued("a", 0), answered("a", 30)], 60)["service_level"] == 0.0
    assert figures([queued("a", 0), answered("a", 30 - A_BIT)], 60)["service_level"] == 1.0


def test_a_stuck_queue_drags_the_figure_down_when_the_target_is_missed() -> None:
    #  a queued at 0 and never answered: missed at 30 exactly, not when somebody finally answers
    waiting = [queued("a", 0)]
    assert figures(waiting, 30 - A_BIT)["service_level"] is None
    assert figures(waiting, 30)["service_level"] == 0.0
    late = [*waiting, answered("a", 1000)]
    assert figures(late, 1000, window="5m")["service_level"] is None  # the event was at 30, over five minutes ago
    assert figures(late, 1000, window="5m")["service_level_published"] == 0.0


def test_with_nothing_in_the_window_a_ratio_is_no_data() -> None:
    found = figures([queued("a", 0), answered("a", 5)], 10_000, window="5m")
    assert (found["queued"], found["answered"]) == (0, 0)
    empty = ("service_level", "abandonment_rate", "abandonment_rate_30s", "average_speed_of_answer", "wait_p90")
    assert [found[name] for name in empty] == [None] * len(empty)


def test_bands_are_below_ten_seconds_below_a_minute_and_from_a_minute_on() -> None:
    waits = {"a": 10 - A_BIT, "b": 10, "c": 60 - A_BIT, "d": 60}
    found = figures([event for v, wait in waits.items() for event in (queued(v, 0), answered(v, wait))], 100)
    assert found["answered_under_10s"] == 0.25
    assert found["answered_10s_to_60s"] == 0.5
    assert found["answered_from_60s"] == 0.25


def test_abandoned_after_exactly_thirty_seconds_is_not_after_more_than_thirty() -> None:
    stays = [queued("a", 0), left("a", 30), queued("b", 0), left("b", 30 + A_BIT)]
    assert figures(stays, 100)["abandonment_rate_30s"] == 0.5


def test_the_30_second_cohort_belongs_to_when_it_queued() -> None:
    #  a queued at 0, abandoned at 400: in the cohort of its first minutes, not in that of the last five
    stays = [queued("a", 0), left("a", 400), queued("b", 390)]
    assert figures(stays, 400, window="5m")["abandonment_rate_30s"] == 0.0
    assert figures(stays, 400, window="15m")["abandonment_rate_30s"] == 0.5
    assert figures(stays, 400, window="5m")["abandoned"] == 1


def test_a_short_abandon_is_shorter_than_the_limit_not_as_long() -> None:
    found = figures([queued("a", 0), left("a", 5 - A_BIT), queued("b", 0), left("b", 5)], 100)
    assert (found["abandoned_short"], found["abandoned"]) == (1, 1)


def test_every_abandon_of_999_counts() -> None:
    assert figures([queued("a", 0, "999"), left("a", 0.1)], 100, "999")["abandonment_rate"] == 1.0


def test_only_the_first_visit_of_a_call_can_be_short() -> None:
    #  call c:  101 [0..20 transferred out]  101-secondary [20..22 abandoned]
    stays = [
        queued("a", 0, call="c"),
        left("a", 20, "transferred_out"),
        queued("b", 20, "101-secondary", call="c"),
        left("b", 22),
    ]
    found = figures(stays, 100, "101-secondary")
    assert (found["abandoned_short"], found["abandoned"]) == (0, 1)


def test_which_visit_is_the_first_is_known_however_late_it_is_heard_of() -> None:
    second = [queued("b", 20, "101-secondary", call="c"), left("b", 22)]
    first = [queued("a", 0, call="c"), left("a", 20, "transferred_out")]
    assert figures(second, 100, "101-secondary")["abandoned_short"] == 1
    assert figures(second + first, 100, "101-secondary")["abandoned"] == 1


def test_service_level_from_transfer_starts_its_clock_at_the_hand_over() -> None:
    #  999, target 10 s:  handed over -6, queued 0, answered 4: 4 s by our clock, 10 s by the caller's
    stays = [offered("c", 0, "999", transferred_at=-6), queued("a", 0, "999", call="c"), answered("a", 4)]
    found = figures(stays, 100, "999")
    assert (found["service_level"], found["service_level_from_transfer"]) == (1.0, 0.0)


def test_service_level_from_transfer_is_no_data_where_the_feed_does_not_carry_it() -> None:
    stays = [offered("c", 0, "999"), queued("a", 0, "999", call="c"), answered("a", 4)]
    assert figures(stays, 100, "999")["service_level_from_transfer"] is None


def test_the_wait_of_a_call_is_that_of_all_its_visits_beside_the_queue_it_joined_first() -> None:
    #  call c:  offered -10   101 [0..40 transferred out]   101-secondary [45..105 answered]
    stays = [
        offered("c", -10),
        queued("a", 0, call="c"),
        left("a", 40, "transferred_out"),
        queued("b", 45, "101-secondary", call="c"),
        answered("b", 105),
    ]
    assert figures(stays, 200)["call_wait_seconds"] == 100.0
    assert figures(stays, 200, "101-secondary")["call_wait_seconds"] is None


def test_handle_time_is_talk_and_hold_and_wrap_up() -> None:
    #  answered 10   held 30..50   ended 100   wrapped up 160:  talk 70, hold 20, wrap-up 60
    stay = [queued("a", 0), answered("a", 10), held("a", 30), resumed("a", 50), ended("a", 100), wrapped_up("a", 160)]
    found = figures(stay, 200)
    parts = ("average_talk_time", "average_hold_time", "average_wrap_up_time", "average_handle_time")
    assert [found[part] for part in parts] == [70.0, 20.0, 60.0, 150.0]
    assert found["settled"] == 1


def test_handling_is_settled_half_an_hour_after_the_end_when_nobody_reports_a_wrap_up() -> None:
    stay = [queued("a", 0), answered("a", 10), ended("a", 100)]
    assert figures(stay, 1900 - A_BIT)["settled"] == 0
    assert figures(stay, 1900)["settled"] == 1


def test_an_unknown_wrap_up_is_unknown_and_never_nought() -> None:
    #  a: talk 90, wrap-up 60;  b: talk 30, wrap-up unknown
    stays = [
        *(queued("a", 0), answered("a", 10), ended("a", 100), wrapped_up("a", 160)),
        *(queued("b", 0), answered("b", 10), ended("b", 40)),
    ]
    found = figures(stays, 4000)
    assert (found["average_wrap_up_time"], found["wrap_up_time_coverage"]) == (60.0, 0.5)
    assert (found["average_talk_time"], found["talk_time_coverage"]) == (60.0, 1.0)
    assert (found["average_handle_time"], found["handle_time_coverage"]) == (150.0, 0.5)


def test_talk_without_an_end_is_unknown_after_eight_hours() -> None:
    stay = [queued("a", 0), answered("a", 10)]
    eight_hours = 10 + 8 * 3600
    assert figures(stay, eight_hours - 1)["settled"] == 0
    found = figures(stay, eight_hours)
    assert (found["settled"], found["talk_time_coverage"], found["average_talk_time"]) == (1, 0.0, None)
    assert (found["answered"], found["lost"]) == (1, 0)


def test_an_open_hold_ends_with_the_conversation_and_repeats_change_nothing() -> None:
    #  held 20, held again 25, resumed 40, resumed again 45, held 90, ended 100:  hold 20 + 10
    stay = [
        *(queued("a", 0), answered("a", 10), ended("a", 100), wrapped_up("a", 100)),
        *(held("a", 20), held("a", 25), resumed("a", 40), resumed("a", 45), held("a", 90)),
    ]
    found = figures(stay, 200)
    assert (found["average_hold_time"], found["average_talk_time"]) == (30.0, 60.0)


def test_a_hold_of_an_abandoned_visit_is_nobodys_handling() -> None:
    found = figures([queued("a", 0), held("a", 10), left("a", 60), ended("a", 70), wrapped_up("a", 80)], 100)
    assert (found["settled"], found["average_hold_time"]) == (0, None)


def test_a_negative_wait_is_nought_and_counted() -> None:
    stay = [queued("a", 10), answered("a", 8)]
    engine = heard(stay, 100)
    assert figures(stay, 100)["average_speed_of_answer"] == 0.0
    assert engine.rooms["mercia"].counters.anomalies["negative_duration"] == 1


def test_negative_talk_and_wrap_up_are_nought() -> None:
    found = figures([queued("a", 0), answered("a", 50), ended("a", 40), wrapped_up("a", 30)], 100)
    assert [found[f"average_{part}_time"] for part in ("talk", "hold", "wrap_up", "handle")] == [0.0] * 4


def test_percentiles_are_by_nearest_rank_over_all_outcomes_but_lost() -> None:
    #  waits 1..10 s answered, 90 and 100 s abandoned: the 50th of 12 is the 6th, the 90th the 11th
    stays = [event for n in range(1, 11) for event in (queued(f"a{n}", 0), answered(f"a{n}", n))]
    stays += [queued("b", 0), left("b", 90), queued("c", 0), left("c", 100)]
    found = figures(stays, 200)
    assert found["wait_p50"] == pytest.approx(6, rel=0.01)
    assert found["wait_p90"] == pytest.approx(90, rel=0.01)
    assert found["wait_answered_p50"] == pytest.approx(5, rel=0.01)
    assert found["wait_answered_p95"] == pytest.approx(10, rel=0.01)


def test_a_wait_of_nought_is_told_exactly() -> None:
    assert figures([queued("a", 0), answered("a", 0)], 10)["wait_answered_p50"] == 0.0


def test_waiting_and_the_oldest_wait_are_as_of_now() -> None:
    queue = shown([queued("a", 0), queued("b", 7), queued("c", 3), answered("a", 5)], 20)
    assert (queue["waiting"], queue["oldest_wait_seconds"]) == (2, 17.0)


def test_the_oldest_wait_grows_when_the_stream_falls_silent() -> None:
    engine = heard([queued("a", 0)], 5)
    assert [engine.board("mercia", us(now))["queues"][0]["oldest_wait_seconds"] for now in (5, 65)] == [5.0, 65.0]


def test_call_backs_are_outside_all_figures_of_callers_waiting() -> None:
    #  a asks for a call-back at 40; its place is held by visit k, reached at 2000
    stays = [
        *(queued("a", 0, call="c"), left("a", 40, "callback_requested")),
        queued("k", 40, call="c", kind="callback", original_queued_at=0, callback_of="a"),
    ]
    queue = shown(stays, 1000)
    assert (queue["waiting"], queue["callbacks_waiting"], queue["oldest_wait_seconds"]) == (0, 1, None)
    found = figures([*stays, answered("k", 2000)], 3000)
    assert (found["queued"], found["answered"], found["callback_requested"]) == (1, 0, 1)
    assert found["service_level_missed"] == 1  # a itself waited past the target
    assert (found["abandonment_rate"], found["average_speed_of_answer"]) == (None, None)


def test_test_calls_are_in_no_figure() -> None:
    stays = [offered("c", 0, test=True), queued("a", 0, call="c"), answered("a", 5)]
    assert figures(stays, 100)["queued"] == 0
    assert calls(stays, 100)["calls_offered"] == 0


def test_a_call_found_to_be_a_test_later_leaves_every_figure() -> None:
    stays = [queued("a", 0, call="c"), answered("a", 5)]
    assert figures([*stays, offered("c", 0, test=True)], 100)["answered"] == 0


def test_every_offered_call_is_in_exactly_one_state() -> None:
    found = calls(
        [
            *(offered("a", 0), queued("va", 5, call="a"), call_ended("a", 90)),
            *(offered("b", 1), refused("b", 2, "closed")),
            *(offered("c", 2, "999"), call_ended("c", 3)),
            *(offered("d", 3, "chat", channel="digital", origin="internal"),),
        ],
        100,
    )
    states = ("with_visit", "refused", "ended_before_queue", "open")
    assert [found[f"calls_{state}"] for state in states] == [1, 1, 1, 1]
    assert (found["calls_offered"], found["calls_refused_closed"]) == (4, 1)
    assert (found["calls_service_101"], found["calls_service_999"], found["calls_service_other"]) == (2, 1, 1)
    assert (found["calls_channel_voice"], found["calls_channel_digital"]) == (3, 1)
    assert (found["calls_origin_unknown"], found["calls_origin_internal"]) == (3, 1)


def test_a_target_of_ones_own_changes_what_is_missed() -> None:
    strict = Profile().with_target("101", QueueTarget(service="101", threshold=10 * SECOND, short_limit=0))
    assert figures(ONE_OF_EACH, 100, profile=strict)["service_level_met"] == 0


def test_counters_count_first_conclusions_and_corrections_apart() -> None:
    #  a is concluded lost after eight hours; then its answer is heard of after all
    engine = heard([queued("a", 0)], 8 * 3600)
    counters = queue_of(engine).counters
    before = list(counters.ended)
    engine.apply([answered("a", 50)], us(8 * 3600 + 1))
    assert (before, counters.ended) == ([0, 0, 0, 0, 0, 0, 0, 0, 1], before)
    assert (counters.queued, counters.corrections) == (1, {(8, 0): 1})
    assert queue_of(engine).counted.ended[0] == 1
