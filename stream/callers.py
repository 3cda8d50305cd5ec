"""Distinct callers of each day, and of what share of the calls anybody can tell whose they are.

Pseudonyms change their key at 04:00 Europe/London, so a day of callers goes from 04:00 to 04:00: within it the same
caller has the same token. A call counts for its caller by the token of the day it was offered on; of a withheld
number, a telephone that many share, or a call without such a token nobody can tell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from schemas.events import SHARED_BY_MANY
from schemas.moments import HOUR, KEY_CHANGE, LONDON, key_day, micros
from stream import figures
from stream.calls import Offer


class DayOfCallers(NamedTuple):
    """A day from 04:00 to 04:00: `[start, end)` in µs, and the date its key is called by."""

    start: int
    end: int
    key_day: str


def day_of(at: int) -> DayOfCallers:
    """The day of callers that `at` lies in; days of 23 and 25 hours exist."""
    return _day_of_hour(at // HOUR)


@lru_cache(maxsize=128)
def _day_of_hour(hour: int) -> DayOfCallers:
    day = key_day(hour * HOUR)
    start, end = (
        micros((datetime(date.year, date.month, date.day, tzinfo=LONDON) + KEY_CHANGE).astimezone(UTC))
        for date in (day, day + timedelta(days=1))
    )
    return DayOfCallers(start, end, day.isoformat())


class CallMade(NamedTuple):
    """An offered call; `token` is None where nobody can tell whose it is."""

    at: int
    day: DayOfCallers
    token: str | None


def call_made(offer: Offer) -> CallMade | None:
    """What `offer` adds to its day; None for a test call."""
    if offer.test:
        return None
    day = day_of(offer.at)
    token = None
    if offer.caller_state in (None, "ok") and offer.origin not in SHARED_BY_MANY:
        token = min((token for key_day, token in offer.caller_tokens if key_day == day.key_day), default=None)
    return CallMade(offer.at, day, token)


@dataclass(slots=True)
class Counted:
    """The calls of one day, those of which it can be told whose they are, and how many are by each caller."""

    calls: int = 0
    told_apart: int = 0
    by_caller: dict[str, int] = field(default_factory=dict)

    def values(self) -> tuple[figures.Value, ...]:
        """The figures of the day."""
        callers, told_apart = len(self.by_caller), self.told_apart
        return (
            figures.Value("unique_callers", callers, callers, None),
            figures.Value("unique_callers_coverage", figures.rounded(told_apart, self.calls), told_apart, self.calls),
        )


class Callers:
    """The callers of one control room; `inside` says of which moments the calls are counted."""

    __slots__ = ("_clock", "_days", "_future", "_inside")

    def __init__(self, inside: Callable[[int], bool] | None = None) -> None:
        self._inside = inside
        self._clock = 0
        self._days: dict[DayOfCallers, Counted] = {}
        self._future: list[CallMade] = []
        """Calls of sources whose clocks are ahead: they count when the time has come."""

    def add(self, call: CallMade) -> None:
        """Count `call`."""
        if call.at > self._clock:
            self._future.append(call)
        else:
            self._count(call, 1)

    def remove(self, call: CallMade) -> None:
        """Take out a call that was added; of a day forgotten since there is nothing left to take out."""
        if call.at > self._clock:
            self._future.remove(call)
        else:
            self._count(call, -1)

    def advance(self, now: int) -> None:
        """Move the clock to `now`; a `now` in the past changes nothing."""
        if now <= self._clock:
            return
        self._clock = now
        due = [call for call in self._future if call.at <= now]
        if due:
            self._future = [call for call in self._future if call.at > now]
            for call in due:
                self._count(call, 1)

    def today(self) -> tuple[DayOfCallers, Counted]:
        """The day of the clock; all others are forgotten."""
        today = day_of(self._clock)
        self._days = {today: self._days.get(today, Counted())}
        return today, self._days[today]

    def days(self) -> dict[DayOfCallers, Counted]:
        """Every day with calls."""
        return {day: counted for day, counted in self._days.items() if counted.calls}

    def _count(self, call: CallMade, sign: int) -> None:
        if self._inside is not None and not self._inside(call.at):
            return
        counted = self._days.get(call.day)
        if counted is None:
            if sign < 0:
                return
            counted = self._days[call.day] = Counted()
        counted.calls += sign
        if call.token is None:
            return
        counted.told_apart += sign
        calls = counted.by_caller.get(call.token, 0) + sign
        if calls:
            counted.by_caller[call.token] = calls
        else:
            counted.by_caller.pop(call.token, None)
