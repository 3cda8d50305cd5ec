"""Which of two reports holds, what is lost, and what brings it back."""

from itertools import permutations

import pytest

from schemas.codec import Arrival
from stream import room
from stream.engine import Engine
from tests.feed import (
    PBX,
    SAFE,
    answered,
    call_ended,
    ended,
    handler,
    heartbeat,
    held,
    left,
    listed,
    offered,
    priority,
    queued,
    resumed,
    ring_no_answer,
    ringing,
    rung_back,
    snapshot,
    us,
    wrapped_up,
)
from tests.rooms import calls, figures, heard, history, queue_of, shown

PBX2 = "//mercia/pbx2"
HOUR = 3600


def in_every_order(arrivals: list[Arrival], figure: str, now: float, queue: str = "101") -> set[float | None]:
    """The values of `figure` over all orders of `arrivals`."""
    return {figures(list(order), now, queue)[figure] for order in permutations(arrivals)}


# --- registers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "holds"),
    [
        (left("a", 20), answered("a", 30, time_quality="second"), "abandoned"),  # the better clock
        (left("a", 30), answered("a", 40), "abandoned"),  # then the earlier
        (left("a", 30), answered("a", 30), "answered"),  # then the outcome of lesser rank
        (left("a", 30, "timed_out"), left("a", 30, "exited_by_key"), "exited_by_key"),
        (left("a", 30, "withdrawn"), left("a", 30, "timed_out"), "timed_out"),
        (left("a", 30, "callback_requested"), left("a", 30, "transferred_out"), "transferred_out"),
        (left("a", 30, "withdrawn"), left("a", 30, "abandoned"), "withdrawn"),
    ],
)
def test_of_two_outcomes_the_least_holds_by_clock_then_time_then_rank(
    one: Arrival, other: Arrival, holds: str
) -> None:
    assert in_every_order([queued("a", 0), one, other], holds, 100) == {1}


def test_of_two_contents_of_one_id_the_smaller_bytes_hold_and_it_is_counted() -> None:
    #  "abandoned" < "timed_out", whichever came first
    versions = [left("a", 30, "timed_out", ident="x"), left("a", 20, "abandoned", ident="x")]
    assert in_every_order([queued("a", 0), *versions], "abandoned", 100) == {1}
    anomalies = heard([queued("a", 0), *versions], 100).rooms["mercia"].counters.anomalies
    assert anomalies["same_id_other_content"] == 1


def test_a_clock_said_to_be_worse_is_the_smaller_bytes_since_exact_is_not_written() -> None:
    worse = left("a", 20, "timed_out", ident="x", time_quality="second")
    versions = [left("a", 20, "timed_out", ident="x"), worse]
    other_source = left("a", 25, source=PBX2)
    assert in_every_order([queued("a", 0), *versions, other_source], "abandoned", 100) == {1}


def test_a_queued_event_goes_before_what_a_snapshot_says() -> None:
    joined = queued("a", 3, "999")
    listing = snapshot(10, (listed("a", 1),), "101")
    assert {len(queue_of(heard(order, 20), "999").line.visits()) for order in permutations([joined, listing])} == {1}
    assert shown([listing, joined], 20, "999")["oldest_wait_seconds"] == 17.0


def test_a_true_join_time_learnt_later_moves_the_visit() -> None:
    early = queued("a", 10, time_quality="arrival")
    learnt = queued("a", 30, queued_at=2, time_quality="arrival")
    assert {shown(order, 60)["oldest_wait_seconds"] for order in permutations([early, learnt])} == {58.0}


def test_a_visit_moves_with_all_its_figures_to_the_queue_that_holds() -> None:
    wrong = queued("a", 0, "101-secondary", time_quality="second")
    order = [wrong, answered("a", 5), queued("a", 0, "101")]
    assert figures(order, 10, "101-secondary")["queued"] == 0
    assert figures(order, 10, "101")["answered"] == 1


def test_an_id_used_for_two_kinds_of_event_crashes_nothing() -> None:
    #  "agency" < "call": the wrap-up displaces what said how the visit joined
    clash = [queued("a", 0, ident="x"), wrapped_up("a", 9, source=PBX, ident="x", agency="fire"), answered("a", 5)]
    boards = [
        heard(order, 100).board("mercia", us(100)) for order in permutations([*clash, call_ended("call-a", 20)])
    ]
    assert {board["headless"] for board in boards} == {1}
    assert all(board["conservation"]["ok"] for board in boards)


def test_a_snapshot_that_shares_its_id_with_another_event_crashes_nothing() -> None:
    clash = [snapshot(10, (listed("a", 0),), ident="x"), queued("a", 2, ident="x"), answered("a", 12)]
    assert in_every_order(clash, "average_speed_of_answer", 100) == {10.0}


def test_of_two_contents_of_one_snapshot_the_smaller_bytes_hold() -> None:
    versions = [snapshot(20, (listed("a", queued_at),), ident="x") for queued_at in (5, 0)]
    assert in_every_order([*versions, answered("a", 25)], "average_speed_of_answer", 100) == {25.0}


def test_more_facts_of_a_visit_than_are_kept_give_the_same_in_any_order() -> None:
    #  fifty holds of a second, fifty of half of one; the earliest 64 marks are kept; as many moves, the last holds
    lasts = [1] * 50 + [0.5] * 50
    holds = [m for n in range(100) for m in (held("a", 20 + 2 * n), resumed("a", 20 + 2 * n + lasts[n]))]
    moves = [priority("a", n / 10, n) for n in range(100)]
    stay = [queued("a", 0), *moves, answered("a", 15), *holds, ended("a", 500), wrapped_up("a", 500)]
    assert {figures(order, 600)["average_hold_time"] for order in (stay, stay[::-1])} == {32.0}
    waits = [queued("a", 0), *moves]
    assert {shown(order, 600)["visits"][0]["priority"] for order in (waits, waits[::-1])} == {99}


def test_a_call_that_loses_its_visit_to_another_call_shows_no_wait_any_more() -> None:
    moved = [
        offered("c", 0),
        offered("d", 0),
        queued("a", 1, call="c", time_quality="second"),
        left("a", 60),
        queued("a", 1, call="d"),
    ]
    assert in_every_order(moved, "call_wait_seconds", 100) == {59.0}
    assert calls(moved, 100)["calls_open"] == 1


def test_a_visit_of_unknown_queue_is_headless_and_in_no_figure() -> None:
    engine = heard([answered("a", 5), heartbeat(0)], 10)
    assert engine.board("mercia", us(10))["headless"] == 1
    engine.tick(us(65))
    assert engine.rooms["mercia"].counters.anomalies["headless_for_60s"] == 1
    engine.apply([queued("a", 0)], us(66))
    assert engine.board("mercia", us(66))["headless"] == 0
    assert queue_of(engine).counted.ended[0] == 1


# --- lost --------------------------------------------------------------------------------------------------------


def is_lost(arrivals: list[Arrival], now: float) -> bool:
    results = {(figures(order, now)["lost"], shown(order, now)["waiting"]) for order in (arrivals, arrivals[::-1])}
    assert results in ({(1, 0)}, {(0, 1)})
    return results == {(1, 0)}


def test_two_snapshots_at_least_five_seconds_apart_prove_that_a_visit_is_gone() -> None:
    #  queued 0   snapshots without it: 10, 15
    assert not is_lost([queued("a", 0), snapshot(10)], 20)
    assert not is_lost([queued("a", 0), snapshot(10), snapshot(14.999999)], 20)
    assert is_lost([queued("a", 0), snapshot(10), snapshot(15)], 20)


def test_snapshots_before_the_last_word_of_a_visit_prove_nothing() -> None:
    for word in (priority("a", 12, 5), ringing("a", 12), ring_no_answer("a", 12), snapshot(12, (listed("a", 0),))):
        assert not is_lost([queued("a", 0), snapshot(5), snapshot(11), word, snapshot(15)], 20)


def test_a_snapshot_speaks_only_for_visits_of_its_own_source() -> None:
    assert not is_lost([queued("a", 0), snapshot(10, source=PBX2), snapshot(20, source=PBX2)], 30)


def test_a_snapshot_of_another_queue_says_nothing() -> None:
    assert not is_lost([queued("a", 0), snapshot(10, queue="999"), snapshot(20, queue="999")], 30)


def test_incomplete_parts_prove_nothing() -> None:
    half = [snapshot(at, part=1, parts=2) for at in (10, 20)]
    assert not is_lost([queued("a", 0), *half], 30)
    assert not is_lost([queued("a", 0), *half, *half], 30)
    assert is_lost([queued("a", 0), *half, *(snapshot(at, part=2, parts=2) for at in (10, 20))], 30)


def test_parts_of_another_number_are_parts_of_another_snapshot() -> None:
    mixed = [snapshot(at, part=part, parts=parts) for at in (10, 20) for part, parts in ((1, 2), (3, 3))]
    assert not is_lost([queued("a", 0), *mixed], 30)


def test_repeated_parts_do_not_keep_a_late_snapshot_from_being_whole() -> None:
    whole = [snapshot(at, part=part, parts=2) for at in range(100, 420, 16) for part in (1, 2)]
    late = [snapshot(at, part=part, parts=2) for at in (5, 11) for part in (1, 2)]
    engine = heard([*whole, *whole[::2], *late], 500)
    assert queue_of(engine).snapshots[PBX].times[:2] == [us(5), us(11)]


def test_a_visit_nobody_speaks_of_for_eight_hours_is_lost() -> None:
    waits = [queued("a", 0), priority("a", 100, 1)]
    assert not is_lost(waits, 100 + 8 * HOUR - 1)
    assert is_lost(waits, 100 + 8 * HOUR)


def test_a_digital_visit_is_lost_after_three_days() -> None:
    waits = [queued("a", 0, "digital")]
    assert shown(waits, 72 * HOUR - 1, "digital")["waiting"] == 1
    assert shown(waits, 72 * HOUR, "digital")["waiting"] == 0


def test_a_lost_visit_left_when_it_was_last_known_to_wait() -> None:
    #  queued 0   listed 40   snapshots without it: 50, 60;  known to wait 40 s: past the target
    stay = [queued("a", 0), snapshot(40, (listed("a", 0),)), snapshot(50), snapshot(60)]
    found = figures(stay, 70)
    assert (found["lost"], found["service_level_missed"], found["unknown_outcome_share"]) == (1, 1, 1.0)
    soon = figures([queued("a", 0), snapshot(50), snapshot(60)], 70)
    assert (soon["lost"], soon["service_level_excluded"], soon["service_level_missed"]) == (1, 1, 0)


def test_a_dead_feed_improves_no_other_figure() -> None:
    found = figures([queued("a", 0), snapshot(50), snapshot(60)], 70)
    assert found["service_level"] is None
    assert found["abandonment_rate"] is None
    assert found["wait_p50"] is None


def test_any_later_word_brings_a_lost_visit_back() -> None:
    stay = [queued("a", 0), snapshot(10), snapshot(20)]
    assert is_lost(stay, 30)
    assert not is_lost([*stay, snapshot(25, (listed("a", 0),))], 30)
    assert not is_lost([*stay, ringing("a", 15)], 30)
    assert figures([*stay, answered("a", 8)], 30)["answered"] == 1


def test_a_known_outcome_displaces_lost_whatever_its_time() -> None:
    #  lost as of eight hours; the answer of second 50 comes a day late
    engine = heard([queued("a", 0)], 9 * HOUR)
    engine.apply([answered("a", 50)], us(24 * HOUR))
    windows = engine.board("mercia", us(24 * HOUR))["queues"][0]["windows"]["retained"]
    assert (windows["lost"], windows["answered"]) == (0, 1)


def test_answered_visits_are_never_lost() -> None:
    assert figures([queued("a", 0), answered("a", 5), snapshot(10), snapshot(20)], 20 * HOUR)["lost"] == 0


def test_heartbeats_conclude_nothing_over_files() -> None:
    alive = [heartbeat(at) for at in range(0, 9 * HOUR, 60)]
    found = history([queued("a", 0), *alive])
    assert {value for (_, _, figure), value in found.items() if figure in ("waiting", "lost")} == {0, 1}
    assert {value for (_, _, figure), value in found.items() if figure == "waiting"} == {1}


@pytest.mark.parametrize("stays", [[], [snapshot(hour * HOUR, (listed("a", 0),)) for hour in range(1, 60, 7)]])
def test_a_late_answer_finds_a_visit_that_waited_longer_than_most(stays: list[Arrival]) -> None:
    #  digital: waits up to 72 h;  101: its switch listed it for 57 h.  Both answered an hour before they were lost.
    queue, lost_at = ("digital", 72 * HOUR) if not stays else ("101", 65 * HOUR)
    engine = heard([queued("a", 0, queue), *stays], lost_at - 2 * HOUR)
    for now in range(lost_at - 2 * HOUR, lost_at + 2 * HOUR, 1800):
        engine.tick(us(now))
    assert queue_of(engine, queue).counted.ended[8] == 1
    engine.apply([answered("a", lost_at - HOUR)], us(lost_at + 2 * HOUR))
    assert (queue_of(engine, queue).counted.ended[8], queue_of(engine, queue).counted.ended[0]) == (0, 1)


@pytest.mark.parametrize("forget", ["", "packed"])
def test_a_packed_visit_keeps_all_that_can_matter_when_it_is_spoken_of_again(
    forget: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    #  a: moved up 3, listed 30, lost by the snapshots of 40 and 50;  b and c join: a is cold;  listed again 60
    if forget:
        monkeypatch.setattr(room, "COLD_AFTER", 0)
        monkeypatch.setattr(room, "COOL_EVERY", 1)
    engine = heard([queued("a", 0), priority("a", 3, 7), snapshot(30, (listed("a", 0),))], 31)
    engine.apply([snapshot(40), snapshot(50)], us(51))
    engine.apply([queued("b", 55, priority=5), queued("c", 56), left("c", 57)], us(58))
    assert ("a" in engine.rooms["mercia"].visits) == (not forget)
    assert heard_again(engine, snapshot(25, (listed("a", 0),)), 59) == ["b"]
    found = engine.board("mercia", us(59))["queues"]
    assert (
        next(q for q in found if q["queue"] == "101")["windows"]["5m"]["service_level_missed"] == 1
    )  # known till 30
    assert heard_again(engine, snapshot(60, (listed("a", 0), listed("b", 55))), 61) == ["a", "b"]


def test_calls_are_packed_some_at_a_time_until_none_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "COOL_EVERY", 6)
    monkeypatch.setattr(room, "COOLED_TOGETHER_MAX", 2)
    engine = heard([], 0)
    gone = [event for name in "abcde" for event in (queued(name, 0), left(name, 1))]
    engine.apply([*gone, queued("f", 2 * HOUR)], us(2 * HOUR))
    left_over = []
    while len(left_over) < 4:
        left_over.append(len(engine.rooms["mercia"].visits))
        engine.tick(us(2 * HOUR))
    assert left_over == [4, 2, 1, 1]


def test_calls_that_are_forgotten_before_all_are_packed_leave_a_room_that_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(room, "COOL_EVERY", 5)
    monkeypatch.setattr(room, "COOLED_TOGETHER_MAX", 1)
    engine = heard([], 0)
    gone = [event for name in "abcdefhijklmnopqrst" for event in (queued(name, 0), left(name, 1))]
    engine.apply([*gone, queued("g", 2 * HOUR), left("g", 2 * HOUR)], us(2 * HOUR))
    for hours in (130, 131, 132):
        engine.tick(us(hours * HOUR))
    assert engine.rooms["mercia"].calls == {}
    engine.tick(us(133 * HOUR))


def heard_again(engine: Engine, arrival: Arrival, now: float) -> list[str]:
    """The line after one more event."""
    engine.apply([arrival], us(now))
    return queue_of(engine).line.visits()


# --- wrap-up from the handler's states -----------------------------------------------------------------------------

TALKED = [queued("a", 0), answered("a", 10), ended("a", 100)]


@pytest.mark.parametrize(
    ("states", "wrap_up"),
    [
        ([(100, "wrap_up"), (140, "available")], 40.0),
        ([(100, "talking"), (100, "wrap_up"), (140, "available")], 40.0),  # of two at one moment the last holds
        ([(103, "available"), (110, "wrap_up"), (150, "not_ready")], 40.0),
        ([(100, "wrap_up"), (120, "wrap_up"), (140, "available")], 40.0),
        ([(100, "wrap_up"), (120, "available"), (120, "wrap_up"), (140, "available")], 40.0),
        ([(100, "wrap_up")], None),  # still open
        ([(99, "wrap_up"), (140, "available")], None),  # began before the conversation ended
        ([(101, "talking"), (200, "wrap_up"), (240, "available")], None),  # of the next conversation
        ([(101, "logged_out"), (200, "wrap_up"), (240, "available")], None),
        ([(1901, "wrap_up"), (1940, "available")], None),  # more than half an hour after
        ([], None),
    ],
)
def test_wrap_up_is_the_next_interval_of_the_handler(states: list[tuple[float, str]], wrap_up: float | None) -> None:
    said = [handler("h1", at, state) for at, state in states]
    orders = (TALKED + said, said + TALKED, said[::-1] + TALKED[::-1], [*TALKED, *said[::-1]])
    assert {figures(order, 2 * HOUR)["average_wrap_up_time"] for order in orders} == {wrap_up}


def test_a_wrap_up_that_is_reported_goes_before_the_states() -> None:
    states = [handler("h1", 100, "wrap_up"), handler("h1", 140, "available")]
    assert figures([*TALKED, *states, wrapped_up("a", 130, source=SAFE)], 2 * HOUR)["average_wrap_up_time"] == 30.0


def test_a_state_that_comes_days_late_still_corrects_the_wrap_up() -> None:
    engine = heard([*TALKED, handler("h1", 100, "wrap_up"), handler("h1", 140, "available")], 3 * HOUR)
    for now in range(3 * HOUR, 40 * HOUR, HOUR):
        engine.tick(us(now))
    engine.apply([handler("h1", 125, "not_ready")], us(40 * HOUR))
    found = engine.board("mercia", us(40 * HOUR))["queues"][0]["windows"]["retained"]
    assert found["average_wrap_up_time"] == 25.0


# --- ring-backs ----------------------------------------------------------------------------------------------------

HUNG_UP = [offered("c", 0, "999", caller="ann"), queued("a", 0, "999", call="c"), left("a", 2)]


def due(arrivals: list[Arrival], now: float = 300) -> tuple[int, int]:
    """(ring-backs due, attempts), which do not depend on the order."""
    found = set()
    for order in (arrivals, arrivals[::-1]):
        backs = heard(order, now).board("mercia", us(now))["ring_backs_due"]
        found.add((backs["count"], backs["attempts"]))
    assert len(found) == 1
    return found.pop()


def test_an_abandoned_999_call_is_due_until_somebody_reached_the_caller() -> None:
    assert due(HUNG_UP) == (1, 0)
    assert due([*HUNG_UP, rung_back("c", 60, "no_answer"), rung_back("c", 90, "failed")]) == (1, 2)
    assert due([*HUNG_UP, rung_back("c", 60, "no_answer"), rung_back("c", 120, "reached")]) == (0, 0)


def test_a_later_answered_999_call_of_the_same_caller_ends_it() -> None:
    again = [offered("d", 60, "999", caller="ann"), queued("b", 60, "999", call="d")]
    assert due([*HUNG_UP, *again]) == (1, 0)
    assert due([*HUNG_UP, *again, answered("b", 65)]) == (0, 0)


def test_neither_another_caller_nor_an_earlier_or_other_call_ends_it() -> None:
    for at, service, caller in ((60, "999", "ben"), (-60, "999", "ann"), (60, "101", "ann")):
        other = [offered("d", at, service, caller=caller), queued("b", at, service, call="d"), answered("b", at + 5)]
        assert due([*HUNG_UP, *other]) == (1, 0)


def test_its_age_counts_from_when_the_caller_left() -> None:
    assert heard(HUNG_UP, 300).board("mercia", us(300))["ring_backs_due"]["oldest_age_seconds"] == 298.0


def test_an_answer_heard_of_late_ends_it() -> None:
    assert due([*HUNG_UP, answered("a", 1)]) == (0, 0)


def test_a_999_call_given_up_within_seconds_in_another_queue_is_due_too() -> None:
    moved = [offered("c", 0, "999"), queued("a", 0, "101", call="c"), left("a", 2)]
    assert figures(moved, 300)["abandoned_short"] == 1
    assert due(moved) == (1, 0)


def test_a_call_found_to_be_of_another_service_is_not_due() -> None:
    corrected = offered("c", -1, "101", caller="ann")
    assert due([*HUNG_UP, corrected]) == (0, 0)


def test_the_oldest_of_more_than_16_incomplete_snapshots_is_given_up_and_counted() -> None:
    engine = heard([snapshot(at, part=1, parts=2) for at in range(18)], 100)
    assert engine.rooms["mercia"].counters.anomalies["timed_out_snapshot_parts"] == 2
