"""The worker says truly how it is, also while there is no Kafka."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import orjson
import pytest

from schemas.health import Status
from tests.integration.crew import PARTITIONS, PATIENCE_SECONDS, Crew

WORKS = (200, "ok", "every assigned partition is restored")
SPARE = (200, "ok", "a spare: other workers have all partitions, and it takes over when one ends")


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    async with Crew(tmp_path) as crew:
        yield crew


async def partitions(crew: Crew, worker: Popen[bytes]) -> tuple[int, str, str]:
    """What `worker` answers: (HTTP status, its status, what it says of its partitions)."""
    code, body = await crew.page(worker, "/health")
    told = orjson.loads(body or b'{"status": "", "checks": {"partitions": {"says": ""}}}')
    return code, told["status"], told["checks"]["partitions"]["says"]


async def until_they_say(crew: Crew, *expected: tuple[int, str, str]) -> None:
    """Wait until the workers that live answer so, whichever of them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    living = [worker for worker in crew.workers if worker.poll() is None]
    while (said := sorted([await partitions(crew, worker) for worker in living])) != sorted(expected):
        assert time.monotonic() < deadline, said
        await asyncio.sleep(0.1)


async def answer(crew: Crew, worker: Popen[bytes], status: Status, restored: int = PARTITIONS) -> tuple[int, Any]:
    """The first answer of that status with so many partitions: (HTTP status, checks)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        code, body = await crew.page(worker, "/health")
        if body:
            told = orjson.loads(body)
            if told["status"] == status and told["checks"]["partitions"]["restored"] == restored:
                return code, told["checks"]
        assert time.monotonic() < deadline, f"never {status}, but {body!r}; {crew.said(worker)}"
        await asyncio.sleep(0.1)


async def test_worker_is_well_fails_while_kafka_is_dead_and_is_well_again(crew: Crew) -> None:
    worker = crew.start_worker()
    code, checks = await answer(crew, worker, "ok")
    assert code == 200
    assert checks["partitions"] == {
        "status": "ok",
        "says": "every assigned partition is restored",
        "assigned": PARTITIONS,
        "restored": PARTITIONS,
    }
    assert checks["lag"]["records"] == 0
    await asyncio.to_thread(crew.broker.kill)
    code, checks = await answer(crew, worker, "failing")
    assert code == 503
    assert checks["kafka"]["says"] == "Kafka does not answer within 2 s"
    await asyncio.to_thread(crew.broker.start)
    code, _ = await answer(crew, worker, "ok")
    assert code == 200
    assert worker.poll() is None, crew.said(worker)


async def test_starting_worker_says_so_and_a_spare_is_well_until_it_is_needed(crew: Crew) -> None:
    #  two partitions:  one works ── two works ── three is a spare ── one is killed: three works
    one = crew.start_worker()
    while not (first := await partitions(crew, one))[0]:
        assert one.poll() is None, crew.said(one)
        await asyncio.sleep(0.01)
    assert first == (200, "degraded", "starting: the group has not shared out the partitions yet")
    await until_they_say(crew, WORKS)
    crew.start_worker()
    await until_they_say(crew, WORKS, WORKS)
    crew.start_worker()
    await until_they_say(crew, WORKS, WORKS, SPARE)
    one.kill()
    one.wait()
    await until_they_say(crew, WORKS, WORKS)


async def test_worker_that_is_asked_to_stop_ends_while_kafka_is_away(crew: Crew) -> None:
    worker = crew.start_worker()
    await answer(crew, worker, "ok")
    await asyncio.to_thread(crew.broker.kill)
    await answer(crew, worker, "failing")
    worker.terminate()
    assert await asyncio.to_thread(worker.wait, PATIENCE_SECONDS) == 0, crew.said(worker)
