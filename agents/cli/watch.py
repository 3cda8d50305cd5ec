"""`occ watch`: the control rooms, live in this terminal."""

import asyncio

import click
from rich.console import Console

from agents.cli.running import until_stopped
from agents.config import load
from agents.watching import Watched, follow, show


@click.command()
@click.option("--centre", help="Only this control room.")
def command(centre: str | None) -> None:
    """Watch the control rooms in this terminal; Ctrl-C ends it.

    Where the output is no terminal, a plain line a control room is printed every few seconds.
    """
    asyncio.run(until_stopped(_watch(load().bootstrap_servers, centre)))


async def _watch(servers: str, centre: str | None) -> None:
    watched = Watched(centre)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(servers, watched))
        tasks.create_task(show(watched, Console()))
