"""Whatever is killed or stopped, whenever: the final boards equal a plain fold of the same events.

Each test ends with `Crew.check`: every figure of every room, every command decided once, logged before it was
published, and never published with two contents.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.crew import Crew, eventually, moments

SEED = 20261124
TAKEOVER_SECONDS_MAX = 15
BROKER_DIES_BEFORE_KILL = 2


@pytest.fixture
async def crew(tmp_path: Path) -> AsyncIterator[Crew]:
    async with Crew(tmp_path) as crew:
        yield crew


@pytest.mark.long
async def test_five_kills_at_random_moments_and_a_dead_broker_change_no_figure(crew: Crew) -> None:
    worker = crew.start_worker()
    ringing = asyncio.create_task(crew.ring(200_000, per_second=6_000, seed=SEED))
    owners: set[str] = set()
    for number, pause in enumerate(moments(SEED, 5, (0.0, 1.5))):
        owners |= await crew.owned(without=owners)
        await asyncio.sleep(pause)
        if number == BROKER_DIES_BEFORE_KILL:
            await asyncio.to_thread(crew.broker.kill)
            await asyncio.to_thread(crew.broker.start)
        worker.kill()
        worker.wait()
        worker = crew.start_worker()
    await ringing
    await crew.settle()
    counts = await crew.check()
    assert counts["events"] >= 200_000
    assert counts["commands"] > 100
    assert await crew.check_audit() > 400
    assert worker.poll() is None, crew.said(worker)


async def test_worker_stopped_past_its_session_and_revived_writes_nothing_that_counts(crew: Crew) -> None:
    #  one:  owns ─ appends ■ ················· revived: fenced ─ joins again
    #  two:            takes over ─ owns ─ ■ at its marker ···· revived
    one = crew.start_worker()
    ringing = asyncio.create_task(crew.ring(40_000, per_second=1_500, seed=SEED))
    owner_one = await crew.owned(without=set())
    two = crew.start_worker()
    held = crew.hold_at(one, "appended")
    await eventually(lambda: not held.exists(), "the first worker stops between append and publish")
    await crew.owned(without=owner_one)
    held = crew.hold_at(one, "marked")
    one.send_signal(signal.SIGCONT)
    await eventually(lambda: not held.exists(), "the first worker stops between marker and fold")
    await crew.owned(without=owner_one)
    one.send_signal(signal.SIGCONT)
    await ringing
    await crew.settle()
    await crew.check()
    assert one.poll() is None, crew.said(one)
    assert two.poll() is None, crew.said(two)


async def test_killed_broker_pauses_the_worker_and_loses_nothing(crew: Crew) -> None:
    worker = crew.start_worker()
    ringing = asyncio.create_task(crew.ring(20_000, per_second=1_500, seed=SEED))
    await crew.owned(without=set())
    await asyncio.to_thread(crew.broker.kill)
    await asyncio.to_thread(crew.broker.start)
    await ringing
    await crew.settle()
    assert worker.poll() is None, crew.said(worker)


@pytest.mark.alone
async def test_second_worker_takes_over_from_a_killed_one_within_15_seconds(crew: Crew) -> None:
    first = crew.start_worker()
    ringing = asyncio.create_task(crew.ring(per_second=1_500, seed=SEED))
    owners = await crew.owned(without=set())
    second = crew.start_worker()
    while len(await crew.owners() - {""}) < 2:
        await asyncio.sleep(0.1)
    first.kill()
    await crew.owned(without=owners, seconds=TAKEOVER_SECONDS_MAX)
    crew.has_seen_enough.set()
    await ringing
    await crew.settle()
    assert second.poll() is None, crew.said(second)
