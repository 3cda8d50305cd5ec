"""Short-lived Kafka clients for commands: started, closed whatever happens, and a failure a person understands."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import click
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, UnknownTopicOrPartitionError

METADATA_AGE_MS = 10_000


class KafkaUnreachable(click.ClickException):
    """No Kafka answers where one should be."""

    def __init__(self, servers: str) -> None:
        super().__init__(
            f"Kafka at {servers} does not answer: see `occ broker status`, or check OCC_KAFKA__BOOTSTRAP_SERVERS."
        )


class TopicsMissing(click.ClickException):
    """There is a Kafka, but not the topics."""

    def __init__(self) -> None:
        super().__init__("Kafka does not have the topics yet: create them with `occ topics create`.")


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
async def consumer(servers: str, *topics: str, fetch_wait_ms: int = 500) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions of `topics`, from their end on.

    `fetch_wait_ms` is how long a fetch of partitions without news is held, and with it a fetch after a seek.
    """
    options = {
        "bootstrap_servers": servers,
        "metadata_max_age_ms": METADATA_AGE_MS,
        "fetch_max_wait_ms": fetch_wait_ms,
    }
    async with _started(AIOKafkaConsumer(*topics, **options), servers) as client:
        yield client


@asynccontextmanager
async def member(servers: str, group: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that shares `topic` with the others of `group`, from its end on; it commits only when told."""
    options = {"bootstrap_servers": servers, "group_id": group, "enable_auto_commit": False}
    async with _started(AIOKafkaConsumer(topic, **options), servers) as client:
        if topic not in await client.topics():
            raise TopicsMissing
        yield client


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
    except UnknownTopicOrPartitionError as error:
        await _close(client)
        raise TopicsMissing from error
    except asyncio.CancelledError:
        await _close(client)
        raise
    finally:
        logger.setLevel(level)
    try:
        yield client
    finally:
        await _close(client)


async def _close(client: Any) -> None:
    await (client.close() if isinstance(client, AIOKafkaAdminClient) else client.stop())
