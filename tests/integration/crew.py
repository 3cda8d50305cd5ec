"""Workers as processes on a broker of their own, a crowd that rings, and what must be true when it has rung off."""

import asyncio
import math
import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import msgspec
import orjson
from aiokafka import AIOKafkaProducer

from agents import topics
from agents.broker import Broker
from agents.gate import Gate
from agents.ports import free_ports
from agents.reader import Reader, Record
from agents.state_log import Fold
from schemas.codec import encode
from schemas.moments import parse
from schemas.outputs import StateRecord
from schemas.topics import ANNOUNCEMENTS, BOARD, EVENTS, STATE
from stream.engine import Engine
from stream.profile import Profile
from tests.integration.crowd import Crowd

PARTITIONS = 2
SESSION_SECONDS = 6
WORKER = Path(__file__).with_name("held_worker.py")
PATIENCE_SECONDS = 60


def wall_clock() -> int:
    return time.time_ns() // 1_000


async def eventually(is_so: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until `is_so()`; fails with `what` when it does not come true."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.05)


@dataclass(slots=True)
class Boards:
    """The newest board of each room, and the epoch of who wrote last."""

    epoch: int = -1
    newest: dict[str, dict[str, Any]] = field(default_factory=dict)


class Crew:
    """A broker, its topics and workers on it; all of them gone at the end."""

    def __init__(self, folder: Path, partitions: int = PARTITIONS) -> None:
        self.folder = folder
        self.partitions = partitions
        self.broker = Broker(folder / "kafka")
        self.workers: list[subprocess.Popen[bytes]] = []
        self._ports: list[int] = []
        self._read_to: defaultdict[tuple[str, int], int] = defaultdict(int)
        self._logs = [(Fold(), dict[int, StateRecord]()) for _ in range(partitions)]
        self._boards = [Boards() for _ in range(partitions)]
        self.has_seen_enough = asyncio.Event()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.broker.start)
        await topics.create(self.broker.bootstrap, self.partitions, 1)
        self.reader = Reader(self.broker.bootstrap)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()
        await asyncio.to_thread(self.broker.stop)

    # Workers -----------------------------------------------------------------------------------------------------

    def start_worker(self, **settings: str) -> subprocess.Popen[bytes]:
        """A worker that takes any control room, unless `settings` say otherwise."""
        [port] = free_ports(1)
        number = len(self.workers)
        (self.folder / f"points-{number}").mkdir()
        with (self.folder / f"worker-{number}.log").open("wb") as log:
            worker = subprocess.Popen(
                [sys.executable, str(WORKER), str(self.folder / f"points-{number}")],
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith("OCC_")},
                    "OCC_CACHE": str(self.folder / f"cache-{number}"),
                    "OCC_KAFKA__BOOTSTRAP_SERVERS": self.broker.bootstrap,
                    "OCC_KAFKA__PARTITIONS": str(self.partitions),
                    "OCC_KAFKA__SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
                    "OCC_ACCEPT_ANY_CENTRE": "true",
                    "OCC_WEB__PORT": str(port),
                    **settings,
                },
                stdout=log,
                stderr=log,
            )
        self.workers.append(worker)
        self._ports.append(port)
        return worker

    async def page(self, worker: subprocess.Popen[bytes], path: str) -> tuple[int, bytes]:
        """What `worker` serves at `path`: (status, body); (0, b"") while it serves nothing yet."""
        url = f"http://127.0.0.1:{self._ports[self.workers.index(worker)]}{path}"
        try:
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientConnectionError:
            return 0, b""

    def said(self, worker: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"worker-{self.workers.index(worker)}.log").read_text()

    def hold_at(self, worker: subprocess.Popen[bytes], point: str) -> Path:
        """Ask `worker` to stop itself at `point`; the file is gone when it has."""
        asked = self.folder / f"points-{self.workers.index(worker)}" / point
        asked.touch()
        return asked

    # Load --------------------------------------------------------------------------------------------------------

    async def ring(self, events: float = math.inf, *, per_second: int, seed: int) -> None:
        """Let a crowd ring until `events` events are sent or the crew has seen enough."""
        crowd = Crowd(seed, wall_clock(), per_second)
        producer = AIOKafkaProducer(
            bootstrap_servers=self.broker.bootstrap, acks="all", enable_idempotence=True, linger_ms=10
        )
        await producer.start()
        try:
            sent = 0
            while sent < events and not self.has_seen_enough.is_set():
                for event in crowd.until(wall_clock()):
                    await producer.send(EVENTS.name, encode(event), key=event.data.centre.encode())
                    sent += 1
                await asyncio.sleep(0.02)
            await producer.flush()
        finally:
            await producer.stop()

    # What is there -----------------------------------------------------------------------------------------------

    async def records(self, topic: str, partition: int) -> list[Record]:
        first, end = await self.reader.bounds(topic, partition)
        return [record async for batch in self.reader.records(topic, partition, first, end) for record in batch]

    async def _new_records(self, topic: str, partition: int) -> list[Record]:
        """Those since the last time: who looks again and again would read the same ones ever more often."""
        first, end = await self.reader.bounds(topic, partition)
        start = max(first, self._read_to[topic, partition])
        found = [record async for batch in self.reader.records(topic, partition, start, end) for record in batch]
        self._read_to[topic, partition] = end
        return found

    async def log_says(self, partition: int) -> tuple[Fold, dict[int, StateRecord]]:
        """The fold of the state log, and its records that count by offset."""
        fold, counting = self._logs[partition]
        for record in await self._new_records(STATE.name, partition):
            assert record.value is not None
            state = msgspec.json.decode(record.value, type=StateRecord)
            if state.epoch is None or state.epoch >= fold.epoch:
                counting[record.offset] = state
            fold.add(record.offset, state)
        return fold, counting

    async def owners(self) -> set[str]:
        """Who owns the partitions; a partition that nobody has written to since taking it is not owned yet: ""."""
        owners = set()
        for partition in range(self.partitions):
            _, counting = await self.log_says(partition)
            newest = counting[max(counting)] if counting else None
            owners.add(newest.owner if newest and newest.epoch is not None else "")
        return owners

    async def owned(self, without: set[str], seconds: float = PATIENCE_SECONDS) -> set[str]:
        """Wait until somebody not among `without` owns every partition; returns who."""
        deadline = time.monotonic() + seconds
        while (owners := await self.owners()) & (without | {""}):
            assert time.monotonic() < deadline, f"within {seconds} s nobody took over every partition"
            await asyncio.sleep(0.1)
        return owners

    async def settle(self) -> None:
        """Wait until every event is applied and shown on a board of its room."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        for partition in range(self.partitions):
            _, end = await self.reader.bounds(EVENTS.name, partition)
            while end:  # of a partition without events nothing is shown
                fold, counting = await self.log_says(partition)
                applied_at = min((state.now for state in counting.values() if state.next == end), default=None)
                if applied_at and all(at(board) > applied_at for board in (await self.boards(partition)).values()):
                    break
                assert time.monotonic() < deadline, f"partition {partition}: {fold.next} of {end} events applied"
                await asyncio.sleep(0.5)

    async def boards(self, partition: int) -> dict[str, dict[str, Any]]:
        """The newest board of each room, epochs heeded."""
        boards = self._boards[partition]
        for record in await self._new_records(BOARD.name, partition):
            board = orjson.loads(record.value or b"")
            if board["epoch"] >= boards.epoch:
                boards.epoch = board["epoch"]
                boards.newest[board["centre"]] = board
        return boards.newest

    async def check(self) -> Mapping[str, int]:
        """The final boards equal a plain fold of the same events; commands are exact. Returns counts."""
        counts: dict[str, int] = defaultdict(int)
        for partition in range(self.partitions):
            events = await self.records(EVENTS.name, partition)
            arrivals = Gate(self.partitions).sift(events, partition).arrivals
            assert len(arrivals) == len(events)
            counts["events"] += len(events)
            for centre, board in (await self.boards(partition)).items():
                plain = Engine(Profile())
                as_of = at(board)
                plain.apply([each for each in arrivals if each.event.data.centre == centre], as_of)
                plain.tick(as_of)
                assert figures(board) == figures(orjson.loads(orjson.dumps(plain.board(centre, as_of))))
                counts["rooms"] += 1
            await self._check_commands(partition, counts)
        return counts

    async def check_audit(self) -> int:
        """What `occ figures` says of the same events in a file is on the final boards; returns how many figures."""
        compared = 0
        for partition in range(self.partitions):
            events = await self.records(EVENTS.name, partition)
            for centre, board in (await self.boards(partition)).items():
                path = self.folder / f"{centre}.jsonl"
                path.write_bytes(
                    b"\n".join(each.value for each in events if each.key == centre.encode() and each.value)
                )
                told = await asyncio.to_thread(_figures, path, board["as_of"])
                shown = {
                    (queue["queue"], figure): value
                    for queue in board["queues"]
                    for figure, value in queue["windows"]["retained"].items()
                }
                compared += sum(key in told for key in shown)
                assert {key: value for key, value in shown.items() if told.get(key, value) != value} == {}
        return compared

    async def _check_commands(self, partition: int, counts: dict[str, int]) -> None:
        decided = {}
        for state in (await self.log_says(partition))[1].values():
            for command in state.commands:
                assert command.id not in decided, f"{command.id} was decided twice"
                decided[command.id] = encode(command)
        published: dict[str, set[bytes]] = defaultdict(set)
        for record in await self.records(ANNOUNCEMENTS.name, partition):
            assert record.value is not None
            said = orjson.loads(record.value)
            if "id" in said:
                published[said["id"]].add(record.value)
                counts["published"] += 1
        assert all(len(contents) == 1 for contents in published.values()), "one id, two contents"
        assert {ident: {content} for ident, content in decided.items()} == published
        counts["commands"] += len(decided)


def _figures(path: Path, as_of: str) -> dict[tuple[str, str], Any]:
    """(queue, figure) and value as `occ figures` prints them."""
    printed = subprocess.run(
        [sys.executable, "-m", "agents.cli", "figures", path, "--as-of", as_of, "--window", "whole", "--json"],
        capture_output=True,
        check=True,
    ).stdout
    return {(row["queue"], row["figure"]): row["value"] for row in orjson.loads(printed)["figures"]}


def at(board: Mapping[str, Any]) -> int:
    """When a board was made, in µs."""
    return parse(board["as_of"])


def figures(board: Mapping[str, Any]) -> dict[str, Any]:
    """What of a board follows from the events alone: not the feed's age, nor one worker's counters."""
    said = {name: board[name] for name in ("centre", "as_of", "calls", "headless", "conservation", "ring_backs_due")}
    said["queues"] = [
        {name: value for name, value in queue.items() if name != "announcements"} for queue in board["queues"]
    ]
    return said


def moments(seed: int, count: int, between: tuple[float, float]) -> list[float]:
    """Seeded random pauses."""
    pick = random.Random(seed)
    return [pick.uniform(*between) for _ in range(count)]
