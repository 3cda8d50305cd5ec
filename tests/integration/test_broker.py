import asyncio
import contextlib
import fcntl
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents import broker as embedded
from agents.broker import Broker, BrokerError

OCC = str(Path(sys.executable).with_name("occ"))


def occ(cache: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [OCC, "broker", *arguments],
        env={"OCC_KAFKA__BOOTSTRAP_SERVERS": "", **os.environ, "OCC_CACHE": str(cache), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def lives(pid: int) -> bool:
    """A process that ended but was not yet reaped has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


def accepts(address: str, port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((address, port)) == 0


@contextlib.contextmanager
def a_listener() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_up_says_so_when_it_is_up_and_starts_no_second_one(broker: Broker) -> None:
    pid = broker.pid
    again = occ(broker.folder.parent, "up")
    assert again.stdout == f"Kafka 4.1.1 is already up at {broker.bootstrap}.\n"
    assert broker.pid == pid


def test_up_on_another_port_asks_to_take_it_down_first(broker: Broker) -> None:
    refused = occ(broker.folder.parent, "up", "--port", "19092")
    assert refused.returncode == 1
    assert "`occ broker down` first" in refused.stderr
    assert broker.answers()


def test_whoever_borrows_a_broker_that_was_up_leaves_it_up(broker: Broker) -> None:
    with Broker(broker.folder) as borrowed:
        assert borrowed.bootstrap == broker.bootstrap
    assert broker.answers()


def test_down_does_not_touch_a_broker_that_another_process_is_just_starting(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    (tmp_path / "state.json").write_text(json.dumps({"port": 20_000}))
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BrokerError, match="just starting"):
            broker.stop()


def test_status_says_where_it_is(broker: Broker) -> None:
    status = occ(broker.folder.parent, "status", "--json")
    assert status.returncode == 0
    assert json.loads(status.stdout) == {
        "embedded": True,
        "state": "up",
        "bootstrap_servers": broker.bootstrap,
        "pid": broker.pid,
        "folder": str(broker.folder),
        "version": "4.1.1",
    }


def test_it_listens_on_the_loopback_address_alone(broker: Broker) -> None:
    properties = (broker.folder / "server.properties").read_text()
    ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", properties)}
    assert len(ports) == 2
    for port in ports:
        assert accepts("127.0.0.1", port)
        assert not accepts("127.0.0.2", port), "a listener on all addresses answers here too"


async def test_kill_9_and_relaunch_keep_port_and_acknowledged_records(
    broker: Broker, make_topic: Callable[..., Awaitable[str]]
) -> None:
    topic = await make_topic("survivor")
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all") as producer:
        for number in range(100):
            await producer.send_and_wait(topic, str(number).encode(), partition=0)
    servers, pid = broker.bootstrap, broker.pid
    assert pid is not None

    await asyncio.to_thread(broker.kill)
    assert not broker.running
    assert not lives(pid)
    await asyncio.to_thread(broker.start)

    assert broker.bootstrap == servers
    async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        values = [int((await asyncio.wait_for(consumer.getone(), 10)).value) for _ in range(100)]
    assert values == list(range(100))


def test_two_ups_at_once_give_one_broker_that_outlives_them_and_down_leaves_nothing(tmp_path: Path) -> None:
    def up() -> subprocess.Popen[str]:
        environment = {**os.environ, "OCC_CACHE": str(tmp_path), "OCC_KAFKA__BOOTSTRAP_SERVERS": ""}
        return subprocess.Popen([OCC, "broker", "up", "--json"], env=environment, stdout=subprocess.PIPE, text=True)

    answers = [json.loads(process.communicate()[0]) for process in [up(), up()]]
    try:
        assert answers[0] == answers[1]
        assert answers[0]["state"] == "up"
        assert Broker(tmp_path / "kafka").answers()
    finally:
        down = occ(tmp_path, "down")
    assert down.stdout == "Kafka is down.\n"
    assert not lives(answers[0]["pid"])

    status = occ(tmp_path, "status", "--json")
    assert status.returncode == 1
    assert json.loads(status.stdout)["state"] == "down"
    assert occ(tmp_path, "down", "--wipe").stdout == "Kafka was not up, its data removed.\n"
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with a_listener() as port, pytest.raises(BrokerError, match=f"Port {port} is taken: choose another"):
        Broker(tmp_path, port).start()


def test_a_port_taken_at_the_last_moment_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_bindable", lambda port: True)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        broker = Broker(tmp_path, port)
        with pytest.raises(BrokerError, match=f"Port {port} is taken: choose another"):
            broker.start()
    assert not broker.running


def test_a_broker_that_dies_early_shows_the_end_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "meta.properties").write_text("version=1\nnode.id=7\ncluster.id=another\n")
    broker = Broker(tmp_path)
    with pytest.raises(BrokerError, match=r"(?s)ended while starting.*Stored node id 7"):
        broker.start()
    assert not broker.running


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "FREE_BYTES_MIN", 2**80)
    with pytest.raises(BrokerError, match=r"MB free in .*free some, or set OCC_CACHE"):
        Broker(tmp_path).start()
    assert not (tmp_path / "data").exists()


def test_a_configured_kafka_is_used_instead(tmp_path: Path) -> None:
    up = occ(tmp_path, "up", OCC_KAFKA__BOOTSTRAP_SERVERS="kafka.example:9092")
    assert up.stdout == "Kafka at kafka.example:9092 is configured: nothing to start.\n"
    assert list(tmp_path.iterdir()) == []


def test_status_asks_a_configured_kafka(tmp_path: Path, broker: Broker) -> None:
    assert "configured and up" in occ(tmp_path, "status", OCC_KAFKA__BOOTSTRAP_SERVERS=broker.bootstrap).stdout
    with a_listener() as port:
        pass
    gone = occ(tmp_path, "status", OCC_KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{port}")
    assert gone.returncode == 1
    assert "configured and unreachable" in gone.stdout


def test_without_network_the_jars_are_missed_without_naming_hosts(tmp_path: Path) -> None:
    with a_listener() as port:
        pass
    offline = occ(tmp_path, "up", XDG_CACHE_HOME=str(tmp_path / "empty"), HTTPS_PROXY=f"http://127.0.0.1:{port}")
    assert offline.returncode == 1
    assert "Is this machine online" in offline.stderr
    assert "://" not in offline.stderr
    assert "repo" not in offline.stderr
