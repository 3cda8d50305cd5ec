"""What the callers of a room are told as things happen: faults seen elsewhere, promises, and what is usual."""

from collections.abc import Iterable
from typing import Any

import pytest

from schemas import events as ev
from schemas.codec import Arrival
from schemas.moments import micros
from schemas.outputs import Cancellation, Command
from stream.engine import Engine
from stream.profile import Profile
from tests.feed import (
    CENTRE,
    answered,
    event,
    handler,
    handlers,
    heartbeat,
    left,
    offered,
    priority,
    queued,
    ringing,
    us,
    when,
)
from tests.hours import NOW, an_hour, profile

PLAYS_FOR = 6


class Live:
    """A room that lives second by second; what is said is kept, and played unless `plays` is False."""

    plays = True

    def __init__(self, events: Iterable[Arrival] = (), start: float = 0) -> None:
        self.engine = Engine(Profile())
        self.said: list[Command] = []
        self.cancelled: list[Cancellation] = []
        self.second = start
        self.hear(*events)

    def hear(self, *events: Arrival) -> None:
        """Events that are known at once."""
        for arrival in events:
            self._take(self.engine.apply([arrival], us(self.second)))

    def until(self, second: float, *events: Arrival) -> None:
        """Let time pass, with heartbeats and `events` when they happen."""
        coming = sorted(events, key=lambda arrival: arrival.at)
        while self.second < second:
            self.second += 1
            due = [arrival for arrival in coming if arrival.at <= us(self.second)]
            coming = coming[len(due) :]
            if self.plays:
                over = us(self.second - PLAYS_FOR)
                due += [
                    became_of(each, "played", self.second) for each in self.said if micros(each.issued_at) == over
                ]
            self._take(self.engine.apply([*due, heartbeat(self.second)], us(self.second)))
            self._take(self.engine.tick(us(self.second)))

    def to(self, visit: str) -> list[tuple[float, tuple[str, ...]]]:
        """(second, pieces) of all that was said to a visit."""
        return [((micros(each.issued_at) - us(0)) / 1e6, each.pieces) for each in self.said if each.visit == visit]

    def _take(self, effects: Any) -> None:
        self.said += effects.commands
        self.cancelled += effects.cancellations


def joined(*visits: str, at: float = 0) -> list[Arrival]:
    return [each for visit in visits for each in (offered(f"call-{visit}", at), queued(visit, at))]


WELCOME = ("way-out", "welcome", "online")
THANKS = ("thank-you-for-waiting", "place-kept")

# --- faults seen elsewhere ---------------------------------------------------------------------------------------


def test_no_dead_air_an_answer_stops_what_is_being_said_in_the_same_step() -> None:
    live = Live()
    live.until(48, *joined("a"), answered("a", 48))
    assert live.to("a") == [(1, WELCOME), (46, ("position-1",))]
    assert [(each.cancels, each.reason, each.issued_at) for each in live.cancelled] == [
        (live.said[1].id, "answered", when(48))
    ]


def test_nothing_is_said_over_the_call_taker() -> None:
    live = Live()
    live.until(300, *joined("a"), answered("a", 20))
    assert live.to("a") == [(1, WELCOME)]


def test_a_key_press_while_the_position_plays_is_heeded_at_once() -> None:
    live = Live()
    live.until(50, *joined("a"), left("a", 47, "exited_by_key"))
    assert live.to("a") == [(1, WELCOME), (46, ("position-1",))]
    assert [(each.cancels, each.reason) for each in live.cancelled] == [(live.said[1].id, "left")]


def test_a_call_back_keeps_its_place_and_those_behind_are_told_so() -> None:
    #  k asked to be called back and stands where they stood: before b
    live = Live()
    call_back = queued("k", 10, call="call-a", kind="callback", original_queued_at=0, callback_of="a")
    live.until(60, *joined("a"), *joined("b", at=5), left("a", 9, "callback_requested"), call_back)
    assert live.to("b") == [(5, WELCOME), (50, ("position-2",))]
    assert live.to("k") == []


def test_who_was_seventh_is_not_told_to_be_eighth_but_that_an_emergency_went_first() -> None:
    live = Live()
    others = [f"v{number}" for number in range(6)]
    live.until(120, *joined(*others), *joined("seventh", "tail", at=1), priority("tail", 60, 10))
    assert live.to("seventh") == [(1, WELCOME), (46, ("position-7",)), (91, ("emergency-first", "place-kept"))]


def test_who_is_pushed_back_by_a_call_back_is_told_nothing_of_emergencies() -> None:
    #  x is of higher priority, and was when b was told to be second; k, heard of late, stands before b too
    live = Live()
    late = queued("k", 70, call="call-k", kind="callback", original_queued_at=3, callback_of="j")
    live.until(150, *joined("b", at=5), offered("call-x", 6), queued("x", 6, priority=5), late)
    assert live.to("b") == [(5, WELCOME), (50, ("position-2",))]


def test_on_drift_there_is_silence() -> None:
    live = Live()
    live.until(29, *joined("a"))
    live.engine.rooms[CENTRE].queues["101"].drift["//mercia/pbx1"] = 1
    live.until(200)
    assert live.to("a") == [(1, WELCOME)]


def test_at_the_head_with_a_handler_ringing_there_is_silence() -> None:
    live = Live()
    live.until(200, *joined("a"), ringing("a", 20))
    assert live.to("a") == [(1, WELCOME)]


# --- what becomes of commands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "begins"), [("failed", "way-out"), ("expired", "way-out"), ("played", "position-1")]
)
def test_a_way_out_that_failed_is_said_with_the_next_words(outcome: str, begins: str) -> None:
    live = Live()
    live.plays = False
    live.until(2, *joined("a"))
    live.hear(became_of(live.said[0], outcome, 3))
    live.until(60)
    assert live.to("a")[1][1][0] == begins


def became_of(command: Command, outcome: str, at: float) -> Arrival:
    return event(
        ev.AnnouncementOutcome,
        ev.AnnouncementOutcomeData,
        at,
        source=f"//{CENTRE}/announcer",
        announcement=command.id,
        visit=command.visit,
        outcome=outcome,
    )


# --- promises ----------------------------------------------------------------------------------------------------


def an_hour_later() -> Live:
    """Three handlers, calls of 300 s, and a, b, c who have waited for 30 s: EWT 100, 178 and 243 s."""
    live = Live(an_hour(), start=NOW - 1)
    live.until(NOW)
    return live


def test_a_promise_is_the_wait_with_a_fifth_on_top_and_says_when_it_ends() -> None:
    live = an_hour_later()
    first = {command.visit: command for command in live.said}
    assert {visit: command.pieces for visit, command in first.items()} == {
        "a": ("way-out", "position-1", "wait-2"),
        "b": ("way-out", "position-2", "wait-5"),
        "c": ("way-out", "position-3", "wait-5"),
    }
    assert (first["a"].wait_minutes, first["a"].text.split(". ")[-1]) == (
        2,
        "You should be answered in less than two minutes.",
    )


def test_promises_are_kept_broken_or_left_early() -> None:
    live = an_hour_later()
    live.until(NOW + 130, answered("b", NOW + 100, "h2"), left("c", NOW + 110))
    promises = live.engine.rooms[CENTRE].queues["101"].promises
    assert (promises.kept, promises.broken, promises.left_early) == (1, 1, 1)
    assert live.engine.rooms[CENTRE].queues["101"].counters.promises == {"kept": 1, "broken": 1, "left_early": 1}
    [shown] = [queue for queue in board(live)["queues"] if queue["queue"] == "101"]
    assert shown["promises"] == {"kept": 1, "broken": 1, "left_early": 1, "ratio": 0.5, "position_only": False}


def board(live: Live) -> Any:
    return live.engine.board(CENTRE, us(live.second))


def test_an_answer_heard_of_a_moment_late_still_keeps_the_promise() -> None:
    live = an_hour_later()
    live.until(NOW + 123)
    live.hear(answered("a", NOW + 119.5, "h1"))
    live.until(NOW + 130)
    assert live.engine.rooms[CENTRE].queues["101"].promises.kept == 1


def test_on_a_dead_feed_no_promise_is_judged() -> None:
    live = an_hour_later()
    for second in range(NOW + 1, NOW + 600):
        live.engine.tick(us(second))
    promises = live.engine.rooms[CENTRE].queues["101"].promises
    assert (promises.broken, len(promises.open)) == (0, 3)


def test_after_an_apology_a_caller_hears_positions_only() -> None:
    live = an_hour_later()
    live.until(NOW + 400)
    said = [pieces for _, pieces in live.to("a")]
    assert said[1][0] == "apology"
    assert [pieces for pieces in said[2:] if any(piece.startswith("wait") for piece in pieces)] == []


def test_a_queue_that_broke_too_many_promises_says_positions_and_is_still_judged() -> None:
    live = Live(an_hour(), start=NOW - 1)
    live.engine.rooms[CENTRE].queues["101"].promises.position_only = True
    live.until(NOW)
    [first] = [command for command in live.said if command.visit == "a"]
    assert (first.kind, first.pieces, first.wait_minutes, first.unspoken_minutes) == (
        *("position", ("way-out", "position-1")),
        *(None, 2),
    )
    live.until(NOW + 10, answered("a", NOW + 5, "h1"))
    assert live.engine.rooms[CENTRE].queues["101"].promises.kept == 1


# --- what is usual -----------------------------------------------------------------------------------------------


def slow_hour() -> list[Arrival]:
    """The same hour with two of the three gone home long ago, so that the third caller waits for a long time."""
    gone = [handler(name, NOW - 1800, "logged_out") for name in ("h2", "h3")]
    return [*an_hour(), handlers(NOW - 1800, {"h1": "talking"}), *gone]


def test_a_quieter_time_is_named_where_a_profile_knows_one() -> None:
    #  one handler: EWT(3) = 1/(1/300) + 1/(1/300+1/360) + … = 300 + 163.6 + 112.5 = 576 s, so 15 minutes;
    #  a quarter is 144 s; T0 is 08:00 on a Tuesday
    live = Live([*slow_hour(), profile(aht=300, minute=20 * 60, wait_median=140)], start=NOW - 1)
    live.until(NOW + 50)
    assert [pieces for _, pieces in live.to("c")] == [
        ("way-out", "position-3", "wait-15"),
        ("quieter-after", "time-20-00"),
    ]
    assert [command.quieter for command in live.said if command.kind == "quieter_times"] == ["20:00"]


@pytest.mark.parametrize(
    "changed",
    [
        {"wait_median": 150},  # more than a quarter
        {"n": 3},  # of three weeks only
        {"minute": 21 * 60 + 30},  # more than 12 hours away
        {"minute": 20 * 60 + 15},  # cannot be said
        {"weekday": 2},  # of another day
        {"queue": "internal"},  # of another queue
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_no_other_time_is_called_quieter(changed: dict[str, Any]) -> None:
    given = {"aht": 300, "minute": 20 * 60, "wait_median": 140, **changed}
    live = Live([*slow_hour(), profile(**given)], start=NOW - 1)
    live.until(NOW + 50)
    assert [pieces for _, pieces in live.to("c")] == [("way-out", "position-3", "wait-15")]


def test_without_a_profile_no_time_is_called_quieter() -> None:
    live = Live(slow_hour(), start=NOW - 1)
    live.until(NOW + 50)
    assert [pieces for _, pieces in live.to("c")] == [("way-out", "position-3", "wait-15")]


def test_of_two_profiles_the_one_computed_last_holds_and_only_for_two_days() -> None:
    older, newer = profile(600, 9 * 60, at=0), profile(900, 9 * 60, at=10)
    for order in ([older, newer], [newer, older]):
        habits = Live(order).engine.rooms[CENTRE].habits
        assert habits.handle_time("101", us(NOW)) == 900_000_000
        assert habits.handle_time("101", us(NOW + 7 * 86_400)) is None
    assert when(NOW).hour == 9
