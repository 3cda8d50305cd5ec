"""Writes what the worker says to its topics.

Everything that follows from a partition of the input is in the partition of the same number of each topic.
"""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import orjson
from aiokafka import AIOKafkaProducer

from agents.gate import dead_letter
from agents.producer import Producer
from agents.reader import Record
from schemas.codec import Refusal, encode
from schemas.events import ID_BYTES_MAX
from schemas.masking import mask
from schemas.outputs import Cancellation, Command, VisitFacts
from schemas.topics import ANNOUNCEMENTS, BOARD, DEAD, FACTS

TOGETHER_FROM = 10
"""So many records for one topic go as batches: each costs a tenth then, but a batch waits for the one before."""


class Output(NamedTuple):
    """One record for `topic`."""

    topic: str
    key: bytes | None
    value: bytes


def announcement(decided: Command | Cancellation) -> Output:
    """A command or cancellation for the announcer."""
    return Output(ANNOUNCEMENTS.name, decided.centre.encode(), encode(decided))


def facts(settled: VisitFacts) -> Output:
    """The settled facts of a visit, for history."""
    return Output(FACTS.name, settled.visit.encode(), encode(settled))


def board(centre: str, content: dict[str, object]) -> Output:
    """The board of a control room."""
    return Output(BOARD.name, centre.encode(), orjson.dumps(content))


def dead(record: Record, partition: int, refusal: Refusal) -> Output:
    """A refused record of the input; its key may be anything, so that too is masked."""
    key = None if record.key is None else str(mask(record.key[:ID_BYTES_MAX].decode(errors="replace"))).encode()
    return Output(DEAD.name, key, orjson.dumps(msgspec.to_builtins(dead_letter(record, partition, refusal))))


class Outputs:
    """A connection over which outputs go."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def send(self, partition: int, outputs: Iterable[Output]) -> list[asyncio.Future[Any]]:
        """Hand over `outputs` in order; once all futures are done Kafka has them."""
        producer = await self._producer.get()
        sent: list[asyncio.Future[Any]] = []
        for topic, group in groupby(outputs, key=attrgetter("topic")):
            records = list(group)
            if len(records) >= TOGETHER_FROM:
                sent += await _send_together(producer, topic, partition, records)
            else:
                for _, key, value in records:
                    sent.append(await producer.send(topic, value, key=key, partition=partition))
        return sent

    async def close(self) -> None:
        """Close the connection; it is opened anew when it is needed again."""
        await self._producer.close()


async def _send_together(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Output]
) -> list[asyncio.Future[Any]]:
    sent = []
    batch = producer.create_batch()
    for _, key, value in records:
        if batch.append(key=key, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    sent.append(await producer.send_batch(batch, topic, partition=partition))
    return sent
