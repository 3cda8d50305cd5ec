"""Short-lived Kafka clients for commands: started, closed whatever happens, and a failure a person understands."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

METADATA_AGE_MS = 10_000


class KafkaUnreachable(click.ClickException):
    """No Kafka answers where one should be."""

    def __init__(self, servers: str) -> None:
        super().__init__(
            f"Kafka at {servers} does not answer: see `occ broker status`, or check OCC_KAFKA__BOOTSTRAP_SERVERS."
        )


@asynccontextmanager
async def admin(servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A client that manages topics."""
    async with _started(AIOKafkaAdminClient(bootstrap_servers=servers), servers) as client:
        yield client


@asynccontextmanager
async def producer(servers: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer whose acknowledged records stay, each once."""
    async with _started(
        AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True), servers
    ) as client:
        yield client


@asynccontextmanager
async def consumer(servers: str, *topics: str, **options: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer without a group, of all partitions of `topics`; ClickException when one of them is missing."""
    options = {"enable_auto_commit": False, "metadata_max_age_ms": METADATA_AGE_MS, **options}
    async with _started(AIOKafkaConsumer(bootstrap_servers=servers, **options), servers) as client:
        client.assign([partition for topic in topics for partition in await partitions(client, topic)])
        yield client


@asynccontextmanager
async def member(servers: str, group: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that shares `topic` with the others of `group`, from its end on; it commits only when told."""
    options = {"group_id": group, "enable_auto_commit": False, "auto_offset_reset": "latest"}
    async with _started(AIOKafkaConsumer(topic, bootstrap_servers=servers, **options), servers) as client:
        await partitions(client, topic)
        yield client


async def partitions(client: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """All partitions of `topic`; ClickException when there is no such topic."""
    await client.topics()
    numbers = client.partitions_for_topic(topic)
    if not numbers:
        raise click.ClickException(f"There is no topic {topic}: create the topics with `occ topics create`.")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


@asynccontextmanager
async def _started(client: Any, servers: str) -> AsyncIterator[Any]:
    logger = logging.getLogger("aiokafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # it would report every knock on a closed door before we say it in one line
    try:
        await client.start()
    except (KafkaConnectionError, OSError) as error:
        await _close(client)
        raise KafkaUnreachable(servers) from error
    finally:
        logger.setLevel(level)
    try:
        yield client
    finally:
        await _close(client)


async def _close(client: Any) -> None:
    await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
