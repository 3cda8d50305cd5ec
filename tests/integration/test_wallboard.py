"""`occ wallboard` as it is run, on a real Kafka."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from agents import topics
from agents.broker import Broker
from agents.reader import Reader
from agents.wallboard_feed import recall
from schemas.codec import encode
from schemas.events import AnnouncementOutcome, AnnouncementOutcomeData
from schemas.moments import MINUTE, SECOND
from schemas.topics import ANNOUNCEMENTS, AUDIT, BOARD, EVENTS
from tests.integration.crew import wall_clock
from tests.wallboard.served import Browser, a_board, said
from wallboard.hub import Hub

PARTITIONS = 2


def environment(broker: Broker, **settings: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OCC_")}
    return clean | {"OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap} | settings


@asynccontextmanager
async def wallboard_on(broker: Broker, folder: Path) -> AsyncIterator[Browser]:
    """The command in a process of its own, and a browser at it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents.cli", "wallboard", "--port", "0",
        cwd=folder, env=environment(broker), stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            said = (await process.stdout.readline()).decode()
        async with Browser(said.split()[-1]) as browser:
            yield browser
    finally:
        process.terminate()
        assert await process.wait() == 0


class Boards:
    """Writes to the topic of boards."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def write(self, centre: str, waiting: int, epoch: int | None = None) -> None:
        """A board as of now, by the newest worker unless an `epoch` is given: all tests share the partitions."""
        now = wall_clock()
        board = a_board(centre, at=now, waiting=waiting, epoch=now if epoch is None else epoch)
        await self.write_bytes(orjson.dumps(board), centre)

    async def write_bytes(self, value: bytes | None, centre: str, topic: str = BOARD.name) -> None:
        await self._producer.send_and_wait(topic, value, key=centre.encode())


@pytest.fixture
async def boards(broker: Broker) -> AsyncIterator[Boards]:
    await topics.create(broker.bootstrap, PARTITIONS, 1)
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:
        yield Boards(producer)


def waiting(event: dict[str, Any]) -> int:
    return int(event["data"]["queues"][0]["waiting"])


async def test_boards_reach_a_browser_and_what_is_no_board_does_not_stop_them(broker, boards, tmp_path):
    await boards.write("wall-a", 1)
    async with wallboard_on(broker, tmp_path) as browser:
        stream = await browser.stream("centre=wall-a&view=room")
        assert waiting(await stream.next_of("board")) == 1
        for broken in (None, b"", b"\xff", b'{"centre": "wall-a"}', b'{"centre": "wall-a", "queues": 7}'):
            await boards.write_bytes(broken, "wall-a")
        await boards.write("wall-a", 2)
        assert waiting(await stream.next_of("board")) == 2
        await boards.write("wall-a", 3, epoch=1)  # by a worker that was replaced
        await boards.write("wall-a", 4)
        assert waiting(await stream.next_of("board")) == 4
        assert "occ_wallboard_boards_refused_total 5.0" in (await browser.get("/metrics")).body.decode()
        assert (await browser.get("/health")).json["status"] == "ok"


async def test_what_is_announced_reaches_a_supervisor_with_what_became_of_it(broker, boards, tmp_path):
    await boards.write("wall-d", 1)
    async with wallboard_on(broker, tmp_path) as browser:
        stream = await browser.stream("centre=wall-d&view=supervisor")
        assert (await stream.next_of("announcements"))["data"]["announcements"] == []
        command = said(1, "wall-d")
        for broken in (b"", b"{", b'{"cancels": 1}'):
            await boards.write_bytes(broken, "wall-d", ANNOUNCEMENTS.name)
        await boards.write_bytes(encode(command), "wall-d", ANNOUNCEMENTS.name)
        assert (await stream.next_of("announcements"))["data"]["announcements"][0]["outcome"] is None
        outcome = AnnouncementOutcome(
            specversion="1.0", id="o1", source="//wall-d/announcer", time=command.issued_at,
            data=AnnouncementOutcomeData(
                centre="wall-d", announcement=command.id, visit=command.visit, outcome="played"
            ),
        )  # fmt: skip
        await boards.write_bytes(encode(outcome), "wall-d", EVENTS.name)
        assert (await stream.next_of("announcements"))["data"]["announcements"][0]["outcome"] == "played"


async def test_a_look_at_single_visits_is_on_the_audit_topic(broker, boards, tmp_path):
    await boards.write("wall-b", 1)
    async with wallboard_on(broker, tmp_path) as browser:
        stream = await browser.stream("centre=wall-b&view=supervisor")
        assert (await stream.next_of("board"))["data"]["queues"][0]["visits"][0]["position"] == 1
        await boards.write("wall-b", 2)
        await stream.next_of("board")
    reader = Reader(broker.bootstrap)
    found = []
    for partition in range(PARTITIONS):
        first, end = await reader.bounds(AUDIT.name, partition)
        found += [record async for batch in reader.records(AUDIT.name, partition, first, end) for record in batch]
    [record] = [record for record in found if record.key == b"wall-b"]
    assert record.value is not None
    said = orjson.loads(record.value)
    assert (said["centre"], said["action"], said["address"]) == ("wall-b", "consultation", "127.0.0.1")


async def test_screens_hear_that_kafka_is_lost_and_go_on_when_it_is_back(broker, boards, tmp_path):
    await boards.write("wall-c", 1)
    async with wallboard_on(broker, tmp_path) as browser:
        stream = await browser.stream("centre=wall-c&view=room")
        assert waiting(await stream.next_of("board")) == 1
        await asyncio.to_thread(broker.stop)
        try:
            await until(stream, lambda beat: beat["feed"]["state"] == "lost")
            assert (await browser.get("/health")).status == 503
            assert (await browser.get("/api/centres/wall-c/board?view=room")).json["queues"][0]["waiting"] == 1
            assert (await browser.get("/api/centres/wall-c/board?view=supervisor")).status == 503
        finally:
            await asyncio.to_thread(broker.start)
        await until(stream, lambda beat: beat["feed"]["state"] == "following")
        await boards.write("wall-c", 2)
        assert waiting(await stream.next_of("board")) == 2


async def until(stream: Any, is_so: Callable[[dict[str, Any]], bool]) -> None:
    """Read on to a beat of which it is so."""
    async with asyncio.timeout(60):
        while not is_so((await stream.next_of("beat"))["data"]):
            pass


async def test_the_last_hours_are_read_from_the_topic_a_board_a_minute(broker, make_topic):
    # Stamped by the producer, unlike the real topic: else the hours would have to pass.
    topic = await make_topic("board", 2, **{"message.timestamp.type": "CreateTime", "retention.ms": "-1"})
    minute = wall_clock() // MINUTE
    hub = Hub(wall_clock)
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap) as producer:

        async def write(ago: int, second: float, waiting: int, centre: str, epoch: int = 1) -> None:
            at = (minute - ago) * MINUTE + round(second * SECOND)
            board = orjson.dumps(a_board(centre, at=at, waiting=waiting, epoch=epoch))
            await producer.send_and_wait(topic, board, partition=centre == "south", timestamp_ms=at // 1000)

        for ago in (300, 200, 3, 2, 1):
            await write(ago, 10, 99, "west")
            await write(ago, 57.9, ago, "west")
            await write(ago, 58, ago + 1000, "north")
            await write(ago, 59, ago + 2000, "south")
        await write(1, 59.5, 77, "west", epoch=0)
    for centre in ("west", "north", "south"):
        hub.take(a_board(centre, at=minute * MINUTE))
    await recall(hub, broker.bootstrap, topic=topic)
    for centre, more in (("west", 0), ("north", 1000), ("south", 2000)):
        series = hub.rooms[centre].history.series(301, minute * MINUTE)["101"]["waiting"]
        assert {301 - index: value for index, value in enumerate(series) if value is not None} == {
            ago: ago + more for ago in (300, 200, 3, 2, 1)
        }


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "hash-password"),
        ({"OCC_WALLBOARD__USERS_FILE": "users.toml"}, "TLS"),
        ({"OCC_WALLBOARD__TRUSTED_PROXIES": '["proxy"]'}, "trusted_proxies"),
        ({"OCC_WALLBOARD__USERS_FILE": "gone", "OCC_WALLBOARD__TRUSTED_PROXIES": '["10.0.0.1"]'}, "cannot be read"),
    ],
)
async def test_it_refuses_to_let_strangers_in(broker, boards, tmp_path, settings, says):
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "agents.cli", "wallboard", "--host", "0.0.0.0", "--port", "0"],
        cwd=tmp_path, env=environment(broker, **settings), capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
