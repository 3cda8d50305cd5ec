"""How a board looks in a terminal, and as one plain line.

Values are judged by the targets the board carries, and a judgement is a word with a shape (OK, WATCH, ACT), never a
colour alone. A dead feed, a late feed and an empty queue look different: when the data are older than 30 s their
values are not shown at all. What ages by itself (waits, the data) is aged to the moment of showing, in µs.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from schemas.moments import SECOND, moment, parse
from schemas.outputs import Command

WINDOW = "15m"
LIVE_UP_TO = 15
LATE_UP_TO = 30
"""Ages of data in seconds (definitions of the wallboard)."""
BURN_ACT = 2.5
"""ACT when the misses use up the allowance this many times as fast as they may."""
FAILURES_MIN = 5
"""Fewer are no ground to ACT: a ratio of a handful of calls is noise."""
NO_DATA = "–"


_LEGEND = f"in target, abandoned, ASA (speed of answer): last {WINDOW}; today: queued"
_HEADERS = (
    "\nwaiting",
    "call-\nbacks",
    "\noldest",
    "in\ntarget",
    "\ntarget",
    "aban-\ndoned",
    "\nASA",
    "\ntoday",
)


class Word(IntEnum):
    """A judgement, the worse the greater."""

    OK = 0
    WATCH = 1
    ACT = 2


_LOOKS = {Word.OK: ("●", "green"), Word.WATCH: ("▲", "yellow"), Word.ACT: ("■", "bold red")}
FeedState = Literal["live", "late", "dead", "unknown"]
_FEED_LOOKS: dict[FeedState, tuple[str, str]] = {
    "live": ("●", "green"),
    "late": ("▲", "bold black on yellow"),
    "dead": ("■", "bold white on red"),
    "unknown": ("?", "bold black on yellow"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    """One queue as of a moment; ages and durations in seconds, shares from 0 to 1, None where there is no data."""

    name: str
    waiting: int
    callbacks: int
    oldest_wait: float | None
    service_level: float | None
    abandonment: float | None
    average_speed_of_answer: float | None
    queued_today: int
    threshold: float
    target: float
    oldest_word: Word
    service_level_word: Word
    abandonment_word: Word

    @property
    def word(self) -> Word:
        """The worst of its judgements."""
        return max(self.oldest_word, self.service_level_word, self.abandonment_word)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """One control room as of a moment; its most urgent queue first."""

    centre: str
    feed: FeedState
    catching_up: bool
    data_age: float | None
    last_data_at: int | None
    board_age: float
    conserved: bool
    queues: tuple[QueueView, ...]


def view(board: Mapping[str, Any], now: int) -> RoomView:
    """What of a board is shown at `now` (µs)."""
    as_of = parse(board["as_of"])
    board_age = max(0, now - as_of) / SECOND
    age = board["feed"]["data_age_seconds"]
    data_age = None if age is None else age + board_age
    return RoomView(
        centre=board["centre"],
        feed=_feed_state(data_age),
        catching_up=board["feed"]["catching_up"],
        data_age=data_age,
        last_data_at=None if age is None else as_of - round(age * SECOND),
        board_age=board_age,
        conserved=board["conservation"]["ok"],
        queues=tuple(
            sorted(
                (_queue(queue, board_age) for queue in board["queues"]),
                key=lambda queue: (queue.threshold, queue.name),
            )
        ),
    )


def _feed_state(data_age: float | None) -> FeedState:
    if data_age is None:
        return "unknown"
    if data_age <= LIVE_UP_TO:
        return "live"
    return "late" if data_age <= LATE_UP_TO else "dead"


def _queue(queue: Mapping[str, Any], board_age: float) -> QueueView:
    target, figures = queue["target"], queue["windows"][WINDOW]
    oldest = queue["oldest_wait_seconds"]
    oldest_wait = None if oldest is None else oldest + board_age
    return QueueView(
        name=queue["queue"],
        waiting=queue["waiting"],
        callbacks=queue["callbacks_waiting"],
        oldest_wait=oldest_wait,
        service_level=figures["service_level"],
        abandonment=figures["abandonment_rate"],
        average_speed_of_answer=figures["average_speed_of_answer"],
        queued_today=queue["windows"]["today"]["queued"],
        threshold=target["threshold_seconds"],
        target=target["service_level"],
        oldest_word=_above(oldest_wait, target["oldest_wait_amber_seconds"], target["oldest_wait_red_seconds"]),
        service_level_word=_service_level_word(figures, target["service_level"]),
        abandonment_word=_abandonment_word(figures, target),
    )


def _above(value: float | None, warn: float | None, bad: float | None) -> Word:
    if value is not None and bad is not None and value > bad:
        return Word.ACT
    return Word.WATCH if value is not None and warn is not None and value > warn else Word.OK


def _service_level_word(figures: Mapping[str, Any], target: float) -> Word:
    level = figures["service_level"]
    if level is None or level >= target:
        return Word.OK
    failures = sum(figures[f"service_level_{name}"] for name in ("missed", "abandoned_long", "timed_out"))
    burns = 1 - level > BURN_ACT * (1 - target)
    return Word.ACT if burns and failures >= FAILURES_MIN else Word.WATCH


def _abandonment_word(figures: Mapping[str, Any], target: Mapping[str, Any]) -> Word:
    word = _above(figures["abandonment_rate"], target["abandonment_warn"], target["abandonment_bad"])
    return min(word, Word.WATCH) if figures["abandoned"] < FAILURES_MIN else word


def show_room(room: RoomView) -> RenderableType:
    """A control room: the state of its feed, then a row a queue."""
    inside: list[RenderableType] = [_feed_line(room)]
    if room.feed in {"live", "late"}:
        inside += [_queue_table(room.queues), Text(_LEGEND, "dim")]
    return Group(Rule(escape(room.centre), align="left"), *inside)


def _feed_line(room: RoomView) -> Text:
    shape, style = _FEED_LOOKS[room.feed]
    line = Text(f"{shape} {_feed_words(room)}", style)
    if room.catching_up and room.feed != "dead":
        line.append("  catching up: nothing is announced", "yellow")
    if not room.conserved:
        line.append("  ■ counts do not add up", "bold red")
    return line


def _feed_words(room: RoomView) -> str:
    match room.feed:
        case "live":
            return f"feed live, data {_age(room.data_age)} old"
        case "late":
            return f"FEED LATE, data {_age(room.data_age)} old"
        case "dead":
            assert room.last_data_at is not None
            return f"FEED DEAD, no live data since {moment(room.last_data_at).astimezone():%H:%M:%S}"
        case "unknown":
            return "no feed heard yet"


def _queue_table(queues: tuple[QueueView, ...]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(no_wrap=True)
    table.add_column("\nqueue", no_wrap=True)
    for header in _HEADERS:
        table.add_column(header, justify="right", no_wrap=True)
    for queue in queues:
        table.add_row(
            _judged(queue.word.name, queue.word),
            escape(queue.name),
            f"{queue.waiting}",
            f"{queue.callbacks}",
            _judged(_duration(queue.oldest_wait), queue.oldest_word, quiet=True),
            _judged(_percent(queue.service_level), queue.service_level_word, quiet=True),
            f"{_percent(queue.target)}, {_duration(queue.threshold)}",
            _judged(_percent(queue.abandonment), queue.abandonment_word, quiet=True),
            _duration(queue.average_speed_of_answer),
            f"{queue.queued_today}",
        )
    return table


def _judged(text: str, word: Word, *, quiet: bool = False) -> Text:
    """`text` with the shape of `word`; a quiet one shows no shape while all is well."""
    shape, style = _LOOKS[word]
    if quiet and word is Word.OK:
        return Text(text)
    return Text(f"{shape} {text}", style)


def show_announcements(announcements: Iterable[Command]) -> RenderableType:
    """What was said last, the newest first. To which queue, not to whom."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False, expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for command in announcements:
        said_at = command.issued_at.astimezone()
        table.add_row(f"{said_at:%H:%M:%S}", escape(f"{command.centre} {command.queue}"), escape(command.text))
    return Group(Rule("last announcements", align="left"), table)


def plain_line(room: RoomView) -> str:
    """A control room in one line without colour, for logs and pipes."""
    if room.feed in {"dead", "unknown"}:
        return f"{room.centre}: {_feed_words(room)}"
    return f"{room.centre}: {_feed_words(room)} | " + " | ".join(_plain_queue(queue) for queue in room.queues)


def _plain_queue(queue: QueueView) -> str:
    return (
        f"{queue.name} {queue.word.name}: {queue.waiting} waiting, oldest {_duration(queue.oldest_wait)}, "
        f"{_percent(queue.service_level)} in {_duration(queue.threshold)}, {_percent(queue.abandonment)} abandoned"
    )


def _percent(share: float | None) -> str:
    """In whole per cent, cut rather than rounded: 89.6 % has not met a target of 90 %."""
    return NO_DATA if share is None else f"{int(share * 100 + 1e-9)}%"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NO_DATA
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def _age(seconds: float | None) -> str:
    return NO_DATA if seconds is None else f"{seconds:.1f} s"
