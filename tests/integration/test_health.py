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


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    async with Crew(tmp_path) as crew:
        yield crew


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
