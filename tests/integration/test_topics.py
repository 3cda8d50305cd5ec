import asyncio
import json

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from click.testing import CliRunner

from agents import topics
from agents.broker import Broker
from agents.cli.topics import command
from schemas.topics import AUDIT, PARTITIONS_DEFAULT, TOPICS

PATIENCE_SECONDS = 30


@pytest.fixture
async def created(broker: Broker) -> None:
    await topics.create(broker.bootstrap, PARTITIONS_DEFAULT, 1)


async def test_creating_twice_changes_nothing(broker, created):
    again = await topics.create(broker.bootstrap, PARTITIONS_DEFAULT, 1)
    assert [(found.name, found.state, found.partitions) for found in again] == [
        (topic.name, "present", PARTITIONS_DEFAULT) for topic in TOPICS
    ]


async def test_another_partition_count_is_a_difference_and_is_left_alone(broker, created):
    found = await topics.create(broker.bootstrap, PARTITIONS_DEFAULT + 1, 1)
    assert {topic.state for topic in found} == {"differs"}
    assert found[0].differences == (f"partitions is {PARTITIONS_DEFAULT}, expected {PARTITIONS_DEFAULT + 1}",)
    assert found[0].partitions == PARTITIONS_DEFAULT


async def test_a_topic_stamped_by_its_producers_is_a_difference(broker, created):
    async def configure(shown: tuple[str, ...], **config: str) -> None:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, AUDIT.name, config)])
        async with asyncio.timeout(PATIENCE_SECONDS):  # the controller knows at once, who answers a little later
            while await differences() != shown:
                pass

    async def differences() -> tuple[str, ...]:
        there = {found.name: found for found in await topics.inspect(broker.bootstrap, PARTITIONS_DEFAULT)}
        return there[AUDIT.name].differences

    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await admin.start()
    try:
        await configure(
            ("message.timestamp.type is CreateTime, expected LogAppendTime",),
            **{**AUDIT.kafka_config(), "message.timestamp.type": "CreateTime"},
        )
    finally:
        await configure((), **AUDIT.kafka_config())
        await admin.close()


def test_the_command_fails_where_a_topic_is_not_as_it_should_be(broker):
    def invoke(*arguments: str, partitions: int = PARTITIONS_DEFAULT):
        env = {"OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "OCC_KAFKA__PARTITIONS": str(partitions)}
        return CliRunner().invoke(command, arguments, env=env)

    assert invoke("create").exit_code == 0
    listed = invoke("--json")
    assert listed.exit_code == 0
    assert [found["name"] for found in json.loads(listed.stdout)] == [topic.name for topic in TOPICS]
    differs = invoke(partitions=1)
    assert differs.exit_code == 1
    assert "expected 1" in differs.stdout


def test_without_an_answer_from_kafka_the_message_says_where_to_look():
    result = CliRunner().invoke(command, env={"OCC_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9"})
    assert result.exit_code == 1
    assert "Kafka at 127.0.0.1:9 does not answer" in result.stderr
