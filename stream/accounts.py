"""What a set of events says of each visit in the end: one account a visit, as the figures count it.

Events must come sorted, as for `History`, and the same rooms derive the same stories from them; only sums are left
out. A visit's account is taken when it is settled, and again when it is corrected, so that memory holds one small
record a visit, however long the history.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from schemas.codec import Arrival
from schemas.events import SourceHeartbeat
from schemas.moments import HOUR, SECOND
from stream import facts as f
from stream import tally as t
from stream.counters import no_anomalies
from stream.facts import Fact
from stream.profile import Profile
from stream.room import Room
from stream.tally import Atom
from stream.visits import Story, Visit, story

SURE_TO = (SECOND // 100, SECOND, 5 * SECOND)
"""How far a moment may be off, by its time quality: exact, second, arrival. Exact moments of two listeners to one
switch lie a few milliseconds apart."""

Key = tuple[str, str]
"""(control room, visit)"""


@dataclass(frozen=True, slots=True)
class Account:
    """One visit. Moments and durations in µs; `…_sure_to` is how far each may be off."""

    call: str
    queue: str
    outcome: str | None
    """None: it waits."""
    queued_at: int
    wait: int
    handler: str | None
    conversation: int | None
    """Talk and hold of an answered visit; None while its end is unknown."""
    joined_sure_to: int
    wait_sure_to: int
    conversation_sure_to: int
    short_limit: int
    atoms: tuple[Atom, ...]
    """What it adds to the figures of joining, waiting and leaving."""


class Accounts:
    """Collects sorted events; `newest` is the greatest event time other than heartbeats."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rooms: dict[str, Room] = {}
        self._told: dict[Key, Account] = {}
        self.newest = 0

    def take(self, arrivals: Iterable[Arrival]) -> Iterator[int]:
        """Take sorted events; yields how many were taken after each hour of event time, for progress."""
        taken = 0
        for _, group in groupby(arrivals, key=lambda arrival: arrival.at // HOUR):
            for arrival in group:
                taken += 1
                self._room(arrival.event.data.centre).take(arrival.event, arrival.at, arrival.appended_at)
                if not isinstance(arrival.event, SourceHeartbeat):
                    self.newest = max(self.newest, arrival.at)
            for room in self._rooms.values():
                room.settle(self.newest)
                self._wake(room, self.newest)
                room.sweep(self.newest - self.newest % HOUR)
                room.forget_what_voices_need()
            yield taken

    def told(self, as_of: int) -> Mapping[Key, Account]:
        """The accounts of all visits as of a moment that is not before `newest`."""
        for room in self._rooms.values():
            self._wake(room, as_of)
            for visit in room.visits.values():
                told = story(visit) if visit.remind_at or visit.is_waiting else None
                if told is not None and visit.counting is not None:
                    self._told[room.centre, visit.id] = self._account(visit, told, visit.counting.outcome)
        return self._told

    def _room(self, centre: str) -> Room:
        room = self._rooms.get(centre)
        if room is None:
            room = self._rooms[centre] = Room(centre, self._profile, _NoSums, anomalies=no_anomalies())
            room.counting = False
        return room

    def _wake(self, room: Room, now: int) -> None:
        room.wake(now)
        for visit, told, outcome, _ in room.settled:
            self._told[room.centre, visit.id] = self._account(visit, told, outcome)
        room.settled.clear()

    def _account(self, visit: Visit, told: Story, outcome: int | None) -> Account:
        joined = _sure_to(visit.facts, f.QUEUED, f.LISTED)
        left = _sure_to(visit.facts, f.ANSWERED, f.LEFT)
        conversation = None if told.talk is None or told.hold is None else told.talk + told.hold
        return Account(
            call=told.call,
            queue=told.queue,
            outcome=None if outcome is None else t.OUTCOMES[outcome],
            queued_at=told.queued_at,
            wait=told.wait,
            handler=told.handler,
            conversation=conversation,
            joined_sure_to=joined,
            wait_sure_to=joined + left,
            conversation_sure_to=left + _sure_to(visit.facts, f.ENDED),
            short_limit=self._profile.target(told.queue).short_limit,
            atoms=tuple(atom for atom in visit.atoms if t.SETTLED not in atom[1::2]),
        )


class _NoSums:
    """Windows in which nobody looks."""

    clock = 0

    def add(self, atom: Atom) -> None: ...
    def remove(self, atom: Atom) -> None: ...
    def advance(self, now: int) -> None: ...


def _sure_to(facts: Iterable[Fact], *kinds: int) -> int:
    """How far the moment is off that these facts claim; a `queued` event goes before a listing."""
    claims = [fact for fact in facts if fact[f.KIND] in kinds]
    if not claims:
        return 0
    if f.LISTED in kinds:
        return SURE_TO[min(claims, key=lambda fact: (fact[f.KIND], f.order(fact)))[f.QUALITY]]
    return SURE_TO[min(claims, key=f.order)[f.QUALITY]]
