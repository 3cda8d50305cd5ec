"""Feeds the announcer with the worker's commands and tells the worker what became of them.

Offsets are committed before anything is played, so that a restart never repeats an announcement to a caller. When a
commit fails, another announcer may have the partition by now: then there is silence.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from time import time_ns

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents import clients
from schemas.codec import encode
from schemas.outputs import Command
from schemas.topics import ANNOUNCEMENTS, EVENTS
from telephony.announcer import Announcer, Ended, read

GROUP = "occ-announcer"
POLL_MS = 1_000

log = logging.getLogger(__name__)


async def announce(servers: str, say: Callable[[str], None], *, topic: str = ANNOUNCEMENTS.name) -> None:
    """Speak every command through `say`, one line each, until cancelled. Raises KafkaUnreachable."""
    async with clients.producer(servers) as producer, clients.member(servers, GROUP, topic) as consumer:
        announcer = Announcer()
        try:
            while True:
                await _step(announcer, consumer, producer, say)
        finally:
            await _report(producer, announcer.fall_silent(_now()), say)


async def _step(
    announcer: Announcer, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, say: Callable[[str], None]
) -> None:
    next_end = announcer.next_end
    wait_ms = POLL_MS if next_end is None else min(POLL_MS, max(0, next_end - _now()) // 1000)
    slices = await consumer.getmany(timeout_ms=wait_ms)
    ended: list[Ended] = []
    for partition, records in slices.items():
        for record in records:
            if (order := read(record.value)) is None:
                log.warning("offset %d of partition %d is no command", record.offset, partition.partition)
            else:
                ended += announcer.hear(partition.partition, order, _now())
    if slices:
        try:
            await consumer.commit()
        except KafkaError as error:
            log.warning("not committed, so nothing is played: %s", error)
            ended += announcer.fall_silent(_now())
    for started in announcer.start(_now()):
        if isinstance(started, Command):
            say(f"{_about(started)} {started.kind}: {started.text}")
        else:
            ended.append(started)
    ended += announcer.finish(_now())
    await _report(producer, ended, say)


async def _report(producer: AIOKafkaProducer, ended: Iterable[Ended], say: Callable[[str], None]) -> None:
    sent = []
    for end in ended:
        if end.outcome != "played":
            say(f"{_about(end.command)} {end.command.kind} {end.outcome}")
        key = end.command.centre.encode()
        sent.append(await producer.send(EVENTS.name, encode(end.event), key=key))
    await asyncio.gather(*sent)


def _about(command: Command) -> str:
    """Where it is spoken. Not to whom: a log holds no trace of a caller."""
    return f"{command.centre} {command.queue} [{command.language}]"


def _now() -> int:
    return time_ns() // 1_000
