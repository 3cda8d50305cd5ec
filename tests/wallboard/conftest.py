"""Real wallboard servers on free ports of the loopback, fed by hand."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from tests.wallboard.served import Served
from wallboard.door import Door

Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def served() -> AsyncIterator[Serve]:
    """`await served(Door(...))` starts a server; every one is stopped when the test ends."""
    async with AsyncExitStack() as started:

        async def start(door: Door | None = None) -> Served:
            return await started.enter_async_context(Served(door or Door(port=0)))

        yield start
