import io

import orjson
import pytest
from rich.console import Console, RenderableType

from agents.terminal import Word, plain_line, show_announcements, show_room, view
from schemas import events as ev
from schemas.codec import Arrival, new_event
from schemas.moments import SECOND, micros, moment, parse
from schemas.outputs import Command
from stream.engine import Engine
from stream.profile import Profile

START = parse("2026-11-24T08:00:00Z")
CENTRE = "west-mercia"


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


class Line:
    """A control room's queue as a timeline, and the board it gives."""

    def __init__(self, queue: str = "101") -> None:
        self.queue = queue
        self.engine = Engine(Profile(targets={queue: Profile().target(queue)}))
        self.count = 0

    def say(self, cls, data, seconds: float) -> None:
        self.count += 1
        event = new_event(cls, data, id=str(self.count), source=f"//{CENTRE}/pbx1", time=moment(at(seconds)))
        self.engine.apply([Arrival(event, micros(event.time), micros(event.time))], at(seconds))

    def joins(self, visit: str, seconds: float) -> None:
        service = self.queue if self.queue == "999" else "101"
        self.say(ev.CallOffered, ev.CallOfferedData(centre=CENTRE, call=visit, service=service), seconds)
        self.say(
            ev.VisitQueued, ev.VisitQueuedData(centre=CENTRE, call=visit, visit=visit, queue=self.queue), seconds
        )

    def answered(self, visit: str, seconds: float) -> None:
        self.say(ev.VisitAnswered, ev.VisitAnsweredData(centre=CENTRE, visit=visit, handler="h1"), seconds)

    def gives_up(self, visit: str, seconds: float) -> None:
        self.say(ev.VisitLeft, ev.VisitLeftData(centre=CENTRE, visit=visit, reason="abandoned"), seconds)

    def board(self, seconds: float) -> dict:
        return orjson.loads(orjson.dumps(self.engine.board(CENTRE, at(seconds))))


def text_of(shown: RenderableType, width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, record=True)
    console.print(shown)
    return console.export_text()


def row_of(board: dict, seconds: float, queue: str = "101") -> list[str]:
    shown = text_of(show_room(view(board, at(seconds))))
    return next(line.split() for line in shown.splitlines() if f" {queue} " in line)


def test_an_oldest_wait_grows_between_boards():
    line = Line()
    line.joins("a", 0)
    board = line.board(5)
    assert view(board, at(5)).queues[0].oldest_wait == 5
    assert view(board, at(9)).queues[0].oldest_wait == 9
    assert "8 s" in " ".join(row_of(board, 8.7))


def test_a_figure_without_data_is_a_dash_and_not_a_percentage():
    line = Line()
    line.joins("a", 0)
    line.joins("b", 1)
    board = line.board(2)
    # waiting, call-backs, oldest, in target, its target, abandoned, speed of answer, today
    assert row_of(board, 2) == ["●", "OK", "101", "2", "0", "2", "s", "–", "80%,", "30", "s", "–", "–", "2"]


def test_a_missed_target_is_said_in_a_word_and_a_shape():
    line = Line()
    for number in range(10):
        line.joins(f"v{number}", number)
    for number in range(10):
        line.answered(f"v{number}", number + (10 if number < 7 else 40))
    board = line.board(50)
    [queue] = view(board, at(50)).queues
    assert (queue.service_level, queue.service_level_word, queue.word) == (0.7, Word.WATCH, Word.WATCH)
    row = row_of(board, 50)
    assert row[:3] == ["▲", "WATCH", "101"]
    assert row[6:8] == ["▲", "70%"]


@pytest.mark.parametrize(("missed", "word"), [(4, Word.WATCH), (5, Word.ACT)])
def test_a_handful_of_calls_is_no_ground_to_act(missed, word):
    line = Line("999")
    for number in range(missed):
        line.joins(f"v{number}", number)
        line.answered(f"v{number}", number + 15)
    assert view(line.board(40), at(40)).queues[0].service_level_word is word


def test_a_long_wait_is_judged_by_the_limits_of_its_queue():
    line = Line("999")
    line.joins("a", 0)
    board = line.board(5)
    assert view(board, at(9)).queues[0].oldest_word is Word.OK
    assert view(board, at(11)).queues[0].oldest_word is Word.WATCH
    assert view(board, at(31)).queues[0].oldest_word is Word.ACT


def test_abandonment_is_judged_by_the_limits_of_its_queue_once_there_are_enough():
    line = Line()
    for number in range(5):
        line.joins(f"v{number}", number)
        line.gives_up(f"v{number}", number + 20)
    assert view(line.board(22), at(22)).queues[0].abandonment_word is Word.WATCH
    assert view(line.board(25), at(25)).queues[0].abandonment_word is Word.ACT


def test_the_share_in_target_is_cut_not_rounded_up_to_the_target():
    line = Line("999")
    for number in range(100):
        line.joins(f"v{number}", number)
        line.answered(f"v{number}", number + (1 if number < 89 else 11))
    assert "89%" in " ".join(row_of(line.board(120), 120, "999"))


def test_a_late_feed_a_dead_feed_and_an_empty_queue_look_different():
    line = Line()
    line.joins("a", 0)
    line.answered("a", 10)
    board = line.board(10)
    empty = text_of(show_room(view(board, at(12))))
    late = text_of(show_room(view(board, at(26))))
    dead = text_of(show_room(view(board, at(41))))
    assert "feed live, data 2.0 s old" in empty
    assert "100%" in empty
    assert "FEED LATE, data 16.0 s old" in late
    assert "100%" in late
    assert "FEED DEAD, no live data since" in dead
    assert "100%" not in dead


def test_counts_that_do_not_add_up_are_said():
    board = board_with(conservation={"ok": False})
    assert "counts do not add up" in text_of(show_room(view(board, at(6))))


def board_with(**members) -> dict:
    line = Line()
    line.joins("a", 0)
    return line.board(5) | members


def test_everything_fits_eighty_columns_and_names_are_not_markup():
    line = Line("101-secondary")
    line.joins("a", 0)
    board = line.board(5) | {"centre": "[bold]west[/bold]"}
    shown = text_of(show_room(view(board, at(4000))), width=80) + text_of(show_room(view(board, at(5))), width=80)
    assert "[bold]west[/bold]" in shown
    assert "101-secondary" in shown
    assert "…" not in shown


def test_the_plain_line_says_the_same_without_colour():
    line = Line()
    line.joins("a", 0)
    board = line.board(5)
    assert plain_line(view(board, at(6))) == (
        "west-mercia: feed live, data 6.0 s old | 101 OK: 1 waiting, oldest 6 s, – in 30 s, – abandoned"
    )
    assert plain_line(view(board, at(100))).startswith("west-mercia: FEED DEAD, no live data since")


def test_announcements_say_to_which_queue_and_not_to_whom():
    command = Command(
        id="visit-17:3:1",
        centre=CENTRE,
        visit="visit-17",
        call="call-17",
        queue="101",
        source=f"//{CENTRE}/pbx1",
        channel_ref="PJSIP/trunk-17",
        epoch=3,
        kind="position",
        language="en",
        text="You are next. " * 20,
        issued_at=moment(at(0)),
        expires_at=moment(at(5)),
    )
    [line] = text_of(show_announcements([command])).splitlines()[1:]
    assert "west-mercia 101 You are next." in line
    assert "17" not in line
