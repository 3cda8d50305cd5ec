"""`occ wallboard`: the control rooms in a browser."""

import asyncio
import logging
import resource
import sys
from dataclasses import replace

import click
import uvloop

from agents.cli.running import until_stopped
from agents.config import load
from agents.exits import Exit
from agents.wallboard import run
from wallboard import passwords
from wallboard.door import UnsafeDoorError
from wallboard.sessions import FaultySecretError
from wallboard.users import FaultyUsersError

OPEN_FILES = 8_192


@click.group(
    invoke_without_command=True, epilog="Exit codes: 1 failed (restart it), 2 it refuses to start like this."
)
@click.option("--host", help="The address to listen on.  [default: wallboard.host, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="The port; 0 is any.  [default: wallboard.port, 8080]")
@click.pass_context
def command(context: click.Context, host: str | None, port: int | None) -> None:
    """Serve the control rooms to browsers, until stopped.

    On 127.0.0.1 nobody has to log in. Beyond it users in a file, or proxies that log people in, are needed; those and
    TLS are set in occ.toml, in the table [wallboard]. `occ config` prints what is in force. Several can run at once.
    """
    if context.invoked_subcommand is not None:
        return
    settings = load()
    door = settings.wallboard.door()
    door = replace(door, host=door.host if host is None else host, port=door.port if port is None else port)
    _allow_open_files()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the feed says what matters of it, once
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_stopped(run(door, settings.bootstrap_servers, _tell)))
    except (UnsafeDoorError, FaultySecretError, FaultyUsersError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(Exit.USAGE) from None
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {door.host}, port {door.port}: {error.strerror}.") from None


def _allow_open_files() -> None:
    """Each screen is one; the usual limit of 1024 is there for the sake of programs that use `select`."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if most == resource.RLIM_INFINITY else min(OPEN_FILES, most)
    if allowed < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _tell(address: str) -> None:
    click.echo(f"The wallboard is at {address}")


@command.command("hash-password")
def hash_password() -> None:
    """Ask for a password and print what the file of users keeps of it.

    Where the input is no terminal, its first line is the password.
    """
    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    try:
        click.echo(passwords.hashed(password))
    except ValueError as error:
        raise click.ClickException(f"Not taken: {error}.") from None
