"""A smaller crowd than the benchmark's: judged by counts, and by CPU time beside that of compressing one board."""

import asyncio
import time

from bench.screens import open_screens
from tests.wallboard.served import AT, a_board
from wallboard.hub import PACE_SECONDS
from wallboard.sse import Encoded

SCREENS = 120
BOARDS = 20
LARGE = {"figures": {f"figure_{number}": number / 7 for number in range(1_500)}}


async def test_a_crowd_gets_every_board_once_and_each_costs_less_than_to_compress_it(served):
    server = await served()
    server.hub.take(a_board() | LARGE)
    screens = await open_screens(server.port, SCREENS, "west")
    await seen(screens, 1)
    before = time.process_time()
    for number in range(1, BOARDS + 1):
        server.hub.take(a_board(at=AT + number) | LARGE)
        await seen(screens, 1 + number)
        await asyncio.sleep(PACE_SECONDS)
    spent = time.process_time() - before
    assert {screen.boards for screen in screens} == {1 + BOARDS}
    assert not any(screen.lost for screen in screens)
    assert server.hub.dropped == 0
    plain = server.hub.rooms["west"].edition("room").event.plain
    before = time.process_time()
    for _ in range(BOARDS):
        assert Encoded(plain).deflated
    compressing = time.process_time() - before
    assert spent / SCREENS < compressing  # both ends of it, and what the screens spend is most of it


async def seen(screens, boards: int) -> None:
    """Wait until every screen has seen so many boards."""
    async with asyncio.timeout(30):
        while any(screen.boards < boards for screen in screens):
            await asyncio.sleep(0.005)
