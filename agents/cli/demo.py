"""`occ demo`: the whole system on this machine, live."""

import json
from dataclasses import asdict

import click
from rich.console import Console

from agents.config import load


@click.command()
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=0, min_open=True),
    help="End after so many seconds, and print what went through as one line of JSON.",
)
def command(seconds: float | None) -> None:
    """Run the whole system on this machine with a lively simulated control room, until Ctrl-C.

    A Kafka of its own, empty at first, a worker, a simulated telephone system, the announcer and a live view; the
    first time Kafka is downloaded. Where OCC_KAFKA__BOOTSTRAP_SERVERS is set that Kafka is used.
    """
    from agents.demo import demo  # most of a second, and not needed for --help

    totals = demo(load(), seconds, Console())
    if totals is not None:
        click.echo(json.dumps(asdict(totals)))
