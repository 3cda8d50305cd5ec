"""The core: events and the time in, effects out.

`Engine` is a pure function in the shape of an object: no clock, no I/O, no randomness. It holds the control rooms of
one partition. The same events, in whatever order and however often, give the same figures; so the state is never
saved, but read again from the input (docs/adr/0002-reread-the-input.md).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from schemas.codec import Arrival, Refusal
from schemas.moments import MINUTE
from schemas.outputs import Cancellation, Command, VisitFacts
from stream import tally as t
from stream.announcements import Policy
from stream.board import Board, board_in_parts
from stream.callers import Callers
from stream.counters import no_anomalies
from stream.profile import Profile
from stream.room import FORGET_AFTER, Room, Settled
from stream.voice import Voice
from stream.windows import RollingWindows, Windows

CENTRES_MAX = 64
SWEEP_EVERY = MINUTE

UNKNOWN_CENTRE = Refusal("unknown_centre", "no control room of this name is configured", "data.centre")


@dataclass(slots=True)
class Effects:
    """What one step of the engine gives."""

    commands: list[Command] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    facts: list[VisitFacts] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    """(index of the arrival, why it was refused)"""
    changed: set[str] = field(default_factory=set)
    """The control rooms whose board may have changed."""

    @property
    def decides(self) -> bool:
        """Whether this step said something that must be logged before it is published."""
        return bool(self.commands or self.cancellations)


class Engine:
    """The control rooms of one partition. Moments are µs since the epoch; `epoch` is the owner's number.

    The rooms `opens` exist from the start; others of the profile open when their first event comes. `anomalies` are
    counted by kind, on top of what is in there: a worker's engines come and go, what it counted stays.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        epoch: int = 0,
        opens: Iterable[str] = (),
        anomalies: dict[str, int] | None = None,
        policy: Policy | None = None,
        make_windows: Callable[[], Windows] = RollingWindows,
        make_callers: Callable[[], Callers] = Callers,
    ) -> None:
        self.profile = profile
        self.epoch = epoch
        self.rooms: dict[str, Room] = {}
        self.voices: dict[str, Voice] = {}
        self.anomalies = no_anomalies() if anomalies is None else anomalies
        self._policy = policy or Policy()
        self._make_windows = make_windows
        self._make_callers = make_callers
        self._restoring = False
        self._swept_at = 0
        self._unswept: list[Room] = []
        """One is swept at each tick, so that no caller of any waits for all."""
        for centre in sorted(opens):
            self._open(centre)

    @property
    def restoring(self) -> bool:
        """While True nothing is decided and no counter moves; settled facts are handed out all the same."""
        return self._restoring

    @restoring.setter
    def restoring(self, value: bool) -> None:
        if not value:
            for voice in self.voices.values():
                voice.catch_up()
        self._restoring = value
        for room in self.rooms.values():
            room.counting = not value

    @property
    def centres(self) -> tuple[str, ...]:
        """The control rooms known."""
        return tuple(self.rooms)

    def apply(self, arrivals: Sequence[Arrival], now: int) -> Effects:
        """Take events, settle what they changed and decide what follows, as of `now`."""
        effects = Effects()
        self.take(arrivals, now, effects)
        self.settle(now, effects)
        return effects

    def take(self, arrivals: Sequence[Arrival], now: int, effects: Effects) -> None:
        """Take events, of which nothing follows before `settle` is called with the same `effects`."""
        rooms = self.rooms
        centre, room = "", None
        for index, arrival in enumerate(arrivals):
            event = arrival.event
            if event.data.centre != centre:
                centre = event.data.centre
                room = rooms.get(centre) or self._open(centre)
                if room is not None:
                    room.now = now
                    effects.changed.add(centre)
            refusal = UNKNOWN_CENTRE if room is None else room.take(event, arrival.at, arrival.appended_at)
            if refusal is not None:
                effects.refused.append((index, refusal))
        if arrivals:
            for centre in effects.changed:
                rooms[centre].liveness.applied_up_to(arrivals[-1].appended_at)

    def settle(self, now: int, effects: Effects) -> None:
        """Settle what was taken and decide what follows: dearly for few events, cheaply for many at once."""
        for centre in effects.changed:
            self.rooms[centre].settle(now)
            self._decide(centre, now, effects)

    def tick(self, now: int) -> Effects:
        """Do what only the passing of time asks for."""
        effects = Effects()
        for centre, room in self.rooms.items():
            room.wake(now)
            self._decide(centre, now, effects)
        if now >= self._swept_at + SWEEP_EVERY:
            self._swept_at = now
            self._unswept = list(self.rooms.values())
        if self._unswept:
            self._unswept.pop().sweep(now)
        return effects

    def board(self, centre: str, now: int) -> Board:
        """The whole board of `centre` as of `now`; `KeyError` when it is not known."""
        *_, board = self.board_in_parts(centre, now)
        assert board is not None
        return board

    def board_in_parts(self, centre: str, now: int) -> Iterator[Board | None]:
        """The same at last, and None before it when other engines may work, but not this one."""
        return board_in_parts(self.rooms[centre], now, self.epoch)

    def remember(self, decided: Command | Cancellation) -> None:
        """Take over what an earlier owner decided."""
        voice = self.voices.get(decided.centre)
        if voice is not None and isinstance(decided, Command):
            voice.remember(decided)

    def needed_since(self, now: int) -> int:
        """The event time from which input must be read again to rebuild this state."""
        return min([now - FORGET_AFTER, *(room.needed_since for room in self.rooms.values() if room.needed_since)])

    def _open(self, centre: str) -> Room | None:
        if self.profile.centres and centre not in self.profile.centres:
            return None
        if len(self.rooms) >= CENTRES_MAX:
            return None
        room = self.rooms[centre] = Room(
            centre,
            self.profile,
            self._make_windows,
            anomalies=self.anomalies,
            make_callers=self._make_callers,
            follow_flow=self._make_windows is RollingWindows,
        )
        room.counting = not self._restoring
        self.voices[centre] = Voice(room, self._policy)
        return room

    def _decide(self, centre: str, now: int, effects: Effects) -> None:
        room = self.rooms[centre]
        settled, room.settled = room.settled, []
        for entry in settled:
            self._hand_out(centre, entry, effects)
        if self._restoring:
            return
        commands, cancellations = self.voices[centre].consider(now, self.epoch)
        if commands or cancellations:
            effects.commands += commands
            effects.cancellations += cancellations
            effects.changed.add(centre)

    def _hand_out(self, centre: str, entry: Settled, effects: Effects) -> None:
        """Give the settled facts of a visit, unless the same were given before."""
        visit, told, outcome, call = entry
        offer = call.offer
        digest = hash((outcome, told.queue, told.queued_at, told.wait_ends_at, told.talk, told.hold, told.wrap_up,
                       told.outcome_class, offer and (offer.service, offer.origin, offer.test)))  # fmt: skip
        if visit.published == digest:
            return
        visit.published = digest
        effects.facts.append(
            VisitFacts(
                centre=centre,
                visit=visit.id,
                call=call.id,
                queue=told.queue,
                epoch=self.epoch,
                outcome=t.OUTCOMES[outcome],
                queued_at=told.queued_at,
                wait_ends_at=told.wait_ends_at,
                wait=told.wait,
                service=offer.service if offer else None,
                channel=offer.channel if offer else None,
                origin=offer.origin if offer else None,
                site=offer.site if offer else None,
                department=offer.department if offer else None,
                dialled=offer.dialled if offer else None,
                kind=told.kind,
                answered_at=told.answered_at,
                ended_at=told.ended_at,
                wrapped_up_at=told.wrapped_up_at,
                talk=told.talk,
                hold=told.hold,
                wrap_up=told.wrap_up,
                outcome_class=told.outcome_class,
                test=bool(offer and offer.test),
            )
        )
