"""`occ board`: the board of a control room from Kafka, live or as it was at an instant."""

import asyncio
from time import time_ns

import click
import orjson
from rich.console import Console

from agents.board_reader import newest
from agents.cli.figures import Moment
from agents.config import load
from agents.terminal import show_room, view
from schemas.boards import Board
from schemas.moments import SECOND, parse, rfc3339

OLD_AFTER = 10 * SECOND


@click.command()
@click.option("--centre", help="The control room; needed where there are several.")
@click.option("--as-of", type=Moment(), help="The last board up to this moment. Default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole board as JSON, with every figure and window.")
def command(centre: str | None, as_of: int | None, as_json: bool) -> None:
    """Print the board of a control room, live or as it was at an instant in the last 6 hours."""
    board = choose(asyncio.run(newest(load().bootstrap_servers, as_of)), centre, as_of)
    now = time_ns() // 1000
    age = now - parse(board["as_of"])
    if as_of is None and age > OLD_AFTER:
        click.echo(f"This board is {age // SECOND} s old: does `occ worker` run?", err=True)
    if as_json:
        click.echo(orjson.dumps(board, option=orjson.OPT_INDENT_2))
    else:
        Console().print(show_room(view(board, now if as_of is None else as_of)))


def choose(boards: dict[str, Board], centre: str | None, as_of: int | None) -> Board:
    """The board asked for; ClickException that names the rooms there are when it is not clear which."""
    if not boards:
        raise click.ClickException(
            "No board yet: run `occ worker`, and events of a control room."
            if as_of is None
            else f"No board as of {rfc3339(as_of)} or before: they are kept for 6 hours."
        )
    known = ", ".join(sorted(boards))
    if centre is None and len(boards) > 1:
        raise click.UsageError(f"There are several control rooms, choose one with --centre: {known}.")
    if centre is not None and centre not in boards:
        raise click.ClickException(f"There is no control room {centre!r}; known: {known}.")
    return boards[centre or known]
