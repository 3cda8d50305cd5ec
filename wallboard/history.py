"""The last hours of a few figures, a value a minute, for the small trends beside the figures.

A minute's value is that of the last board as of that minute; a minute without a board has none. All that is kept is
bounded: control rooms by the hub, minutes by MINUTES_MAX, queues by QUEUES_MAX.
"""

from typing import Any, NamedTuple

from schemas.boards import Board
from schemas.moments import MINUTE, parse, rfc3339

MINUTES_MAX = 360
QUEUES_MAX = 64
WINDOW = "15m"
"""The window of all that is not of this moment."""


class Sample(NamedTuple):
    """One queue in one minute."""

    waiting: float | None
    oldest_wait_seconds: float | None
    service_level: float | None
    abandonment_rate: float | None
    average_speed_of_answer: float | None
    queued: float | None


class History:
    """The minutes of one control room."""

    def __init__(self) -> None:
        self._minutes: dict[int, dict[str, Sample]] = {}

    def add(self, board: Board) -> None:
        """A board, newer than those before."""
        self._minutes[parse(board["as_of"]) // MINUTE] = _samples(board)
        self._forget()

    def fill(self, board: Board) -> None:
        """A board of the past, the last of its minute; what is known already stays."""
        self._minutes.setdefault(parse(board["as_of"]) // MINUTE, _samples(board))
        self._forget()

    def series(self, minutes: int, now: int) -> dict[str, dict[str, list[Any]]]:
        """By queue: the whole minutes before `now` (µs), the oldest first; `at` is when a minute ended."""
        current = now // MINUTE
        wanted = range(current - minutes, current)
        names = sorted({name for minute in wanted for name in self._minutes.get(minute, ())})
        at = [rfc3339((minute + 1) * MINUTE) for minute in wanted]
        series: dict[str, dict[str, list[Any]]] = {}
        for queue in names:
            samples = [self._minutes.get(minute, {}).get(queue) for minute in wanted]
            series[queue] = {"at": at} | {
                field: [None if sample is None else sample[index] for sample in samples]
                for index, field in enumerate(Sample._fields)
            }
        return series

    def _forget(self) -> None:
        while len(self._minutes) > MINUTES_MAX + 1:
            del self._minutes[min(self._minutes)]


def _samples(board: Board) -> dict[str, Sample]:
    return {queue["queue"]: _sample(queue) for queue in board["queues"][:QUEUES_MAX]}


def _sample(queue: dict[str, Any]) -> Sample:
    windows = queue.get("windows")
    figures = windows.get(WINDOW) if isinstance(windows, dict) else None
    windowed = figures if isinstance(figures, dict) else {}
    return Sample(
        _number(queue.get("waiting")),
        _number(queue.get("oldest_wait_seconds")),
        _number(windowed.get("service_level")),
        _number(windowed.get("abandonment_rate")),
        _number(windowed.get("average_speed_of_answer")),
        _number(windowed.get("queued")),
    )


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) else None
