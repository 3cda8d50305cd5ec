"""`occ demo`: the whole system on this machine, live."""

from dataclasses import asdict

import click
import orjson
from rich.console import Console

from agents.config import load
from agents.demo import show_demo


@click.command(name="demo")
@click.option("--for", "seconds", type=click.FloatRange(min=5), help="End by itself after so many seconds.")
def command(seconds: float | None) -> None:
    """Run the whole system on this machine with a lively simulated control room.

    A real Kafka, a worker, a simulated telephone system and an announcer that prints; a view of it in this terminal.
    Ctrl-C stops everything. With --for it ends by itself, and the last line is a JSON object of what was counted.
    """
    console = Console()
    console.print("Starting Kafka, the worker and the simulated room: some ten seconds.")
    totals = show_demo(load(), console, seconds)
    if totals is not None:
        click.echo(orjson.dumps(asdict(totals)))
