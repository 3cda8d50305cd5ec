"""`occ demo`: the whole system on this machine, live."""

import json
from dataclasses import asdict

import click
from rich.console import Console

from agents.cli.values import FiniteRange
from agents.config import load


@click.command()
@click.option(
    "--for",
    "seconds",
    type=FiniteRange(min=0, min_open=True),
    help="End after so many seconds, and print what went through as one line of JSON.",
)
@click.option(
    "--pbx",
    is_flag=True,
    help="Real calls by SIP on a real Asterisk, and an announcer that speaks to them, instead of a simulation.",
)
def command(seconds: float | None, pbx: bool) -> None:
    """Run the whole system on this machine with a lively control room, until Ctrl-C.

    A Kafka of its own, empty at first, a worker, a simulated telephone system, the announcer and a live view; the
    first time Kafka is downloaded. Where OCC_KAFKA__BOOTSTRAP_SERVERS is set that Kafka is used.

    --pbx needs Linux; the first time it installs sipp, espeak-ng and sox and builds Asterisk in the cache, which
    takes root on Debian.
    """
    from agents.demo import demo  # most of a second, and not needed for --help

    totals = demo(load(), seconds, Console(), pbx=pbx)
    if totals is not None:
        click.echo(json.dumps(asdict(totals)))
