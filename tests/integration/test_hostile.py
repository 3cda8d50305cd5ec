"""A flood of records that are no events: they are kept with their reasons, and change no figure of the others."""

import json
import random
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from agents.clients import producer
from agents.gate import Gate
from schemas import events as ev
from schemas import generate
from schemas.codec import encode, new_event
from schemas.events import Event
from schemas.moments import HOUR, MINUTE, moment
from schemas.outputs import REFUSAL_REASONS
from schemas.topics import DEAD, EVENTS
from stream.engine import Engine
from stream.profile import Profile
from tests.integration.crew import PARTITIONS, Crew, at, figures, wall_clock
from tests.integration.crowd import CENTRES, Crowd

HOSTILE = 100_000
GOOD = 15_000
LARGE_ONCE_IN = 4_000
FLOODED = "flooded"
"""A control room in which queues are invented."""
RESIDENT_BYTES_MAX = 350_000_000
SERIES_MAX = 2_000

Sent = tuple[bytes | None, int, bytes | None, str | None]
"""(key, partition, value, the reason it must be refused for or None where it may be accepted)"""


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    async with Crew(tmp_path) as crew:
        yield crew


def partition_of(key: str) -> int:
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % PARTITIONS)


def examples() -> tuple[list[tuple[bytes, str]], list[tuple[bytes, str]]]:
    """(record, reason) of every bad example, the small and the large ones."""
    small, large = [], []
    for path in sorted((Path(generate.__file__).parent / "examples").glob("*.json")):
        for bad in json.loads(path.read_text(encoding="utf-8")).get("bad", ()):
            if "event" in bad:
                record = json.dumps(bad["event"]).encode()
            else:
                record = (bytes.fromhex(bad["hex"]) if "hex" in bad else bad["text"].encode()) * bad.get("times", 1)
            (small if len(record) < 10_000 else large).append((record, bad["reason"]))
    return small, large


def joined(centre: str, at: int, queue: str = "101") -> Event:
    data = ev.VisitQueuedData(centre=centre, call=f"call-{at}", visit=f"visit-{at}", queue=queue)
    return new_event(ev.VisitQueued, data, id=f"hostile-{at}", source=f"//{centre}/x", time=moment(at))


def hostile(seed: int) -> Iterator[Sent]:
    """Records without end that are refused, each for its reason."""
    pick = random.Random(seed)
    small, large = examples()
    for number, (record, reason) in enumerate(cycle(small), 1):
        room = pick.choice(CENTRES)
        key, own, now = room.encode(), partition_of(room), wall_clock() + number
        yield key, own, record, reason
        yield None, own, encode(joined(room, now)), "key_mismatch"
        yield b"somebody-else", own, encode(joined(room, now)), "key_mismatch"
        yield key, 1 - own, encode(joined(room, now)), "wrong_partition"
        yield key, own, encode(joined(room, now + 10 * MINUTE)), "future"
        yield key, own, encode(joined(room, now - 50 * HOUR)), "too_late"
        yield key, own, None, "not_json"
        stranger = f"stranger-{number}"
        yield stranger.encode(), partition_of(stranger), encode(joined(stranger, now)), "unknown_centre"
        invented = encode(joined(FLOODED, now, queue=f"queue-{number}"))
        # The first few are queues like any other.
        yield FLOODED.encode(), partition_of(FLOODED), invented, None if number <= 32 else "too_many_queues"
        if number % (LARGE_ONCE_IN // 9) == 0:
            for big, why in large:
                yield key, own, big, why


async def test_100000_hostile_records_change_no_figure_and_are_kept_with_their_reasons(crew: Crew) -> None:
    rooms: dict[str, Any] = {centre: {} for centre in (*CENTRES, FLOODED)}
    worker = crew.start_worker(OCC_CENTRES=json.dumps(rooms), OCC_ACCEPT_ANY_CENTRE="false")
    async with producer(crew.broker.bootstrap) as sender:
        ours, reasons = await flood(sender)
    await crew.settle()
    assert set(reasons) == set(REFUSAL_REASONS)

    dead: Counter[str] = Counter()
    for partition in range(PARTITIONS):
        for record in await crew.records(DEAD.name, partition):
            letter = orjson.loads(record.value or b"")
            assert letter["topic"] == EVENTS.name
            dead[letter["reason"]] += 1
    spare = dead["too_many_queues"] - reasons["too_many_queues"]
    assert 0 <= spare <= 32
    assert dead - Counter(too_many_queues=spare) == reasons

    good = [
        arrival
        for partition in range(PARTITIONS)
        for arrival in Gate(PARTITIONS).sift(await crew.records(EVENTS.name, partition), partition).arrivals
        if arrival.event.id in ours
    ]
    shown = {
        centre: board for partition in range(PARTITIONS) for centre, board in (await crew.boards(partition)).items()
    }
    for centre in CENTRES:
        board = shown[centre]
        alone = Engine(Profile())
        alone.apply([arrival for arrival in good if arrival.event.data.centre == centre], at(board))
        alone.tick(at(board))
        expected = orjson.loads(orjson.dumps(alone.board(centre, at(board))))
        assert figures(board) == figures(expected)
        assert board["calls"]["retained"]["calls_offered"] > 500

    assert worker.poll() is None, crew.said(worker)
    owners = {
        state.owner for partition in range(PARTITIONS) for state in (await crew.log_says(partition))[1].values()
    }
    assert len(owners) == 1
    _, page = await crew.page(worker, "/metrics")
    series = [line for line in page.splitlines() if not line.startswith(b"#")]
    assert not [line for line in series if b"stranger" in line]
    of_a_room = Counter(line.split(b'centre="')[1].split(b'"')[0] for line in series if b'centre="' in line)
    assert of_a_room[CENTRES[0].encode()] < SERIES_MAX
    assert resident_bytes(worker) < RESIDENT_BYTES_MAX


async def flood(sender: AIOKafkaProducer) -> tuple[set[str], Counter[str]]:
    """Send good and hostile records in turn; returns the ids of the good ones, and how many go for what reason."""
    started_at = wall_clock() - 2 * MINUTE
    crowd = Crowd(1, started_at, GOOD // 100)
    bad = hostile(1)
    reasons: Counter[str] = Counter()
    ours: set[str] = set()
    hostile_sent = 0
    for event in crowd.until(started_at + 2 * MINUTE):
        await sender.send(EVENTS.name, encode(event), key=event.data.centre.encode())
        ours.add(event.id)
        while hostile_sent < HOSTILE * len(ours) / GOOD:
            key, partition, value, reason = next(bad)
            await sender.send(EVENTS.name, value, key=key, partition=partition)
            hostile_sent += 1
            if reason is not None:
                reasons[reason] += 1
    await sender.flush()
    assert hostile_sent >= HOSTILE
    return ours, reasons


def resident_bytes(process: subprocess.Popen[bytes]) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
