"""Figures over files of events: the same core, over intervals of any length of history.

Events must come sorted by (time, source, id). They are taken an hour of event time at once, so that what is
forgotten beyond the horizon, and therefore every figure, depends on the events alone and not on how they were cut.
Heartbeats do not move the clock: where no `as_of` is given, nothing is concluded from their time.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from schemas.codec import Arrival
from schemas.events import SourceHeartbeat
from schemas.moments import HOUR, MINUTE, SECOND, rfc3339
from stream import figures
from stream.callers import Callers, DayOfCallers
from stream.engine import Engine
from stream.profile import Profile
from stream.queues import Queue
from stream.room import Room
from stream.windows import FixedWindows, day_start, next_day_start

INTERVALS = {"15m": 15 * MINUTE, "30m": 30 * MINUTE, "1h": HOUR}
WINDOWS = ("whole", *INTERVALS, "1d")


@dataclass(frozen=True, slots=True)
class Period:
    """What is asked for, in µs: figures of `[start, end)` by `window`, with events up to `as_of`.

    `start` and `end` None mean: from the first event, and up to and including `as_of`. `as_of` None means `end`,
    else the greatest event time other than heartbeats.
    """

    window: str = "whole"
    start: int | None = None
    end: int | None = None
    as_of: int | None = None


class History:
    """Collects sorted events and gives the rows of figures."""

    def __init__(self, profile: Profile, period: Period) -> None:
        self._period = period
        self._as_of = period.as_of if period.as_of is not None else period.end
        self._first: int | None = None
        self._last = 0
        self._engine = Engine(
            profile, make_windows=lambda: FixedWindows(self._start_of), make_callers=lambda: Callers(self._is_inside)
        )
        self._engine.restoring = True

    def take(self, arrivals: Iterable[Arrival]) -> Iterator[int]:
        """Take sorted events; yields how many were taken after each hour of event time, for progress."""
        taken = 0
        for _, group in groupby(self._until(arrivals), key=lambda arrival: arrival.at // HOUR):
            batch = list(group)
            if self._first is None:
                self._first = self._last = batch[0].at
            self._last = max([self._last, *(a.at for a in batch if not isinstance(a.event, SourceHeartbeat))])
            for start in range(0, len(batch), 5_000):
                self._engine.apply(batch[start : start + 5_000], self._last)
            for room in self._engine.rooms.values():
                room.wake(self._last)
                room.sweep(self._last - self._last % HOUR)
                room.settled.clear()
                room.forget_what_voices_need()
            taken += len(batch)
            yield taken

    def rows(self, queue: str | None = None) -> list[dict[str, Any]]:
        """Every figure, sorted: one row a figure, interval and queue; `queue` null for those of the calls."""
        if self._first is None:
            return []
        as_of = self._as_of if self._as_of is not None else self._last
        rows: list[dict[str, Any]] = []
        for centre, room in self._engine.rooms.items():
            room.wake(as_of)
            rows += self._rows_of_room(centre, room, as_of, queue)
        rows.sort(key=lambda row: (row["centre"], row["queue"] or "", row["from"], row["figure"]))
        return rows

    def queues(self) -> list[str]:
        """The names of all queues met."""
        return sorted({name for room in self._engine.rooms.values() for name in _heard_of(room)})

    def _until(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        for arrival in arrivals:
            if self._as_of is not None and arrival.at > self._as_of:
                return
            yield arrival

    def _is_inside(self, at: int) -> bool:
        period = self._period
        return (period.start is None or at >= period.start) and (period.end is None or at < period.end)

    def _start_of(self, at: int) -> int | None:
        """The start of the interval that `at` lies in; None outside the period."""
        period = self._period
        if not self._is_inside(at):
            return None
        if period.window == "whole":
            return 0
        if period.window == "1d":
            return day_start(at)
        length = INTERVALS[period.window]
        return at - at % length

    def _end_of(self, start: int, as_of: int) -> int:
        period = self._period
        if period.window == "whole":
            return period.end if period.end is not None else as_of
        if period.window == "1d":
            return next_day_start(start)
        return start + INTERVALS[period.window]

    def _within_period(self, day: DayOfCallers) -> tuple[int, int]:
        """The part of a day of callers that was asked for: a cut day says so."""
        period = self._period
        return (
            day.start if period.start is None else max(day.start, period.start),
            day.end if period.end is None else min(day.end, period.end),
        )

    def _rows_of_room(self, centre: str, room: Room, as_of: int, only: str | None) -> list[dict[str, Any]]:
        period = self._period
        first = period.start if period.start is not None else self._first
        assert first is not None
        rows: list[dict[str, Any]] = []

        def add_between(queue: str | None, low: int, high: int, values: Iterable[figures.Value]) -> None:
            place = {"centre": centre, "queue": queue, "from": rfc3339(low), "to": rfc3339(high)}
            rows.extend(place | _columns(value) for value in values)

        def add(queue: str | None, start: int, values: Iterable[figures.Value]) -> None:
            low = first if period.window == "whole" else start
            add_between(queue, low, self._end_of(start, as_of), values)

        starts: set[int] = {0} if period.window == "whole" else set()
        for queue in _heard_of(room).values():
            windows = _fixed(queue.windows, as_of)
            starts.update(windows.tallies)
        calls = _fixed(room.call_windows, as_of)
        starts.update(calls.tallies)
        for start in starts:
            for name, queue in _heard_of(room).items():
                if only is None or name == only:
                    windows = _fixed(queue.windows, as_of)
                    add(name, start, figures.queue_values(windows.tallies.get(start, {}), queue.target))
            if only is None:
                add(None, start, figures.call_values(calls.tallies.get(start, {}), room.services))
                low = first if period.window == "whole" else start
                add(None, start, [_coverage(room, low, min(self._end_of(start, as_of), as_of))])
        if period.window == "whole":
            for name, queue in _heard_of(room).items():
                if only is None or name == only:
                    since = queue.line.oldest_since
                    add(
                        name,
                        0,
                        [
                            figures.Value("waiting", queue.line.waiting, queue.line.waiting, None),
                            figures.Value("callbacks_waiting", queue.callbacks, queue.callbacks, None),
                            figures.Value(
                                "oldest_wait", None if since is None else max(0, as_of - since) / SECOND, None, None
                            ),
                        ],
                    )
            if only is None:
                due = len(room.ring_backs_due(as_of))
                add(None, 0, [figures.Value("ring_backs_due", due, due, None)])
        if only is None and period.window in ("whole", "1d"):
            room.callers.advance(as_of)
            for day, counted in room.callers.days().items():
                add_between(None, *self._within_period(day), counted.values())
        return rows


def _columns(value: figures.Value) -> dict[str, Any]:
    return {
        "figure": value.figure,
        "threshold_seconds": value.threshold_seconds,
        "value": value.value,
        "numerator": value.numerator,
        "denominator": value.denominator,
    }


def _heard_of(room: Room) -> dict[str, Queue]:
    return {name: queue for name, queue in room.queues.items() if queue.is_heard_of}


def _fixed(windows: object, as_of: int) -> FixedWindows:
    assert isinstance(windows, FixedWindows)
    windows.advance(as_of)
    return windows


def _coverage(room: Room, start: int, end: int) -> figures.Value:
    alive = room.liveness.coverage(start, end)
    value = None if alive is None else figures.rounded(alive, end - start)
    return figures.Value("feed_coverage", value, None if alive is None else alive / SECOND, None)
