"""Draws demo.svg beside this file: the terminal view of the demo that runs in another terminal.

make demo
OCC_CACHE=.cache/demo .venv/bin/python docs/images/record.py
"""

import asyncio
import io
import re
from pathlib import Path
from time import time_ns

from rich.console import Console

from agents.config import load
from agents.watching import ANNOUNCEMENTS_SHOWN, Watched, follow

WIDTH = 104
LOOK_EVERY_SECONDS = 0.1


async def watch(servers: str) -> Watched:
    """What the terminal shows once it has heard as many announcements as it shows, of two kinds or more."""
    watched = Watched()
    following = asyncio.create_task(follow(servers, watched))
    while not following.done():
        heard = [command.kind for command in watched.announcements]
        if len(heard) == ANNOUNCEMENTS_SHOWN and len(set(heard)) > 1:
            break
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    following.cancel()
    await asyncio.wait([following])
    return watched


watched = asyncio.run(watch(load().bootstrap_servers))
console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
console.print(watched.picture(time_ns() // 1_000))
drawn = console.export_svg(title="make demo", unique_id="demo")
# A picture fetches nothing: the reader's own fixed-width font will do.
drawn = re.sub(r"\s*@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
Path(__file__).with_name("demo.svg").write_text(drawn, encoding="utf-8")
