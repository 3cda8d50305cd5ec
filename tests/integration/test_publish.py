"""`occ publish` and `occ simulate --kafka` on a real broker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import murmur2

from agents import topics
from agents.broker import Broker
from schemas.codec import decode, encode
from schemas.moments import MINUTE, SECOND, micros
from schemas.topics import EVENTS, PARTITIONS_DEFAULT
from telephony.room import SimulationConfig
from telephony.simulator import Simulation

Publish = Callable[..., Awaitable["subprocess.CompletedProcess[str]"]]


@dataclass(frozen=True)
class Log:
    """The topic of events, from when this was made on."""

    servers: str
    starts: dict[TopicPartition, int]

    @classmethod
    async def open(cls, servers: str) -> "Log":
        async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
            partitions = [TopicPartition(EVENTS.name, number) for number in range(PARTITIONS_DEFAULT)]
            return cls(servers, await consumer.end_offsets(partitions))

    async def records(self) -> list[Any]:
        """All that were written since."""
        async with AIOKafkaConsumer(bootstrap_servers=self.servers) as consumer:
            consumer.assign(list(self.starts))
            ends = await consumer.end_offsets(list(self.starts))
            for partition, offset in self.starts.items():
                consumer.seek(partition, offset)
            found: list[Any] = []
            while len(found) < sum(ends.values()) - sum(self.starts.values()):
                for records in (await consumer.getmany(timeout_ms=1_000)).values():
                    found += records
            return found


@pytest.fixture
async def log(broker: Broker) -> Log:
    await topics.create(broker.bootstrap, PARTITIONS_DEFAULT, 1)
    return await Log.open(broker.bootstrap)


@pytest.fixture
def publish(broker: Broker) -> Publish:
    async def run(*arguments: object, servers: str = broker.bootstrap) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "agents.cli", "publish", *map(str, arguments)],
            env={**os.environ, "OCC_KAFKA__BOOTSTRAP_SERVERS": servers},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six minutes of two control rooms, one after the other in the file."""
    file = tmp_path_factory.mktemp("recordings") / "two-rooms.jsonl"
    with file.open("wb") as out:
        for centre in ("north", "west-mercia"):
            starts_at = datetime.fromisoformat("2026-11-20T09:00:00Z")
            config = SimulationConfig(centre=centre, starts_at=starts_at, hours=0.1, scale=5)
            out.writelines(encode(event) + b"\n" for event in Simulation(config, seed=1).events())
    return file


async def test_a_file_arrives_as_it_is_each_room_in_its_order_and_in_its_partition(log, publish, recording):
    run = await publish(recording, "--flat-out", "--json")
    lines = recording.read_bytes().splitlines()
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {"sent": len(lines), "of": len(lines), "shift_us": 0, "stopped": False}
    records = await log.records()
    for centre in (b"north", b"west-mercia"):
        room = [record for record in records if record.key == centre]
        assert [record.value for record in room] == [line for line in lines if b'"//%b/' % centre in line]
        assert {record.partition for record in room} == {(murmur2(centre) & 0x7FFFFFFF) % PARTITIONS_DEFAULT}
    assert len(records) == len(lines)


async def test_a_rebased_recording_ends_now_and_can_be_published_again_beside_itself(log, publish, recording):
    for _ in range(2):
        run = await publish(recording, "--flat-out", "--rebase", "now")
        assert run.returncode == 0, run.stderr
        arrivals = [decode(record.value, record.timestamp * 1_000) for record in await log.records()]
        newest = max(arrivals, key=lambda arrival: arrival.at)
        assert 0 <= newest.appended_at - newest.at < MINUTE
    ids = {(arrival.event.source, arrival.event.id) for arrival in arrivals}
    assert len(ids) == len(arrivals) == 2 * len(recording.read_bytes().splitlines())


async def test_at_a_pace_events_are_appended_when_their_time_comes(log, publish, recording, tmp_path):
    part = recording.read_bytes().splitlines()[:400]
    file = tmp_path / "part.jsonl"
    file.write_bytes(b"\n".join(part))
    run = await publish(file, "--speed", "60", "--rebase", "now")
    assert run.returncode == 0, run.stderr
    appended = [record.timestamp * 1_000 for record in await log.records()]
    happened = [micros(datetime.fromisoformat(json.loads(line)["time"])) for line in part]
    took, recorded = max(appended) - min(appended), max(happened) - min(happened)
    assert took >= recorded / 60 - SECOND / 10
    assert recorded > 2 * MINUTE


async def test_one_bad_line_and_nothing_is_sent(log, publish, recording, tmp_path):
    file = tmp_path / "bad.jsonl"
    file.write_bytes(recording.read_bytes() + b'{"specversion":"1.0"}\n')
    run = await publish(file, "--flat-out")
    assert run.returncode == 1
    assert "bad.jsonl:" in run.stderr
    assert "no_envelope" in run.stderr
    assert await log.records() == []


async def test_without_a_kafka_it_says_where_it_knocked(publish, recording):
    run = await publish(recording, "--flat-out", servers="127.0.0.1:1")
    assert run.returncode == 1
    assert "127.0.0.1:1" in run.stderr
    assert "occ broker" in run.stderr


async def test_a_live_room_that_is_stopped_has_sent_exactly_what_it_counts(log, broker):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agents.cli", "simulate", "--kafka", "--rate", "20", "--json"),
        env={**os.environ, "OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap},
        stdout=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            while len(await log.records()) < 20:
                await asyncio.sleep(0.1)
            process.send_signal(signal.SIGINT)
            printed, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    records = await log.records()
    assert json.loads(printed.splitlines()[-1])["events"] == len(records)
    arrivals = [decode(record.value, record.timestamp * 1_000) for record in records]
    assert all(arrival.at <= arrival.appended_at + SECOND // 1_000 for arrival in arrivals)


async def test_a_profile_arrives_once_a_time_it_is_published_and_always_as_the_same_event(log, broker, tmp_path):
    slot = {"weekday": 1, "minute": 480, "offered": 9, "aht_mean": 400, "wait_median": 95, "crossover": 0, "n": 4}
    computed_at = datetime.now(UTC).isoformat()
    file = tmp_path / "profile.json"
    file.write_text(json.dumps({"slots": [slot], "month_to_date": {}, "computed_at": computed_at, "queue": "101"}))
    command = [sys.executable, "-m", "agents.cli", "profile", "publish", str(file), "--centre", "north", "--json"]
    env = {**os.environ, "OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap}
    for _ in range(2):
        run = await asyncio.to_thread(
            subprocess.run, command, env=env, capture_output=True, text=True, timeout=60, check=False
        )
        assert run.returncode == 0, run.stderr
    one, two = await log.records()
    assert (one.key, one.value) == (b"north", two.value)
    assert decode(one.value).event.id == json.loads(run.stdout)["published"][0]
