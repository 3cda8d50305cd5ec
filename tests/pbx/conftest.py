"""One real Asterisk for each file of tests."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agents import topics
from agents.broker import Broker
from agents.packages import UnobtainableError
from agents.phones import Phones
from agents.switch import Switch, build
from schemas.topics import EVENTS
from telephony.espeak import speak_all
from tests.packages import do_without, require
from tests.pbx.room import Room

CACHE = Path(__file__).parents[2] / ".cache"
ADDED = Path(__file__).parent / "conf"
HANDLERS = ("ann", "ben")
QUEUES = ("101", "101-secondary", "999", "internal", "staffed")


@pytest.fixture(scope="session")
def asterisk() -> Path:
    """The folder in which one was built."""
    require("sipp", "sip-tester")
    folder = CACHE / "asterisk"
    try:
        build(folder)
    except UnobtainableError as error:
        do_without(str(error))
    return folder


@pytest.fixture(scope="module")
def switch(asterisk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """Shared by the tests of a file; whoever ends it starts it again before the test ends."""
    switch = Switch(asterisk, tmp_path_factory.mktemp("switch"), HANDLERS, ADDED)
    switch.start()
    yield switch
    switch.terminate()


@pytest.fixture
async def phones(switch: Switch, tmp_path: Path) -> AsyncIterator[Phones]:
    """Telephones; at the end nobody rings, talks or is logged in any more."""
    phones = Phones(switch, tmp_path)
    yield phones
    await phones.hang_up()
    switch.says("channel request hangup all")
    for queue in QUEUES:
        for name in HANDLERS:
            switch.says(f"queue remove member PJSIP/{name} from {queue}")
    while not switch.says("core show channels count").startswith("0 active channels"):
        await asyncio.sleep(0.02)


@pytest.fixture
async def room(
    switch: Switch, phones: Phones, broker: Broker, make_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> AsyncIterator[Room]:
    """A control room on the switch, with a bridge that listens and a topic of its own."""
    topic = await make_topic("events", **{"message.timestamp.type": "LogAppendTime"})
    async with Room(switch, phones, broker.bootstrap, topic, tmp_path / "bridge") as room:
        await room.start_bridge()
        yield room


@pytest.fixture
async def on_the_topic(switch: Switch, phones: Phones, broker: Broker, tmp_path: Path) -> AsyncIterator[Room]:
    """A control room whose bridge the test runs itself, on the topic of the product."""
    await topics.create(broker.bootstrap, 1, 1)
    async with Room(switch, phones, broker.bootstrap, EVENTS.name, tmp_path / "bridge") as room:
        yield room


@pytest.fixture(scope="session")
def spoken_prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("espeak-ng", "espeak-ng")
    require("sox", "sox")
    folder = tmp_path_factory.mktemp("prompts")
    for _ in speak_all(folder):
        pass
    return folder


@pytest.fixture(scope="module")
def prompts(switch: Switch, spoken_prompts: Path) -> Path:
    """Where the switch has its recordings: those it came with, and those that were made."""
    switch.take_recordings(spoken_prompts)
    return switch.sounds


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """What somebody says without an end: a second of silence in G.711 µ-law."""
    file = tmp_path / "words.ulaw"
    file.write_bytes(bytes([0xFF]) * 8_000)
    return file
