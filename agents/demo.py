"""The whole system on this machine, with a lively control room that happens now.

The parts are the real ones: a Kafka, a worker in a process of its own, the announcer, the wallboard, the view in the
terminal. Only the telephone system is simulated, and the announcer writes down what it would say, unless a real
switch is asked for. Whatever ends the demo (time, Ctrl-C, SIGTERM, the closing of the terminal, the failure of a
part) ends all it started.

Its own Kafka begins empty each time and lies beside this project's, so that what it shows is its own alone. In a
Kafka that is configured the demo is one more control room, with a name of its own.
"""

import asyncio
import fcntl
import json
import logging
import os
import socket
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time_ns
from typing import Protocol

import click
from rich.console import Console

from agents import real_calls, topics, wallboard
from agents.announcer import announce
from agents.broker import Broker
from agents.cli.running import Interruptible, until_stopped
from agents.clients import producer
from agents.config import Settings
from agents.live import run_live
from agents.totals import Meter, Totals, meter
from agents.watching import Watched, follow, show
from agents.worker_process import WorkerProcess
from schemas.boards import Board
from schemas.moments import parse
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation
from telephony.speaking import Driver, LogDriver
from wallboard.door import Door

WARM_START = timedelta(minutes=10)
"""The room has been open for so long when it is first seen."""
HOURS_MAX = 30 * 24
SCALE = 12
SICK = 0.4
"""A caller every three seconds, and so many of the staff away that there is a queue to be told about."""
SETTLE_SECONDS_MAX = 60.0
LOOK_EVERY_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Place:
    """Where a demo takes place. `cache` is the cache folder of its own Kafka; None where one is configured."""

    servers: str
    centre: str
    folder: Path
    port: int
    wallboard_port: int
    cache: Path | None

    @property
    def environment(self) -> dict[str, str]:
        """What its worker has to know. In a Kafka of others it may be given their control rooms as well."""
        room = {self.centre: {"sources": [f"//{self.centre}/pbx1"]}}
        return {
            **os.environ,
            "OCC_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "OCC_WEB__PORT": str(self.port),
            **({"OCC_CENTRES": json.dumps(room)} if self.cache else {"OCC_ACCEPT_ANY_CENTRE": "true"}),
        }

    @property
    def notes(self) -> list[str]:
        """What to tell a person who watches."""
        occ = f"OCC_CACHE={_shown(self.cache)} occ" if self.cache else "occ"
        return [
            f"wallboard  http://127.0.0.1:{self.wallboard_port}/",
            f"metrics  http://127.0.0.1:{self.port}/metrics",
            f"logs     {_shown(self.folder)}/*.log",
            f"elsewhere  {occ} board --centre {self.centre}, {occ} watch",
        ]


class Telephones(Protocol):
    """The telephone system of a demo, and what speaks through it; `source` None means to callers of any."""

    @property
    def source(self) -> str | None: ...

    @property
    def notes(self) -> list[str]:
        """What to tell a person who watches."""
        ...

    def driver(self) -> Driver: ...

    async def run(self, servers: str) -> None:
        """Send what happens to Kafka, until cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class Simulated:
    """A telephone system that is only told of."""

    centre: str
    source = None

    @property
    def notes(self) -> list[str]:
        return []

    def driver(self) -> Driver:
        return LogDriver()

    async def run(self, servers: str) -> None:
        now = datetime.now(UTC)
        room = SimulationConfig(
            centre=self.centre, starts_at=now - WARM_START, hours=HOURS_MAX, scale=SCALE, sick=SICK
        )
        async with producer(servers) as sender:
            await run_live(Simulation(always_busy(room), seed=now.microsecond), sender)


def demo(settings: Settings, seconds: float | None, console: Console, *, pbx: bool = False) -> Totals | None:
    """Run a demo until it is stopped, or for `seconds`; then everything is counted. Raises ClickException.

    With `pbx` the calls are real ones on a real switch.
    """
    with ExitStack() as parts:
        interruptible = parts.enter_context(Interruptible())
        if pbx:
            real_calls.prepare(settings.cache, console)
        place = parts.enter_context(_place(settings, console))
        telephones: Telephones = Simulated(place.centre)
        if pbx:
            telephones = parts.enter_context(real_calls.opened(settings.cache, place.centre))
        asyncio.run(topics.create(place.servers, settings.kafka.partitions, settings.kafka.replication_factor))
        worker = parts.enter_context(WorkerProcess(place.environment, place.folder / "worker.log"))
        parts.callback(interruptible.end)
        return asyncio.run(until_stopped(_run(place, telephones, worker, console, seconds)))


@contextmanager
def _place(settings: Settings, console: Console) -> Iterator[Place]:
    folder = (settings.cache / "demo").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise click.ClickException(f"A demo is running already in {_shown(folder)}.") from error
        for log in folder.glob("*.log"):
            log.unlink()
        logging.basicConfig(filename=folder / "demo.log", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        ports = _free_port(settings.web.port), _free_port(settings.wallboard.port)
        if settings.kafka.bootstrap_servers:
            centre = f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}"
            yield Place(settings.kafka.bootstrap_servers, centre, folder, *ports, None)
            return
        broker = Broker(folder / "kafka")
        broker.stop()  # left over from a demo that was killed
        broker.wipe()
        console.print("Starting Kafka: a few seconds, and a download the first time.")
        with broker:
            yield Place(broker.bootstrap, "demo", folder, *ports, folder)


async def _run(
    place: Place, telephones: Telephones, worker: WorkerProcess, console: Console, seconds: float | None
) -> Totals | None:
    watched = Watched(place.centre)

    def tell(address: str) -> None:
        if not console.is_terminal:  # there the notes say it
            console.print(f"The wallboard is at {address}")

    with (place.folder / "announcer.log").open("a", buffering=1) as log:
        async with meter(place.servers) as counts, asyncio.TaskGroup() as parts:
            lasting = [
                parts.create_task(worker.keep_running()),
                parts.create_task(follow(place.servers, watched)),
                parts.create_task(wallboard.run(Door(port=place.wallboard_port), place.servers, tell)),
            ]
            ending = [
                parts.create_task(telephones.run(place.servers)),
                parts.create_task(_announce(place, telephones, lambda line: print(line, file=log))),
                parts.create_task(show(watched, console, [*place.notes, *telephones.notes])),
            ]
            if seconds is None:
                await asyncio.wait(ending)
                return None
            await asyncio.sleep(seconds)
            await _cancel(ending)
            totals = await counts.totals(await _final_board(counts, watched, worker))
            await _cancel(lasting)
            return totals


async def _announce(place: Place, telephones: Telephones, say: Callable[[str], None]) -> None:
    await announce(place.servers, telephones.driver(), say, source=telephones.source)


async def _cancel(tasks: Collection[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _final_board(counts: Meter, watched: Watched, worker: WorkerProcess) -> Board:
    """The first board that holds everything produced."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            while await counts.lag():
                await asyncio.sleep(LOOK_EVERY_SECONDS)
            applied_at = time_ns() // 1000
            while True:
                for board in watched.boards.values():
                    if parse(board["as_of"]) >= applied_at:
                        return board
                await asyncio.sleep(LOOK_EVERY_SECONDS)
    except TimeoutError as error:
        raise click.ClickException(
            f"The worker did not apply everything within {SETTLE_SECONDS_MAX:.0f} s; its log is {worker.log}."
        ) from error


def _free_port(wanted: int) -> int:
    """`wanted`, or another one where that is taken."""
    for port in (wanted, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise click.ClickException("No free port was found.")


def _shown(path: Path) -> str:
    """As short as it is still right from the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
