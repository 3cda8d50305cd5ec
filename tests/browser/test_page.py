"""The page in a real Chromium, on the real server: what is shown is true, says when it is not, and can be used."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from schemas.boards import Board
from tests.browser.conftest import Open
from tests.browser.simulated import now_of, show
from tests.wallboard.served import Served
from wallboard.door import Door

STATIC = Path(__file__).parents[2] / "wallboard" / "static"
SIZES = [(1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (390, 844), (768, 1024)]
WEIGHT_MAX = 150_000
FIRST_FIGURES_MS_MAX = 2_000
"""Twice what is promised: others may use this machine meanwhile."""


def row(page: Page, queue: str) -> str:
    return f".room tbody tr:has(.queue:text-is('{queue}'))"


async def test_figures_on_screen_are_those_of_the_board(opened: Open, wall: Served, boards: list[Board]) -> None:
    show(wall.hub, boards)
    page = await opened()
    for queue in boards[-1]["queues"]:
        values = page.locator(f"{row(page, queue['queue'])} .value")
        figures = queue["windows"]["15m"]
        await expect(values.nth(0)).to_have_text(str(queue["waiting"]))
        level = figures["service_level"]
        await expect(values.nth(2)).to_have_text(
            re.compile("no data" if level is None else rf"^{level * 100:.0f} %|>99")
        )
        await expect(values.nth(5)).to_have_text(str(queue["windows"]["today"]["queued"]))


async def test_no_data_is_never_nought(opened: Open, wall: Served, boards: list[Board]) -> None:
    board = json.loads(json.dumps(boards[-1]))
    for queue in board["queues"]:
        queue["windows"]["15m"] |= {"service_level": None, "abandonment_rate": None, "average_speed_of_answer": None}
    wall.hub.take(now_of(board))
    page = await opened()
    values = page.locator(f"{row(page, '101')} .value")
    for column in (2, 3, 4):
        await expect(values.nth(column)).to_have_text("no data")


@pytest.mark.parametrize(
    ("age", "state", "says"), [(14, "live", "live"), (16, "late", "FEED LATE"), (31, "dead", "FEED DEAD")]
)
async def test_old_data_are_called_late_after_15_s_and_are_not_shown_after_30(
    opened: Open, wall: Served, boards: list[Board], age: float, state: str, says: str
) -> None:
    wall.hub.take(now_of(boards[-1], age=age))
    page = await opened()
    await expect(page.locator(".room")).to_have_attribute("data-feed", state)
    await expect(page.locator(".feed")).to_contain_text(says)
    shown = await page.locator(f"{row(page, '101')} .value").all_inner_texts()
    assert (set(shown) == {"–"}) == (state == "dead")


async def test_server_that_is_gone_looks_different_and_its_last_word_grows_old(
    opened: Open, boards: list[Board], wall: Served
) -> None:
    show(wall.hub, boards)
    page = await opened()
    await expect(page.locator(".room")).to_have_attribute("data-feed", "live")
    await page.clock.install()
    port = wall.port
    await wall.end()
    await page.clock.run_for(8_000)
    await expect(page.locator("#trouble")).to_contain_text("The server cannot be reached")
    await expect(page.locator(".room")).to_have_attribute("data-feed", "live")
    await page.clock.run_for(8_000)
    await expect(page.locator(".room")).to_have_attribute("data-feed", "late")
    await page.clock.run_for(16_000)
    await expect(page.locator(".feed")).to_contain_text("No live data since")
    async with Served(Door(port=port)) as again:
        show(again.hub, boards)
        await page.clock.resume()
        await expect(page.locator("#trouble")).to_be_hidden(timeout=20_000)


async def test_a_state_is_left_only_after_a_minute_on_the_better_side(opened: Open) -> None:
    page = await opened()
    judged = await page.evaluate(
        """async () => {
          const { Held, OK, WATCH, ACT } = await import('/static/judge.js');
          const held = new Held();
          const found = [
            [0, WATCH], [1, ACT], [2, OK], [61, OK], [62, OK], [63, WATCH], [64, OK], [100, WATCH], [124, OK],
          ];
          return found.map(([at, word]) => held.judge('x', word, at * 1000));
        }"""
    )
    assert judged == [1, 2, 2, 2, 0, 1, 1, 1, 1]


async def test_hostile_names_are_only_names(opened: Open, wall: Served, boards: list[Board]) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    board = json.loads(json.dumps(boards[-1]))
    board["queues"][0]["queue"] = name
    wall.hub.take(now_of(board))
    page = await opened(view="supervisor")
    page.on("dialog", lambda _: pytest.fail("something was executed"))
    await expect(page.locator(".queue", has_text="<img")).to_have_text(name)
    assert await page.locator("main img, main script").count() == 0


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_nothing_overflows(opened: Open, wall: Served, boards: list[Board], size: tuple[int, int]) -> None:
    show(wall.hub, boards)
    page = await opened(size=size)
    await page.wait_for_selector(".room .value")
    wide, high = await page.evaluate(
        "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
    )
    assert wide <= 0
    assert high <= 0 or size[0] < 900


@pytest.mark.parametrize("view", ["room", "supervisor"])
@pytest.mark.parametrize("theme", ["light", "dark", "contrast"])
@pytest.mark.parametrize("language", ["en", "cy"])
async def test_everybody_can_read_it(
    opened: Open, wall: Served, boards: list[Board], view: str, theme: str, language: str
) -> None:
    show(wall.hub, boards)
    page = await opened(view=view, theme=theme, language=language, motion="reduce")
    await page.wait_for_selector(".room .value")
    found = await Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert await page.evaluate("document.documentElement.lang") == language


async def test_the_keyboard_is_enough(opened: Open, wall: Served, boards: list[Board]) -> None:
    show(wall.hub, boards)
    page = await opened()
    await page.wait_for_selector(".room .value")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "choose-view"
    assert "solid" in await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator(".supervisor article").first).to_be_visible()
    await page.locator("summary").first.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("details[open] p").first).to_be_visible()


async def test_page_is_light_and_its_first_figures_come_at_once(
    opened: Open, wall: Served, boards: list[Board]
) -> None:
    show(wall.hub, boards)
    page = await opened()
    await page.wait_for_selector(".room .value:text-matches('.')")
    first = await page.evaluate("performance.now()")
    weight = await page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".filter(each => !each.name.includes('/api/')).reduce((sum, each) => sum + each.transferSize, 0)"
    )
    assert 0 < weight < WEIGHT_MAX
    assert first < FIRST_FIGURES_MS_MAX
    others = await page.evaluate("performance.getEntriesByType('resource').map(each => new URL(each.name).origin)")
    assert set(others) == {wall.url.rstrip("/")}


async def test_boards_that_come_and_go_leave_nothing_behind(opened: Open, wall: Served, boards: list[Board]) -> None:
    show(wall.hub, boards)
    page = await opened(view="supervisor")
    await page.wait_for_selector(".supervisor article")
    count = "document.getElementsByTagName('*').length"
    sizes = []
    for number in range(1_440):
        wall.hub.take(now_of(boards[number % len(boards)], epoch=1 + number))
        if number % 480 == 479:
            wall.hub.take(now_of(boards[-1], epoch=10_000 + number))
            await expect(page.locator(f"{row(page, '101')} .value").nth(0)).to_have_text(str(waiting(boards[-1])))
            sizes.append(await page.evaluate(count))
    assert max(sizes) <= 1.2 * sizes[0]


def waiting(board: Board) -> int:
    return next(queue["waiting"] for queue in board["queues"] if queue["queue"] == "101")


async def test_both_languages_have_every_word(opened: Open) -> None:
    page = await opened()
    missing = await page.evaluate(
        """async () => {
          const { WORDS } = await import('/static/words.js');
          const keys = Object.values(WORDS).map((words) => Object.keys(words).sort().join());
          return new Set(keys).size;
        }"""
    )
    assert missing == 1
