"""Sends events to Kafka when they are due.

What is due is sent together and acknowledged before the next wait, in the order of the feed, each record once. When
this is cancelled, what was taken from the feed is still sent whole, so a feed that counts what it gave counts what
Kafka has.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import time_ns
from typing import Protocol

import click
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents import clients
from schemas.moments import SECOND
from schemas.topics import EVENTS

TOGETHER_MAX = 1_000

Record = tuple[str, bytes]
"""(control room, event as JSON)"""


class Feed(Protocol):
    """Something that gives records, each time when they are due."""

    @property
    def due_at(self) -> int | None:
        """When the next records are due, in µs; None when there are no more."""

    def take(self) -> list[Record]:
        """The next records, perhaps none."""


class AtOnce:
    """Records that are all due."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = iter(records)
        self._next = next(self._records, None)

    @property
    def due_at(self) -> int | None:
        return None if self._next is None else 0

    def take(self) -> list[Record]:
        assert self._next is not None
        record, self._next = self._next, next(self._records, None)
        return [record]


def wall_clock() -> int:
    """Now in µs."""
    return time_ns() // 1000


async def send_when_due(
    feed: Feed,
    producer: AIOKafkaProducer,
    *,
    topic: str = EVENTS.name,
    now: Callable[[], int] = wall_clock,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    sent: Callable[[int], None] = lambda _: None,
) -> None:
    """Send all of `feed`; `sent` is told how many records were acknowledged so far."""
    count = 0
    while (due_at := feed.due_at) is not None:
        if (wait := due_at - now()) > 0:
            await sleep(wait / SECOND)
            continue
        together: list[Record] = []
        while due_at is not None and due_at <= now() and len(together) < TOGETHER_MAX:
            together += feed.take()
            due_at = feed.due_at
        await _in_any_case(send_records(producer, together, topic=topic))
        count += len(together)
        sent(count)


async def require_events_topic(servers: str) -> None:
    """Raises KafkaUnreachable, or TopicsMissing when it has no topic for events."""
    async with clients.admin(servers) as admin:
        if EVENTS.name not in await admin.list_topics():
            raise clients.TopicsMissing


async def send_records(producer: AIOKafkaProducer, records: list[Record], *, topic: str = EVENTS.name) -> None:
    """Send `records` in order and wait for Kafka to have them. Raises ClickException."""
    try:
        acknowledged = [await producer.send(topic, value, key=centre.encode()) for centre, value in records]
        await asyncio.gather(*acknowledged)
    except KafkaError as error:
        raise click.ClickException(f"Kafka did not take the events: {error}") from error


async def _in_any_case(work: Awaitable[None]) -> None:
    """Finish `work` even when cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
