"""A wallboard server that shows a simulated room, and a page of a real browser on it.

The tests of a file share a Chromium, and with it the event loop.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from bench.place import Place
from bench.place import opened as new_place
from schemas.boards import Board
from tests.browser.simulated import busy_boards
from tests.packages import require
from tests.wallboard.served import Served
from wallboard.door import Door

Open = Callable[..., Awaitable[Page]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--renew-pictures", action="store_true", help="take the pictures that views are compared with anew"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="module"), append=False)


@pytest.fixture(scope="session")
def boards() -> list[Board]:
    """A busy hour of one room, a board a minute."""
    return busy_boards()


@pytest.fixture
def place() -> Iterator[Place]:
    """A real Kafka of its own."""
    with new_place() as place:
        yield place


@pytest_asyncio.fixture(loop_scope="module")
async def wall() -> AsyncIterator[Served]:
    """A server without any board yet."""
    async with Served(Door(port=0)) as served:
        yield served


@pytest.fixture(scope="module")
def chromium_flags() -> list[str]:
    """With which the Chromium of a file is started besides."""
    return []


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def chromium(chromium_flags: list[str]) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        path = require("chromium", "chromium")
        chromium = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", *chromium_flags])
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(chromium: Browser) -> AsyncIterator[Browser]:
    """One that remembers nothing of earlier tests."""
    yield chromium
    for context in chromium.contexts:
        await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def opened(browser: Browser, wall: Served) -> Open:
    """`await opened(view="supervisor", size=(1280, 720))` opens the page with these settings; no error may occur.

    `script` runs in it before the page's own do. Its clock stands still at `at`, where that is given.
    """

    async def open_page(
        *,
        size: tuple[int, int] = (1920, 1080),
        motion: str = "no-preference",
        script: str = "",
        at: datetime | None = None,
        **kept: Any,
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            reduced_motion=motion,  # type: ignore[arg-type]
        )
        await context.add_init_script(
            f"if (!localStorage.getItem('occ-wallboard')) localStorage.setItem('occ-wallboard', '{json.dumps(kept)}')"
        )
        await context.add_init_script(script)
        page = await context.new_page()
        if at is not None:
            await page.clock.set_fixed_time(at)
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        await page.goto(wall.url)
        return page

    return open_page
