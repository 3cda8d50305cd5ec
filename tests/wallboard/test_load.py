"""A smaller crowd than the benchmark's: judged by counts and by CPU time, which other work does not change much."""

import asyncio
import time

from bench.screens import open_screens
from tests.wallboard.served import AT, a_board
from wallboard.hub import PACE_SECONDS

SCREENS = 120
BOARDS = 20
CPU_SECONDS_A_DELIVERY_MAX = 1 / (500 * 4)
"""With it 500 screens at four boards a second take one core; both ends are counted here, with a small board."""


async def test_a_crowd_gets_every_board_once_for_little_work(served):
    server = await served()
    server.hub.take(a_board())
    screens = await open_screens(server.port, SCREENS, "west")
    await seen(screens, 1)
    before = time.process_time()
    for number in range(1, BOARDS + 1):
        server.hub.take(a_board(at=AT + number))
        await seen(screens, 1 + number)
        await asyncio.sleep(PACE_SECONDS)
    spent = time.process_time() - before
    assert {screen.boards for screen in screens} == {1 + BOARDS}
    assert not any(screen.lost for screen in screens)
    assert server.hub.dropped == 0
    assert spent / (SCREENS * BOARDS) < CPU_SECONDS_A_DELIVERY_MAX


async def seen(screens, boards: int) -> None:
    """Wait until every screen has seen so many boards."""
    async with asyncio.timeout(30):
        while any(screen.boards < boards for screen in screens):
            await asyncio.sleep(0.005)
