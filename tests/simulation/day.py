"""Days of a simulated control room, second by second, through the engine and under the eyes of the auditor."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schemas.codec import Arrival
from schemas.events import (
    AnnouncementOutcome,
    AnnouncementOutcomeData,
    Event,
    HandlerSnapshot,
    QueueSnapshot,
    SourceHeartbeat,
)
from schemas.moments import SECOND, micros, moment
from schemas.outputs import Command
from stream.announcements import Policy
from stream.engine import Engine
from stream.profile import Profile
from telephony.room import SimulationConfig
from telephony.simulator import Simulation
from telephony.truth import OUTCOMES, Truth
from tests.simulation.auditor import Auditor, Fault
from tests.simulation.reckoner import published

PLAYS_FOR = 6 * SECOND
EMPTY_SECONDS = 10
"""While nobody waits, one second in so many is enough."""

Second = tuple[int, list[Arrival]]
"""(now, what is heard by then)"""


@dataclass(slots=True)
class Day:
    """What became of a run."""

    engine: Engine
    auditor: Auditor
    now: int = 0
    events: int = 0
    commands: Counter[str] = field(default_factory=Counter)
    said: list[Command] = field(default_factory=list)

    @property
    def faults(self) -> list[Fault]:
        return self.auditor.faults


def is_news(event: Event) -> bool:
    """Whether to tell an event: of what a switch repeats about itself, enough is told to know that it lives."""
    second = micros(event.time) // SECOND
    match event:
        case SourceHeartbeat():
            return second // 3 % 3 == 0
        case QueueSnapshot():
            return second // 15 % 8 == 0
        case HandlerSnapshot():
            return second // 30 % 10 == 0
        case _:
            return True


def seconds(simulation: Simulation, outages: Iterable[tuple[int, int]] = ()) -> Iterator[Second]:
    """Every second of the simulation with what is heard in it; in an outage, nothing is heard until it ends."""
    silences = list(outages)
    now, first = 0, 0
    held: list[Event] = []

    def heard() -> list[Arrival]:
        if any(start <= now - first < end for start, end in silences):
            return []
        arrivals = [Arrival(event, micros(event.time), now) for event in held]
        held.clear()
        return arrivals

    for event in simulation.events():
        at = micros(event.time)
        if not now:
            first = now = at - at % SECOND
        while at > now:
            yield now, heard()
            now += SECOND
        if is_news(event):
            held.append(event)
    while held:
        yield now, heard()
        now += SECOND


def run(
    time: Iterable[Second],
    profile: Profile,
    policy: Policy | None = None,
    *,
    until_fault: str | None = None,
    usual_week: bool = False,
) -> Day:
    """Play `time` through an engine, with a tick each second in which somebody waits; `until_fault` ends it early.

    Every announcement is played. With `usual_week` the room is told first what is usual.
    """
    day = Day(Engine(profile, policy=policy), Auditor(profile))
    playing: list[tuple[int, Command]] = []
    for now, arrivals in time:
        if not (arrivals or playing or day.auditor.anybody_waits or now // SECOND % EMPTY_SECONDS == 0):
            continue
        if usual_week and arrivals:
            usual_week = False
            arrivals = [published(arrivals[0].event.data.centre, now), *arrivals]
        day.now = now
        day.events += len(arrivals)
        day.auditor.hear(arrivals, now)
        played = [_played(command, now) for until, command in playing if until <= now]
        playing = [(until, command) for until, command in playing if until > now]
        effects = day.engine.apply([*played, *arrivals], now)
        ticked = day.engine.tick(now)
        commands = effects.commands + ticked.commands
        day.commands.update(command.kind for command in commands)
        day.said += commands
        day.auditor.check(commands, effects.cancellations + ticked.cancellations, now)
        playing += [(now + PLAYS_FOR, command) for command in commands]
        if until_fault is not None and any(fault.rule == until_fault for fault in day.faults):
            break
    return day


def _played(command: Command, now: int) -> Arrival:
    data = AnnouncementOutcomeData(
        centre=command.centre, announcement=command.id, visit=command.visit, outcome="played"
    )
    source = f"//{command.centre}/announcer"
    event = AnnouncementOutcome(specversion="1.0", id=command.id, source=source, time=moment(now), data=data)
    return Arrival(event, now, now)


def busy_room(starts_at: datetime, hours: float = 24, **more: Any) -> SimulationConfig:
    """A room in which enough staff are missing that callers wait, are moved up, and give up."""
    return SimulationConfig(starts_at=starts_at, hours=hours, **{"sick": 0.2, "test_calls": 0.01, **more})


def starts_on(seed: int) -> datetime:
    """The day a seed is about: winter and summer, and the days the clocks change."""
    days = ("2026-11-24T00:00:00Z", "2026-07-03T00:00:00Z", "2026-03-29T00:00:00Z", "2026-10-24T23:00:00Z")
    return datetime.fromisoformat(days[seed % len(days)])


def differences(day: Day, truth: Truth) -> list[str]:
    """Where the figures of `day` are not those of the room itself."""
    (centre,) = day.engine.centres
    board: Any = day.engine.board(centre, day.now)
    retained = {queue["queue"]: queue["windows"]["retained"] for queue in board["queues"]}
    found = [
        f"{queue} {outcome}: {retained[queue][outcome]} instead of {number}"
        for queue in truth.queues
        for outcome, number in truth.of_queue(queue).items()
        if outcome in ("queued", *OUTCOMES) and retained[queue][outcome] != number
    ]
    found += [
        f"{queue['queue']} waiting: {queue['waiting']} instead of {truth.waiting('counted', queue['queue'])}"
        for queue in board["queues"]
        if queue["waiting"] != truth.waiting("counted", queue["queue"])
    ]
    tests = sum(bool(call.test) for call in day.auditor.calls.values())
    offered = board["calls"]["retained"]["calls_offered"]
    if offered != truth.calls["offered"] - tests:
        found.append(f"calls offered: {offered} instead of {truth.calls['offered'] - tests}")
    lost = {queue: figures["lost"] for queue, figures in retained.items() if figures["lost"]}
    drift = {queue["queue"]: queue["drift"] for queue in board["queues"] if queue["drift"]}
    for name, wrong in (("lost", lost), ("drift", drift), ("headless", board["headless"])):
        if wrong:
            found.append(f"{name}: {wrong}")
    if not board["conservation"]["ok"]:
        found.append(f"conservation: {board['conservation']['errors']}")
    return found


def describe(fault: Fault) -> str:
    """One line about a fault."""
    return f"{moment(fault.at).isoformat()} {fault.rule}: {fault.about}"
