"""How soon the worker speaks: from an event's append to what follows from it, at 500 events a second.

Twelve simulated control rooms at their busiest hour happen now. For each visit that joins a queue in the measured
time three appends are compared with the append of its `queued` event: of the first command for it, where that is a
welcome and no handler rang for it meanwhile (at the head of a ringing line the policy keeps silent for at least a
second); of the first board that lists it; and of a bare echo by a process that only consumes, parses and appends.
All are Kafka's own LogAppendTime, one clock, in whole milliseconds. All of them run at once, so they meet the same
machine.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from aiokafka.admin import NewTopic

from agents import clients
from agents.live import run_live
from agents.reader import Reader, Record
from agents.worker_process import WorkerProcess
from bench.bare import ECHO
from bench.place import Place, cpu_seconds
from bench.rooms import ROOMS, busy_rooms
from schemas.codec import Arrival, decode
from schemas.events import VisitQueued, VisitRinging
from schemas.topics import ANNOUNCEMENTS, BOARD, EVENTS, PARTITIONS_DEFAULT
from telephony.simulator import Simulation

WARM_START = timedelta(minutes=10)
SETTLE_SECONDS = 20
"""After the rooms have caught up with the clock: until every queue's next snapshot agrees again."""
MEASURED_SECONDS = 30
TARGET_MS = {"command": 25, "board": 150}

Moments = dict[str, int]
"""By visit, in ms."""


def measure(place: Place, say: Callable[[str], None]) -> dict[str, Any]:
    """Run everything at once, then read in Kafka when it happened."""
    since, until, cpu = asyncio.run(_run(place, say))
    say("live: reading what was appended when")
    return asyncio.run(_results(place, since, until)) | {"worker_cores": round(cpu / MEASURED_SECONDS, 2)}


async def _run(place: Place, say: Callable[[str], None]) -> tuple[int, int, float]:
    """(start, end) in ms of the time measured, and the CPU seconds the worker spent in it."""
    async with clients.admin(place.servers) as admin:
        config = {"message.timestamp.type": "LogAppendTime"}
        await admin.create_topics([NewTopic(ECHO, PARTITIONS_DEFAULT, 1, topic_configs=config)])
    async with _echo(place), happening(place, say) as worker:
        say(f"live: settling for {SETTLE_SECONDS} s")
        await asyncio.sleep(SETTLE_SECONDS)
        say(f"live: measuring for {MEASURED_SECONDS} s")
        since, cpu = now_ms(), cpu_seconds(worker.pid)
        await asyncio.sleep(MEASURED_SECONDS)
        until, cpu = now_ms(), cpu_seconds(worker.pid) - cpu
        await asyncio.sleep(1)
    return since, until, cpu


@asynccontextmanager
async def happening(place: Place, say: Callable[[str], None]) -> AsyncIterator[WorkerProcess]:
    """A worker, and all the busy rooms, which have caught up with the clock and happen until the context ends."""
    say(f"opening {len(ROOMS)} busy control rooms")
    rooms = busy_rooms(datetime.now(UTC) - WARM_START)
    with place.worker() as worker:
        async with clients.producer(place.servers) as producer:
            feeds = [asyncio.create_task(run_live(room, producer)) for room in rooms]
            while not all(map(_is_live, rooms)):
                await asyncio.sleep(0.1)
            yield worker
            for feed in feeds:
                feed.cancel()
            await asyncio.wait(feeds)


@asynccontextmanager
async def _echo(place: Place) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.bare", "echo", place.servers)
    try:
        yield
    finally:
        process.kill()
        await process.wait()


def _is_live(room: Simulation) -> bool:
    return room.due_at is not None and room.due_at > time.time_ns() // 1_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _results(place: Place, since: int, until: int) -> dict[str, Any]:
    reader = Reader(place.servers)
    queued: Moments = {}
    rung: Moments = {}
    events = 0
    async for record in records(reader, EVENTS.name, since):
        arrival = decode(record.value)
        assert isinstance(arrival, Arrival)
        events += record.timestamp < until
        event = arrival.event
        if isinstance(event, VisitQueued) and record.timestamp < until:
            queued[event.data.visit] = record.timestamp
        elif isinstance(event, VisitRinging):
            rung.setdefault(event.data.visit, record.timestamp)
    welcomed: Moments = {}
    async for record in records(reader, ANNOUNCEMENTS.name, since):
        said = orjson.loads(record.value or b"")
        if said.get("kind") == "welcome" and record.timestamp <= rung.get(said["visit"], record.timestamp):
            welcomed.setdefault(said["visit"], record.timestamp)
    shown: Moments = {}
    async for record in records(reader, BOARD.name, since):
        for queue in orjson.loads(record.value or b"")["queues"]:
            for visit in queue["visits"]:
                shown.setdefault(visit["visit"], record.timestamp)
    echoed: Moments = {}
    async for record in records(reader, ECHO, since):
        echoed.setdefault((record.value or b"").decode(), record.timestamp)
    return {
        "rooms": len(ROOMS),
        "events_per_second": round(events / (until - since) * 1_000),
        "command_ms": _since(queued, welcomed),
        "board_ms": _since(queued, shown),
        "bare_echo_ms": _since(queued, echoed),
        "target_p99_ms": TARGET_MS,
    }


async def records(reader: Reader, topic: str, since: int) -> AsyncIterator[Record]:
    """All records of `topic` appended from `since` (ms) on."""
    for partition in range(PARTITIONS_DEFAULT):
        start = await reader.offset_at(topic, partition, since * 1_000)
        _, end = await reader.bounds(topic, partition)
        async for batch in reader.records(topic, partition, end if start is None else start, end):
            for record in batch:
                yield record


def _since(queued: Moments, followed: Moments) -> dict[str, int]:
    return spread([at - queued[visit] for visit, at in followed.items() if visit in queued])


def spread(waits: list[int]) -> dict[str, int]:
    """Of how many visits, and p50, p99 (nearest rank) and the longest, in ms."""
    ordered = sorted(waits)
    nearest = {f"p{share}": ordered[len(ordered) * share // 100] for share in (50, 99)} if ordered else {}
    return {"visits": len(ordered), **nearest, **({"max": ordered[-1]} if ordered else {})}
