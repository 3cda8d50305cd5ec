"""Handlers: the people who answer, and what state each is in.

A handler's states are a set of (time, rank of the state); the state at a moment is the last of them by that order.
Of two events that say the same state of the same moment one is kept, with the lesser of their sources. A snapshot
speaks for all handlers of its source at its moment: who is not listed is logged out. Nobody is staffed on hearsay: a
handler not heard of for 60 s beyond the rhythm of its source's snapshots is `unknown`.
"""

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

from schemas.events import HandlerNow
from schemas.moments import MINUTE, SECOND

STATES = ("logged_out", "not_ready", "available", "ringing", "talking", "hold", "wrap_up")
"""In the order of their rank: of two states at one moment the later in this list holds."""
RANK = {name: rank for rank, name in enumerate(STATES)}
UNKNOWN = "unknown"
STAFFED = frozenset({"available", "ringing", "talking", "hold", "wrap_up"})
"""A handler who is on a break, logged out or not heard of is not staffed."""

HANDLERS_MAX = 5_000
STATES_PER_HANDLER_MAX = 8_192
SILENT_AFTER = 60 * SECOND
WRAP_UP_STARTS_WITHIN = 30 * MINUTE
STAFF_LOOK_BACK = 60 * SECOND

_RANKS = 8
_WRAP_UP, _TALKING, _LOGGED_OUT = RANK["wrap_up"], RANK["talking"], RANK["logged_out"]


def state_fact(at: int, state: str) -> int:
    """A state and its moment as one number, since there are a hundred thousand of them in two days."""
    return at * _RANKS + RANK[state]


@dataclass(slots=True)
class Handler:
    """The states of one handler within the horizon, and the queues they last were in."""

    states: "array[int]" = field(default_factory=lambda: array("q"))
    """Of `state_fact`, rising."""
    sources: list[str] = field(default_factory=list)
    """Who said each of `states`."""
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


class Place(NamedTuple):
    """As what a handler counts, and at last until when that is so if nothing is heard."""

    state: str
    """Or `unknown`."""
    queues: tuple[str, ...]
    was_staffed: bool
    """Whether they were staffed `STAFF_LOOK_BACK` ago, by their own word; as now, if they had not spoken by then."""
    until: int | None

    def is_confirmed(self, said: HandlerNow, silent_from: int) -> bool:
        """Whether what a snapshot says is just what is counted, so that only until when it is so moves on."""
        if self.until is None or self.until > silent_from:
            return False
        return self.state == said.state and self.queues == said.queues


@dataclass(slots=True)
class Staff:
    """Who is staffed in one queue, and how many were `STAFF_LOOK_BACK` ago."""

    now: set[str] = field(default_factory=set)
    before: int = 0

    @property
    def collapsed(self) -> bool:
        """Whether more than 30 % of them went meanwhile: nobody knows yet what that means for the wait."""
        return 10 * len(self.now) < 7 * self.before


class Handlers:
    """All handlers of one control room."""

    __slots__ = ("_changed", "_counted_at", "_counts", "_places", "_staff", "_turns", "by_id", "snapshots")

    def __init__(self) -> None:
        self.by_id: dict[str, Handler] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._staff: dict[str, Staff] = {}
        self._counted_at = 0
        self._places: dict[str, Place] = {}
        """As what each handler is in `_counts` and `_staff`."""
        self._changed: set[str] = set()
        """Those of whom something was heard since they were counted."""
        self._turns: list[tuple[int, str]] = []
        """A heap of (from when on a handler may count otherwise, though nothing is heard of them; who)."""

    def get(self, ident: str) -> Handler | None:
        """The handler, of whom something is heard; made the first time, None when there are too many."""
        self._changed.add(ident)
        handler = self.by_id.get(ident)
        if handler is None and len(self.by_id) < HANDLERS_MAX:
            handler = self.by_id[ident] = Handler()
        return handler

    def heard(self, handler: Handler, state: int, source: str) -> bool:
        """Add a `state_fact`; returns whether it can change the wrap-up read from the states before it."""
        states, sources = handler.states, handler.sources
        newest = not states or state > states[-1]
        index = len(states) if newest else bisect_left(states, state)
        if not newest and states[index] == state:
            sources[index] = min(sources[index], source)
            return False
        follows_wrap_up = index > 0 and states[index - 1] % _RANKS == _WRAP_UP
        states.insert(index, state)
        sources.insert(index, source)
        if len(states) > STATES_PER_HANDLER_MAX:
            del states[0], sources[0]
            return True
        return not newest or state % _RANKS == _WRAP_UP or follows_wrap_up

    def snapshot(self, source: str, at: int, ident: str, handlers: tuple[HandlerNow, ...]) -> None:
        """Take the word of `source` on all its handlers at `at`; of an older word only its time is kept."""
        known = self.snapshots.get(source)
        previous_at = None
        if known is not None:
            earlier = [then for then in (known.previous_at, known.at, at) if then is not None]
            previous_at = max((then for then in earlier if then < max(known.at, at)), default=None)
            if (at, ident) <= (known.at, known.id):
                if known.previous_at != previous_at:
                    known.previous_at = previous_at
                    self._changed.update(self.by_id, self._places, known.handlers)
                return
        listed = {handler.handler: handler for handler in handlers}
        new = self.snapshots[source] = Snapshot(at, ident, listed, previous_at)
        self._changed.update(self.by_id.keys() - listed.keys(), self._places.keys() - listed.keys())
        if new.rhythm is None:
            self._changed.update(listed)
            return
        silent_from = at + SILENT_AFTER + new.rhythm
        for ident, handler in listed.items():
            place = self._places.get(ident)
            if place is None or not place.is_confirmed(handler, silent_from):
                self._changed.add(ident)

    def in_queues(self, handler: Handler, known: tuple[int, str], queues: tuple[str, ...] | None) -> None:
        """Take what an event said at `known` of a handler's queues, unless something newer is known."""
        if queues is not None and known > handler.queues_known:
            handler.queues_known = known
            handler.queues = queues

    def counts(self, now: int) -> Mapping[tuple[str, str], int]:
        """How many handlers are in each (queue, state) at `now`; not to be changed."""
        self._bring_to(now)
        return self._counts

    def staff(self, now: int) -> Mapping[str, Staff]:
        """By queue the staff at `now`, by the newest word of events and snapshots; not to be changed."""
        self._bring_to(now)
        return self._staff

    def _bring_to(self, now: int) -> None:
        changed = self._changed
        if now < self._counted_at:
            changed.update(self._places)
        self._counted_at = now
        turns, places = self._turns, self._places
        while turns and turns[0][0] <= now:
            until, ident = heappop(turns)
            if ident in places and places[ident].until == until:
                changed.add(ident)
        for ident in changed:
            self._count(ident, now)
        changed.clear()

    def _count(self, ident: str, now: int) -> None:
        before, found = self._places.pop(ident, None), self._place(ident, now)
        if found.queues or found.until is not None:
            self._places[ident] = found
        if found.until is not None and (before is None or before.until != found.until):
            heappush(self._turns, (found.until, ident))
        if before is None or before[:3] != found[:3]:
            if before is not None:
                self._add(ident, before, -1)
            self._add(ident, found, 1)

    def _add(self, ident: str, place: "Place", sign: int) -> None:
        for queue in place.queues:
            count = self._counts.get((queue, place.state), 0) + sign
            if count:
                self._counts[queue, place.state] = count
            else:
                del self._counts[queue, place.state]
            staff = self._staff.setdefault(queue, Staff())
            staff.before += sign * place.was_staffed
            if place.state in STAFFED:
                (staff.now.add if sign > 0 else staff.now.discard)(ident)
            if not staff.now and not staff.before:
                del self._staff[queue]

    def _place(self, ident: str, now: int) -> "Place":
        handler = self.by_id.get(ident) or Handler()
        heard, name, last_source = (0, ""), UNKNOWN, None
        index = bisect_left(handler.states, (now + 1) * _RANKS)
        if index:
            at, rank = divmod(handler.states[index - 1], _RANKS)
            heard, name, last_source = (at, ""), STATES[rank], handler.sources[index - 1]
        until = handler.states[index] // _RANKS if index < len(handler.states) else None
        queues, queues_known = handler.queues, (handler.queues_known[0], "")
        rhythm: int | None = None
        for source, snapshot in self.snapshots.items():
            listed = snapshot.handlers.get(ident)
            if listed is None and source != last_source:
                continue
            if snapshot.rhythm is not None:
                rhythm = max(rhythm or 0, snapshot.rhythm)
            if (snapshot.at, source) > heard:
                heard = (snapshot.at, source)
                name = listed.state if listed is not None else "logged_out"
            if listed is not None and (snapshot.at, source) > queues_known:
                queues, queues_known = listed.queues, (snapshot.at, source)
        if rhythm is not None:
            silent_from = heard[0] + SILENT_AFTER + rhythm + 1
            if now >= silent_from:
                name = UNKNOWN
            else:
                until = silent_from if until is None else min(until, silent_from)
        earlier = bisect_left(handler.states, (now - STAFF_LOOK_BACK + 1) * _RANKS)
        if earlier < index:
            turns_at = handler.states[earlier] // _RANKS + STAFF_LOOK_BACK
            until = turns_at if until is None else min(until, turns_at)
        said = STATES[handler.states[earlier - 1] % _RANKS] if earlier else name
        return Place(name, queues, said in STAFFED, until)

    def prune(self, before: int) -> None:
        """Forget states older than `before`, but for the last one, and handlers nobody has heard of since."""
        for ident, handler in list(self.by_id.items()):
            index = bisect_left(handler.states, before * _RANKS)
            spoken_of = handler.queues_known[0] >= before or (handler.answered and handler.answered[-1][0] >= before)
            if index == len(handler.states) and not spoken_of:
                del self.by_id[ident]
                self._changed.add(ident)
                continue
            del handler.states[: max(0, index - 1)], handler.sources[: max(0, index - 1)]
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


def _that_hold(states: "array[int]", since: int) -> Iterator[tuple[int, int]]:
    """(at, rank) of the states from `since` on that hold: of several at one moment, the last."""
    for index in range(bisect_left(states, since * _RANKS), len(states)):
        at, rank = divmod(states[index], _RANKS)
        if index + 1 == len(states) or states[index + 1] // _RANKS != at:
            yield at, rank


def affected_by(handler: Handler, state: int) -> list[str]:
    """The visits whose wrap-up may have changed because `state` was added."""
    if not handler.answered:
        return []
    states = handler.states
    started = bisect_left(states, state)
    while started > 0 and (
        states[started - 1] % _RANKS == _WRAP_UP or states[started - 1] // _RANKS == states[started] // _RANKS
    ):
        started -= 1
    earliest = states[started] // _RANKS - WRAP_UP_STARTS_WITHIN
    if handler.answered[-1][0] < earliest:
        return []
    low = bisect_left(handler.answered, (earliest, ""))
    high = bisect_right(handler.answered, (state // _RANKS, "\U0010ffff"))
    return [visit for _, visit in handler.answered[low:high]]


def note_conversation(handler: Handler, ended_at: int, visit: str) -> None:
    """Remember a conversation whose wrap-up is not reported by itself."""
    entry = (ended_at, visit)
    index = bisect_left(handler.answered, entry)
    if index == len(handler.answered) or handler.answered[index] != entry:
        insort(handler.answered, entry)
