"""Reads ranges of offsets of one partition, outside any consumer group.

It knows where a partition begins and ends, and gives every record between two offsets once and in order.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

BATCH_RECORDS_MAX = 5_000
FETCH_BYTES_MAX = 4 * 1024 * 1024
SILENT_SECONDS_MAX = 30
"""A Kafka that gives nothing for longer is away, whatever its client still hopes for."""


class Record(Protocol):
    """What Kafka gives of one record; `timestamp` in ms."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Reader:
    """Ranges of the partitions of one Kafka. Every range has a connection of its own, so none waits for another."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """(the first offset there is, the offset the next record will have)"""
        place = TopicPartition(topic, partition)
        consumer = self._consumer()
        await consumer.start()
        try:
            first = await consumer.beginning_offsets([place])
            end = await consumer.end_offsets([place])
            return first[place], end[place]
        finally:
            await consumer.stop()

    async def offset_at(self, topic: str, partition: int, appended_at: int) -> int | None:
        """The first offset appended at or after `appended_at` (µs), or None."""
        place = TopicPartition(topic, partition)
        consumer = self._consumer()
        await consumer.start()
        try:
            found = (await consumer.offsets_for_times({place: max(0, appended_at // 1000)}))[place]
            return None if found is None else int(found.offset)
        finally:
            await consumer.stop()

    async def records(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """The records with `start` ≤ offset < `end`, in batches; OffsetOutOfRangeError when `start` is gone.

        KafkaTimeoutError when Kafka falls silent.
        """
        if start >= end:
            return
        place = TopicPartition(topic, partition)
        consumer = self._consumer()
        await consumer.start()
        try:
            consumer.assign([place])
            consumer.seek(place, start)
            async for batch in records_until(consumer, place, end):
                yield batch
        finally:
            await consumer.stop()

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_wait_ms=50,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
        )


async def records_until(
    consumer: AIOKafkaConsumer, place: TopicPartition, end: int
) -> AsyncIterator[Sequence[Record]]:
    """The records from the position of `consumer` to before `end`, in batches; KafkaTimeoutError on silence."""
    silent_seconds = 0
    # By position, not by the records seen: an offset may hold a control record that nobody is shown.
    while await consumer.position(place) < end:
        fetched = await consumer.getmany(place, timeout_ms=1_000, max_records=BATCH_RECORDS_MAX)
        batch = fetched.get(place, ())
        silent_seconds = 0 if batch else silent_seconds + 1
        if silent_seconds > SILENT_SECONDS_MAX:
            raise KafkaTimeoutError(f"nothing of {place.topic}-{place.partition} for {silent_seconds} s")
        if batch and batch[-1].offset >= end:
            batch = [record for record in batch if record.offset < end]
        if batch:
            yield batch
