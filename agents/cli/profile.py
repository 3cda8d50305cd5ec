"""`occ profile`: what is usual at each hour of the week, for live figures to lean on."""

import asyncio
import json
from pathlib import Path

import click

from agents import clients
from agents.config import load
from agents.profiles import read_profiles, records_of
from agents.sending import require_events_topic, send_records, wall_clock


@click.group()
def command() -> None:
    """Tell the worker what is usual at each hour of the week."""


@command.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--centre", help="The control room, where the file names none.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def publish(file: Path, centre: str | None, as_json: bool) -> None:
    """Publish FILE: a JSON object of a profile, or an array of them, one a queue.

    Members are those of occ.profile.published.v1 (schemas/json): slots of the week by weekday (Monday is 0) and local
    minute, each with offered, aht_mean, wait_median (both in seconds), crossover and n, the weeks it was made of;
    computed_at, month_to_date, and the queue it is about, or none for all. A profile holds for 48 hours: publish it
    once a day. A file with a fault is not published; each fault is listed and the exit code is 1.
    """
    servers = load().bootstrap_servers
    events = read_profiles(file, centre, wall_clock())

    async def send() -> None:
        await require_events_topic(servers)
        async with clients.producer(servers) as producer:
            await send_records(producer, records_of(events))

    asyncio.run(send())
    if as_json:
        click.echo(json.dumps({"published": [event.id for event in events]}))
    else:
        click.echo(f"{len(events)} profile{'s'[: len(events) != 1]} published.", err=True)
