"""How soon a caller shows on a wallboard: from the append of their event to the picture on the screen.

Twelve simulated control rooms at their busiest hour happen now, 500 events a second. A Chromium shows one of them,
then all of them on one page of `occ wallboard`. For each visit that joins a queue of a room shown, the append of its
`queued` event, which is Kafka's own LogAppendTime, is compared with the moment after the first picture that shows
a board with this visit, or a later board of the same room, by the clock of the page: both are this machine's. The
page's moment is taken a whole picture after the change, so that it is never too early. Beside it stands the append of
the first board that lists the visit.
"""

import asyncio
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click
import orjson
from playwright.async_api import Browser, async_playwright

from agents.config import FILE_VARIABLE, PREFIX
from agents.reader import Reader
from bench.live import SETTLE_SECONDS, happening, now_ms, records, spread
from bench.place import Place
from bench.rooms import ROOMS
from schemas.codec import Arrival, decode
from schemas.events import VisitQueued
from schemas.moments import parse
from schemas.topics import BOARD, EVENTS
from stream.board import VISITS_SHOWN_MAX

MEASURED_SECONDS = 30
OPENED_SECONDS = 3
LIVE_WITHIN_SECONDS = 60
AFTER_SECONDS = 1
VIEWS = {"one_room": (f"#room/{ROOMS[0]}", 1), "all_rooms": ("#room", len(ROOMS))}
"""By name: the view, and how many rooms it shows."""
TARGET_P99_MS = 400
SIZE = {"width": 1920, "height": 1080}
PROBE = """
  window.shown = [];
  new MutationObserver((changes) => {
    const seen = changes.map(({ target }) => [target.querySelector('h2').textContent, target.dataset.asOf]);
    requestAnimationFrame(() => {
      const after = new MessageChannel();
      after.port1.onmessage = () => seen.forEach((each) => shown.push([...each, Date.now()]));
      after.port2.postMessage(null);
    });
  }).observe(document, { subtree: true, attributeFilter: ['data-as-of'] });
"""
Seen = tuple[str, str, int]
"""A room, what its board is as of, and when that was on the screen, in ms."""


def measure(place: Place, say: Callable[[str], None]) -> dict[str, Any]:
    """Run everything at once, then read in Kafka when it happened."""
    phases = asyncio.run(_run(place, say))
    say("screen: reading what was appended when")
    return {
        "rooms": len(ROOMS),
        **{name: asyncio.run(results(place, phase)) for name, phase in phases.items()},
        "target_p99_ms": TARGET_P99_MS,
    }


@dataclass(frozen=True, slots=True)
class Phase:
    """A time that was measured, in ms, and what was on the screen when."""

    since: int
    until: int
    seen: list[Seen]


async def _run(place: Place, say: Callable[[str], None]) -> dict[str, Phase]:
    phases = {}
    async with happening(place, say), wallboard(place) as url, _chromium() as browser:
        say(f"screen: settling for {SETTLE_SECONDS} s")
        await asyncio.sleep(SETTLE_SECONDS)
        for name, (view, rooms) in VIEWS.items():
            say(f"screen: measuring {name} for {MEASURED_SECONDS} s")
            phases[name] = await watch(browser, f"{url}{view}", rooms, MEASURED_SECONDS)
    return phases


async def watch(browser: Browser, url: str, rooms: int, seconds: int) -> Phase:
    """What a page at `url` that has come to show so many rooms live shows for `seconds`."""
    page = await browser.new_page(viewport=SIZE)  # type: ignore[arg-type]
    await page.add_init_script(PROBE)
    await page.goto(url)
    await page.locator(".room[data-feed=live]").nth(rooms - 1).wait_for(timeout=LIVE_WITHIN_SECONDS * 1_000)
    await asyncio.sleep(OPENED_SECONDS)
    since = now_ms()
    await asyncio.sleep(seconds)
    until = now_ms()
    await asyncio.sleep(2 * AFTER_SECONDS)
    phase = Phase(since, until, await page.evaluate("shown"))
    await page.close()
    return phase


@asynccontextmanager
async def wallboard(place: Place) -> AsyncIterator[str]:
    """`occ wallboard` as anybody runs it; gives its address."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {FILE_VARIABLE: os.devnull, f"{PREFIX}KAFKA__BOOTSTRAP_SERVERS": place.servers}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agents.cli",
        "wallboard",
        "--port",
        "0",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            said = (await process.stdout.readline()).decode()
        yield said.split()[-1]
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _chromium() -> AsyncIterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        raise click.ClickException("There is no chromium: install Debian's package chromium.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def results(place: Place, phase: Phase) -> dict[str, Any]:
    """How soon what happened in that time was on the screen, by what is in Kafka."""
    since, until, seen = phase.since, phase.until, phase.seen
    on_screen = {centre for centre, _, _ in seen}
    reader = Reader(place.servers)
    queued: dict[str, int] = {}
    events = 0
    async for record in records(reader, EVENTS.name, since):
        arrival = decode(record.value)
        assert isinstance(arrival, Arrival)
        events += record.timestamp < until
        event = arrival.event
        if isinstance(event, VisitQueued) and record.timestamp < until and event.data.centre in on_screen:
            queued[event.data.visit] = record.timestamp
    listed: dict[str, tuple[str, int]] = {}
    boards: list[int] = []
    async for record in records(reader, BOARD.name, since):
        if record.timestamp > until + AFTER_SECONDS * 1_000:
            continue  # nobody looked any more
        board = orjson.loads(record.value or b"")
        for visit in (visit for queue in board["queues"] for visit in queue["visits"]):
            if visit["position"] == VISITS_SHOWN_MAX:
                queued.pop(visit["visit"], None)  # it may have stood behind the last one shown
            if visit["visit"] in queued and visit["visit"] not in listed:
                boards.append(record.timestamp - queued[visit["visit"]])
                listed[visit["visit"]] = (board["centre"], parse(board["as_of"]))
    waits = _waits(queued, listed, seen)
    return {
        "events_per_second": round(events / (until - since) * 1_000),
        "pictures_per_second": round(sum(since <= at < until for _, _, at in seen) / (until - since) * 1_000, 1),
        "screen_ms": spread(waits),
        "board_ms": spread(boards),
    }


def _waits(queued: dict[str, int], listed: dict[str, tuple[str, int]], seen: list[Seen]) -> list[int]:
    """From the append of each visit to when it was on the screen, in ms; of visits that a board listed."""
    by_room: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for centre, as_of, at in seen:
        by_room[centre].append((parse(as_of), at))
    waits = []
    for visit, (centre, as_of) in listed.items():
        if visit in queued:
            shown_at = next((at for board, at in by_room[centre] if board >= as_of), None)
            assert shown_at is not None, f"a visit of {centre} never came to the screen"
            waits.append(shown_at - queued[visit])
    return waits
