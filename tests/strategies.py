"""Strange days: a handful of calls in which everything happens that the contract of the input allows.

Each case draws its moments from few values, so that equal times and the edges of thresholds are common, spreads its
calls over up to 33 hours, and contradicts itself: two outcomes, one id with two contents, two sources that disagree,
snapshots in parts that list ghosts and miss callers, conversations that end before they began.
"""

from dataclasses import dataclass
from datetime import date
from random import Random
from typing import Any

from hypothesis import strategies as st

from schemas import events as ev
from schemas.codec import Arrival
from tests import feed
from tests.feed import CENTRE, PBX, SAFE

PBX2 = f"//{CENTRE}/pbx2"

STARTS = (0, 0, 0.5, 1, 60, 600, 6 * 3600, 20 * 3600, 33 * 3600)
DELAYS = (0, 1, 4.999999, 5, 9.999999, 10, 29.999999, 30, 30.000001, 31, 59.5, 60, 61, 300, 899, 900, 1800, 3600)
ENDS = (0, 0.000001, 1, 59, 600, 3600, 8 * 3600, 9 * 3600)
QUEUES = ("101", "101", "101", "999", "999", "101-secondary", "internal", "digital", "desk")
SERVICES = ("101", "101", "999", "internal", "digital", "elsewhere")
QUALITIES = ("exact", "exact", "exact", "second", "arrival")
REASONS = (
    "abandoned",
    "abandoned",
    "timed_out",
    "exited_by_key",
    "callback_requested",
    "transferred_out",
    "withdrawn",
)
STATES = ("available", "ringing", "talking", "hold", "wrap_up", "wrap_up", "not_ready", "logged_out")
HANDLERS = ("h1", "h2")


@dataclass(frozen=True)
class Case:
    """Events of one control room in order of time, and the moment at which all of them are known."""

    arrivals: list[Arrival]
    as_of: int

    def disturbed(self, random: Random) -> list[Arrival]:
        """The events in another order, some of them more than once."""
        again = random.choices(self.arrivals, k=random.randrange(len(self.arrivals)))
        order = [*self.arrivals, *again]
        random.shuffle(order)
        return order


class _Draw:
    """Draws one of few values, and remembers what it made."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.arrivals: list[Arrival] = []
        self.visits: list[tuple[str, float]] = []

    def one_of(self, values: tuple[Any, ...]) -> Any:
        return self.draw(st.sampled_from(values))

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == one_in)

    def up_to(self, most: int) -> range:
        return range(self.draw(st.integers(0, most)))

    def say(self, arrival: Arrival) -> None:
        self.arrivals.append(arrival)

    def manner(self) -> dict[str, Any]:
        """By whom, and how well timed, something is said."""
        return {"time_quality": self.one_of(QUALITIES), "source": self.one_of((PBX, PBX, PBX, PBX2))}

    def maybe(self, one_in: int, **members: tuple[Any, ...]) -> dict[str, Any]:
        return {name: self.one_of(values) for name, values in members.items() if self.chance(one_in)}


def _call(make: _Draw, number: int) -> None:
    call, start = f"c{number}", make.one_of(STARTS)
    for _ in range(make.one_of((1, 1, 1, 0, 2))):
        service = make.one_of(SERVICES)
        more = make.maybe(
            3,
            caller=("ann", "ben"),
            caller_state=("ok", "shared"),
            transferred_at=(start - 4, start + 60),
            channel=("voice", "digital", "text_relay"),
            origin=("public", "station_phone"),
            language=("cy", "en", "pl"),
        )
        make.say(feed.offered(call, start, service, **more, **make.maybe(9, test=(True,)), **make.manner()))
    if make.chance(4):
        make.say(feed.refused(call, start + 1, make.one_of(("full", "closed", "unstaffed")), **make.manner()))
    if make.chance(4):
        make.say(feed.call_ended(call, start + make.one_of(DELAYS), **make.manner()))
    for _ in make.up_to(2):
        result = make.one_of(("reached", "no_answer", "failed"))
        make.say(feed.rung_back(call, start + make.one_of(DELAYS), result, **make.manner()))
    for visit in range(make.one_of((1, 1, 2, 2, 0, 3))):
        _visit(make, call, f"v{number}.{visit}", start + make.one_of(DELAYS))


def _visit(make: _Draw, call: str, visit: str, start: float) -> None:
    make.visits.append((visit, start))
    joined = dict(make.manner())
    joined |= make.maybe(4, priority=(-1, 0, 5), position=(1, 2), queued_at=(start - 2, start, start + 10))
    if make.chance(6):
        joined |= {"kind": "callback", "original_queued_at": start - make.one_of(DELAYS), "callback_of": "v0.0"}
    queue = make.one_of(QUEUES)
    if not make.chance(8):
        make.say(feed.queued(visit, start, queue, call, **joined))
    if make.chance(6):
        make.say(feed.queued(visit, start + 1, make.one_of(QUEUES), make.one_of((call, "c0")), **make.manner()))
    if make.chance(8):
        make.say(feed.queued(visit, start, make.one_of(QUEUES), call, ident=f"again-{visit}", source=PBX))
        make.say(feed.queued(visit, start + make.one_of(DELAYS), queue, call, ident=f"again-{visit}", source=PBX))
    for _ in make.up_to(1):
        make.say(feed.priority(visit, start + make.one_of(DELAYS), make.one_of((-3, 0, 7))))
    for _ in make.up_to(1):
        make.say(feed.ringing(visit, start + make.one_of(DELAYS), make.one_of(HANDLERS)))
        make.say(feed.ring_no_answer(visit, start + make.one_of(DELAYS), make.one_of(HANDLERS)))
    over = start + make.one_of((*DELAYS, -3))
    how = make.one_of(("answered", "answered", "left", "left", "waiting", "both", "versions"))
    if how in ("answered", "both"):
        make.say(feed.answered(visit, over, make.one_of(HANDLERS), **make.manner()))
    if how in ("left", "both"):
        make.say(feed.left(visit, over, make.one_of(REASONS), **make.manner()))
    if how == "versions":
        make.say(feed.left(visit, over, make.one_of(REASONS), ident=f"twice-{visit}"))
        other = make.one_of(("answered", "left"))
        if other == "answered":
            make.say(feed.answered(visit, over, make.one_of(HANDLERS), ident=f"twice-{visit}"))
        else:
            quality = make.one_of(QUALITIES)
            make.say(feed.left(visit, over + 1, make.one_of(REASONS), ident=f"twice-{visit}", time_quality=quality))
    if how != "waiting" and not make.chance(4):
        _conversation(make, visit, over)


def _conversation(make: _Draw, visit: str, answered_at: float) -> None:
    until = answered_at + make.one_of((*DELAYS, -1))
    for _ in make.up_to(2):
        make.say(feed.held(visit, answered_at + make.one_of(DELAYS)))
        make.say(feed.resumed(visit, answered_at + make.one_of(DELAYS)))
    for _ in range(make.one_of((1, 1, 1, 0, 2))):
        make.say(feed.ended(visit, until, **make.manner()))
    if make.chance(3):
        source = make.one_of((SAFE, SAFE, PBX))
        make.say(feed.wrapped_up(visit, until + make.one_of((*DELAYS, -1)), source=source))
    if make.chance(9):
        make.say(feed.wrapped_up(visit, until, source=PBX, ident=f"again-{visit}", agency="fire"))


def _snapshots(make: _Draw) -> None:
    for number in make.up_to(4):
        queue, parts = make.one_of(("101", "101", "999", "digital")), make.one_of((1, 1, 2, 3))
        at = make.one_of(STARTS) + make.one_of(DELAYS) + make.one_of((0, 6, 61))
        source = make.one_of((PBX, PBX, PBX2))
        for part in range(1, parts + 1):
            if make.chance(5):
                continue
            known = tuple(make.visits) or (("ghost", 0.0),)
            names = {make.one_of((*known, (f"ghost{number}", at - 1))) for _ in make.up_to(2)}
            waiting = tuple(
                feed.listed(visit, min(start, at), **make.maybe(3, priority=(0, 4), position=(1, 2)))
                for visit, start in sorted(names)
            )
            late = make.one_of((0, 0, 2))
            make.say(feed.snapshot(at + late, waiting, queue, part, parts, taken_at=at, source=source))


def _staff(make: _Draw) -> None:
    for handler in HANDLERS:
        for _ in make.up_to(5):
            at = make.one_of(STARTS) + make.one_of(DELAYS) + make.one_of(DELAYS)
            more = make.maybe(2, queues=(("101",), ("101", "999"), ()))
            make.say(feed.handler(handler, at, make.one_of(STATES), source=make.one_of((PBX, PBX2)), **more))
    for _ in make.up_to(3):
        states = {handler: make.one_of(STATES) for handler in HANDLERS if not make.chance(3)}
        make.say(feed.handlers(make.one_of(STARTS) + make.one_of(DELAYS), states, source=make.one_of((PBX, PBX2))))


def _the_rest(make: _Draw) -> None:
    for _ in make.up_to(4):
        make.say(feed.heartbeat(make.one_of(STARTS) + make.one_of(DELAYS), source=make.one_of((PBX, PBX2))))
    at = make.one_of(STARTS)
    for cls, data, members in (
        (ev.RosterPlanned, ev.RosterPlannedData, _ROSTER),
        (ev.RosterAbsence, ev.RosterAbsenceData, _ABSENCE),
        (ev.ProfilePublished, ev.ProfilePublishedData, _PROFILE),
        (ev.Note, ev.NoteData, _NOTE),
        (ev.AnnouncementOutcome, ev.AnnouncementOutcomeData, _SPOKEN),
    ):
        if make.chance(3):
            make.say(feed.event(cls, data, at, **members))


_ROSTER = {
    "queue": "101",
    "interval_start": feed.when(0),
    "interval_minutes": 30,
    "planned": 5.0,
    "rostered": 4.0,
}
_ABSENCE = {"handler": "h1", "from_": feed.when(0), "to": feed.when(60), "class_": "sick"}
_PROFILE = {"slots": (), "month_to_date": {}, "computed_at": feed.when(0)}
_NOTE = {"at": feed.when(0), "scope": "room", "kind": "pilot", "text": f"from {date(2026, 11, 24)}"}
_SPOKEN = {"announcement": "v0.0:0:1", "visit": "v0.0", "outcome": "played"}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A strange day of at least one call."""
    make = _Draw(draw)
    for number in range(draw(st.integers(1, 3))):
        _call(make, number)
    _snapshots(make)
    _staff(make)
    _the_rest(make)
    if not make.arrivals:
        make.say(feed.heartbeat(0))
    last = max(arrival.at for arrival in make.arrivals)
    end = last + round(make.one_of(ENDS) * feed.SECOND)
    return Case(feed.in_order(make.arrivals), end)
