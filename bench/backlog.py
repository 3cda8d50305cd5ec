"""Events per CPU second of one worker on a backlog of a million events, as a share of what a bare loop reaches.

The backlog is the last day of six control rooms in the six partitions of one topic, written once. Bare loop and
worker read it in turn. The worker is the real process with everything on: gate, engine, announcements, state log,
facts, boards, and a scrape of its metrics every 5 s. Counted is the CPU of its whole process, all threads, from its
last owner marker, before the first event, to the record of the state log that says everything is applied.
"""

import asyncio
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete

from agents import clients
from agents.cli.progress import Progress
from agents.worker_process import WorkerProcess
from bench.place import Place, cpu_seconds
from bench.rooms import DAY_ROOMS, last_day, write
from schemas.outputs import StateRecord
from schemas.topics import PARTITIONS_DEFAULT, STATE

ROUNDS = 3
TARGET = 0.25
SCRAPE_EVERY_SECONDS = 5
ROUND_SECONDS_MAX = 120
LOG = [TopicPartition(STATE.name, number) for number in range(PARTITIONS_DEFAULT)]

_state = msgspec.json.Decoder(StateRecord).decode


def measure(place: Place, say: Callable[[str], None]) -> dict[str, Any]:
    """Write the backlog, then read it in turn."""
    say("backlog: writing a million events")
    counts = asyncio.run(_write(place))
    events = sum(counts.values())
    rounds = []
    for number in range(1, ROUNDS + 1):
        say(f"backlog: round {number} of {ROUNDS}")
        bare = _bare(place, events)
        cpu, wall = asyncio.run(_worker(place, counts))
        rounds.append({"bare_cpu_seconds": bare, "worker_cpu_seconds": cpu, "worker_seconds": wall})
    ratios = [spent["bare_cpu_seconds"] / spent["worker_cpu_seconds"] for spent in rounds]
    return {
        "events": events,
        "rooms": DAY_ROOMS,
        "partitions": PARTITIONS_DEFAULT,
        "bare_microseconds_per_event": _per_event(rounds, "bare_cpu_seconds", events),
        "worker_microseconds_per_event": _per_event(rounds, "worker_cpu_seconds", events),
        "worker_events_per_second": round(events / statistics.median(spent["worker_seconds"] for spent in rounds)),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_of_each_round": [round(ratio, 3) for ratio in ratios],
        "target": TARGET,
    }


def _per_event(rounds: list[dict[str, float]], what: str, events: int) -> float:
    return round(statistics.median(spent[what] for spent in rounds) / events * 1e6, 2)


async def _write(place: Place) -> dict[int, int]:
    async with clients.producer(place.servers) as producer:
        with Progress() as progress:
            return await write(producer, last_day(datetime.now(UTC)), lambda count: progress.show("written", count))


def _bare(place: Place, events: int) -> float:
    command = [sys.executable, "-m", "bench.bare", "backlog", place.servers, str(events)]
    return float(subprocess.run(command, check=True, capture_output=True, timeout=ROUND_SECONDS_MAX).stdout)


async def _worker(place: Place, counts: dict[int, int]) -> tuple[float, float]:
    """(CPU seconds, seconds) of a worker that begins with nothing."""
    async with clients.consumer(place.servers) as log:
        log.assign(LOG)
        ends = await log.end_offsets(LOG)
        async with clients.admin(place.servers) as admin:
            await admin.delete_records({partition: RecordsToDelete(end) for partition, end in ends.items()})
        for partition, end in ends.items():
            log.seek(partition, end)
        with place.worker() as worker:
            scrapes = asyncio.create_task(_scrape(place.metrics_url))
            try:
                async with asyncio.timeout(ROUND_SECONDS_MAX):
                    return await _follow(log, worker, counts)
            except TimeoutError:
                raise place.late("apply the backlog") from None
            finally:
                scrapes.cancel()


async def _follow(log: AIOKafkaConsumer, worker: WorkerProcess, counts: dict[int, int]) -> tuple[float, float]:
    owned: set[int] = set()
    behind = set(counts)
    cpu, began = 0.0, 0.0
    while behind:
        record = await log.getone()
        state = _state(record.value)
        if state.next is None:
            owned.add(record.partition)
            cpu, began = cpu_seconds(worker.pid), time.monotonic()
        elif state.next == counts[record.partition]:
            behind.discard(record.partition)
    assert len(owned) == PARTITIONS_DEFAULT
    return cpu_seconds(worker.pid) - cpu, time.monotonic() - began


async def _scrape(url: str) -> None:
    while True:
        await asyncio.sleep(SCRAPE_EVERY_SECONDS)
        await asyncio.to_thread(_read, url)


def _read(url: str) -> None:
    with urllib.request.urlopen(url) as page:
        page.read()
