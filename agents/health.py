"""Is a worker fit for its work: the checks behind its `/health`; the answer's shape is told in schemas.health.

It fails when Kafka does not answer or work stands still. It is degraded while it starts, restores or lies behind,
which passes by itself. A worker for which no partition is left is well: it is a spare.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.partition import Partition
from agents.shell import Shell
from schemas.health import Check, Health
from schemas.moments import SECOND

KAFKA_ANSWERS_WITHIN_SECONDS = 2.0
LAG_SECONDS_MAX = 10.0
"""Figures older than this are called stale."""
PROGRESS_SECONDS_MAX = 10.0


async def worker_health(shell: Shell, lag: Callable[[int], int], now: int) -> Health:
    """The health of a worker at `now` (µs); `lag` gives a partition's records that are not applied yet."""
    return Health(
        {
            "kafka": await kafka(shell.tools.producer.get),
            "partitions": _partitions(shell),
            "progress": _progress(shell.tools.progress.still_seconds),
            "lag": _lag(shell, lag, now),
        }
    )


async def kafka(connect: Callable[[], Awaitable[AIOKafkaProducer]]) -> Check:
    """Whether Kafka tells us at this moment what it has."""
    try:
        async with asyncio.timeout(KAFKA_ANSWERS_WITHIN_SECONDS):
            connection = await connect()
            await connection.client.fetch_all_metadata()
    except (KafkaError, OSError, TimeoutError):
        return Check("failing", f"Kafka does not answer within {KAFKA_ANSWERS_WITHIN_SECONDS:.0f} s")
    return Check("ok", "Kafka answers")


def lag_seconds(partition: Partition, lag: int, now: int) -> float | None:
    """The age of the newest record applied while `lag` others wait, 0 when none do; None before any was applied."""
    if not lag:
        return 0
    return max(0, now - partition.newest_appended_at) / SECOND if partition.newest_appended_at else None


def _partitions(shell: Shell) -> Check:
    assigned, restored = len(shell.assigned), len(shell.assigned & shell.partitions.keys())
    numbers = {"assigned": assigned, "restored": restored}
    if shell.phase == "starting":
        return Check("degraded", "starting: the group has not shared out the partitions yet", numbers)
    if shell.phase == "sharing":
        return Check("degraded", "the group is sharing out the partitions anew", numbers)
    if restored < assigned:
        return Check("degraded", "partitions are being restored", numbers)
    if not assigned:
        return Check("ok", "a spare: other workers have all partitions, and it takes over when one ends", numbers)
    return Check("ok", "every assigned partition is restored", numbers)


def _progress(still_seconds: float) -> Check:
    numbers = {"still_seconds": round(still_seconds, 1)}
    if still_seconds > PROGRESS_SECONDS_MAX:
        return Check("failing", "there is work, and nothing of it gets done", numbers)
    return Check("ok", "work gets done as it comes", numbers)


def _lag(shell: Shell, lag: Callable[[int], int], now: int) -> Check:
    records, seconds = 0, 0.0
    for number, partition in shell.partitions.items():
        waiting = lag(number)
        records += waiting
        seconds = max(seconds, lag_seconds(partition, waiting, now) or 0)
    numbers = {"records": records, "seconds": round(seconds, 1)}
    if seconds > LAG_SECONDS_MAX:
        return Check("degraded", "figures are stale: the worker is catching up", numbers)
    return Check("ok", "the worker keeps up", numbers)
