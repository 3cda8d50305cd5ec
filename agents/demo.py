"""The whole system on this machine, with a lively simulated control room that happens now.

The parts are the real ones: a Kafka, a worker in a process of its own that is started again when it dies, the
simulator in the place of the telephone system, the announcer with its log driver, the view in the terminal. Whatever
ends the demo (time, Ctrl-C, SIGTERM, the closing of the terminal, the failure of a part) ends all it started.

Its own Kafka begins empty each time and lies beside this project's, so that what it shows is its own alone. In a
Kafka that is configured the demo is one more control room, with a name of its own.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import Self

import click
from rich.console import Console

from agents import topics
from agents.announcer import announce
from agents.board_reader import Board
from agents.broker import Broker
from agents.cli.running import until_stopped
from agents.clients import producer
from agents.config import Settings
from agents.exits import Exit
from agents.live import run_live
from agents.totals import Meter, Totals, meter
from agents.watching import Watched, follow, show
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation

WARM_START = timedelta(minutes=30)
"""The room has been open for so long when it is first seen."""
SCALE = 12
"""A caller every three seconds, and a queue to be told about."""
DAYS_MAX = 30
RESTARTS_MAX = 5
RESTART_AFTER_SECONDS = 1.0
STOP_SECONDS_MAX = 15.0
SETTLE_SECONDS_MAX = 60.0
LOOK_EVERY_SECONDS = 0.2
FOR_A_PERSON = {Exit.USAGE, Exit.EVENTS_GONE, Exit.TOPICS_WRONG}


class Worker:
    """`occ worker` in a process of its own, out of reach of the terminal's Ctrl-C."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def keep_running(self) -> None:
        """Start it again whenever it ends; ClickException when that is of no use."""
        for _ in range(RESTARTS_MAX):
            assert self._process is not None
            while (code := self._process.poll()) is None:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
            if code in FOR_A_PERSON:
                break
            await asyncio.sleep(RESTART_AFTER_SECONDS)
            self._start()
        raise click.ClickException(f"The worker ended with code {code}; its log is {self._log}.")

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", "worker"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a demo takes place: its Kafka, its control room, its files, its port."""

    servers: str
    centre: str
    folder: Path
    port: int
    own_kafka: bool

    @property
    def environment(self) -> dict[str, str]:
        """What its worker has to know."""
        room = {self.centre: {"sources": [f"//{self.centre}/pbx1"]}}
        return {
            **os.environ,
            "OCC_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "OCC_CACHE": str(self.folder),
            "OCC_WEB__PORT": str(self.port),
            # In a Kafka of others the worker may be given their control rooms as well.
            **({"OCC_CENTRES": json.dumps(room)} if self.own_kafka else {"OCC_ACCEPT_ANY_CENTRE": "true"}),
        }

    @property
    def notes(self) -> list[str]:
        """What to tell a person who watches."""
        elsewhere = f"OCC_CACHE={_shown(self.folder)} occ" if self.own_kafka else "occ"
        return [
            "",
            f"metrics: http://127.0.0.1:{self.port}/metrics   logs: {_shown(self.folder)}/*.log",
            f"in another terminal: {elsewhere} board --centre {self.centre}   Ctrl-C stops everything",
        ]


async def run(place: Place, worker: Worker, console: Console, seconds: float | None) -> Totals | None:
    """Show the demo until cancelled, or for `seconds`; then everything is counted. Raises ClickException."""
    watched = Watched(place.centre)
    with (place.folder / "announcer.log").open("a") as log:
        async with (
            producer(place.servers) as sender,
            meter(place.servers) as counts,
            asyncio.TaskGroup() as parts,
        ):
            lasting = [
                parts.create_task(worker.keep_running()),
                parts.create_task(follow(place.servers, watched)),
                parts.create_task(announce(place.servers, lambda line: print(line, file=log, flush=True))),
                parts.create_task(show(watched, console, place.notes)),
            ]
            feeding = parts.create_task(run_live(_simulation(place.centre), sender))
            await (feeding if seconds is None else asyncio.wait([feeding], timeout=seconds))
            await _cancel(feeding)
            for task in lasting[2:]:
                await _cancel(task)
            board = await _final_board(counts, watched)
            totals = await counts.totals(board)
            for task in lasting[:2]:
                await _cancel(task)
    return totals


def _simulation(centre: str) -> Simulation:
    starts_at = datetime.now(UTC) - WARM_START
    config = SimulationConfig(centre=centre, starts_at=starts_at, hours=24.0 * DAYS_MAX, scale=SCALE)
    return Simulation(always_busy(config), seed=int(starts_at.timestamp()))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def _final_board(counts: Meter, watched: Watched) -> Board:
    """The first board made after everything produced was applied. ClickException when none comes."""
    deadline = monotonic() + SETTLE_SECONDS_MAX
    applied_at: datetime | None = None
    while monotonic() < deadline:
        if applied_at is None and await counts.lag() == 0:
            applied_at = datetime.now(UTC)
        for board in watched.boards.values():
            if applied_at is not None and datetime.fromisoformat(board["as_of"]) > applied_at:
                return board
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    raise click.ClickException(f"The worker did not apply everything within {SETTLE_SECONDS_MAX:.0f} s.")


def open_place(settings: Settings) -> Iterator[Place]:
    """A place for one demo: a Kafka of its own, empty, unless one is configured; all of it ends with the demo."""
    folder = (settings.cache / "demo").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(f"Another demo is running in {_shown(folder)}.") from None
        for log in folder.glob("*.log"):
            log.unlink()
        port = _free_port()
        if settings.kafka.bootstrap_servers:
            yield Place(settings.kafka.bootstrap_servers, f"demo-{os.getpid()}", folder, port, own_kafka=False)
            return
        broker = Broker(folder / "kafka")
        broker.stop()
        shutil.rmtree(folder / "kafka", ignore_errors=True)
        broker.start()
        try:
            yield Place(broker.bootstrap, "west-mercia", folder, port, own_kafka=True)
        finally:
            broker.stop()


def show_demo(settings: Settings, console: Console, seconds: float | None) -> Totals | None:
    """Open a place, run everything in it, and close it whatever happens. None when it was stopped before its end."""
    with contextlib.contextmanager(open_place)(settings) as place:
        partitions, factor = settings.kafka.partitions, settings.kafka.replication_factor
        asyncio.run(topics.create(place.servers, partitions=partitions, replication_factor=factor))
        with Worker(place.environment, place.folder / "worker.log") as worker:
            totals: list[Totals | None] = []

            async def work() -> None:
                totals.append(await run(place, worker, console, seconds))

            stopped = asyncio.run(until_stopped(work()))
            return None if stopped else totals[0]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _shown(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)
