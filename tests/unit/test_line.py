"""Places in a queue: by priority, then since when, then as reported at joining, then by visit id."""

from tests.feed import answered, left, offered, priority, queued, us
from tests.rooms import heard, positions, shown


def test_callers_stand_in_the_order_in_which_they_joined() -> None:
    assert positions(heard([queued("b", 2), queued("a", 1), queued("c", 3)], 10)) == {"a": 1, "b": 2, "c": 3}


def test_caller_who_hangs_up_gives_their_place_to_those_behind() -> None:
    #  101:  a(1)  b(2)  c(3)     b hangs up at 30
    assert positions(heard([queued("a", 0), queued("b", 1), queued("c", 2), left("b", 30)], 40)) == {"a": 1, "c": 2}


def test_a_higher_priority_goes_before_all_who_joined_earlier() -> None:
    line = [queued("a", 0), queued("b", 1), queued("c", 2, priority=5), queued("d", 3, priority=-1)]
    assert positions(heard(line, 10)) == {"c": 1, "a": 2, "b": 3, "d": 4}


def test_a_visit_moved_up_goes_before_the_others_and_back_when_moved_down() -> None:
    line = [queued("a", 0), queued("b", 1), queued("c", 2)]
    assert positions(heard([*line, priority("c", 10, 3)], 20)) == {"c": 1, "a": 2, "b": 3}
    down = [*line, priority("c", 15, 0), priority("c", 10, 3)]
    assert positions(heard(down, 20)) == {"a": 1, "b": 2, "c": 3}


def test_of_two_moves_at_one_moment_the_higher_holds() -> None:
    line = [queued("a", 0), queued("b", 1)]
    moves = [priority("b", 5, 2, ident="x"), priority("b", 5, -2, ident="y")]
    for order in (moves, moves[::-1]):
        assert positions(heard([*line, *order], 10)) == {"b": 1, "a": 2}


def test_equal_times_are_told_apart_by_the_reported_position_then_by_id() -> None:
    line = [queued("a", 0), queued("b", 0, position=2), queued("c", 0, position=1), queued("aa", 0)]
    assert positions(heard(line, 10)) == {"c": 1, "b": 2, "a": 3, "aa": 4}


def test_a_call_back_keeps_the_place_of_its_first_visit() -> None:
    #  a queued 0, asks for a call-back at 40; b queued 10, c queued 50
    line = [
        *(queued("a", 0, call="x"), left("a", 40, "callback_requested")),
        queued("k", 40, call="x", kind="callback", original_queued_at=0, callback_of="a"),
        *(queued("b", 10), queued("c", 50)),
    ]
    assert positions(heard(line, 60)) == {"k": 1, "b": 2, "c": 3}
    assert shown(line, 60)["waiting"] == 2


def test_a_test_call_takes_a_place_but_is_not_among_those_waiting() -> None:
    line = [offered("t", 0, test=True), queued("a", 0, call="t"), queued("b", 1)]
    assert positions(heard(line, 10)) == {"a": 1, "b": 2}
    assert shown(line, 10)["waiting"] == 1


def test_each_queue_has_its_own_line() -> None:
    engine = heard([queued("a", 0), queued("b", 1, "999"), queued("c", 2)], 10)
    assert (positions(engine), positions(engine, "999")) == ({"a": 1, "c": 2}, {"b": 1})


def test_a_join_heard_of_late_is_put_where_it_belongs() -> None:
    engine = heard([queued("a", 0), queued("c", 20)], 30)
    engine.apply([queued("b", 10)], us(31))
    assert positions(engine) == {"a": 1, "b": 2, "c": 3}


def test_the_board_shows_the_first_two_hundred_and_the_true_count() -> None:
    queue = shown([queued(f"v{number:03}", number) for number in range(250)], 300)
    assert (queue["waiting"], len(queue["visits"]), queue["visits"][-1]["position"]) == (250, 200, 200)


def test_a_report_that_changes_nothing_moves_nobody() -> None:
    line = [queued("a", 0), queued("b", 1), answered("z", 5), queued("a", 0)]
    assert positions(heard(line, 10)) == {"a": 1, "b": 2}
