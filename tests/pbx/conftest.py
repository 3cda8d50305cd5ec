"""One real Asterisk for the whole run. Where it cannot be had, the last lines of the run say so, and why."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agents import topics
from agents.broker import Broker
from schemas.topics import EVENTS
from tests.integration.conftest import broker, make_topic
from tests.packages import UnobtainableError, require
from tests.pbx.phones import Phones
from tests.pbx.room import Room
from tests.pbx.switch import Switch, build

__all__ = ["broker", "make_topic"]

_missing: list[str] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for why in _missing:
        terminalreporter.write_line(f"tests/pbx did not run: {why}", yellow=True)


@pytest.fixture(scope="session")
def switch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switch]:
    """Shared by all tests; whoever ends it starts it again before the test ends."""
    require("sipp", "sip-tester")
    try:
        asterisk = build()
    except UnobtainableError as error:
        _missing.append(str(error))
        pytest.skip(str(error))
    switch = Switch(asterisk, tmp_path_factory.mktemp("switch"))
    switch.start()
    yield switch
    switch.terminate()


@pytest.fixture
async def phones(switch: Switch, tmp_path: Path) -> AsyncIterator[Phones]:
    """Telephones; at the end nobody rings, talks or is logged in any more."""
    phones = Phones(switch, tmp_path)
    yield phones
    await phones.hang_up()
    switch.forget_all()


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
