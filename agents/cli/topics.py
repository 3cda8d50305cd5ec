"""`occ topics`: what there is of the topics, and how to make them."""

import asyncio
import json
from dataclasses import asdict

import click

from agents import topics
from agents.config import load


@click.command()
@click.argument("action", type=click.Choice(["create"]), required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def command(action: str | None, as_json: bool) -> None:
    """List the topics and what of them is not as it should be; `create` makes those that are missing.

    Existing topics are never changed. The exit code is 1 when a topic is missing or differs.
    """
    settings = load()
    servers, partitions = settings.bootstrap_servers, settings.kafka.partitions
    there = asyncio.run(
        topics.create(servers, partitions, settings.kafka.replication_factor)
        if action == "create"
        else topics.inspect(servers, partitions)
    )
    if as_json:
        click.echo(json.dumps([asdict(found) for found in there], indent=2))
    else:
        for found in there:
            click.echo(f"{found.name:22} {found.state:8} {'; '.join(found.differences)}".rstrip())
    if any(found.state in {"missing", "differs"} for found in there):
        raise SystemExit(1)
