"""What is counted: the fields of a queue's tally, and the atoms that add up to it.

An atom is a flat tuple `(at, field, amount, field, amount, …)`: at moment `at` (µs) these fields grow by these
integer amounts. A visit's contribution is a few atoms; a figure is a formula over the sums of fields. Sums of
integers do not depend on order, so neither do figures.
"""

from collections.abc import Iterable

from stream.quantiles import BUCKETS

Atom = tuple[int, ...]
Tally = dict[int, int]

OUTCOMES = (
    "answered",
    "abandoned",
    "abandoned_short",
    "callback_requested",
    "timed_out",
    "exited_by_key",
    "transferred_out",
    "withdrawn",
    "lost",
)
(
    ANSWERED,
    ABANDONED,
    ABANDONED_SHORT,
    CALLBACK_REQUESTED,
    TIMED_OUT,
    EXITED_BY_KEY,
    TRANSFERRED_OUT,
    WITHDRAWN,
    LOST,
) = range(len(OUTCOMES))

QUEUED = 0
COHORT_ABANDONED_AFTER_30S = 1
COHORT_WAITING = 2

# The six results of a service-level event, with the clock from queued_at and from transferred_at.
SERVICE_LEVEL_RESULTS = ("met", "missed", "abandoned_short", "abandoned_long", "timed_out", "excluded")
MET, MISSED, SHORT, LONG, OVERFLOWED, EXCLUDED = range(len(SERVICE_LEVEL_RESULTS))
SERVICE_LEVEL = 10
SERVICE_LEVEL_FROM_TRANSFER = 20

ANSWERED_WITHIN = 30
ANSWERED_UNDER_10S = 31
ANSWERED_10S_TO_60S = 32
ANSWERED_FROM_60S = 33

OUTCOME = 40
WAIT = 50

SETTLED = 60
TALK_KNOWN, TALK = 61, 62
HOLD_KNOWN, HOLD = 63, 64
WRAP_UP_KNOWN, WRAP_UP = 65, 66
HANDLE_KNOWN, HANDLE = 67, 68

CALL_WAIT_KNOWN, CALL_WAIT = 70, 71

WAIT_BUCKET_ANSWERED = 1000
WAIT_BUCKET_UNANSWERED = WAIT_BUCKET_ANSWERED + BUCKETS
BUCKET_END = WAIT_BUCKET_UNANSWERED + BUCKETS

# A control room's tally of calls. A call that was offered is in exactly one of the four states.
CALL_STATES = ("with_visit", "refused", "ended_before_queue", "open")
WITH_VISIT, CALL_REFUSED, ENDED_BEFORE_QUEUE, OPEN = range(len(CALL_STATES))
REFUSED_REASONS = ("full", "closed", "unstaffed")
CHANNELS = ("voice", "digital", "text_relay")
ORIGINS = ("public", "diverted_mobile", "internal", "station_phone", "other_agency", "unknown")
CALLS_OFFERED = 80
CALL_STATE = 81
CALL_REFUSED_REASON = 86
CALL_CHANNEL = 90
CALL_ORIGIN = 94
CALL_SERVICE = 110


def fold(tally: Tally, atom: Atom, sign: int) -> None:
    """Add (`sign` 1) or take out (`sign` -1) one atom; a field that returns to 0 disappears."""
    for index in range(1, len(atom), 2):
        field = atom[index]
        amount = tally.get(field, 0) + sign * atom[index + 1]
        if amount:
            tally[field] = amount
        else:
            tally.pop(field, None)


def absorb(tally: Tally, sums: Tally) -> None:
    """Add `sums` to `tally`; a field that returns to 0 disappears."""
    for field, part in sums.items():
        amount = tally.get(field, 0) + part
        if amount:
            tally[field] = amount
        else:
            tally.pop(field, None)


def total(atoms: Iterable[Atom]) -> Tally:
    """The tally of `atoms`."""
    tally: Tally = {}
    for atom in atoms:
        fold(tally, atom, 1)
    return tally
