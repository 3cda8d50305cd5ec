"""`python -m tests.simulation --seed N`: days of a control room under audit; the same seed gives the same days."""

import sys
from collections import Counter
from datetime import timedelta

import click
import orjson

from stream.profile import Profile
from telephony.simulator import Simulation
from tests.simulation.day import busy_room, describe, differences, run, seconds, starts_on

SHOWN_MAX = 20


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Every day is made of this and its number.")
@click.option("--days", type=click.IntRange(min=1), default=1, show_default=True, help="How many days.")
def command(seed: int, days: int) -> None:
    """Play simulated days through the engine; exit 1 when a rule was broken or a figure is wrong."""
    click.echo(f"seed {seed}", err=True)
    events = faults = 0
    commands: Counter[str] = Counter()
    for number in range(days):
        simulation = Simulation(busy_room(starts_on(seed) + timedelta(days=number)), seed * 1_000 + number)
        day = run(seconds(simulation), Profile())
        wrong = [describe(fault) for fault in day.faults] + differences(day, simulation.truth)
        click.echo(f"day {number + 1}: {day.events} events, {len(wrong)} faults", err=True)
        for line in wrong[:SHOWN_MAX]:
            click.echo(line, err=True)
        events += day.events
        faults += len(wrong)
        commands += day.commands
    click.echo(orjson.dumps({"seed": seed, "days": days, "events": events, "commands": commands, "faults": faults}))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    command()
