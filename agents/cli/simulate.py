"""`occ simulate`: the events of a simulated control room, to a file or as they happen to Kafka."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import BinaryIO

import click

from agents import clients
from agents.cli.figures import Moment
from agents.cli.progress import Progress
from agents.cli.running import until_stopped
from agents.cli.translate import centre_option
from agents.cli.values import FiniteRange
from agents.config import load
from agents.live import run_live
from agents.sending import require_events_topic
from schemas.codec import MOMENT_MIN, encode
from schemas.moments import LONDON, moment
from telephony.disorder import disordered
from telephony.room import SimulationConfig
from telephony.simulator import Simulation


@click.command(name="simulate")
@click.option("--seed", default=1, show_default=True, help="Another seed is another day.")
@click.option("--from", "start", type=Moment(), help="When it starts  [default: today 00:00 local; live: now]")
@click.option("--hours", default=24.0, show_default=True, type=FiniteRange(min=0, max=24 * 366, min_open=True))
@click.option(
    "--rate",
    default=1.0,
    show_default=True,
    type=FiniteRange(min=0, max=100, min_open=True),
    help="So many times the callers and staff of a middle-sized force.",
)
@centre_option
@click.option("--out", type=click.File("wb"), help="Write JSON lines to this file  [default: standard output]")
@click.option("--kafka", is_flag=True, help="Send to Kafka instead, each event when it happens.")
@click.option("--heartbeats/--no-heartbeats", default=True, show_default=True, help="The switch's sign of life.")
@click.option("--disorder", is_flag=True, help="Repeat, delay and shuffle events as networks do.")
@click.option("--json", "as_json", is_flag=True, help="Print as last line what really happened, as JSON.")
def command(
    seed: int,
    start: int | None,
    hours: float,
    rate: float,
    centre: str,
    out: BinaryIO | None,
    kafka: bool,
    heartbeats: bool,
    disorder: bool,
    as_json: bool,
) -> None:
    """Make the events of a simulated control room; the same options give the same events.

    Calls come in for the given hours, and the last callers are served after that. With --kafka events are sent at
    their own time by the wall clock; those of a start in the past are sent at once. Ctrl-C ends it with exit code 0.
    """
    if start is not None and start < MOMENT_MIN:
        raise click.UsageError("--from is before the year 2000, and so are events that nobody would accept")
    if kafka and (out is not None or disorder):
        raise click.UsageError("--kafka goes with neither --out nor --disorder")
    to_stdout = out is None or out is sys.stdout.buffer
    if as_json and to_stdout and not kafka:
        raise click.UsageError("--json needs --out FILE or --kafka: standard output carries the events")
    config = SimulationConfig(
        centre=centre,
        starts_at=moment(start) if start is not None else _default_start(live=kafka),
        hours=hours,
        scale=rate,
        heartbeats=heartbeats,
    )
    simulation = Simulation(config, seed)
    with Progress() as progress:
        if kafka:
            asyncio.run(until_stopped(_send(simulation, progress)))
        else:
            _write(simulation, out or sys.stdout.buffer, progress, seed if disorder else None)
    if as_json:
        click.echo(json.dumps(simulation.truth.as_json()))
    else:
        click.echo(_in_words(simulation), err=True)


def _default_start(*, live: bool) -> datetime:
    now = datetime.now(UTC)
    if live:
        return now
    return now.astimezone(LONDON).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


async def _send(simulation: Simulation, progress: Progress) -> None:
    servers = load().bootstrap_servers
    await require_events_topic(servers)
    async with clients.producer(servers) as producer:
        await run_live(simulation, producer, sent=lambda count: progress.show("sent", count))


def _write(simulation: Simulation, out: BinaryIO, progress: Progress, disorder_seed: int | None) -> None:
    lines = (encode(event) + b"\n" for event in simulation.events())
    for count, line in enumerate(lines if disorder_seed is None else disordered(lines, disorder_seed), 1):
        out.write(line)
        progress.show("made", count)
    out.flush()


def _in_words(simulation: Simulation) -> str:
    truth = simulation.truth
    queues = [
        f"  {queue}: {counts['queued']:,} queued, {counts['answered']:,} answered, {counts['abandoned']:,} abandoned"
        for queue in truth.queues
        if (counts := truth.of_queue(queue))["queued"]
    ]
    return "\n".join([f"{truth.events.total():,} events, {truth.calls['offered']:,} calls.", *queues])
