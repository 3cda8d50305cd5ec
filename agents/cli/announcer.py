"""`occ announcer`: speaks what the worker decides; the log driver writes the words down instead."""

import asyncio
from datetime import UTC, datetime

import click

from agents.announcer import announce
from agents.cli.running import until_stopped
from agents.config import load


@click.command()
@click.option(
    "--driver", type=click.Choice(["log"]), default="log", show_default=True, help="What the words are given to."
)
def command(driver: str) -> None:
    """Speak what the worker decides to waiting callers, until stopped.

    The driver `log` prints each line instead, takes as long as saying it would, and reports the outcome.
    """
    click.echo("Announcing; Ctrl-C stops.", err=True)
    asyncio.run(until_stopped(announce(load().bootstrap_servers, _print)))


def _print(line: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S}Z {line}")
