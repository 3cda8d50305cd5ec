"""Who tests which file when; one real broker for each that asks, and topics of their own for its tests."""

import uuid
from collections.abc import Awaitable, Callable, Iterator

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from agents.broker import Broker

COMPUTING = ("simulation", "property", "contract", "unit")
"""The folders of tests that wait for nothing, that with the longest file first."""
WAITING = ("tests/deploy/test_pipeline.py", "tests/pbx/")
"""Where tests mostly wait: for an alert that is due, for telephones that ring and people who talk."""


class WaitingInOneLine(LoadFileScheduling):
    """File by file, but what waits is all for one worker: the cores are left to the files that the others test."""

    def _split_scope(self, nodeid: str) -> str:
        return "waiting" if nodeid.startswith(WAITING) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WaitingInOneLine | None:
    return WaitingInOneLine(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a long test come first, so that the last one to end has begun early; what only computes fills in."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    ranks = {folder: rank for rank, folder in enumerate(COMPUTING, 1)}
    items.sort(key=lambda item: (item.path not in long, ranks.get(item.path.parent.name, 0)))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Shared by the tests of a file; whoever kills it starts it again before the test ends."""
    broker = Broker(tmp_path_factory.mktemp("occ") / "kafka")
    with broker:
        yield broker
    broker.wipe()


@pytest.fixture
def make_topic(broker: Broker) -> Callable[..., Awaitable[str]]:
    """`await make_topic("events", 2, **{"retention.ms": "-1"})` makes a topic and gives its own name."""

    async def make(name: str = "topic", partitions: int = 1, **config: str) -> str:
        unique = f"{name}.{uuid.uuid4().hex[:8]}"
        admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(unique, partitions, 1, topic_configs=config)])
        finally:
            await admin.close()
        return unique

    return make
