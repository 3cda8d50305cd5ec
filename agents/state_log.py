"""The state log: who owns a partition, how far its input is applied, and which commands were decided.

One record is atomic and the log totally orders its writers, so it settles every dispute. An owner first appends a
marker; its epoch is that marker's offset. A record counts only if no newer marker precedes it: what a stopped and
revived process still appends is ignored by everybody, and by itself once it has read what lies between.

It does not know what events mean; the state itself is not in the log but read again from the input.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.producer import Producer
from agents.reader import Reader
from schemas.codec import encode
from schemas.moments import HOUR
from schemas.outputs import Cancellation, Command, StateRecord

RECORD_BYTES_MAX = 800_000
WINDOW = 12 * HOUR
"""No caller waits longer, so what was decided before matters to nobody."""

Decided = Command | Cancellation

_decode = msgspec.json.Decoder(StateRecord).decode


class LogError(Exception):
    """It is not known whether a record was appended, or where: the log must be read again."""


@dataclass(slots=True)
class Fold:
    """What the log says of one partition, record by record."""

    epoch: int = -1
    next: int | None = None
    first: int | None = None
    now: int = 0
    decided: list[Decided] = field(default_factory=list)
    """All that counts, in order."""
    published_next: int | None = None
    """Everything that follows from the input before this offset is published; None when that is not known."""
    _published: int = -1
    _steps: deque[tuple[int, int, tuple[Decided, ...]]] = field(default_factory=deque)

    def add(self, offset: int, record: StateRecord) -> None:
        """Take the record at `offset`; offsets only rise."""
        if record.epoch is None:
            self.epoch = offset
            return
        if record.epoch < self.epoch:
            return
        # The window may begin after the owner's marker: its records then say who owns.
        self.epoch = record.epoch
        assert record.next is not None
        assert record.now is not None
        self.next, self.first, self.now = record.next, record.first, record.now
        decided = _decided(record)
        self.decided += decided
        self._steps.append((offset, record.next, decided))
        if record.published is not None and record.published > self._published:
            self._published = record.published
        while self._steps and self._steps[0][0] <= self._published:
            self.published_next = self._steps.popleft()[1]

    @property
    def unpublished(self) -> list[Decided]:
        """What was decided, but perhaps not published."""
        return [each for _, _, decided in self._steps for each in decided]


class StateLog:
    """Appends to the log and reads it."""

    def __init__(self, topic: str, producer: Producer, reader: Reader) -> None:
        self.topic = topic
        self.owner = uuid.uuid4().hex
        self._producer = producer
        self._reader = reader

    async def mark(self, partition: int) -> int:
        """Become the owner of `partition`; returns the epoch."""
        return await self.append(partition, encode(StateRecord(owner=self.owner)))

    async def append(self, partition: int, record: bytes) -> int:
        """The offset of `record` once every replica in sync has it. LogError when that is not known."""
        return await self.offset(await self.send(partition, record))

    async def send(self, partition: int, record: bytes) -> asyncio.Future[Any]:
        """Hand over `record`; records of a partition are appended in the order in which they are handed over."""
        producer = await self._producer.get()
        sent: asyncio.Future[Any] = await producer.send(self.topic, record, partition=partition)
        return sent

    async def offset(self, sent: asyncio.Future[Any]) -> int:
        """Where in the log is what was `sent`, once it is there. LogError when that is not known."""
        metadata = await sent
        if metadata.offset < 0:
            raise LogError("Kafka has the record, but no longer knows where")
        return int(metadata.offset)

    async def fold(self, partition: int, until: int, now: int) -> Fold:
        """What the log says before offset `until`."""
        start = await self._reader.offset_at(self.topic, partition, now - WINDOW)
        folded = await self._fold(partition, until if start is None else start, until)
        if folded.next is None:
            # Nobody worked for twelve hours: what is needed then lies further back.
            first, _ = await self._reader.bounds(self.topic, partition)
            folded = await self._fold(partition, first, until)
        return folded

    async def has_marker(self, partition: int, start: int, end: int) -> bool:
        """Whether somebody became the owner at `start` ≤ offset < `end`."""
        async for batch in self._reader.records(self.topic, partition, start, end):
            if any(_read(record.value).epoch is None for record in batch):
                return True
        return False

    async def _fold(self, partition: int, start: int, until: int) -> Fold:
        folded = Fold()
        async for batch in self._reader.records(self.topic, partition, start, until):
            for record in batch:
                folded.add(record.offset, _read(record.value))
        return folded


def _read(value: bytes | None) -> StateRecord:
    assert value is not None
    return _decode(value)


def encoded(record: StateRecord, logged_next: int) -> Iterator[bytes]:
    """`record` as one record of the log, or as several where one would be too large.

    All but the last of several keep `logged_next`: the input counts as applied with the last of them.
    """
    whole = encode(record)
    decided = _decided(record)
    if len(whole) <= RECORD_BYTES_MAX or len(decided) < 2:
        yield whole
        return
    half = len(decided) // 2
    yield from encoded(_with(record, decided[:half], logged_next), logged_next)
    yield from encoded(_with(record, decided[half:], record.next), logged_next)


def _decided(record: StateRecord) -> tuple[Decided, ...]:
    cancellations: tuple[Decided, ...] = record.cancellations
    return cancellations + record.commands


def _with(record: StateRecord, decided: tuple[Decided, ...], offset: int | None) -> StateRecord:
    return msgspec.structs.replace(
        record,
        next=offset,
        commands=tuple(each for each in decided if isinstance(each, Command)),
        cancellations=tuple(each for each in decided if isinstance(each, Cancellation)),
    )
