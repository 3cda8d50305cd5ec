"""What callers are told of their place, by the whole system, against what the switch says at that moment.

A bridge hears real callers, a worker decides, an announcer speaks through ARI. As each command is given to the
switch, its own QueueStatus is asked for.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from agents.announcer import announce
from agents.broker import Broker
from agents.ports import free_ports
from agents.switch import Switch
from agents.worker_process import WorkerProcess
from schemas.events import VisitQueued
from schemas.outputs import Command
from schemas.prompts import POSITION_BEYOND
from telephony.ami_client import connected
from telephony.asterisk_ari import AriDriver, Interface
from telephony.asterisk_bridge import Account
from telephony.asterisk_waiting import Watch
from tests.pbx.room import Room

SOURCE = "//west-mercia/pbx1"
CALLERS = 12
PATIENCE_SECONDS = 120
MORE_THAN_TEN = 11

Positions = dict[str, int]
"""By Uniqueid."""


class Places:
    """What QueueStatus says of the queue 101."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._turn = asyncio.Lock()
        self._found: Positions = {}
        self._complete = asyncio.Event()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        async with connected("127.0.0.1", self._switch.ami) as self._connection:
            hearing = asyncio.create_task(self._hear())
            await self._connection.ask("Login", Username="tests", Secret="tests", Events="off")
            yield
            hearing.cancel()

    async def now(self) -> Positions:
        async with self._turn:
            self._found, self._complete = {}, asyncio.Event()
            await self._connection.ask("QueueStatus", Queue="101")
            await self._complete.wait()
            return self._found

    async def _hear(self) -> None:
        async for events, _ in self._connection.heard():
            for event in events:
                if event["Event"] == "QueueEntry":
                    self._found[event["Uniqueid"]] = int(event["Position"])
                elif event["Event"] == "QueueStatusComplete":
                    self._complete.set()


class Witness(AriDriver):
    """The driver for ARI, and for each command what the switch said just before and just after it began."""

    def __init__(self, switch: Switch, places: Places) -> None:
        user, secret = "occ-announcer", switch.announcers_secret_file.read_text()
        watch = Watch(Account("127.0.0.1", switch.ami, user, secret))
        super().__init__(Interface(f"http://127.0.0.1:{switch.http}", user, secret), watch)
        self._places = places
        self.seen: list[tuple[Command, Positions, Positions]] = []

    async def play(self, command: Command) -> None:
        before = await self._places.now()
        await super().play(command)
        self.seen.append((command, before, await self._places.now()))

    def told(self) -> dict[str, list[int]]:
        """The places that each caller was told, in order, by Uniqueid."""
        told: dict[str, list[int]] = {}
        for command, _, _ in self.seen:
            for place in spoken_place(command):
                told.setdefault(command.channel_ref or "", []).append(place)
        return told


def spoken_place(command: Command) -> list[int]:
    """The place that the recordings say, if they say one."""
    return [
        MORE_THAN_TEN if piece == POSITION_BEYOND else int(piece.removeprefix("position-"))
        for piece in command.pieces
        if piece.startswith("position-")
    ]


@pytest.fixture
async def places(switch: Switch) -> AsyncIterator[Places]:
    places = Places(switch)
    async with places.opened():
        yield places


@pytest.fixture
async def witness(
    on_the_topic: Room, places: Places, prompts: Path, broker: Broker, tmp_path: Path
) -> AsyncIterator[Witness]:
    """Bridge, worker and announcer at work."""
    environment = {
        **os.environ,
        "OCC_CACHE": str(tmp_path),
        "OCC_CENTRES": json.dumps({"west-mercia": {"sources": [SOURCE]}}),
        "OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
        "OCC_KAFKA__PARTITIONS": "1",
        "OCC_WEB__PORT": str(free_ports(1)[0]),
    }
    witness = Witness(on_the_topic.switch, places)
    with WorkerProcess(environment, tmp_path / "worker.log"):
        announcing = asyncio.create_task(announce(broker.bootstrap, witness, print, source=SOURCE))
        await on_the_topic.start_bridge()
        yield witness
        announcing.cancel()
        with suppress(asyncio.CancelledError):
            await announcing


@pytest.mark.long
async def test_every_place_that_is_told_is_the_one_the_switch_counts_and_none_is_worse_than_the_last(
    on_the_topic: Room, witness: Witness, places: Places, words: Path
) -> None:
    #  twelve wait, and hear their first number 45 s after their welcome; then two with priority overtake them, and
    #  Ann answers one after the other; 45 s later those who are left and have moved up hear their second number
    room = on_the_topic
    for number in range(CALLERS):
        await room.phones.caller("101", f"077009001{number:02}", says=words, hang_up_after=PATIENCE_SECONDS * 1_000)
    await room.hears(VisitQueued, CALLERS)
    await until(lambda: len(witness.told()) == CALLERS)
    await room.phones.caller("1014", "01632960201", says=words)
    await room.phones.caller("1014", "01632960202", says=words)
    await room.hears(VisitQueued, CALLERS + 2)
    overtaken = await places.now()
    assert any(overtaken[channel] > numbers[-1] for channel, numbers in witness.told().items())
    await room.log_in("ann", "101")
    await room.phones.handler("ann", talks=4_000)
    await until(lambda: sum(len(numbers) > 1 for numbers in witness.told().values()) >= 3)

    checked = 0
    for command, before, after in witness.seen:
        channel = command.channel_ref or ""
        for place in spoken_place(command):
            assert place in {min(seen[channel], MORE_THAN_TEN) for seen in (before, after) if channel in seen}
            checked += 1
    assert checked >= CALLERS + 3
    for numbers in witness.told().values():
        assert numbers == sorted(set(numbers), reverse=True)
    print(f"{checked} places told, all as QueueStatus has them; by caller {list(witness.told().values())}")


async def until(is_so: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < give_up_at
        await asyncio.sleep(0.05)
