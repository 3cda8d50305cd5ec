"""Writes what the worker says to its topics.

Everything of a control room carries its name as the key, so it is in the same partition of each topic.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec
import orjson

from agents.gate import dead_letter
from agents.producer import Producer
from agents.reader import Record
from schemas.codec import Refusal, encode
from schemas.events import ID_BYTES_MAX
from schemas.masking import mask
from schemas.outputs import Cancellation, Command, VisitFacts
from schemas.topics import ANNOUNCEMENTS, BOARD, DEAD, FACTS


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


def dead(record: Record, refusal: Refusal) -> Output:
    """A refused record; its key may be anything, so that too is masked."""
    key = None if record.key is None else str(mask(record.key[:ID_BYTES_MAX].decode(errors="replace"))).encode()
    return Output(DEAD.name, key, orjson.dumps(msgspec.to_builtins(dead_letter(record, refusal))))


class Outputs:
    """The connection over which all outputs go."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def send(self, outputs: Iterable[Output]) -> list[asyncio.Future[Any]]:
        """Hand over `outputs` in order; each future is done once Kafka has the record."""
        producer = await self._producer.get()
        return [await producer.send(topic, value, key=key) for topic, key, value in outputs]
