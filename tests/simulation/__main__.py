"""`python -m tests.simulation --seed N`: days of a control room under audit; the same seed gives the same days.

`--without RULE` breaks one rule of speech, so that the day shows what the rule is good for.
"""

import sys
from collections import Counter
from datetime import timedelta

import click
import orjson
import pytest

from stream.profile import Profile
from telephony.simulator import Simulation
from tests.simulation.broken import WITHOUT
from tests.simulation.day import busy_room, describe, differences, run, seconds, starts_on

SHOWN_MAX = 20


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Every day is made of this and its number.")
@click.option("--days", type=click.IntRange(min=1), default=1, show_default=True, help="How many days.")
@click.option("--without", type=click.Choice(sorted(WITHOUT)), metavar="RULE", help="Break a rule; see --list-rules.")
@click.option("--list-rules", is_flag=True, help="Print what can be broken, and exit.")
def command(seed: int, days: int, without: str | None, list_rules: bool) -> None:
    """Play simulated days through the engine; exit 1 when a rule was broken or a figure is wrong."""
    if list_rules:
        click.echo("\n".join(sorted(WITHOUT)))
        return
    click.echo(f"seed {seed}", err=True)
    events = faults = 0
    commands: Counter[str] = Counter()
    promises: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        given = WITHOUT[without](patch) if without else {}
        for number in range(days):
            simulation = Simulation(busy_room(starts_on(seed) + timedelta(days=number)), seed * 1_000 + number)
            day = run(
                seconds(simulation, given.get("outages", ())),
                given.get("profile", Profile()),
                given.get("policy"),
                usual_week=True,
            )
            wrong = [describe(fault) for fault in day.faults] + differences(day, simulation.truth)
            click.echo(f"day {number + 1}: {day.events} events, {len(wrong)} faults", err=True)
            for line in wrong[:SHOWN_MAX]:
                click.echo(line, err=True)
            events += day.events
            faults += len(wrong)
            commands += day.commands
            rules += Counter(fault.rule for fault in day.faults)
            for room in day.engine.rooms.values():
                for queue in room.queues.values():
                    promises.update(queue.counters.promises)
    summary = {"seed": seed, "days": days, "without": without, "events": events, "commands": commands}
    click.echo(orjson.dumps(summary | {"promises": promises, "faults": faults, "rules_broken": rules}))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    command()
