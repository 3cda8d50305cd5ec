"""A million invented names of queues, control rooms and sources change no figure and fill no memory.

They come between the events of a simulated room, through the gate and the engine of a worker. What a name is refused
for is counted; where a name may be new, there is a bound with a name.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest

from agents.gate import Gate, Refusals, partition_of
from schemas import events as ev
from schemas.codec import encode, new_event
from schemas.events import Event
from schemas.moments import SECOND, micros, rfc3339
from schemas.outputs import Command
from stream.engine import CENTRES_MAX, Engine
from stream.liveness import SOURCES_MAX
from stream.profile import Profile
from stream.room import QUEUES_MAX
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation
from tests.scrape import collector

CENTRE = "mercia"
PBX, SAFE = f"//{CENTRE}/pbx1", f"//{CENTRE}/safe"
STARTS_AT = datetime(2026, 11, 24, 10, tzinfo=UTC)
NAMES = 1_000_000
PARTITIONS = 8
HOME = partition_of(CENTRE.encode(), PARTITIONS)
RESIDENT_BYTES_MAX = 30_000_000
SERIES_MAX = 8_000
"""Of a room with as many queues and sources as there may be; one with six queues has fewer than 2,000."""
PROFILE = Profile(centres=frozenset({CENTRE}), expected_sources={CENTRE: frozenset({PBX})})
GHOSTS = 49

Makes = Callable[[int, str], tuple[str, str, str | None]]
"""Of the number of a name and a moment: (key, record, the reason it is refused for or None)."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A record as Kafka gives it."""

    key: bytes
    value: bytes
    timestamp: int
    offset: int = 0


def record(kind: str, data: str, number: int, at: str, source: str = PBX) -> str:
    return (
        f'{{"specversion":"1.0","id":"x-{number}","source":"{source}","time":"{at}",'
        f'"type":"occ.{kind}.v1","data":{{{data}}}}}'
    )


def in_queue(kind: str, data: str = "") -> Makes:
    """An event that would make a queue."""

    def make(number: int, at: str) -> tuple[str, str, str | None]:
        said = f'"centre":"{CENTRE}","queue":"queue-{number}",{data}'.replace("AT", at)
        return CENTRE, record(kind, said, number, at), "too_many_queues"

    return make


def beside(kind: str, data: str, source: str = PBX) -> Makes:
    """An event that names what nobody has to know, and is taken as it is."""

    def make(number: int, at: str) -> tuple[str, str, str | None]:
        said = f'"centre":"{CENTRE}",{data}'.replace("AT", at).replace("NEW", str(number))
        who = str(number % GHOSTS)
        return CENTRE, record(kind, said.replace("WHO", who), number, at, source.replace("NEW", str(number))), None

    return make


def invented(number: int, *, at_home: bool) -> str:
    """A name whose partition is that of the room, or another."""
    names = (f"centre-{number}-{salt}" for salt in range(99))
    return next(name for name in names if (partition_of(name.encode(), PARTITIONS) == HOME) == at_home)


def unheard_of(number: int, at: str) -> tuple[str, str, str | None]:
    centre = invented(number, at_home=True)
    return centre, of_centre(centre, number, at), "unknown_centre"


def misplaced(number: int, at: str) -> tuple[str, str, str | None]:
    centre = invented(number, at_home=False)
    return centre, of_centre(centre, number, at), "wrong_partition"


def under_another_key(number: int, at: str) -> tuple[str, str, str | None]:
    return CENTRE, of_centre(f"centre-{number}", number, at), "key_mismatch"


def of_centre(centre: str, number: int, at: str) -> str:
    return record("call.ended", f'"centre":"{centre}","call":"c"', number, at)


MAKES: tuple[Makes, ...] = (
    unheard_of,
    unheard_of,
    misplaced,
    under_another_key,
    in_queue("visit.queued", '"call":"c","visit":"v"'),
    in_queue("visit.queued", '"call":"c","visit":"v"'),
    in_queue("call.refused", '"call":"c","reason":"full"'),
    in_queue("queue.snapshot", '"taken_at":"AT","part":1,"parts":1,"waiting":[]'),
    beside("visit.answered", '"visit":"ghost-WHO","handler":"nobody","queue":"queue-NEW"'),
    beside("visit.ended", '"visit":"ghost-WHO","to_queue":"queue-NEW"'),
    beside("handler.state", '"handler":"idle-WHO","state":"available","queues":["queue-NEW","also-NEW"]'),
    beside("profile.published", '"queue":"queue-NEW","slots":[],"month_to_date":{},"computed_at":"AT"'),
    beside("queue.snapshot", '"queue":"101","taken_at":"AT","part":1,"parts":1,"waiting":[]', "//centre-NEW/pbx1"),
    beside("handler.snapshot", '"handlers":[]', "//centre-NEW/pbx1"),
    beside("source.heartbeat", '"events_seen":1,"calls_up":1,"callers_queued":1', "//centre-NEW/pbx1"),
)


def good() -> Iterator[Event]:
    """Two hours of a busy room, and in the middle of them what is usual there."""
    config = always_busy(SimulationConfig(centre=CENTRE, starts_at=STARTS_AT, hours=2, sick=0.3))
    said = False
    for event in Simulation(config, seed=1).events():
        if not said and event.time > STARTS_AT + timedelta(hours=1):
            said = True
            slots = tuple(ev.ProfileSlot(1, 30 * half, 9, 900, 60, 0, 4) for half in range(48))
            data = ev.ProfilePublishedData(
                centre=CENTRE, queue="101", slots=slots, month_to_date={}, computed_at=event.time
            )
            yield new_event(ev.ProfilePublished, data, id="usual", source=SAFE, time=event.time)
        yield event


def resident(which: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{which}:"))


def peak_starts_anew() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def shown(engine: Engine, now: int) -> dict[str, Any]:
    """What a board says of the queues that are configured, and of all calls."""
    board: Any = engine.board(CENTRE, now)
    parts = {name: board[name] for name in ("calls", "callers", "coverage", "ring_backs_due", "conservation")}
    parts["conservation"] = board["conservation"]["ok"]
    parts["state"] = board["feed"]["state"]
    parts["queues"] = [queue for queue in board["queues"] if queue["queue"] in PROFILE.targets]
    return parts


class Worker:
    """The gate and the engine of a worker's partition, and what came out of them."""

    def __init__(self, profile: Profile = PROFILE) -> None:
        self.engine = Engine(profile, opens=profile.centres)
        self.gate = Gate(PARTITIONS)
        self.commands: list[Command] = []
        self.refusals = Refusals()
        self.now = 0

    def apply(self, records: list[Any], now: int) -> None:
        """One slice, and each second a tick."""
        sifted = self.gate.sift(records, HOME)
        effects = self.engine.apply(sifted.arrivals, now)
        self.commands += effects.commands
        refused = [*sifted.refused, *effects.refused]
        self.refusals.count(len(records) - len(refused), [refusal.reason for _, refusal in refused])
        if now >= self.now + SECOND:
            self.now = now
            self.commands += self.engine.tick(now).commands


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="resident memory is read from /proc")
def test_a_million_invented_names_change_no_figure_and_are_bounded() -> None:
    events = list(good())
    each_time = -(-NAMES // len(events))
    makes, number = cycle(MAKES), 0
    alone, flooded = Worker(), Worker()
    expected: Counter[str] = Counter()
    resident_before = resident("VmRSS")
    peak_starts_anew()
    for event in events:
        now, at = micros(event.time), rfc3339(micros(event.time))
        ours = Sent(CENTRE.encode(), encode(event), now // 1000)
        records = [ours]
        for make in islice(makes, each_time):
            number += 1
            key, value, reason = make(number, at)
            if reason is not None:
                expected[reason] += 1
            records.append(Sent(key.encode(), value.encode(), now // 1000))
        alone.apply([ours], now)
        flooded.apply(records, now)
    grown = resident("VmHWM") - resident_before
    assert number >= NAMES

    assert flooded.commands == alone.commands
    assert len(alone.commands) > 100
    assert shown(flooded.engine, now) == shown(alone.engine, now)

    room = flooded.engine.rooms[CENTRE]
    accepted = QUEUES_MAX - len(PROFILE.targets)
    assert len(room.queues) == QUEUES_MAX
    assert +flooded.refusals.by_reason == expected - Counter(too_many_queues=accepted)
    assert len(room.liveness.sources) == SOURCES_MAX
    assert room.counters.anomalies["too_many_sources"] > NAMES / 10
    assert len(room.headless) == GHOSTS
    series = sum(len(family.samples) for family in collector(flooded.engine, now).collect())
    assert series < SERIES_MAX
    assert grown < RESIDENT_BYTES_MAX


def test_a_worker_that_takes_any_control_room_opens_64_and_refuses_the_others() -> None:
    worker = Worker(Profile())
    now = micros(STARTS_AT)
    for number in range(1_000):
        key, value, _ = unheard_of(number, rfc3339(now))
        worker.apply([Sent(key.encode(), value.encode(), now // 1000)], now)
    assert len(worker.engine.rooms) == CENTRES_MAX
    assert +worker.refusals.by_reason == {"unknown_centre": 1_000 - CENTRES_MAX}
