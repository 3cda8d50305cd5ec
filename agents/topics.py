"""Makes the topics of schemas/topics.py in Kafka, and says where those that exist are not as they should be.

An existing topic is never changed: another partition count would move control rooms between partitions, and another
timestamp type or retention would lose input. That is for a person to decide.
"""

import asyncio
from dataclasses import dataclass
from typing import Literal

import click
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from agents.clients import admin
from schemas.topics import TOPICS, Topic

READY_SECONDS_MAX = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one topic; `differences` are sentences, empty when it is as it should be."""

    name: str
    state: Literal["created", "present", "differs", "missing"]
    partitions: int
    differences: tuple[str, ...] = ()


async def inspect(servers: str, partitions: int) -> list[Found]:
    """What there is of each topic. Raises KafkaUnreachable."""
    async with admin(servers) as client:
        return await _inspect(client, partitions)


async def create(servers: str, partitions: int, replication_factor: int) -> list[Found]:
    """Make the topics that are missing and say what there is of each then. Raises ClickException."""
    async with admin(servers) as client:
        missing = {found.name for found in await _inspect(client, partitions) if found.state == "missing"}
        await _create(client, [topic for topic in TOPICS if topic.name in missing], partitions, replication_factor)
        deadline = asyncio.get_running_loop().time() + READY_SECONDS_MAX
        while True:
            there = await _inspect(client, partitions)
            if all(found.state != "missing" for found in there):
                break
            if asyncio.get_running_loop().time() > deadline:
                raise click.ClickException("Kafka took the topics but does not show them: try again.")
            await asyncio.sleep(0.1)
    return [
        Found(found.name, "created", found.partitions) if found.name in missing and not found.differences else found
        for found in there
    ]


async def _create(client: AIOKafkaAdminClient, topics: list[Topic], partitions: int, replication_factor: int) -> None:
    if not topics:
        return
    response = await client.create_topics(
        [NewTopic(topic.name, partitions, replication_factor, topic_configs=topic.kafka_config()) for topic in topics]
    )
    refused = [
        f"  {name}: {message or for_code(code).__name__}"
        for name, code, message in response.topic_errors
        if code not in {0, TopicAlreadyExistsError.errno}
    ]
    if refused:
        raise click.ClickException("Kafka refused to create:\n" + "\n".join(refused))


async def _inspect(client: AIOKafkaAdminClient, partitions: int) -> list[Found]:
    # Asked about a topic by name, a broker that creates topics by itself would create it.
    there = {described["topic"]: described["partitions"] for described in await client.describe_topics()}
    configs = await _configs(client, [topic.name for topic in TOPICS if topic.name in there])
    return [
        _compare(topic, len(there[topic.name]), partitions, configs[topic.name])
        if topic.name in there
        else Found(topic.name, "missing", 0)
        for topic in TOPICS
    ]


async def _configs(client: AIOKafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    responses = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    return {
        name: {key: value for key, value, *_ in entries}
        for response in responses
        for _code, _message, _type, name, entries in response.resources
    }


def _compare(topic: Topic, partitions: int, expected: int, config: dict[str, str]) -> Found:
    differences = [] if partitions == expected else [f"partitions is {partitions}, expected {expected}"]
    differences += [
        f"{key} is {config.get(key)}, expected {value}"
        for key, value in topic.kafka_config().items()
        if config.get(key) != value
    ]
    return Found(topic.name, "differs" if differences else "present", partitions, tuple(differences))
