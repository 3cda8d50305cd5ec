"""Figures on the screen are those of `occ board`: a real Kafka, worker, wallboard and Chromium, and one busy room."""

import asyncio
import math
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from playwright.async_api import Browser, Page, expect

from agents import clients
from agents.live import run_live
from bench.place import Place
from bench.screen import wallboard
from schemas.boards import Board
from schemas.moments import parse
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation
from tests.browser.simulated import CENTRE

DRAWN_EVERY = 0.5
"""Seconds: what ticks is drawn at least so often."""
CLOCKS = 0.1
LINE_SHOWN = 10
READ = """
  (root) => {
    const text = (node) => node.textContent.replaceAll('\\u00a0', ' ');
    return {
      as_of: root.dataset.asOf,
      now: Date.now(),
      rows: Object.fromEntries([...root.querySelectorAll('tbody tr:has(.queue), .tiles')].map((row) => [
        row.querySelector('.queue')?.textContent ?? root.querySelector('h2').textContent.split(' · ')[0],
        Object.fromEntries([...row.querySelectorAll('[data-figure]')].map((cell) => [
          cell.dataset.figure, [text(cell.querySelector('.value')), text(cell.querySelector('.note'))],
        ])),
      ])),
      line: [...root.querySelectorAll('.line tbody tr')].map((row) => [...row.cells].map(text)),
    };
  }
"""


@asynccontextmanager
async def busy_room(place: Place) -> AsyncIterator[None]:
    """A room that opened a quarter of an hour ago, is short of staff, and happens now."""
    began = datetime.now(UTC) - timedelta(minutes=15)
    config = SimulationConfig(centre=CENTRE, starts_at=began, scale=6, sick=0.28)
    async with clients.producer(place.servers) as producer:
        feeding = asyncio.create_task(run_live(Simulation(always_busy(config), seed=5), producer))
        try:
            yield
        finally:
            feeding.cancel()
            await asyncio.wait([feeding])


@pytest.mark.alone
async def test_every_figure_on_screen_is_that_of_occ_board(place: Place, browser: Browser) -> None:
    with place.worker():
        async with busy_room(place), wallboard(place) as url:
            page = await browser.new_page()
            page.on("pageerror", lambda error: pytest.fail(str(error)))
            await page.goto(f"{url}#room")
            await expect(page.locator(".room[data-feed=live]")).to_contain_text("101-secondary", timeout=60_000)
            seen = await page.locator(".room").evaluate(READ)
            board = await occ_board(place, seen["as_of"])
            assert set(seen["rows"]) == {queue["queue"] for queue in board["queues"]}
            compare(seen, board)
            for name in seen["rows"]:
                await compare_single(place, page, url, name)


async def compare_single(place: Place, page: Page, url: str, name: str) -> None:
    await page.goto(f"{url}#queue/{CENTRE}/{name}")
    await expect(page.locator(".single h2")).to_have_text(f"{name} · {CENTRE}")
    await expect(page.locator(".panels .panel").first).not_to_contain_text("not yet known")
    seen = await page.locator(".single").evaluate(READ)
    board = await occ_board(place, seen["as_of"])
    assert list(seen["rows"]) == [name]
    compare(seen, board)
    age = seen["now"] / 1_000 - parse(board["as_of"]) / 1_000_000
    [visits] = [queue["visits"] for queue in board["queues"] if queue["queue"] == name]
    assert len(seen["line"]) == min(LINE_SHOWN, len(visits))
    for (position, waited, _), visit in zip(seen["line"], visits, strict=False):
        assert int(position) == visit["position"]
        assert waited in ticking(visit["waited_seconds"], age)


async def occ_board(place: Place, as_of: str) -> Board:
    """What the command says was shown at that moment."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents.cli", "board", "--centre", CENTRE, "--as-of", as_of, "--json",
        env=os.environ | {"OCC_KAFKA__BOOTSTRAP_SERVERS": place.servers},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    board: Board = orjson.loads(said)
    assert board["as_of"] == as_of
    return board


def compare(seen: dict[str, Any], board: Board) -> None:
    """Every value and note of every queue that was seen."""
    age = seen["now"] / 1_000 - parse(board["as_of"]) / 1_000_000
    queues = {queue["queue"]: queue for queue in board["queues"]}
    for name, figures in seen["rows"].items():
        queue = queues[name]
        value, note = figures.pop("oldest")
        if queue["waiting"]:
            assert value in ticking(queue["oldest_wait_seconds"], age), name
        else:
            assert value == "nobody waits"
        red = queue["target"]["oldest_wait_red_seconds"]
        assert note == ("" if red is None else f"limit {seconds(red)}")
        assert figures == {key: list(said) for key, said in expected(queue).items()}, name


def expected(queue: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Value and note of each figure but the oldest wait, by its key."""
    now, today, target = queue["windows"]["15m"], queue["windows"]["today"], queue["target"]
    aside, bad = queue["callbacks_waiting"], target["abandonment_bad"]
    within = f"target {share(target['service_level'])} within {seconds(target['threshold_seconds'])}"
    return {
        "waiting": (str(queue["waiting"]), f"+ {aside} call-back{'s' * (aside > 1)}" if aside else ""),
        "service_level": (share(now["service_level"]), within),
        "abandoned": (share(now["abandonment_rate"]), "" if bad is None else f"limit {share(bad)}"),
        "asa": (seconds(now["average_speed_of_answer"]), f"9 of 10 within {seconds(now['wait_p90'])}"),
        "today": (str(today["queued"]), f"{share(today['service_level'])} in target"),
    }


def ticking(wait: float, age: float) -> set[str]:
    """What may be shown of a wait that goes on, read when the board was `age` seconds old."""
    first, last = math.floor(wait + age - DRAWN_EVERY - CLOCKS), math.floor(wait + age + CLOCKS)
    return {seconds(each) for each in range(first, last + 1)}


def seconds(value: float | None) -> str:
    if value is None:
        return "no data"
    minutes, rest = divmod(math.floor(value), 60)
    hours, left = divmod(minutes, 60)
    return f"{rest} s" if not minutes else f"{minutes}:{rest:02}" if not hours else f"{hours}:{left:02}:{rest:02}"


def share(value: float | None) -> str:
    if value is None:
        return "no data"
    percent = math.floor(value * 100 + 0.5)
    if percent == 100 and value < 1:
        return ">99 %"
    return "<1 %" if percent == 0 and value > 0 else f"{percent} %"
