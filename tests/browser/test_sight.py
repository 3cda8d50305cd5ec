"""Every view looks as it did when somebody last looked at it and found it good.

A fixed hour of a simulated room, at a fixed time, in the page's own font; without motion, and letters smoothed in
grey, so that the pictures do not depend on the machine. A view that is meant to look different: see CONTRIBUTING.md.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.async_api import Page, expect

from schemas.boards import Board
from schemas.moments import micros
from tests.browser.conftest import Open
from tests.browser.pictures import DIFFERENT_MAX, difference, leave, renew, taken
from tests.browser.simulated import MINUTES, STARTS_AT, announce, show
from tests.wallboard.served import Served

AT = STARTS_AT + timedelta(minutes=MINUTES)
WALL, BIG_WALL, TELEPHONE = (1280, 720), (3840, 2160), (390, 844)


class Look(NamedTuple):
    """A view at a size, in a theme and a language."""

    view: str
    size: tuple[int, int]
    theme: str = "light"
    language: str = "en"

    @property
    def name(self) -> str:
        """Of its picture."""
        return "-".join([self.view.split("/")[0], f"{self.size[0]}x{self.size[1]}", self.theme, self.language])


VIEWS = ("room", "supervisor", "queue/west-mercia/101")
LOOKS = [Look(view, size) for view in VIEWS for size in (WALL, BIG_WALL, TELEPHONE)] + [
    Look("room", WALL, "dark", "cy"),
    Look("supervisor", WALL, "contrast"),
    Look("queue/west-mercia/101", WALL, "dark", "cy"),
]


@pytest.fixture(scope="module")
def chromium_flags() -> list[str]:
    return ["--font-render-hinting=none", "--disable-lcd-text", "--force-color-profile=srgb", "--hide-scrollbars"]


async def shown(opened: Open, wall: Served, boards: list[Board], look: Look) -> Page:
    """The page as it looks at the fixed time, with everything there."""
    wall.hub.clock = lambda: micros(AT)
    show(wall.hub, boards, AT)
    announce(wall.hub)
    page = await opened(
        size=look.size, at=AT, motion="reduce", view=look.view, theme=look.theme, language=look.language
    )
    await expect(page.locator("#clock")).to_have_text("09:10:00")
    await expect(page.locator(".spark .run").last).to_be_attached()
    if look.view != "room":
        await expect(page.locator(".said li").first).to_be_attached()
    await page.evaluate("document.fonts.ready")
    return page


async def picture(page: Page, folder: Path) -> Any:
    file = folder / "page.png"
    await page.screenshot(path=file, full_page=True, animations="disabled", caret="hide")
    return taken(file)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_view_looks_as_it_did(
    opened: Open, wall: Served, boards: list[Board], look: Look, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page = await shown(opened, wall, boards, look)
    found = await picture(page, tmp_path)
    if request.config.getoption("--renew-pictures"):
        renew(look.name, found)
    share = difference(look.name, found)
    assert share <= DIFFERENT_MAX, leave(look.name, found)


async def test_a_tile_that_moved_is_seen(opened: Open, wall: Served, boards: list[Board], tmp_path: Path) -> None:
    look = Look("queue/west-mercia/101", WALL)
    page = await shown(opened, wall, boards, look)
    await page.locator(".tile").first.evaluate("(tile) => { tile.style.transform = 'translateX(3px)'; }")
    found = await picture(page, tmp_path)
    assert difference(look.name, found) > DIFFERENT_MAX
    left = tmp_path / "left"
    said = leave(look.name, found, left)
    assert {file.name for file in left.iterdir()} == {f"{look.name}.png", f"{look.name}.difference.png"}
    assert all(file.name in said for file in left.iterdir())


@pytest.mark.parametrize("language", ["en", "cy"])
@pytest.mark.parametrize("view", VIEWS)
async def test_every_letter_is_of_the_pages_own_font(
    opened: Open, wall: Served, boards: list[Board], view: str, language: str
) -> None:
    page = await shown(opened, wall, boards, Look(view, WALL, language=language))
    session = await page.context.new_cdp_session(page)
    await session.send("DOM.enable")
    await session.send("CSS.enable")
    document = await session.send("DOM.getDocument", {"depth": -1})
    found = await session.send(
        "DOM.querySelectorAll", {"nodeId": document["root"]["nodeId"], "selector": "body, body *"}
    )
    fonts = set()
    for node in found["nodeIds"]:
        used = await session.send("CSS.getPlatformFontsForNode", {"nodeId": node})
        fonts |= {(font["familyName"], font["isCustomFont"]) for font in used["fonts"]}
    assert {own for _, own in fonts} == {True}, fonts
