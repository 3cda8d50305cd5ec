"""The expected wait reckoned the slow way: every visit and handler is kept, and every sum is made anew."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from schemas import events as ev
from schemas.codec import Arrival
from schemas.moments import HOUR, LONDON, MINUTE, SECOND, micros, moment
from stream.profile import Profile

PRESENT = ("available", "ringing", "talking", "hold", "wrap_up")
WRAP_UP_WITHIN = 30 * MINUTE


@dataclass(slots=True)
class Stay:
    """One visit."""

    queue: str
    queued_at: int
    emergency: bool
    priority: int
    counted: bool
    handler: str | None = None
    over_at: int | None = None
    abandoned: bool = False
    ended_at: int | None = None
    wrapped_up_at: int | None = None
    wrap_up: tuple[int, int] | None = None

    @property
    def rank(self) -> tuple[bool, int]:
        return self.emergency, self.priority

    @property
    def handled(self) -> tuple[int, int] | None:
        """(when settled, how long it took), where all of it is known."""
        if self.over_at is None or self.ended_at is None:
            return None
        if self.wrapped_up_at is not None:
            return max(self.wrapped_up_at, self.ended_at), self.wrapped_up_at - self.over_at
        if self.wrap_up is None:
            return None
        start, end = self.wrap_up
        return end, self.ended_at - self.over_at + end - start


@dataclass(slots=True)
class Person:
    """One handler."""

    states: list[tuple[int, str]] = field(default_factory=list)
    queues: tuple[str, ...] = ()
    last_stay: Stay | None = None

    def state(self, at: int) -> str:
        index = bisect_right(self.states, (at, "~"))
        return self.states[index - 1][1] if index else ""


class Reckoner:
    """Call `hear` with all that is known; then ask."""

    def __init__(self, profile: Profile) -> None:
        self.slots: dict[tuple[int, int], ev.ProfileSlot] = {}
        self._profile = profile
        self._emergencies: dict[str, bool] = {}
        self._tests: set[str] = set()
        self._stays: dict[str, Stay] = {}
        self._people: dict[str, Person] = {}
        self._handled: dict[str, list[Stay]] = {}

    def hear(self, arrivals: Iterable[Arrival]) -> None:
        """Take events in order."""
        for arrival in arrivals:
            match arrival.event:
                case ev.CallOffered(data=data):
                    self._emergencies[data.call] = data.service == "999"
                    if data.test:
                        self._tests.add(data.call)
                case ev.VisitQueued(data=data):
                    self._join(data, arrival.at)
                case ev.VisitPriority(data=data) if data.visit in self._stays:
                    self._stays[data.visit].priority = data.priority
                case ev.VisitAnswered(data=data) if data.visit in self._stays:
                    stay = self._stays[data.visit]
                    stay.handler, stay.over_at = data.handler, arrival.at
                    self._people.setdefault(data.handler, Person()).last_stay = stay
                    self._handled.setdefault(stay.queue, []).append(stay)
                case ev.VisitLeft(data=data) if data.visit in self._stays:
                    stay = self._stays[data.visit]
                    stay.over_at, stay.abandoned = arrival.at, data.reason == "abandoned"
                case ev.VisitEnded(data=data) if data.visit in self._stays:
                    self._stays[data.visit].ended_at = arrival.at
                case ev.VisitWrappedUp(data=data) if data.visit in self._stays:
                    self._stays[data.visit].wrapped_up_at = arrival.at
                case ev.HandlerState(data=data):
                    self._state(data, arrival.at)
                case ev.ProfilePublished(data=data):
                    self.slots = {(slot.weekday, slot.minute): slot for slot in data.slots}
                case _:
                    pass

    def wait(self, visit: str, position: int, now: int) -> Fraction | None:
        """The expected wait in seconds; None when it is undefined."""
        mine = self._stays[visit]
        staff = {name for name, person in self._people.items() if self._present(person, mine.queue, now)}
        before = sum(self._present(person, mine.queue, now - 60 * SECOND) for person in self._people.values())
        handle_time = self._handle_time(mine.queue, now)
        recent = 0
        own: Counter[str] = Counter()
        every: Counter[str] = Counter()
        for stay in self._stays.values():
            if stay.handler is None or stay.over_at is None or not now - HOUR < stay.over_at <= now:
                continue
            ours = stay.queue == mine.queue
            recent += ours and stay.counted and _whole_seconds(stay.over_at, now) < 1800
            if stay.rank <= mine.rank:
                own[stay.handler] += ours
                every[stay.handler] += 1
        if not staff or len(staff) < Fraction(7, 10) * before or handle_time is None or recent < 5:
            return None
        share = sum(Fraction(own[name], every[name]) if every[name] else Fraction(1) for name in staff)
        served = share / handle_time
        drained = served - Fraction(self._higher(staff, mine, now), 900)
        if drained <= served / 10:
            return None
        theta = self._theta(mine.queue, now)
        return sum((1 / (drained + place * theta) for place in range(position)), Fraction())

    def higher_waits(self, visit: str) -> bool:
        """Whether somebody of higher priority waits, in whatever line."""
        mine = self._stays[visit]
        return any(stay.over_at is None and stay.rank > mine.rank for stay in self._stays.values())

    def forget(self, now: int) -> None:
        """Drop what is over for more than three hours; what was handled is kept."""
        self._stays = {name: s for name, s in self._stays.items() if s.over_at is None or s.over_at > now - 3 * HOUR}

    def _join(self, data: ev.VisitQueuedData, at: int) -> None:
        if data.call in self._tests:
            return
        emergency = self._emergencies.get(data.call, False) or self._profile.target(data.queue).service == "999"
        counted = data.kind != "callback"
        self._stays[data.visit] = Stay(data.queue, at, emergency, data.priority or 0, counted)

    def _state(self, data: ev.HandlerStateData, at: int) -> None:
        person = self._people.setdefault(data.handler, Person())
        person.states.append((at, data.state))
        if data.queues is not None:
            person.queues = data.queues
        stay = person.last_stay
        if stay is None or stay.ended_at is None or stay.wrap_up is not None or len(person.states) < 2:
            return
        since, state = person.states[-2]
        if state == "wrap_up" and stay.ended_at <= since <= stay.ended_at + WRAP_UP_WITHIN:
            stay.wrap_up = (since, at)

    def _present(self, person: Person, queue: str, at: int) -> bool:
        return queue in person.queues and person.state(at) in PRESENT

    def _handle_time(self, queue: str, now: int) -> Fraction | None:
        """Seconds; under twenty of the last hour are filled up with what is usual."""
        local = moment(now).astimezone(LONDON)
        slot = self.slots.get((local.weekday(), local.hour * 60 + local.minute // 30 * 30))
        known = self._known_handled(queue, now, since=0 if slot is None else now - 6 * HOUR)
        if slot is not None:
            usual = round(slot.aht_mean * SECOND)
        elif known:
            usual = sum(took for _, took in known) // len(known)
        else:
            return None
        last_hour = [took for at, took in known if _whole_seconds(at, now) < 3600]
        missing = max(0, 20 - len(last_hour))
        return Fraction((sum(last_hour) + missing * usual) // (len(last_hour) + missing), SECOND)

    def _known_handled(self, queue: str, now: int, since: int) -> list[tuple[int, int]]:
        """(when settled, how long it took) of those answered since, newest first."""
        found = []
        for stay in reversed(self._handled.get(queue, ())):
            if (stay.over_at or 0) < since:
                break
            if stay.counted and (handled := stay.handled) is not None and handled[0] <= now:
                found.append(handled)
        return found

    def _higher(self, staff: set[str], mine: Stay, now: int) -> int:
        shared = {queue for name in staff for queue in self._people[name].queues}
        return sum(
            now - 15 * MINUTE < stay.queued_at <= now
            and stay.rank > mine.rank
            and (stay.handler in staff or (stay.over_at is None and stay.queue in shared))
            for stay in self._stays.values()
        )

    def _theta(self, queue: str, now: int) -> Fraction:
        left = [
            stay
            for stay in self._stays.values()
            if stay.queue == queue
            and stay.counted
            and stay.over_at is not None
            and stay.over_at // MINUTE > now // MINUTE - 120
        ]
        waited = sum((stay.over_at or 0) - stay.queued_at for stay in left)
        if waited < HOUR:
            return Fraction(1, 360)
        return Fraction(sum(stay.abandoned for stay in left) * SECOND, waited)


def _whole_seconds(at: int, now: int) -> int:
    """The age of a moment as windows count it; one of the future is older than all."""
    return now // SECOND - at // SECOND if at <= now else 1 << 40


def usual_week() -> tuple[ev.ProfileSlot, ...]:
    """A week in which it is quiet before seven and after eleven."""
    return tuple(
        ev.ProfileSlot(
            weekday=weekday,
            minute=minute,
            offered=20.0,
            aht_mean=400.0,
            wait_median=30.0 if minute < 7 * 60 or minute >= 23 * 60 else 240.0,
            crossover=0.0,
            n=4 if minute % 60 else 3,
        )
        for weekday in range(7)
        for minute in range(0, 24 * 60, 30)
    )


def published(centre: str, at: int) -> Arrival:
    """That week, published at `at` (µs)."""
    data = ev.ProfilePublishedData(centre=centre, slots=usual_week(), month_to_date={}, computed_at=moment(at))
    event = ev.ProfilePublished(
        specversion="1.0", id="profile", source=f"//{centre}/profile", time=moment(at), data=data
    )
    return Arrival(event, micros(event.time), micros(event.time))
