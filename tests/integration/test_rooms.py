"""One worker, more partitions than control rooms: each room's board shows its own figures, and never an empty one."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import orjson
import pytest

from agents.clients import producer
from agents.gate import partition_of
from schemas.codec import encode
from schemas.events import Event
from schemas.moments import MINUTE
from schemas.topics import BOARD, EVENTS
from tests.integration.crew import PATIENCE_SECONDS, Crew, wall_clock
from tests.integration.crowd import Crowd

PARTITIONS = 6
ROOMS = ("avon", "essex")
SETTINGS = {
    "OCC_CENTRES": json.dumps({room: {"sources": [f"//{room}/pbx1"]} for room in ROOMS}),
    "OCC_ACCEPT_ANY_CENTRE": "false",
}


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    async with Crew(tmp_path, PARTITIONS) as crew:
        yield crew


async def send(crew: Crew, events: Iterable[Event]) -> None:
    """Those of the two rooms."""
    async with producer(crew.broker.bootstrap) as sender:
        for event in events:
            if event.data.centre in ROOMS:
                await sender.send(EVENTS.name, encode(event), key=event.data.centre.encode())
        await sender.flush()


async def shown(crew: Crew) -> dict[str, list[tuple[int, int, int]]]:
    """By room: (partition, epoch, visits queued within the horizon) of every board ever written, in order."""
    boards: dict[str, list[tuple[int, int, int]]] = {}
    for number in range(PARTITIONS):
        for record in await crew.records(BOARD.name, number):
            board = orjson.loads(record.value or b"")
            queued = sum(queue["windows"]["retained"]["queued"] for queue in board["queues"])
            boards.setdefault(board["centre"], []).append((number, board["epoch"], queued))
    return boards


async def until_owned_anew(crew: Crew) -> None:
    """Wait until each room has a board of an owner later than those until now."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    before = await epochs(crew)
    while any(now <= before[room] for room, now in (await epochs(crew)).items()):
        assert time.monotonic() < deadline, before
        await asyncio.sleep(0.5)


async def epochs(crew: Crew) -> dict[str, int]:
    """By room, that of its newest owner."""
    return {room: max(epoch for _, epoch, _ in boards) for room, boards in (await shown(crew)).items()}


async def check(crew: Crew) -> None:
    await crew.settle()
    assert await crew.check_audit() > 200
    boards = await shown(crew)
    assert boards.keys() == set(ROOMS)
    for room in ROOMS:
        assert {number for number, _, _ in boards[room]} == {partition_of(room.encode(), PARTITIONS)}
        by_epoch = [queued for _, _, queued in sorted(boards[room], key=lambda board: board[1])]
        assert by_epoch == sorted(by_epoch), "a board forgot what an earlier one showed"
        assert by_epoch[-1] > 0


async def test_each_room_shows_its_own_figures_and_no_empty_board_after_it(crew: Crew) -> None:
    #  quiet ── events ── killed, started again ── events ── another worker joins, events, the first one is stopped
    assert len({partition_of(room.encode(), PARTITIONS) for room in ROOMS}) == 2
    worker = crew.start_worker(**SETTINGS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (quiet := await shown(crew)).keys() != set(ROOMS):
        assert time.monotonic() < deadline, crew.said(worker)
        await asyncio.sleep(0.2)
    assert all(queued == 0 for boards in quiet.values() for _, _, queued in boards)

    started_at = wall_clock() - 3 * MINUTE
    crowd = Crowd(1, started_at, per_second=40)
    await send(crew, crowd.until(started_at + MINUTE))
    await check(crew)

    worker.kill()
    worker.wait()
    worker = crew.start_worker(**SETTINGS)
    await until_owned_anew(crew)
    await send(crew, crowd.until(started_at + 2 * MINUTE))
    await check(crew)

    other = crew.start_worker(**SETTINGS)
    await send(crew, crowd.until(started_at + 3 * MINUTE))
    worker.terminate()
    await until_owned_anew(crew)
    await check(crew)
    assert worker.wait(PATIENCE_SECONDS) == 0, crew.said(worker)
    assert other.poll() is None, crew.said(other)
