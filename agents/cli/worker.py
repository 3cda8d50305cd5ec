"""`occ worker`: runs the stream worker."""

import asyncio
import os
import socket
from typing import NoReturn

import click

from agents import app, config, topics, worker
from agents.exits import Exit
from schemas.topics import EVENTS


@click.command(epilog="Exit codes: 1 failed, 2 wrong usage, 3 no progress while there was work, "
               "4 Kafka no longer holds the events needed, 5 the topics are not as they must be. "
               "Restart it after 1 and 3.")  # fmt: skip
@click.option("--verbose", is_flag=True, help="Also say what Faust and the Kafka client do.")
def command(verbose: bool) -> NoReturn:
    """Run the stream worker: events in, exact figures out.

    It shares the partitions of the input with all other workers, restores what it takes over, and serves /metrics and
    /health on this machine. Stop it with Ctrl-C.
    """
    settings = config.load()
    settings.profile()
    _require_free(settings.web.host, settings.web.port)
    found = asyncio.run(topics.inspect(settings.bootstrap_servers, settings.kafka.partitions))
    wrong = [sentence for topic in found for sentence in topic.differences]
    wrong += [f"{topic.name} is missing: create the topics with `occ topics create`." for topic in found
              if topic.state == "missing"]  # fmt: skip
    if wrong:
        for sentence in wrong:
            click.echo(sentence, err=True)
        raise SystemExit(Exit.TOPICS_WRONG)
    partitions = next(topic.partitions for topic in found if topic.name == EVENTS.name)
    worker.run(
        app.create_app(settings, partitions=partitions), watchdog_seconds=settings.watchdog_seconds, verbose=verbose
    )


def _require_free(host: str, port: int) -> None:
    """Say it in a sentence when the port of /metrics and /health is taken. Raises ClickException."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise click.ClickException(
            f"Cannot listen on {host}, port {port}: {why}. Another worker? Set OCC_WEB__PORT."
        ) from None
