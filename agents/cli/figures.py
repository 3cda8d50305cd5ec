"""`occ figures`: how anyone audits a published number."""

import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from agents.config import load
from agents.sorting import Reading, sorted_arrivals
from schemas import moments
from stream.history import WINDOWS, History, Period


class Moment(click.ParamType):
    """An RFC 3339 moment, as µs since the epoch."""

    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """µs of `value`; fails with an example when it is not a moment."""
        if isinstance(value, int):
            return value
        try:
            return moments.parse(value)
        except ValueError:
            self.fail(f"{value!r} is not a moment such as 2026-11-24T08:00:00Z", param, ctx)


@click.command(name="figures")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "start", type=Moment(), help="Count from this moment on.")
@click.option("--to", "end", type=Moment(), help="Count up to, and without, this moment.")
@click.option("--as-of", type=Moment(), help="What was known at this moment. Default: --to, else the last event.")
@click.option("--queue", help="Only this queue.")
@click.option("--window", type=click.Choice(WINDOWS), default="whole", show_default=True, help="Length of intervals.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one row a figure.")
def command(
    files: tuple[Path, ...],
    start: int | None,
    end: int | None,
    as_of: int | None,
    queue: str | None,
    window: str,
    as_json: bool,
) -> None:
    """Compute every figure of FILES (JSON lines of canonical events, in any order and however often repeated).

    The same events give the same figures, byte for byte. Lines that are refused are reported on the standard error
    and change nothing; if all are refused the exit code is 1.
    """
    if start is not None and end is not None and start >= end:
        raise click.UsageError("--from must be earlier than --to")
    history = History(load().profile(any_centre=True), Period(window, start, end, as_of))
    reading = Reading()
    progress = _Progress()
    for taken in history.take(sorted_arrivals(files, reading, lambda read: progress.show("read", read))):
        progress.show("taken", taken)
    progress.done()
    for report in reading.reports:
        click.echo(report, err=True)
    if reading.refused:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(reading.refused.items()))
        click.echo(f"refused: {counts}", err=True)
    if not reading.accepted:
        raise click.ClickException("no event was accepted; see the reasons above" if reading.refused else "no events")
    rows = history.rows(queue)
    if not rows and queue is None:
        click.echo("Nothing had happened yet at that moment.", err=True)
    if queue is not None and not rows:
        raise click.ClickException(f"no queue {queue!r} in these events; known: {', '.join(history.queues())}")
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"figures": rows}) + b"\n")
        sys.stdout.buffer.flush()
    else:
        _print_table(rows)


class _Progress:
    """Says on the standard error how far it is, once it takes longer than two seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 2
        self._shown = False

    def show(self, what: str, count: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + 0.5
            self._shown = True
            click.echo(f"\r{count:,} events {what} ", err=True, nl=False)

    def done(self) -> None:
        if self._shown:
            click.echo("", err=True)


def _print_table(rows: list[dict[str, Any]]) -> None:
    table = Table("centre", "queue", "from", "to", "figure", "threshold s", "value", "numerator", "denominator")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row.values()))
    Console(width=200 if not sys.stdout.isatty() else None).print(table)
