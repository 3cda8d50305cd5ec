import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents import topics
from agents.announcer import GROUP, announce
from schemas.codec import decode, encode
from schemas.outputs import Cancellation, Command
from schemas.topics import EVENTS, PARTITIONS_DEFAULT
from telephony.speaking import LogDriver

CENTRE = "west-mercia"
LONG = "x" * 1400
"""Nobody waits for the end of this."""


class Announcing:
    """An announcer at work on a topic of its own: what is written to it, said and reported."""

    def __init__(self, servers: str, topic: str, producer: AIOKafkaProducer, outcomes: AIOKafkaConsumer) -> None:
        self._servers, self._topic, self._producer, self._outcomes = servers, topic, producer, outcomes
        self.said: asyncio.Queue[str] = asyncio.Queue()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(announce(self._servers, LogDriver(), self.said.put_nowait, topic=self._topic))
        yield
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    async def write(self, *records: Command | Cancellation | bytes) -> None:
        for record in records:
            value = record if isinstance(record, bytes) else encode(record)
            await self._producer.send_and_wait(self._topic, value, key=CENTRE.encode(), partition=0)

    async def next_outcome(self) -> tuple[str, str]:
        async for record in self._outcomes:
            event = decode(record.value).event
            if event.data.announcement.endswith(self._topic):
                return event.data.announcement.removesuffix(self._topic), event.data.outcome
        raise AssertionError

    def command(self, ident: str, text: str = "You are next.", expires_in: float = 30) -> Command:
        now = datetime.now(UTC)
        return Command(
            id=ident + self._topic,
            centre=CENTRE,
            visit=ident,
            call=ident,
            queue="101",
            source=f"//{CENTRE}/pbx1",
            epoch=7,
            kind="position",
            language="en",
            text=text,
            issued_at=now,
            expires_at=now + timedelta(seconds=expires_in),
        )


@pytest.fixture
async def announcing(broker, make_topic: Callable) -> AsyncIterator[Announcing]:
    servers = broker.bootstrap
    await topics.create(servers, PARTITIONS_DEFAULT, 1)
    topic = await make_topic("announcements")
    start = TopicPartition(topic, 0)
    async with contextlib.AsyncExitStack() as clients:
        # A group that has been here before: else it would begin at whatever is the end when it joins.
        member = await clients.enter_async_context(AIOKafkaConsumer(bootstrap_servers=servers, group_id=GROUP))
        member.assign([start])
        await member.commit({start: 0})
        await member.stop()
        outcomes = await clients.enter_async_context(
            AIOKafkaConsumer(EVENTS.name, bootstrap_servers=servers, auto_offset_reset="earliest")
        )
        producer = await clients.enter_async_context(AIOKafkaProducer(bootstrap_servers=servers))
        yield Announcing(servers, topic, producer, outcomes)


async def test_what_is_spoken_is_said_once_and_its_outcome_is_an_event(announcing):
    async with announcing.running():
        spoken = announcing.command("spoken")
        await announcing.write(b"no command", announcing.command("late", expires_in=-1), spoken, spoken)
        assert await announcing.next_outcome() == ("late", "expired")
        assert await announcing.next_outcome() == ("spoken", "played")
    said = sorted(announcing.said.get_nowait() for _ in range(announcing.said.qsize()))
    assert said == ["west-mercia 101 [en] position expired", "west-mercia 101 [en] position: You are next."]


async def test_speech_stops_when_the_caller_is_answered(announcing):
    async with announcing.running():
        long = announcing.command("long", LONG)
        await announcing.write(long)
        await announcing.said.get()
        now = datetime.now(UTC)
        await announcing.write(
            Cancellation(cancels=long.id, centre=CENTRE, visit="long", reason="answered", issued_at=now, epoch=7)
        )
        assert await announcing.next_outcome() == ("long", "cut_by_answer")


async def test_an_announcer_that_stops_says_what_it_left_unsaid_and_its_successor_does_not_repeat_it(announcing):
    async with announcing.running():
        await announcing.write(announcing.command("interrupted", LONG))
        await announcing.said.get()
    assert await announcing.next_outcome() == ("interrupted", "failed")
    announcing.said = asyncio.Queue()
    async with announcing.running():
        await announcing.write(announcing.command("next"))
        assert "You are next." in await announcing.said.get()
