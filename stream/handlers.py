"""Handlers: the people who answer, and what state each is in.

A handler's states are a set of (time, rank of the state, id, source); the state at a moment is the last of them by
that order. A snapshot speaks for all handlers of its source at its moment: who is not listed is logged out. Nobody
is staffed on hearsay: a handler not heard of for 60 s beyond the rhythm of its source's snapshots is `unknown`.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.events import HandlerNow
from schemas.moments import MINUTE, SECOND

STATES = ("logged_out", "not_ready", "available", "ringing", "talking", "hold", "wrap_up")
"""In the order of their rank: of two states at one moment the later in this list holds."""
RANK = {name: rank for rank, name in enumerate(STATES)}
UNKNOWN = "unknown"

HANDLERS_MAX = 5_000
STATES_PER_HANDLER_MAX = 8_192
SILENT_AFTER = 60 * SECOND
WRAP_UP_STARTS_WITHIN = 30 * MINUTE

StateFact = tuple[int, int, str, str]
"""(at, rank, id, source)"""

_WRAP_UP, _TALKING, _LOGGED_OUT = RANK["wrap_up"], RANK["talking"], RANK["logged_out"]


@dataclass(slots=True)
class Handler:
    """The states of one handler within the horizon, and the queues they last were in."""

    states: list[StateFact] = field(default_factory=list)
    queues: tuple[str, ...] = ()
    queues_known: tuple[int, str] = (0, "")
    answered: list[tuple[int, str]] = field(default_factory=list)
    """(ended_at, visit) of the conversations whose wrap-up has to be read from the states, in time order."""


@dataclass(slots=True)
class Snapshot:
    """The newest word of a source on all its handlers, and how often it gives it."""

    at: int
    id: str
    handlers: dict[str, HandlerNow]
    previous_at: int | None = None

    @property
    def rhythm(self) -> int | None:
        """The time between its last two snapshots."""
        return None if self.previous_at is None else self.at - self.previous_at


def _at(state: StateFact) -> int:
    return state[0]


class Handlers:
    """All handlers of one control room."""

    __slots__ = ("by_id", "snapshots")

    def __init__(self) -> None:
        self.by_id: dict[str, Handler] = {}
        self.snapshots: dict[str, Snapshot] = {}

    def get(self, ident: str) -> Handler | None:
        """The handler, made when first heard of; None when there are too many."""
        handler = self.by_id.get(ident)
        if handler is None and len(self.by_id) < HANDLERS_MAX:
            handler = self.by_id[ident] = Handler()
        return handler

    def heard(self, handler: Handler, state: StateFact) -> bool:
        """Add a state; returns whether it can change the wrap-up read from the states before it."""
        states = handler.states
        index = bisect_left(states, state)
        if index < len(states) and states[index] == state:
            return False
        states.insert(index, state)
        if len(states) > STATES_PER_HANDLER_MAX:
            del states[0]
        newest = index == len(states) - 1
        follows_wrap_up = index > 0 and states[index - 1][1] == _WRAP_UP
        return not newest or state[1] == _WRAP_UP or follows_wrap_up

    def snapshot(self, source: str, at: int, ident: str, handlers: tuple[HandlerNow, ...]) -> None:
        """Take the word of `source` on all its handlers at `at`; of an older word only its time is kept."""
        known = self.snapshots.get(source)
        previous_at = None
        if known is not None:
            earlier = [then for then in (known.previous_at, known.at, at) if then is not None]
            previous_at = max((then for then in earlier if then < max(known.at, at)), default=None)
            if (at, ident) <= (known.at, known.id):
                known.previous_at = previous_at
                return
        self.snapshots[source] = Snapshot(at, ident, {handler.handler: handler for handler in handlers}, previous_at)

    def in_queues(self, handler: Handler, known: tuple[int, str], queues: tuple[str, ...] | None) -> None:
        """Take what an event said at `known` of a handler's queues, unless something newer is known."""
        if queues is not None and known > handler.queues_known:
            handler.queues_known = known
            handler.queues = queues

    def now(self, ident: str, now: int) -> tuple[str, tuple[str, ...]]:
        """(state or `unknown`, queues) of a handler at `now`: the newest word of events and snapshots."""
        handler = self.by_id.get(ident) or Handler()
        index = bisect_right(handler.states, now, key=_at)
        last = handler.states[index - 1] if index else None
        heard, name = ((last[0], ""), STATES[last[1]]) if last is not None else ((0, ""), UNKNOWN)
        queues, queues_known = handler.queues, (handler.queues_known[0], "")
        rhythm: int | None = None
        for source, snapshot in self.snapshots.items():
            listed = snapshot.handlers.get(ident)
            if listed is None and (last is None or source != last[3]):
                continue
            if snapshot.rhythm is not None:
                rhythm = max(rhythm or 0, snapshot.rhythm)
            if (snapshot.at, source) > heard:
                heard = (snapshot.at, source)
                name = listed.state if listed is not None else "logged_out"
            if listed is not None and (snapshot.at, source) > queues_known:
                queues, queues_known = listed.queues, (snapshot.at, source)
        if rhythm is not None and now - heard[0] > SILENT_AFTER + rhythm:
            name = UNKNOWN
        return name, queues

    def counts(self, now: int) -> dict[tuple[str, str], int]:
        """How many handlers are in each (queue, state) at `now`."""
        counts: dict[tuple[str, str], int] = {}
        listed = (ident for snapshot in self.snapshots.values() for ident in snapshot.handlers)
        for ident in {*self.by_id, *listed}:
            state, queues = self.now(ident, now)
            for queue in queues:
                counts[queue, state] = counts.get((queue, state), 0) + 1
        return counts

    def prune(self, before: int) -> None:
        """Forget states older than `before`, but for the last one, and handlers nobody has heard of since."""
        for ident, handler in list(self.by_id.items()):
            index = bisect_left(handler.states, before, key=_at)
            spoken_of = handler.queues_known[0] >= before or (handler.answered and handler.answered[-1][0] >= before)
            if index == len(handler.states) and not spoken_of:
                del self.by_id[ident]
                continue
            del handler.states[: max(0, index - 1)]
            del handler.answered[: bisect_left(handler.answered, (before, ""))]


def wrap_up_after(handler: Handler, ended_at: int) -> tuple[int, int] | None:
    """(duration, end) of the handler's wrap-up interval that follows a conversation, or None while unknown.

    It is the first interval of wrap-up that starts within 30 minutes of the end, before the handler talks again or
    logs out; an interval still open is unknown.
    """
    started_at: int | None = None
    for at, rank in _that_hold(handler.states, ended_at):
        if started_at is not None:
            if rank != _WRAP_UP:
                return at - started_at, at
        elif rank in (_TALKING, _LOGGED_OUT) or at > ended_at + WRAP_UP_STARTS_WITHIN:
            return None
        elif rank == _WRAP_UP:
            started_at = at
    return None


def _that_hold(states: list[StateFact], since: int) -> Iterator[tuple[int, int]]:
    """(at, rank) of the states from `since` on that hold: of several at one moment, the last."""
    for index in range(bisect_left(states, since, key=_at), len(states)):
        at, rank, _, _ = states[index]
        if index + 1 == len(states) or states[index + 1][0] != at:
            yield at, rank


def affected_by(handler: Handler, state: StateFact) -> list[str]:
    """The visits whose wrap-up may have changed because `state` was added."""
    states = handler.states
    started = bisect_left(states, state)
    while started > 0 and (states[started - 1][1] == _WRAP_UP or states[started - 1][0] == states[started][0]):
        started -= 1
    earliest = states[started][0] - WRAP_UP_STARTS_WITHIN
    low = bisect_left(handler.answered, (earliest, ""))
    high = bisect_right(handler.answered, (state[0], "\U0010ffff"))
    return [visit for _, visit in handler.answered[low:high]]


def note_conversation(handler: Handler, ended_at: int, visit: str) -> None:
    """Remember a conversation whose wrap-up is not reported by itself."""
    entry = (ended_at, visit)
    index = bisect_left(handler.answered, entry)
    if index == len(handler.answered) or handler.answered[index] != entry:
        insort(handler.answered, entry)
