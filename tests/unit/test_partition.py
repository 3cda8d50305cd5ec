"""Steps of one partition while the state log is slow, silent, broken, or somebody else's."""

import asyncio
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from agents.append_times import AppendTimes
from agents.gate import Gate, Refusals
from agents.hooks import NoHooks
from agents.partition import APPENDS_IN_FLIGHT_MAX, Fenced, Partition, Slice, Tools
from agents.progress import Progress
from stream.counters import no_anomalies
from stream.engine import Engine
from stream.profile import Profile
from tests.batches import batch_bytes, batches
from tests.feed import us

NOW = us(0)
EPOCH = 100


class Log:
    """A state log that acknowledges when the test says so; another owner's marker is at `marker`."""

    owner = "me"
    marker: int | None = None

    def __init__(self) -> None:
        self.sent: list[asyncio.Future[int]] = []

    async def send(self, partition: int, record: bytes) -> asyncio.Future[int]:
        self.sent.append(asyncio.get_running_loop().create_future())
        return self.sent[-1]

    async def offset(self, sent: asyncio.Future[int]) -> int:
        return await sent

    async def has_marker(self, partition: int, start: int, end: int) -> bool:
        return self.marker is not None and start <= self.marker < end

    def acknowledge(self, first: int, count: int, offset: int) -> None:
        for number in range(count):
            self.sent[first + number].set_result(offset + number)


class Published:
    """Outputs that arrive at once."""

    def __init__(self) -> None:
        self.keys: list[bytes | None] = []

    async def send(self, partition: int, outputs: Any) -> list[asyncio.Future[Any]]:
        self.keys += [output.key for output in outputs]
        return []


class Running:
    """A partition that runs, fed with slices of one refused record each: each step has something to publish."""

    def __init__(self, *rooms: str) -> None:
        self.log, self.published, self.boards = Log(), Published(), Published()
        tools = Tools(
            producer=None,  # type: ignore[arg-type]
            state_log=self.log,  # type: ignore[arg-type]
            outputs=self.published,  # type: ignore[arg-type]
            boards=self.boards,  # type: ignore[arg-type]
            gate=Gate(1),
            refusals=Refusals(),
            anomalies=no_anomalies(),
            clock=lambda: NOW,
            hooks=NoHooks(),
            progress=Progress(),
        )
        self.partition = Partition(0, EPOCH, Engine(Profile(), opens=rooms), 0, AppendTimes(), tools)
        self.task = asyncio.create_task(self.partition.run())

    async def takes(self, *keys: bytes) -> None:
        """Slices come as fast as there is room for them."""
        for key in keys:
            while not self.partition.has_room and not self.task.done():
                before = len(self.log.sent)
                await quiet()
                if len(self.log.sent) == before:
                    return
            admitted = self.partition.admit(batches(batch_bytes(self.partition._fetch_next, [b"no event"], key)))
            assert isinstance(admitted, Slice)
            self.partition.offer(admitted)
        await quiet()


@pytest.fixture
async def running():
    running = Running()
    yield running
    running.task.cancel()
    await asyncio.wait([running.task])


async def quiet() -> None:
    """Let everything happen that can happen by now."""
    for _ in range(50):
        await asyncio.sleep(0)


KEYS = [b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h"]


async def test_steps_go_on_while_the_log_is_slow_and_what_follows_is_published_in_order(running: Running) -> None:
    await running.takes(b"a", b"b")
    assert len(running.log.sent) == 2
    assert running.published.keys == []
    running.log.acknowledge(0, 1, EPOCH + 1)
    await running.takes(b"c")
    assert running.published.keys == [b"a"]
    running.log.acknowledge(1, 2, EPOCH + 2)
    await quiet()
    assert running.published.keys == [b"a", b"b", b"c"]
    assert running.partition.logged_offset == EPOCH + 3


async def test_while_the_log_is_silent_little_more_is_decided(running: Running) -> None:
    await running.takes(*KEYS)
    assert len(running.log.sent) == APPENDS_IN_FLIGHT_MAX
    running.log.acknowledge(0, APPENDS_IN_FLIGHT_MAX, EPOCH + 1)
    await quiet()
    assert running.published.keys == KEYS[:APPENDS_IN_FLIGHT_MAX]
    assert len(running.log.sent) > APPENDS_IN_FLIGHT_MAX


async def test_nothing_is_published_that_a_newer_owner_stands_before(running: Running) -> None:
    await running.takes(b"a", b"b", b"c")
    running.log.marker = EPOCH + 2
    running.log.acknowledge(0, 1, EPOCH + 1)
    running.log.acknowledge(1, 2, EPOCH + 3)
    with pytest.raises(Fenced):
        await running.task
    assert running.published.keys == [b"a"]
    assert not running.partition.is_sound


async def test_a_hole_in_the_log_that_is_no_marker_stops_nobody(running: Running) -> None:
    await running.takes(b"a")
    running.log.acknowledge(0, 1, EPOCH + 7)
    await quiet()
    assert running.published.keys == [b"a"]


async def test_what_cannot_be_appended_ends_the_partition_and_waits_for_nothing(running: Running) -> None:
    await running.takes(b"a", b"b")
    running.log.sent[0].set_exception(KafkaError("gone"))
    with pytest.raises(KafkaError):
        await running.task
    assert running.log.sent[1].cancelled()
    assert running.published.keys == []
    assert not running.partition.is_sound


async def test_who_pauses_publishes_first_what_was_appended(running: Running) -> None:
    await running.takes(b"a", b"b")
    running.partition.pause()
    await quiet()
    assert not running.task.done()
    running.log.acknowledge(0, 2, EPOCH + 1)
    await running.task
    assert running.published.keys == [b"a", b"b"]
    assert running.partition.is_sound


async def test_a_board_is_sent_when_what_it_shows_is_in_the_log() -> None:
    running = Running("avon")
    await running.takes(b"a")
    steps, boards = 1, 1
    assert len(running.log.sent) == steps + boards
    running.log.acknowledge(0, 1, EPOCH + 1)
    await quiet()
    assert running.boards.keys == []
    running.log.acknowledge(1, 1, EPOCH + 2)
    await quiet()
    assert running.boards.keys == [b"avon"]
    running.partition.pause()
    await running.task
