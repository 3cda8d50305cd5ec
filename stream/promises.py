"""Were callers told the truth: the promises of one queue, what became of them, and whether it may still make any.

A promise is "less than N minutes": kept when the caller was answered by the deadline, broken when they still waited
then; who left earlier is counted beside it. When under 70 % of the last 50 were kept the queue speaks no times; what
it would have said goes on being scored in silence, and 80 % of the last 50 ends it. A promise counts whether or not
it was played. Everything here can be rebuilt from the commands of the last hours and the facts of their visits.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from schemas.moments import HOUR, SECOND
from stream import figures
from stream import tally as t

LAST = 50
FALLS_BELOW_PERCENT = 70
ENDS_AT_PERCENT = 80
REMEMBERED = 11 * HOUR
"""Commands are read 12 hours back when a worker starts: what is older counts for nobody."""
JUDGED_AFTER = 5 * SECOND
"""An answer at the last moment may be heard of so much later."""

JUDGED_MAX = 1_000

Result = Literal["kept", "broken", "left_early"]
RESULTS: tuple[Result, ...] = ("kept", "broken", "left_early")


class Promise(NamedTuple):
    """One caller was promised, aloud or in silence, to be answered before `deadline` (µs)."""

    visit: str
    made_at: int
    deadline: int
    aloud: bool


class Judged(NamedTuple):
    """What became of a promise, and when that was settled."""

    at: int
    made_at: int
    result: Result


def judge(promise: Promise, outcome: int | None, ended_at: int) -> Judged:
    """What became of `promise` to a visit that ended in `outcome`, or still waits (None) after the deadline."""
    if outcome is None or ended_at > promise.deadline:
        return Judged(promise.deadline, promise.made_at, "broken")
    return Judged(ended_at, promise.made_at, "kept" if outcome == t.ANSWERED else "left_early")


@dataclass(slots=True)
class Promises:
    """The promises of one queue."""

    open: dict[str, Promise] = field(default_factory=dict)
    """By id of the command."""
    position_only: bool = False
    _judged: deque[Judged] = field(default_factory=deque)
    _counts: Counter[Result] = field(default_factory=Counter)
    """Of what is in `_judged`."""

    def score(self, judged: Judged) -> None:
        """Take a verdict; they come in the order in which they were settled."""
        self._judged.append(judged)
        self._counts[judged.result] += 1
        while self._is_beyond_the_last():
            self._drop_oldest()
        kept, enough = self.kept, self.kept + self.broken == LAST
        if enough and kept * 100 < FALLS_BELOW_PERCENT * LAST:
            self.position_only = True
        elif enough and kept * 100 >= ENDS_AT_PERCENT * LAST:
            self.position_only = False

    def forget(self, now: int) -> None:
        """Drop verdicts on promises made too long ago; without any left, the queue begins anew."""
        before = now - REMEMBERED
        if self._judged and self._judged[0].made_at < before:
            self._judged = deque(judged for judged in self._judged if judged.made_at >= before)
            self._counts = Counter(judged.result for judged in self._judged)
            if not self._judged and not self.open:
                self.position_only = False

    @property
    def kept(self) -> int:
        """How many of the last promises were kept."""
        return self._counts["kept"]

    @property
    def broken(self) -> int:
        """How many of the last promises were broken."""
        return self._counts["broken"]

    @property
    def left_early(self) -> int:
        """How many left before their deadline, meanwhile."""
        return self._counts["left_early"]

    @property
    def ratio(self) -> float | None:
        """The share of promises kept; None when none was judged."""
        return figures.rounded(self.kept, self.kept + self.broken)

    def _is_beyond_the_last(self) -> bool:
        """Whether the oldest verdict is older than the last that count."""
        counted = self.kept + self.broken
        beside = counted == LAST and self._judged[0].result == "left_early"
        return beside or counted > LAST or len(self._judged) > JUDGED_MAX

    def _drop_oldest(self) -> None:
        self._counts[self._judged.popleft().result] -= 1
