"""The way from a spool to Kafka, with a real one that goes away."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.broker import Broker
from agents.outbox import Outbox
from schemas.codec import Arrival, decode, new_event
from schemas.events import CallEnded, CallEndedData, Event
from telephony.spool import Spool


def event(number: int) -> Event:
    data = CallEndedData(centre="west-mercia", call=f"call-{number}")
    moment = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    return new_event(CallEnded, data, id=str(number), source="//west-mercia/pbx1", time=moment)


async def ids(broker: Broker, topic: str, count: int) -> list[str]:
    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        found: list[str] = []
        while len(found) < count:
            record = await consumer.getone()
            arrival = decode(record.value)
            assert isinstance(arrival, Arrival)
            assert record.key == b"west-mercia"
            found.append(arrival.event.id)
        return found
    finally:
        await consumer.stop()


async def test_what_was_put_while_kafka_was_away_arrives_in_order_and_once(
    broker: Broker, make_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    topic = await make_topic("events")
    with Spool(tmp_path) as spool:
        outbox = Outbox(broker.bootstrap, spool, "west-mercia", topic=topic)
        running = asyncio.create_task(outbox.run())
        outbox.put([event(0)])
        await outbox.emptied()
        await asyncio.to_thread(broker.stop)
        try:
            for number in range(1, 50):
                outbox.put([event(number)])
                await asyncio.sleep(0)
        finally:
            await asyncio.to_thread(broker.start)
        await outbox.emptied()
        running.cancel()
    assert await ids(broker, topic, 50) == [str(number) for number in range(50)]


async def test_what_could_not_be_sent_before_the_end_is_sent_after_the_next_start(
    broker: Broker, make_topic: Callable[..., Awaitable[str]], tmp_path: Path
) -> None:
    topic = await make_topic("events")
    with Spool(tmp_path) as spool:
        Outbox(broker.bootstrap, spool, "west-mercia", topic=topic).put([event(1), event(2)])
    with Spool(tmp_path) as spool:
        outbox = Outbox(broker.bootstrap, spool, "west-mercia", topic=topic)
        running = asyncio.create_task(outbox.run())
        outbox.put([event(3)])
        await outbox.emptied()
        running.cancel()
    assert await ids(broker, topic, 3) == ["1", "2", "3"]
