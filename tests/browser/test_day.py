"""A page that stays open for a day of boards keeps nothing of them."""

import orjson
from playwright.async_api import CDPSession, expect

from schemas.boards import Board
from tests.browser.conftest import Open
from tests.browser.simulated import announce, show
from tests.wallboard.served import Served

HOURS = 24
SETTLED_HOURS = 2
BOARD_SECONDS = 20
"""More than 15: each time the feed is late before it is live again."""
HEAP_GROWTH_MAX = 1_000_000
"""Bytes, over 22 hours: one board a minute that stayed would be 50 times as many."""
NODES_GROWTH_MAX = 1.1

DRIVEN = """
  // The page's clock and its stream are driven from here, thousands of times as fast as a browser's are from outside.
  let now = Date.now();
  let number = 0;
  const timers = new Map();
  const later = (run, wait, every) => { timers.set(++number, { run, at: now + wait, every }); return number; };
  const really = window.setTimeout.bind(window);
  Date.now = () => now;
  performance.now = () => now;
  window.setTimeout = (run, wait = 0) => later(run, wait, null);
  window.setInterval = (run, wait) => later(run, wait, wait);
  window.requestAnimationFrame = (run) => later(run, 0, null);
  window.clearTimeout = window.clearInterval = (timer) => timers.delete(timer);
  window.advance = (ms) => {
    now += ms;
    for (let ran = true; ran; ) {
      ran = false;
      for (const [id, timer] of [...timers]) {
        if (timer.at > now) continue;
        if (timer.every === null) timers.delete(id);
        else timer.at = now + timer.every;
        timer.run();
        ran = true;
      }
    }
  };
  const Stream = EventSource;
  window.EventSource = class extends Stream { constructor(url) { super(url); window.source = this; } };
  // A board each so many seconds for an hour; in between what the page asked of its server arrives.
  window.anHour = async (boards, seconds) => {
    const tell = (name, data) => source.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
    for (let second = 0; second < 3_600; second += seconds) {
      advance(1_000 * seconds);
      const as_of = new Date(now).toISOString();
      tell('beat', { server_time: as_of });
      tell('board', { ...boards[(second / seconds) % boards.length], as_of });
      advance(100);
      if (second % 60 === 0) await new Promise((between) => really(between, 1));
    }
  };
"""


async def test_a_day_of_boards_leaves_nothing_behind(opened: Open, wall: Served, boards: list[Board]) -> None:
    show(wall.hub, boards)
    announce(wall.hub)
    page = await opened(view="supervisor")
    await page.add_init_script(DRIVEN)
    await page.reload()
    await page.evaluate("(text) => { window.boards = JSON.parse(text); }", orjson.dumps(boards).decode())
    await page.wait_for_selector(".supervisor", state="attached")
    await page.evaluate("source.close()")  # from here on the page hears what it is told below
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("Performance.enable")
    found = {}
    for hour in range(1, HOURS + 1):
        await page.evaluate(f"anHour(boards, {BOARD_SECONDS})")
        if hour in {SETTLED_HOURS, HOURS}:
            found[hour] = await kept(cdp)
    await expect(page.locator(".room")).to_have_attribute("data-feed", "live")
    await expect(page.locator(".supervisor article")).to_have_count(len(boards[-1]["queues"]))
    (heap_then, nodes_then), (heap, nodes) = found[SETTLED_HOURS], found[HOURS]
    assert heap - heap_then < HEAP_GROWTH_MAX
    assert nodes <= NODES_GROWTH_MAX * nodes_then


async def kept(cdp: CDPSession) -> tuple[int, int]:
    """(bytes of the heap, nodes) once all that can go is gone."""
    for _ in range(3):
        await cdp.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in (await cdp.send("Performance.getMetrics"))["metrics"]}
    return int(metrics["JSHeapUsedSize"]), int(metrics["Nodes"])
