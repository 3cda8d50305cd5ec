"""The page in a real Chromium, on the real server: what is shown is true, says when it is not, and can be used."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from schemas.boards import Board
from schemas.moments import micros
from tests.browser.conftest import Open
from tests.browser.simulated import announce, as_of, now_of, show
from tests.wallboard.served import Served
from wallboard.door import Door

STATIC = Path(__file__).parents[2] / "wallboard" / "static"
SIZES = [(1280, 720), (1920, 1080), (2560, 1440), (3840, 2160), (390, 844), (768, 1024)]
WIDE = 900
"""Pixels: narrower pages scroll, as on a telephone."""
WEIGHT_MAX = 150_000


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
            re.compile("no data" if level is None else rf"^{level * 100:.0f}\s%|>99")
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
    now = datetime.now(UTC)
    wall.hub.clock = lambda: micros(now)
    wall.hub.take(as_of(boards[-1], now, age=age))
    page = await opened(at=now)
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


async def nothing_overflows(page: Page, *, scrolls: bool) -> None:
    """The page is as wide as the screen, and as high unless it `scrolls`; no name, word or value is cut off."""
    wide, high = await page.evaluate(
        "[document.documentElement.scrollWidth - innerWidth, document.documentElement.scrollHeight - innerHeight]"
    )
    assert wide <= 0
    assert high <= 0 or scrolls
    cut = await page.evaluate(
        "[...document.querySelectorAll('.top, .verdict, .queue, h2, h3')].filter("
        "each => each.getBoundingClientRect().right > each.parentElement.getBoundingClientRect().right + 1 "
        "|| each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0).map(each => each.outerHTML)"
    )
    assert cut == []


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("view", ["room", "supervisor", "queue/west-mercia/101"])
@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_nothing_overflows(
    opened: Open, wall: Served, boards: list[Board], size: tuple[int, int], view: str, language: str
) -> None:
    show(wall.hub, boards)
    announce(wall.hub)
    page = await opened(size=size, view=view, language=language)
    await page.wait_for_selector(".spark path", state="attached")
    await nothing_overflows(page, scrolls=size[0] < WIDE or view == "supervisor")


@pytest.mark.parametrize("age", [1, 20, 40])
@pytest.mark.parametrize("view", ["room", "queue/west-mercia/101"])
async def test_what_is_wrong_is_said_where_nobody_scrolls(
    opened: Open, wall: Served, boards: list[Board], view: str, age: float
) -> None:
    wall.hub.take(now_of(boards[-1], age=age))
    page = await opened(size=SIZES[0], view=view, language="cy")
    wall.hub.hears("lost")
    await expect(page.locator("#trouble")).to_be_visible()
    await nothing_overflows(page, scrolls=False)


@pytest.mark.parametrize("view", ["room", "supervisor", "queue"])
@pytest.mark.parametrize("size", [SIZES[0], (390, 844)], ids=str)
async def test_names_and_waits_without_end_push_nothing_away(
    opened: Open, wall: Served, boards: list[Board], view: str, size: tuple[int, int]
) -> None:
    board = json.loads(json.dumps(boards[-1]))
    for queue, name in zip(
        board["queues"], ("x" * 200, "a sentence " * 20, "\u202eesrever", "\u0639\u0631\u0628"), strict=False
    ):
        queue["queue"] = name
        queue |= {"waiting": 123_456, "oldest_wait_seconds": 200_000.0}
        queue["windows"]["15m"]["average_speed_of_answer"] = 400_000.0
    wall.hub.take(now_of(board, centre="y" * 100))
    page = await opened(size=size, view=view)
    await expect(page.locator(".value").first).to_have_text("123456")
    await nothing_overflows(page, scrolls=size[0] < WIDE or view == "supervisor")


@pytest.mark.parametrize("view", ["room", "supervisor", "queue/west-mercia/101"])
@pytest.mark.parametrize("theme", ["light", "dark", "contrast"])
@pytest.mark.parametrize("language", ["en", "cy"])
async def test_everybody_can_read_it(
    opened: Open, wall: Served, boards: list[Board], view: str, theme: str, language: str
) -> None:
    show(wall.hub, boards)
    announce(wall.hub)
    page = await opened(view=view, theme=theme, language=language, motion="reduce")
    await page.wait_for_selector(".spark path", state="attached")
    found = await Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert await page.evaluate("document.documentElement.lang") == language


async def test_a_queue_is_opened_by_its_name_and_has_an_address(
    opened: Open, wall: Served, boards: list[Board]
) -> None:
    show(wall.hub, boards)
    page = await opened()
    await page.locator(".queue", has_text=re.compile("^101$")).click()
    await expect(page.locator(".single h2")).to_have_text("101 · west-mercia")
    await expect(page).to_have_url(re.compile("#queue/west-mercia/101$"))
    assert await page.evaluate("document.activeElement.textContent") == "101 · west-mercia"
    await expect(page.locator(".tile")).to_have_count(6)
    await expect(page.locator(".tile .spark .run")).to_have_count(6)
    queue = of_queue(boards[-1], "101")
    await expect(page.locator(".tile .value").first).to_have_text(str(queue["waiting"]))
    await expect(page.locator(".line tbody tr")).to_have_count(min(10, len(queue["visits"])))
    await page.locator(".others a", has_text="999").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(".single h2")).to_have_text("999 · west-mercia")
    await page.go_back()
    await expect(page.locator(".single h2")).to_have_text("101 · west-mercia")
    await page.reload()
    await expect(page.locator(".single h2")).to_have_text("101 · west-mercia")
    await page.goto(f"{wall.url}#queue/west-mercia/102")
    await expect(page.locator(".single h2")).to_have_text("No queue 102 has been heard in west-mercia.")
    await page.goto(f"{wall.url}#queue/nowhere/%E0%A4%A")
    await expect(page.locator("#trouble")).to_have_text("No control room nowhere has been heard.")


async def test_one_of_several_rooms_is_shown_alone(opened: Open, wall: Served, boards: list[Board]) -> None:
    for centre in ("avon", "kent"):
        wall.hub.take(now_of(boards[-1], centre=centre))
    page = await opened()
    await expect(page.locator(".room h2")).to_have_text(["avon", "kent"])
    await page.goto(f"{wall.url}#room/kent")
    await expect(page.locator(".room h2")).to_have_text(["kent"])


async def test_a_supervisor_opens_a_queue_and_reads_what_was_said_there(
    opened: Open, wall: Served, boards: list[Board]
) -> None:
    show(wall.hub, boards)
    announce(wall.hub)
    page = await opened(view="supervisor")
    await expect(page.locator(".said li")).to_have_count(2)
    await page.locator(".supervisor h2 a", has_text=re.compile("^101$")).click()
    await expect(page.locator(".said li")).to_have_count(1)
    await expect(page.locator(".said li")).to_contain_text("played")
    await page.locator("#choose-view").select_option("supervisor")
    await expect(page.locator(".supervisor article")).to_have_count(len(boards[-1]["queues"]))


async def test_who_may_only_look_sees_no_single_visit_of_a_queue(
    opened: Open, wall: Served, boards: list[Board]
) -> None:
    show(wall.hub, boards)
    announce(wall.hub)
    page = await opened(view="queue/west-mercia/101")
    only_looks = {"user": None, "role": "view", "login": False}
    await page.route("**/api/session", lambda route: route.fulfill(json=only_looks))
    await page.reload()
    await expect(page.locator(".panels")).to_contain_text("shown to supervisors only")
    await expect(page.locator(".line, .said")).to_have_count(0)
    asked = await page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    assert not any("view=supervisor" in each for each in asked)


async def test_a_line_that_may_not_be_shown_is_not_an_empty_line(
    opened: Open, wall: Served, boards: list[Board]
) -> None:
    show(wall.hub, boards)
    announce(wall.hub)
    page = await opened()
    await expect(page.locator(".room")).to_have_attribute("data-feed", "live")
    wall.audit_works = False
    await page.locator(".queue", has_text=re.compile("^101$")).click()
    await expect(page.locator(".panels .panel").nth(0)).to_have_text("Linenot yet known")
    await expect(page.locator(".panels .panel").nth(1)).to_have_text("Last announcementsnot yet known")
    wall.audit_works = True
    await expect(page.locator(".line tbody tr").first).to_be_visible()
    await expect(page.locator(".said li")).to_have_count(1)


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


async def test_page_is_light_and_asks_nobody_else(opened: Open, wall: Served, boards: list[Board]) -> None:
    show(wall.hub, boards)
    page = await opened()
    await page.wait_for_selector(".spark path", state="attached")
    weight = await page.evaluate(
        "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation'))"
        ".filter(each => !each.name.includes('/api/')).reduce((sum, each) => sum + each.transferSize, 0)"
    )
    assert 0 < weight < WEIGHT_MAX
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
            await expect(page.locator(f"{row(page, '101')} .value").nth(0)).to_have_text(
                str(of_queue(boards[-1], "101")["waiting"])
            )
            sizes.append(await page.evaluate(count))
    assert max(sizes) <= 1.2 * sizes[0]


def of_queue(board: Board, name: str) -> dict[str, Any]:
    return next(queue for queue in board["queues"] if queue["queue"] == name)


async def test_a_figure_is_added_in_one_file(opened: Open, wall: Served, boards: list[Board]) -> None:
    show(wall.hub, boards)
    more = """
      FIGURES.push({
        key: 'busy', name: { en: 'Talking', cy: 'Yn siarad' }, formula: { en: 'now', cy: 'nawr' },
        about: { en: 'Handlers who talk.', cy: 'Trinwyr sy’n siarad.' },
        value: (queue) => String(queue.handlers.talking ?? 0), note: () => 'of all', judge: () => 1, trend: 'waiting',
      });
      ROOM_FIGURES.find((each) => each.key === 'staffing').value = (board) => String(board.queues.length);
      ROOM_FIGURES.find((each) => each.key === 'staffing').note = () => 'short';
    """
    page = await opened(view="supervisor", language="cy")
    await page.route(
        "**/figures.js",
        lambda route: route.fulfill(body=(STATIC / "figures.js").read_text() + more, content_type="text/javascript"),
    )
    await page.reload()
    talking = str(of_queue(boards[-1], "101")["handlers"].get("talking", 0))
    await expect(page.locator(".room thead th").nth(6)).to_contain_text("Yn siarad")
    cell = page.locator(f"{row(page, '101')} [data-figure=busy]")
    await expect(cell.locator(".value")).to_have_text(talking)
    await expect(cell).to_have_attribute("data-word", "watch")
    place = page.locator(".room-figures [data-figure=staffing]")
    await expect(place.locator("strong")).to_have_text(str(len(boards[-1]["queues"])))
    await page.locator("#choose-view").select_option("queue")
    await expect(page.locator(".tile[data-figure=busy] .spark .run")).to_have_count(1)


async def test_both_languages_have_every_word(opened: Open) -> None:
    page = await opened()
    missing = await page.evaluate(
        """async () => {
          const { WORDS } = await import('/static/words.js');
          const { FIGURES, ROOM_FIGURES } = await import('/static/figures.js');
          const said = FIGURES.flatMap((each) => [each.name, each.formula, each.about]);
          const lists = [...Object.values(WORDS).map((words) => Object.keys(words).sort().join())];
          const texts = said.concat(ROOM_FIGURES.map((each) => each.name));
          return [new Set(lists).size, texts.filter((each) => !each.en || !each.cy)];
        }"""
    )
    assert missing == [1, []]
