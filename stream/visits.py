"""One visit: what is known of it, and the story those facts tell.

`Visit` holds the facts; `story(visit)` derives from them, and from nothing else, when it queued, how its wait ended,
who answered and how the conversation went. `contribution(...)` turns a story into the atoms it adds to its queue's
tally. A visit waiting past its target is booked as missed at once, in the second of the future when it will be
(definitions.md §2), so none of this needs a clock; only "lost" is concluded elsewhere and handed in.
"""

from bisect import insort
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.events import VisitKind
from schemas.moments import HOUR, MINUTE, SECOND
from stream import facts as f
from stream import tally as t
from stream.facts import Fact
from stream.profile import QueueTarget
from stream.quantiles import bucket_of
from stream.tally import Atom

if TYPE_CHECKING:
    from stream.announcements import Spoken
    from stream.calls import Call

SETTLES_AFTER = 30 * MINUTE
UNKNOWN_TALK_AFTER = 8 * HOUR
RINGING, RING_NO_ANSWER = 1, 0
HELD, RESUMED = 0, 1

TESTED, CALLBACK, COUNTED = range(3)
"""The part a visit takes: a test call, a call-back that keeps a place, or a visit that is counted."""

_OUTCOME_OF_REASON = {
    "abandoned": t.ABANDONED,
    "timed_out": t.TIMED_OUT,
    "exited_by_key": t.EXITED_BY_KEY,
    "callback_requested": t.CALLBACK_REQUESTED,
    "transferred_out": t.TRANSFERRED_OUT,
    "withdrawn": t.WITHDRAWN,
}


class Visit:
    """The facts of one visit, and what of it is counted at present."""

    __slots__ = (
        "atoms",
        "call",
        "concluded",
        "counters_know",
        "counting",
        "facts",
        "holds",
        "id",
        "last_at",
        "priorities",
        "published",
        "remind_at",
        "ringing",
        "seen",
        "spoken",
    )

    def __init__(self, ident: str) -> None:
        self.id = ident
        self.facts: list[Fact] = []
        self.holds: list[tuple[int, int]] | None = None
        self.priorities: list[tuple[int, int]] | None = None
        self.ringing: tuple[int, int, str] | None = None
        self.seen: tuple[tuple[str, int], ...] = ()
        self.last_at = 0
        self.call: Call | None = None
        self.counting: Counting | None = None
        self.atoms: tuple[Atom, ...] = ()
        self.concluded: int | None = None
        """The outcome last concluded, as the counters know it."""
        self.counters_know = False
        self.published: int | None = None
        """A digest of the settled facts last published."""
        self.spoken: Spoken | None = None
        self.remind_at = 0

    @property
    def is_waiting(self) -> bool:
        """Whether this visit stands in its queue's line."""
        return self.counting is not None and self.counting.outcome is None

    def add_to_timeline(self, name: str, entry: tuple[int, int], *, keep_latest: bool) -> bool:
        """Put `entry` into the set `holds` or `priorities`; at most `TIMELINE_MAX` are kept."""
        entries: list[tuple[int, int]] | None = getattr(self, name)
        if entries is None:
            setattr(self, name, [entry])
            return True
        if entry in entries:
            return False
        insort(entries, entry)
        if len(entries) > f.TIMELINE_MAX:
            return entries.pop(0 if keep_latest else -1) != entry
        return True

    def seen_by(self, source: str, taken_at: int) -> bool:
        """Note that a snapshot of `source` listed this visit; returns whether that is news."""
        for index, (known, at) in enumerate(self.seen):
            if known == source:
                if at >= taken_at:
                    return False
                self.seen = (*self.seen[:index], (source, taken_at), *self.seen[index + 1 :])
                return True
        self.seen = (*self.seen, (source, taken_at))[-4:]
        return True

    def last_seen(self, source: str) -> int:
        """The last moment a snapshot of `source` listed this visit, or 0."""
        for known, at in self.seen:
            if known == source:
                return at
        return 0


class Counting(NamedTuple):
    """As what a visit is counted at present; `outcome` is None while it waits."""

    queue: str
    part: int
    outcome: int | None
    queued_at: int
    line_key: "LineKey"
    source: str


LineKey = tuple[int, int, int, str]
"""Place in a queue: (−priority, queued_at or original_queued_at, reported position at join, visit id)."""

_NO_REPORTED_POSITION = 1_000_001


@dataclass(slots=True)
class Story:
    """What the facts of a visit say when taken together. Moments and durations in µs."""

    call: str
    queue: str
    queued_at: int
    source: str
    channel_ref: str | None
    kind: VisitKind
    callback_of: str | None
    line_key: LineKey
    outcome: int | None = None
    wait_ends_at: int = 0
    wait: int = 0
    handler: str | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    wrapped_up_at: int | None = None
    outcome_class: str | None = None
    talk: int | None = None
    hold: int | None = None
    wrap_up: int | None = None
    handle_settles_at: int | None = None


def _joined(queued: list[Fact]) -> tuple[Fact, tuple[Any, ...]]:
    """The fact that says how the visit joined, and its payload with gaps filled from the other facts.

    A `queued` event goes before what snapshots say of the same: its own time before their `queued_at`.
    """
    if len(queued) == 1:
        return queued[0], queued[0][f.PAYLOAD]
    queued.sort(key=lambda fact: (fact[f.KIND], f.order(fact)))
    payload = list(queued[0][f.PAYLOAD])
    for other in queued[1:]:
        pairs = zip(payload, other[f.PAYLOAD], strict=True)
        payload = [value if value is not None else others for value, others in pairs]
    if queued[0][f.KIND] == f.QUEUED:
        said = (fact[f.PAYLOAD][f.QUEUED_AT] for fact in queued if fact[f.KIND] == f.QUEUED)
        payload[f.QUEUED_AT] = next((value for value in said if value is not None), None)
    return queued[0], tuple(payload)


def story(visit: Visit) -> Story | None:
    """The story of `visit`, or None while it is headless (queue or `queued_at` unknown)."""
    queued: list[Fact] = []
    outcome: Fact | None = None
    ended: Fact | None = None
    wrapped_up: Fact | None = None
    for fact in visit.facts:
        kind = fact[f.KIND]
        if kind <= f.LISTED:
            queued.append(fact)
        elif kind <= f.LEFT:
            if outcome is None or fact < outcome:
                outcome = fact
        elif kind == f.ENDED:
            if ended is None or fact < ended:
                ended = fact
        elif wrapped_up is None or fact < wrapped_up:
            wrapped_up = fact
    if not queued:
        return None
    winner, payload = _joined(queued)
    call, queue, priority, position, channel_ref, queued_at, kind_name, original, callback_of = payload
    since = winner[f.AT] if queued_at is None else queued_at
    if visit.priorities:
        priority = visit.priorities[-1][1]
    result = Story(
        call=call,
        queue=queue,
        queued_at=since,
        source=winner[f.SOURCE],
        channel_ref=channel_ref,
        kind=kind_name or "call",
        callback_of=callback_of,
        line_key=(
            -(priority or 0),
            since if original is None else original,
            position or _NO_REPORTED_POSITION,
            visit.id,
        ),
    )
    if outcome is not None:
        at = outcome[f.AT]
        result.wait_ends_at = at
        result.wait = max(0, at - since)
        if outcome[f.KIND] == f.LEFT:
            result.outcome = _OUTCOME_OF_REASON[outcome[f.PAYLOAD][0]]
        else:
            result.outcome = t.ANSWERED
            result.handler = outcome[f.PAYLOAD][0]
            result.answered_at = at
            _tell_conversation(result, visit, at, ended, wrapped_up)
    return result


def _tell_conversation(
    result: Story, visit: Visit, answered_at: int, ended: Fact | None, wrapped_up: Fact | None
) -> None:
    if wrapped_up is not None:
        result.wrapped_up_at = wrapped_up[f.AT]
        result.outcome_class = wrapped_up[f.PAYLOAD][0]
    if ended is None:
        result.handle_settles_at = answered_at + UNKNOWN_TALK_AFTER
        return
    ended_at = result.ended_at = ended[f.AT]
    held = _held(visit.holds, answered_at, ended_at) if visit.holds else 0
    result.hold = held
    result.talk = max(0, ended_at - answered_at - held)
    if wrapped_up is None:
        result.handle_settles_at = ended_at + SETTLES_AFTER
    else:
        result.wrap_up = max(0, wrapped_up[f.AT] - ended_at)
        result.handle_settles_at = max(wrapped_up[f.AT], ended_at)


def _held(holds: list[tuple[int, int]], answered_at: int, ended_at: int) -> int:
    """Time on hold within the conversation; holds in time order, repeats ignored, an open one ends with it."""
    total = 0
    since: int | None = None
    for at, kind in holds:
        if kind == HELD and since is None:
            since = at
        elif kind == RESUMED and since is not None:
            total += max(0, min(at, ended_at) - max(since, answered_at))
            since = None
    if since is not None:
        total += max(0, ended_at - max(since, answered_at))
    return total


def contribution(
    told: Story, outcome: int | None, target: QueueTarget, transferred_at: int | None
) -> tuple[Atom, ...]:
    """The atoms of a visit in its queue's tally; `outcome` is None while it waits (definitions.md §2–3)."""
    queued_at, threshold = told.queued_at, target.threshold
    atoms: list[Atom] = []
    if outcome is None:
        atoms.append((queued_at, t.QUEUED, 1, t.COHORT_WAITING, 1))
    elif outcome in (t.ABANDONED, t.ABANDONED_SHORT) and told.wait > 30 * SECOND:
        atoms.append((queued_at, t.QUEUED, 1, t.COHORT_ABANDONED_AFTER_30S, 1))
    else:
        atoms.append((queued_at, t.QUEUED, 1))
    atoms.append(_service_level(told, outcome, queued_at, threshold, t.SERVICE_LEVEL))
    if transferred_at is not None:
        atoms.append(_service_level(told, outcome, transferred_at, threshold, t.SERVICE_LEVEL_FROM_TRANSFER))
    if outcome is None:
        return tuple(atoms)
    wait = told.wait
    ending: tuple[int, ...] = (told.wait_ends_at, t.OUTCOME + outcome, 1, t.WAIT + outcome, wait)
    if outcome == t.ANSWERED:
        ending += (t.WAIT_BUCKET_ANSWERED + bucket_of(wait), 1)
        if wait < threshold:
            ending += (t.ANSWERED_WITHIN, 1)
        if wait < 10 * SECOND:
            ending += (t.ANSWERED_UNDER_10S, 1)
        elif wait < 60 * SECOND:
            ending += (t.ANSWERED_10S_TO_60S, 1)
        else:
            ending += (t.ANSWERED_FROM_60S, 1)
        atoms.append(ending)
        atoms.append(_handling(told))
    elif outcome == t.LOST:
        atoms.append(ending)
    else:
        atoms.append((*ending, t.WAIT_BUCKET_UNANSWERED + bucket_of(wait), 1))
    return tuple(atoms)


def _service_level(told: Story, outcome: int | None, clock_starts: int, threshold: int, base: int) -> Atom:
    due = clock_starts + threshold
    if outcome is None or told.wait_ends_at >= due:
        return (due, base + t.MISSED, 1)
    return (told.wait_ends_at, base + _RESULT_WITHIN_THRESHOLD.get(outcome, t.EXCLUDED), 1)


_RESULT_WITHIN_THRESHOLD = {
    t.ANSWERED: t.MET,
    t.ABANDONED: t.LONG,
    t.ABANDONED_SHORT: t.SHORT,
    t.TIMED_OUT: t.OVERFLOWED,
}


def _handling(told: Story) -> Atom:
    assert told.handle_settles_at is not None
    atom: tuple[int, ...] = (told.handle_settles_at, t.SETTLED, 1)
    talk, hold, wrap_up = told.talk, told.hold, told.wrap_up
    if talk is not None:
        atom += (t.TALK_KNOWN, 1, t.TALK, talk)
    if hold is not None:
        atom += (t.HOLD_KNOWN, 1, t.HOLD, hold)
    if wrap_up is not None:
        atom += (t.WRAP_UP_KNOWN, 1, t.WRAP_UP, wrap_up)
        if talk is not None and hold is not None:
            atom += (t.HANDLE_KNOWN, 1, t.HANDLE, talk + hold + wrap_up)
    return atom
