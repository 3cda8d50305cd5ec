"""`occ compare`: where two sets of events differ."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from agents.cli.figures import Moment
from agents.cli.progress import Progress
from agents.config import load
from agents.sorting import Reading, sorted_arrivals
from stream.accounts import Accounts
from stream.comparison import Comparison, Difference
from stream.profile import Profile

DIFFERENT = 1


class Unusable(click.ClickException):
    """There is nothing to compare."""

    exit_code = 2


@click.command(name="compare")
@click.argument("first", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("second", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "start", type=Moment(), help="Compare the visits that joined from this moment on.")
@click.option("--to", "end", type=Moment(), help="Compare those that joined up to, and without, this moment.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def command(
    context: click.Context, first: Path, second: Path, start: int | None, end: int | None, as_json: bool
) -> None:
    """Show where the events of FIRST and SECOND differ: in visits, and in the figures of queues.

    Visits are matched by their ids. Of each: whether both sets know it, its queue, when it joined, the outcome, the
    wait, the handler, and the length of the conversation. Times agree when they differ by no more than their quality
    allows: whole seconds may be off by 1 s, times of arrival by 5 s, exact ones by 0.01 s. Where a visit agrees, the
    figures take its times from FIRST, so that they differ only where visits do. Holds, wrap-up and calls that join no
    queue are not compared: a queue_log knows of none.

    One line a difference. The exit code is 0 when there is none, 1 when there are some, 2 when the files are no use.
    """
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from must be earlier than --to")
    profile = load().profile(any_centre=True)
    sets = [_read(file, profile) for file in (first, second)]
    as_of = max(accounts.newest for accounts in sets)
    told = [accounts.told(as_of) for accounts in sets]
    comparison = Comparison(told[0], told[1], profile, as_of, start=start, end=end)
    differences = comparison.differences()
    if as_json:
        click.echo(json.dumps(_as_json(comparison, differences)))
    else:
        names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
        for difference in differences:
            click.echo(_line(difference, *names))
        _sum_up(comparison, differences)
    context.exit(DIFFERENT if differences else 0)


def _read(file: Path, profile: Profile) -> Accounts:
    accounts, reading = Accounts(profile), Reading()
    with Progress() as progress:
        arrivals = sorted_arrivals([file], reading, lambda read: progress.show("read", read))
        try:
            for taken in accounts.take(arrivals):
                progress.show("taken", taken)
        except OSError as error:
            raise Unusable(f"{file} cannot be read: {error.strerror}.") from error
    for report in reading.reports:
        click.echo(report, err=True)
    if refused := reading.refused.total():
        click.echo(f"{file.name}: {refused:,} lines were refused and are not compared.", err=True)
    if not reading.accepted:
        raise Unusable(f"There is not one event in {file.name}.")
    return accounts


def _line(difference: Difference, first: str, second: str) -> str:
    ours, theirs = _shown(difference, difference.first), _shown(difference, difference.second)
    about = f"{difference.centre} {difference.queue}"
    if difference.visit is None:
        return f"{about}: {difference.what} {ours} in {first}, {theirs} in {second}"
    about += f", visit {difference.visit}"
    if difference.what == "visit":
        known, outcome = (second, theirs) if difference.first is None else (first, ours)
        return f"{about}: only in {known} ({outcome})"
    allowed = f" (may differ by {difference.allowed_seconds:g} s)" if difference.allowed_seconds is not None else ""
    return f"{about}: {difference.what} {ours} in {first}, {theirs} in {second}{allowed}"


def _shown(difference: Difference, value: str | float | int | None) -> str:
    if value is None:
        return "unknown" if difference.visit else "no data"
    return f"{value} s" if difference.allowed_seconds is not None and isinstance(value, float) else str(value)


def _sum_up(comparison: Comparison, differences: list[Difference]) -> None:
    first, second, both = comparison.visits
    if not comparison.handlers_compared:
        click.echo("Handlers are not compared: the two sets have none in common, so other keys made them.", err=True)
    count = f"{len(differences):,} differences" if differences else "No difference"
    click.echo(f"{count}; {first:,} visits and {second:,}, {both:,} of them in both.", err=True)


def _as_json(comparison: Comparison, differences: list[Difference]) -> dict[str, object]:
    first, second, both = comparison.visits
    return {
        "equal": not differences,
        "visits": {"first": first, "second": second, "both": both},
        "handlers_compared": comparison.handlers_compared,
        "differences": [asdict(difference) for difference in differences],
    }
