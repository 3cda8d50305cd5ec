"""Every figure, by its name in definitions.md, as a formula over a tally.

One table serves the board, the metrics, the reports and `occ figures`, so that a figure cannot mean two things. A
ratio is formed only here, from integers, rounded half-even to nine decimals; with nothing to divide by there is no
data (None), never 0.
"""

from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cache
from typing import Literal

from schemas.moments import SECOND
from stream import tally as t
from stream.profile import QueueTarget
from stream.quantiles import nearest_ranks
from stream.tally import Tally, absorb

Unit = Literal["count", "ratio", "seconds"]
_BILLION = 10**9


@dataclass(frozen=True, slots=True)
class Formula:
    """Sum of `numerator` fields over sum of `denominator` fields; a count has no denominator.

    `threshold` is the seconds in the formula, or "target" for the queue's own.
    """

    name: str
    unit: Unit
    numerator: tuple[int, ...]
    denominator: tuple[int, ...] = ()
    threshold: Literal["target", "short_limit"] | int | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A figure's value with what it was formed from. Durations are in seconds, exact to the microsecond."""

    figure: str
    value: float | int | None
    numerator: float | int | None
    denominator: int | None
    threshold_seconds: float | None = None


def _sl(base: int, *results: int) -> tuple[int, ...]:
    return tuple(base + result for result in results)


def _service_level(name: str, met: tuple[int, ...], all_results: tuple[int, ...]) -> Formula:
    return Formula(name, "ratio", _sl(t.SERVICE_LEVEL, *met), _sl(t.SERVICE_LEVEL, *all_results), "target")


_ANSWERED = t.OUTCOME + t.ANSWERED
_ABANDONED = t.OUTCOME + t.ABANDONED
_SHORT = t.OUTCOME + t.ABANDONED_SHORT
_TIMED_OUT = t.OUTCOME + t.TIMED_OUT
_HEADLINE = (t.MET, t.MISSED, t.LONG, t.OVERFLOWED)

FORMULAS: tuple[Formula, ...] = (
    Formula("queued", "count", (t.QUEUED,)),
    *(Formula(name, "count", (t.OUTCOME + index,)) for index, name in enumerate(t.OUTCOMES)),
    *(
        Formula(f"service_level_{name}", "count", (t.SERVICE_LEVEL + index,), threshold="target")
        for index, name in enumerate(t.SERVICE_LEVEL_RESULTS)
    ),
    _service_level("service_level", (t.MET,), _HEADLINE),
    _service_level("service_level_negative", (t.MET,), (t.MET, t.SHORT, t.LONG, t.MISSED, t.OVERFLOWED)),
    _service_level("service_level_ignore", (t.MET,), (t.MET, t.MISSED, t.OVERFLOWED)),
    _service_level(
        "service_level_positive", (t.MET, t.SHORT, t.LONG), (t.MET, t.SHORT, t.LONG, t.MISSED, t.OVERFLOWED)
    ),
    Formula(
        "service_level_from_transfer",
        "ratio",
        _sl(t.SERVICE_LEVEL_FROM_TRANSFER, t.MET),
        _sl(t.SERVICE_LEVEL_FROM_TRANSFER, *_HEADLINE),
        "target",
    ),
    Formula("service_level_published", "ratio", (t.ANSWERED_WITHIN,), (_ANSWERED,), "target"),
    Formula("answered_under_10s", "ratio", (t.ANSWERED_UNDER_10S,), (_ANSWERED,), 10),
    Formula("answered_10s_to_60s", "ratio", (t.ANSWERED_10S_TO_60S,), (_ANSWERED,), 60),
    Formula("answered_from_60s", "ratio", (t.ANSWERED_FROM_60S,), (_ANSWERED,), 60),
    Formula("average_speed_of_answer", "seconds", (t.WAIT + t.ANSWERED,), (_ANSWERED,)),
    Formula("time_to_abandon", "seconds", (t.WAIT + t.ABANDONED,), (_ABANDONED,)),
    Formula("abandonment_rate", "ratio", (_ABANDONED,), (_ANSWERED, _ABANDONED, _TIMED_OUT), "short_limit"),
    Formula(
        "abandonment_rate_including_short",
        "ratio",
        (_ABANDONED, _SHORT),
        (_ANSWERED, _ABANDONED, _SHORT, _TIMED_OUT),
    ),
    Formula("abandonment_rate_30s", "ratio", (t.COHORT_ABANDONED_AFTER_30S,), (t.QUEUED,), 30),
    Formula("abandonment_rate_30s_still_waiting", "count", (t.COHORT_WAITING,)),
    Formula("unknown_outcome_share", "ratio", (t.OUTCOME + t.LOST,), (t.QUEUED,)),
    Formula("call_wait_seconds", "seconds", (t.CALL_WAIT,), (t.CALL_WAIT_KNOWN,)),
    Formula("settled", "count", (t.SETTLED,)),
    Formula("average_handle_time", "seconds", (t.HANDLE,), (t.HANDLE_KNOWN,)),
    Formula("average_talk_time", "seconds", (t.TALK,), (t.TALK_KNOWN,)),
    Formula("average_hold_time", "seconds", (t.HOLD,), (t.HOLD_KNOWN,)),
    Formula("average_wrap_up_time", "seconds", (t.WRAP_UP,), (t.WRAP_UP_KNOWN,)),
    Formula("handle_time_coverage", "ratio", (t.HANDLE_KNOWN,), (t.SETTLED,)),
    Formula("talk_time_coverage", "ratio", (t.TALK_KNOWN,), (t.SETTLED,)),
    Formula("hold_time_coverage", "ratio", (t.HOLD_KNOWN,), (t.SETTLED,)),
    Formula("wrap_up_time_coverage", "ratio", (t.WRAP_UP_KNOWN,), (t.SETTLED,)),
)

PERCENTILES = (50, 90, 95)


def call_formulas(services: tuple[str, ...]) -> tuple[Formula, ...]:
    """The figures of a control room's calls; `services` as its tally counts them."""
    return (
        Formula("calls_offered", "count", (t.CALLS_OFFERED,)),
        *_counts("calls", t.CALL_STATES, t.CALL_STATE),
        *_counts("calls_refused", t.REFUSED_REASONS, t.CALL_REFUSED_REASON),
        *_counts("calls_channel", t.CHANNELS, t.CALL_CHANNEL),
        *_counts("calls_origin", t.ORIGINS, t.CALL_ORIGIN),
        *_counts("calls_service", services, t.CALL_SERVICE),
    )


def _counts(prefix: str, names: Iterable[str], first: int) -> list[Formula]:
    return [Formula(f"{prefix}_{name}", "count", (first + index,)) for index, name in enumerate(names)]


def rounded(numerator: int, denominator: int) -> float | None:
    """numerator / denominator to nine decimals, half-even, from integers; None when there is no data."""
    if not denominator:
        return None
    quotient, remainder = divmod(numerator * _BILLION, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient / _BILLION


def value_of(formula: Formula, tally: Tally) -> float | int | None:
    """The value of one formula over a tally."""
    above = 0
    for field in formula.numerator:
        above += tally.get(field, 0)
    if formula.unit == "count":
        return above
    below = 0
    for field in formula.denominator:
        below += tally.get(field, 0)
    return rounded(above, below * SECOND if formula.unit == "seconds" else below)


def evaluate(formula: Formula, tally: Tally, target: QueueTarget | None = None) -> Value:
    """The value of one formula with its numerator, denominator and threshold."""
    above = sum(tally.get(field, 0) for field in formula.numerator)
    below = sum(tally.get(field, 0) for field in formula.denominator)
    return Value(
        figure=formula.name,
        value=value_of(formula, tally),
        numerator=above / SECOND if formula.unit == "seconds" else above,
        denominator=None if formula.unit == "count" else below,
        threshold_seconds=_threshold(formula, target),
    )


def _threshold(formula: Formula, target: QueueTarget | None) -> float | None:
    if isinstance(formula.threshold, int):
        return formula.threshold
    if target is None or formula.threshold is None:
        return None
    return (target.threshold if formula.threshold == "target" else target.short_limit) / SECOND


def percentiles(tally: Tally) -> list[tuple[str, int | None, int]]:
    """(name, wait in µs or None, number of waits): over all outcomes but lost, and over answered."""
    answered: Tally = {}
    unanswered: Tally = {}
    for field, amount in tally.items():
        if field >= t.WAIT_BUCKET_UNANSWERED:
            unanswered[field - t.WAIT_BUCKET_UNANSWERED] = amount
        elif field >= t.WAIT_BUCKET_ANSWERED:
            answered[field - t.WAIT_BUCKET_ANSWERED] = amount
    everyone = dict(answered)
    absorb(everyone, unanswered)
    result = []
    for name, counts in (("wait", everyone), ("wait_answered", answered)):
        count = sum(counts.values())
        waits = nearest_ranks(counts, count, PERCENTILES)
        result += [(f"{name}_p{percent}", wait, count) for percent, wait in zip(PERCENTILES, waits, strict=True)]
    return result


Shown = dict[str, float | int | None]
"""By figure its value, durations in seconds."""


class Table:
    """Formulas that are evaluated together, and again only where what they are made of changed."""

    def __init__(self, formulas: Iterable[Formula]) -> None:
        self._all = {formula.name: formula for formula in formulas}
        self._by_field: dict[int, dict[str, Formula]] = {}
        for formula in self._all.values():
            for field in formula.numerator + formula.denominator:
                self._by_field.setdefault(field, {})[formula.name] = formula

    def values(self, tally: Tally, changed: Set[int] | None = None) -> Shown:
        """Their values, or of those alone that use one of the fields `changed`."""
        touched = self._all if changed is None else {}
        for field in changed or ():
            touched.update(self._by_field.get(field, ()))
        return {name: value_of(formula, tally) for name, formula in touched.items()}


_QUEUE_TABLE = Table(FORMULAS)


def shown_of_queue(tally: Tally, changed: Set[int] | None = None) -> Shown:
    """Every figure of one queue and window, or those alone that use one of the fields `changed`."""
    values = _QUEUE_TABLE.values(tally, changed)
    if changed is None or any(field >= t.WAIT_BUCKET_ANSWERED for field in changed):
        values.update((name, None if wait is None else wait / SECOND) for name, wait, _ in percentiles(tally))
    return values


@cache
def call_table(services: tuple[str, ...]) -> Table:
    """The figures of a control room's calls; `services` as its tally counts them."""
    return Table(call_formulas(services))


def queue_values(tally: Tally, target: QueueTarget) -> list[Value]:
    """Every figure of one queue and window."""
    values = [evaluate(formula, tally, target) for formula in FORMULAS]
    for name, wait, total in percentiles(tally):
        values.append(Value(name, None if wait is None else wait / SECOND, None, total))
    return values


def call_values(tally: Tally, services: tuple[str, ...]) -> list[Value]:
    """Every figure of a control room's calls in one window."""
    return [evaluate(formula, tally) for formula in call_formulas(services)]
