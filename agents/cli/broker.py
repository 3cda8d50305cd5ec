"""`occ broker`: the embedded Apache Kafka of this project, up, down, status."""

import json

import click

from agents import config
from agents.broker import Broker, reachable
from agents.jars import kafka_version

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.group()
def command() -> None:
    """Run a real Apache Kafka on this machine.

    Its data lie in .cache/kafka of the current folder, or in $OCC_CACHE/kafka. It listens on 127.0.0.1 only.
    A Kafka named in OCC_KAFKA__BOOTSTRAP_SERVERS is used instead.
    """


@command.command()
@click.option("--port", type=click.IntRange(1, 65_535), help="Listen here [default: as last time, or a free one].")
@as_json
def up(port: int | None, as_json: bool) -> None:
    """Start it, and return when a produce and a fetch have worked."""
    settings = config.load()
    if servers := settings.kafka.bootstrap_servers:
        _say(as_json, f"Kafka at {servers} is configured: nothing to start.", _configured(servers))
        return
    broker = settings.broker if port is None else Broker(settings.broker.folder, port)
    if not broker.running:
        click.echo("Starting Kafka: a few seconds, and a download the first time.", err=True)
    started = broker.start()
    text = f"Kafka {kafka_version()} is {'up' if started else 'already up'} at {broker.bootstrap}."
    _say(as_json, text, _embedded("up", broker))


@command.command()
@click.option("--wipe", is_flag=True, help="Remove its data as well.")
@as_json
def down(wipe: bool, as_json: bool) -> None:
    """Stop it; its data stay."""
    broker = config.load().broker
    text = "Kafka is down" if broker.running else "Kafka was not up"
    broker.stop()
    if wipe:
        broker.wipe()
        text += ", its data removed"
    _say(as_json, f"{text}.", _embedded("down", broker))


@command.command()
@as_json
def status(as_json: bool) -> None:
    """Say whether it answers; exit code 1 when it does not."""
    settings = config.load()
    if servers := settings.kafka.bootstrap_servers:
        answers = reachable(servers)
        state = "up" if answers else "unreachable"
        _say(as_json, f"Kafka at {servers} is configured and {state}.", {**_configured(servers), "state": state})
    else:
        broker = settings.broker
        answers = broker.answers()
        state = "up" if answers else "not answering" if broker.running else "down"
        where = f" at {broker.bootstrap}" if broker.running else ""
        _say(as_json, f"Kafka is {state}{where}.", _embedded(state, broker))
    if not answers:
        raise SystemExit(1)


def _configured(servers: str) -> dict[str, object]:
    return {"embedded": False, "bootstrap_servers": servers}


def _embedded(state: str, broker: Broker) -> dict[str, object]:
    return {
        "embedded": True,
        "state": state,
        "bootstrap_servers": broker.bootstrap if broker.running else None,
        "pid": broker.pid,
        "folder": str(broker.folder),
        "version": kafka_version(),
    }


def _say(as_json: bool, text: str, facts: dict[str, object]) -> None:
    click.echo(json.dumps(facts) if as_json else text)
