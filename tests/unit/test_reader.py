"""A range of Kafka's records: each once, none beyond its end, and no waiting for a Kafka that is away."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from agents.reader import SILENT_SECONDS_MAX, records_until

PLACE = TopicPartition("events", 0)


class Consumer:
    """Gives `batches` of offsets one after another, and nothing when there are none left."""

    def __init__(self, *batches: list[int]) -> None:
        self.asked = 0
        self._batches = list(batches)
        self._position = 0

    async def position(self, _: TopicPartition) -> int:
        return self._position

    async def getmany(self, place: TopicPartition, **_: Any) -> dict[TopicPartition, list[Any]]:
        self.asked += 1
        offsets = self._batches.pop(0) if self._batches else []
        if offsets:
            self._position = offsets[-1] + 1
        return {place: [SimpleNamespace(offset=offset) for offset in offsets]} if offsets else {}


async def offsets(consumer: Any, end: int) -> list[int]:
    return [record.offset async for batch in records_until(consumer, PLACE, end) for record in batch]


async def test_a_range_ends_where_it_should_whatever_was_fetched_beyond() -> None:
    assert await offsets(Consumer([0, 1], [], [2, 3, 4]), end=4) == [0, 1, 2, 3]


async def test_a_kafka_that_falls_silent_is_not_waited_for() -> None:
    consumer = Consumer([0, 1])
    with pytest.raises(KafkaTimeoutError):
        await offsets(consumer, end=4)
    assert consumer.asked == 1 + SILENT_SECONDS_MAX + 1
