"""What 500 screens cost: one wallboard server, real Kafka, and a worker beside it that should not notice.

`python -m bench.wallboard` takes some two minutes, prints one line of JSON, and leaves nothing behind. Linux only.

Boards of a room are appended four times a second, each with its moment of writing as `as_of`; 500 connections ask for
gzip as a browser does, inflate what arrives, and note how old each board is once it is whole. They share two
processes, whose own delay counts against the server. A worker with busy rooms runs all the time: its cores, and the
time from a visit's append to the first board that lists it, are compared with and without the screens.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from agents import clients, topics
from agents.broker import Broker
from agents.config import FILE_VARIABLE, PREFIX
from agents.live import run_live
from agents.ports import free_ports
from agents.reader import Reader, Record
from bench.place import cpu_seconds
from bench.screens import open_screens
from schemas.boards import Board
from schemas.codec import Arrival, decode
from schemas.events import VisitQueued
from schemas.moments import MINUTE, SECOND, micros, rfc3339
from schemas.topics import BOARD, EVENTS, PARTITIONS_DEFAULT
from stream.board import VISITS_SHOWN_MAX
from stream.engine import Engine
from stream.profile import Profile
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation

SCREENS = 500
PROCESSES = 2
BOARDS_PER_SECOND = 4
MEASURED_SECONDS = 30
SETTLE_SECONDS = 25
CONNECT_SECONDS = 5
BUSY_ROOMS = 3
BUSY_SCALE, BUSY_SICK = 100, 0.25
"""Each room has 45 events a second and so few staff that callers wait in a line."""
BOARDS = 40
CENTRE = "wallboard"
TARGET_P99_MS = 250


@dataclass(frozen=True, slots=True)
class Place:
    """A Kafka with the topics, and a folder for logs."""

    servers: str
    folder: Path

    @contextmanager
    def running(self, *command: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
        """`occ COMMAND` as anybody runs it, with `settings`; stopped when the context ends."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {FILE_VARIABLE: os.devnull, f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS": self.servers, **settings}
        with (self.folder / f"{command[0]}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", *command],
                env=environment, stdout=subprocess.PIPE, stderr=log, text=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="occ-bench-") as name, Broker(Path(name) / "kafka") as broker:
        asyncio.run(topics.create(broker.bootstrap, PARTITIONS_DEFAULT, 1))
        print(json.dumps({"wallboard": asyncio.run(_run(Place(broker.bootstrap, Path(name)), _say))}))


def _say(what: str) -> None:
    print(f"wallboard: {what}", file=sys.stderr)


async def _run(place: Place, say: Callable[[str], None]) -> dict[str, Any]:
    boards = _boards()
    rooms = _busy_rooms()
    settings = {f"{PREFIX}ACCEPT_ANY_CENTRE": "true", f"{PREFIX}WEB__PORT": str(free_ports(1)[0])}
    with place.running("worker", **settings) as worker:
        async with clients.producer(place.servers) as producer, clients.producer(place.servers) as of_boards:
            feeds = [asyncio.create_task(run_live(room, producer)) for room in rooms]
            feeds.append(asyncio.create_task(_write(boards, of_boards)))
            say(f"opening {BUSY_ROOMS} busy rooms")
            while not all(room.due_at is not None and room.due_at > time.time_ns() // 1_000 for room in rooms):
                await asyncio.sleep(0.1)
            with place.running("wallboard", "--port", "0") as server:
                assert server.stdout is not None
                port = int(server.stdout.readline().rsplit(":", 1)[1].strip().rstrip("/"))
                say(f"settling for {SETTLE_SECONDS} s")
                await asyncio.sleep(SETTLE_SECONDS)
                say(f"measuring without screens for {MEASURED_SECONDS} s")
                without = await _phase(place, worker.pid, server.pid)
                say(f"measuring with {SCREENS} screens for {MEASURED_SECONDS} s")
                with _screens(port) as screens:
                    await asyncio.sleep(CONNECT_SECONDS)
                    beside = await _phase(place, worker.pid, server.pid)
                    told = [json.loads(process.communicate()[0]) for process in screens]
                peak = _peak_mb(server.pid)
            for feed in feeds:
                feed.cancel()
            await asyncio.wait(feeds)
    return {
        "screens": SCREENS,
        "boards_per_second": BOARDS_PER_SECOND,
        "board_bytes": len(orjson.dumps(boards[0])),
        "deliveries": sum(len(each["ages"]) for each in told),
        "screens_lost": sum(each["lost"] for each in told),
        "delivery_ms": _shares([age / 1_000 for each in told for age in each["ages"]]),
        "target_p99_ms": TARGET_P99_MS,
        "server_cores": beside["server_cores"],
        "server_peak_mb": peak,
        "worker_without": {name: without[name] for name in ("worker_cores", "board_ms")},
        "worker_with": {name: beside[name] for name in ("worker_cores", "board_ms")},
    }


def _shares(waits: list[float]) -> dict[str, float]:
    """p50 and p99, nearest rank; nothing of nothing."""
    ordered = sorted(waits)
    return {f"p{share}": round(ordered[len(ordered) * share // 100], 1) for share in (50, 99)} if ordered else {}


async def _phase(place: Place, worker: int, server: int) -> dict[str, Any]:
    since, before = time.time_ns() // 1_000, (cpu_seconds(worker), cpu_seconds(server))
    await asyncio.sleep(MEASURED_SECONDS)
    until, after = time.time_ns() // 1_000, (cpu_seconds(worker), cpu_seconds(server))
    return {
        "worker_cores": round((after[0] - before[0]) / MEASURED_SECONDS, 2),
        "server_cores": round((after[1] - before[1]) / MEASURED_SECONDS, 2),
        "board_ms": await _worker_board_ms(place, since, until),
    }


def _boards() -> list[Board]:
    """Boards of a real size and with real changes: a busy room's after a quarter of an hour, one a second."""
    start = datetime(2026, 11, 24, 12, tzinfo=UTC)
    room = SimulationConfig(centre=CENTRE, starts_at=start, hours=1, scale=12)
    engine, boards, due = Engine(Profile()), [], micros(start) + 15 * MINUTE
    for event in Simulation(always_busy(room), seed=1).events():
        at = micros(event.time)
        engine.apply([Arrival(event, at, at)], at)
        if at >= due:
            due = at + SECOND
            boards.append(engine.board(CENTRE, at))
        if len(boards) == BOARDS:
            break
    return boards


async def _write(boards: list[Board], producer: AIOKafkaProducer) -> None:
    """Append a board four times a second, as of the moment of its writing."""
    number = 0
    while True:
        content = boards[number % len(boards)] | {"as_of": rfc3339(time.time_ns() // 1_000)}
        await producer.send_and_wait(BOARD.name, orjson.dumps(content), key=CENTRE.encode())
        number += 1
        await asyncio.sleep(1 / BOARDS_PER_SECOND - time.time() % (1 / BOARDS_PER_SECOND))


@contextmanager
def _screens(port: int) -> Iterator[list[subprocess.Popen[str]]]:
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.wallboard", str(port), str(SCREENS // PROCESSES)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _look(port: int, count: int) -> None:
    """One process of screens: look for as long as is measured, then print the ages."""
    screens = await open_screens(port, count, CENTRE)
    await asyncio.sleep(CONNECT_SECONDS + MEASURED_SECONDS)
    print(
        json.dumps(
            {"ages": [age for each in screens for age in each.ages], "lost": sum(each.lost for each in screens)}
        )
    )


def _busy_rooms() -> list[Simulation]:
    """Rooms at their busiest hour, which opened ten minutes ago and happen now."""
    opened_at = datetime.now(UTC) - timedelta(minutes=10)
    rooms = [
        SimulationConfig(centre=f"busy-{number}", starts_at=opened_at, scale=BUSY_SCALE, sick=BUSY_SICK)
        for number in range(BUSY_ROOMS)
    ]
    return [Simulation(always_busy(room), seed) for seed, room in enumerate(rooms)]


def _peak_mb(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


async def _worker_board_ms(place: Place, since: int, until: int) -> dict[str, float]:
    """From the append of a visit's `queued` to that of the first board that lists it."""
    reader = Reader(place.servers)
    queued: dict[str, int] = {}
    async for record in _records(reader, EVENTS.name, since):
        arrival = decode(record.value)
        if (
            isinstance(arrival, Arrival)
            and isinstance(arrival.event, VisitQueued)
            and record.timestamp * 1_000 < until
        ):
            queued[arrival.event.data.visit] = record.timestamp
    waits: dict[str, int] = {}
    async for record in _records(reader, BOARD.name, since):
        board = orjson.loads(record.value or b"")
        if board["centre"] != CENTRE:
            for each in (each for queue in board["queues"] for each in queue["visits"]):
                if (visit := each["visit"]) in queued:
                    waits.setdefault(visit, record.timestamp - queued[visit])
                if each["position"] == VISITS_SHOWN_MAX:
                    queued.pop(visit, None)  # it may have stood behind the last one shown
    counted = [float(wait) for visit, wait in waits.items() if visit in queued]
    return {"visits": len(counted), **_shares(counted)}


async def _records(reader: Reader, topic: str, since: int) -> AsyncIterator[Record]:
    for partition in range(PARTITIONS_DEFAULT):
        start = await reader.offset_at(topic, partition, since)
        _, end = await reader.bounds(topic, partition)
        async for batch in reader.records(topic, partition, end if start is None else start, end):
            for record in batch:
                yield record


if __name__ == "__main__":
    if len(sys.argv) == 3:
        asyncio.run(_look(int(sys.argv[1]), int(sys.argv[2])))
    else:
        main()
