"""`occ broker`: the embedded Apache Kafka of this project, up, down, status."""

import json

import click

from agents import broker
from agents.broker import Broker
from agents.jars import kafka_version

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """Run a real Apache Kafka on this machine.

    Its data lie in .cache/kafka of the current folder, or in $OCC_CACHE/kafka. It listens on 127.0.0.1 only.
    A Kafka named in OCC_KAFKA__BOOTSTRAP_SERVERS is used instead.
    """


@command.command()
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Listen here [default: as last time, or a free one]."
)
@as_json
def up(port: int | None, as_json: bool) -> None:
    """Start it, and return when a produce and a fetch have worked."""
    if servers := broker.configured():
        _say(as_json, f"Kafka at {servers} is configured: nothing to start.", _configured(servers))
        return
    embedded = Broker(broker.project_folder(), port or 0)
    started = embedded.start()
    _say(
        as_json,
        f"Kafka {kafka_version()} is {'up' if started else 'already up'} at {embedded.bootstrap}.",
        _embedded("up", embedded),
    )


@command.command()
@click.option("--wipe", is_flag=True, help="Remove its data as well.")
@as_json
def down(wipe: bool, as_json: bool) -> None:
    """Stop it; its data stay."""
    embedded = Broker(broker.project_folder())
    was = embedded.running
    embedded.stop()
    if wipe:
        embedded.wipe()
    text = "Kafka is down" if was else "Kafka was not up"
    _say(as_json, f"{text}{', its data removed' if wipe else ''}.", _embedded("down", embedded))


@command.command()
@as_json
def status(as_json: bool) -> None:
    """Say whether it answers; exit code 1 when it does not."""
    if servers := broker.configured():
        answers = broker.reachable(servers)
        state = "up" if answers else "unreachable"
        _say(
            as_json, f"Kafka at {servers} is configured and {state}.", _configured(servers) | {"state": state}
        )
    else:
        embedded = Broker(broker.project_folder())
        answers = embedded.answers()
        state = "up" if answers else "not answering" if embedded.running else "down"
        where = f" at {embedded.bootstrap}" if embedded.running else ""
        _say(as_json, f"Kafka is {state}{where}.", _embedded(state, embedded))
    if not answers:
        raise SystemExit(1)


def _configured(servers: str) -> dict[str, object]:
    return {"embedded": False, "bootstrap_servers": servers}


def _embedded(state: str, embedded: Broker) -> dict[str, object]:
    running = embedded.running
    return {
        "embedded": True,
        "state": state,
        "bootstrap_servers": embedded.bootstrap if running else None,
        "pid": embedded.pid,
        "folder": str(embedded.folder),
        "version": kafka_version(),
    }


def _say(as_json: bool, text: str, facts: dict[str, object]) -> None:
    click.echo(json.dumps(facts) if as_json else text)
