from collections.abc import AsyncIterator

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from agents.board_reader import newest
from schemas.moments import SECOND, parse, rfc3339

START = parse("2025-11-24T08:00:00Z")


def at(seconds: float) -> int:
    return START + round(seconds * SECOND)


class Boards:
    """A topic of boards whose append times are those given."""

    def __init__(self, servers: str, topic: str, producer: AIOKafkaProducer) -> None:
        self.servers, self.topic, self._producer = servers, topic, producer

    async def write(self, seconds: float, *, centre: str = "west", epoch: int = 1, partition: int = 0) -> None:
        """A board as of `seconds`, appended 5 ms later."""
        board = orjson.dumps(
            {"centre": centre, "as_of": rfc3339(at(seconds)), "epoch": epoch, "feed": {}, "queues": []}
        )
        await self.write_bytes(board, seconds, partition)

    async def write_bytes(self, value: bytes, seconds: float, partition: int = 0) -> None:
        appended_ms = at(seconds) // 1000 + 5
        await self._producer.send_and_wait(self.topic, value, partition=partition, timestamp_ms=appended_ms)

    async def newest(self, as_of: float | None = None) -> dict[str, float]:
        boards = await newest(self.servers, None if as_of is None else at(as_of), topic=self.topic)
        return {centre: (parse(board["as_of"]) - START) / SECOND for centre, board in boards.items()}


@pytest.fixture
async def boards(broker, make_topic) -> AsyncIterator[Boards]:
    # Stamped by the producer, unlike the real topic: else a test would have to wait for its times to pass.
    topic = await make_topic("board", 2, **{"message.timestamp.type": "CreateTime", "retention.ms": "-1"})
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        yield Boards(broker.bootstrap, topic, producer)


async def test_without_a_board_there_is_none(boards):
    assert await boards.newest() == {}
    assert await boards.newest(as_of=0) == {}


async def test_a_record_that_is_no_board_is_passed_over(boards):
    await boards.write(0)
    await boards.write_bytes(b"{", 1)
    assert await boards.newest() == {"west": 0}


async def test_the_newest_board_of_each_control_room_is_found_in_every_partition(boards):
    for seconds in (0, 2, 4):
        await boards.write(seconds)
        await boards.write(seconds + 0.5, centre="north")
        await boards.write(seconds + 1, centre="south", partition=1)
    assert await boards.newest() == {"west": 4, "north": 4.5, "south": 5}


async def test_a_board_as_it_was_is_the_last_one_up_to_that_moment(boards):
    for seconds in range(0, 60, 2):
        await boards.write(seconds)
        await boards.write(seconds + 1, centre="north")
    assert await boards.newest(as_of=30) == {"west": 30, "north": 29}
    assert await boards.newest(as_of=31.999) == {"west": 30, "north": 31}
    assert await boards.newest(as_of=500) == {"west": 58, "north": 59}
    assert await boards.newest(as_of=-1) == {}


async def test_in_a_time_without_worker_the_board_is_the_last_one_before_it(boards):
    for seconds in (0, 2, 3602, 3604):
        await boards.write(seconds)
    assert await boards.newest(as_of=1800) == {"west": 2}
    assert await boards.newest(as_of=3600) == {"west": 2}


async def test_a_board_of_a_replaced_worker_is_not_believed(boards):
    await boards.write(0, epoch=3)
    await boards.write(2, epoch=8)
    await boards.write(4, epoch=3)
    assert await boards.newest() == {"west": 2}
    await boards.write(4, epoch=3, partition=1, centre="south")
    assert await boards.newest() == {"west": 2, "south": 4}
