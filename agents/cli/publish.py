"""`occ publish`: files of canonical events to the topic of events."""

import asyncio
import json
from pathlib import Path

import click

from agents import clients
from agents.cli.progress import Progress
from agents.cli.running import until_stopped
from agents.cli.values import FiniteRange
from agents.config import load
from agents.publish import FileFeed, Survey, shift_to, survey
from agents.sending import require_events_topic, send_when_due, wall_clock


@click.command(name="publish")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--speed",
    type=FiniteRange(min=0, min_open=True),
    help="So many times the recorded pace  [default: 1]",
)
@click.option("--flat-out", is_flag=True, help="As fast as Kafka takes them.")
@click.option("--rebase", type=click.Choice(["now"]), help="Move all times by one constant, and derive new ids.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")
def command(files: tuple[Path, ...], speed: float | None, flat_out: bool, rebase: str | None, as_json: bool) -> None:
    """Send FILES (JSON lines of canonical events) to Kafka at the pace of their own times.

    All lines are checked first: if one would be refused, nothing is sent, the places are listed and the exit code
    is 1. Otherwise lines are sent as they are, in the order of the file; several files are merged by time.

    With --rebase now no event is sent before it happens and the newest is sent just as it happens: at the recorded
    pace the first event happens now, flat out the last one. All moments move alike; ids of events, calls and visits
    become new ones, the same for the same shift. Ctrl-C ends it with exit code 0.
    """
    if flat_out and speed is not None:
        raise click.UsageError("--flat-out and --speed exclude each other")
    pace = None if flat_out else speed or 1.0
    servers = load().bootstrap_servers
    with Progress() as progress:
        surveyed = survey(files, lambda read: progress.show("checked", read))
    sent = 0
    shift = 0

    async def publish() -> bool:
        nonlocal shift
        await require_events_topic(servers)
        async with clients.producer(servers) as producer:
            starts_at = wall_clock()
            shift = shift_to(starts_at, surveyed, pace) if rebase else 0
            with Progress() as progress:

                def acknowledged(count: int) -> None:
                    nonlocal sent
                    sent = count
                    progress.show("sent", count)

                feed = FileFeed(files, surveyed.oldest, starts_at, pace, shift)
                await send_when_due(feed, producer, sent=acknowledged)
        return True

    ended = asyncio.run(until_stopped(publish()))
    _sum_up(surveyed, sent, shift, ended is None, as_json)


def _sum_up(surveyed: Survey, sent: int, shift: int, stopped: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"sent": sent, "of": surveyed.events, "shift_us": shift, "stopped": stopped}))
    else:
        click.echo(f"{sent:,} of {surveyed.events:,} events sent.", err=True)
