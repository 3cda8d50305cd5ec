"""`occ announcer`: speaks what the worker decides; the log driver writes the words down instead."""

import asyncio
import ipaddress
import logging
from datetime import UTC, datetime
from pathlib import Path

import click
from yarl import URL

from agents.announcer import announce
from agents.cli.bridge import Address
from agents.cli.running import until_stopped
from agents.cli.translate import centre_option, system_option
from agents.config import Settings, load
from agents.lookout import Lookout, watched
from agents.secret_file import secret_in
from telephony.asterisk_ari import AriDriver, Interface, ReplacedError
from telephony.asterisk_bridge import Account, LoginRefusedError
from telephony.asterisk_chanspy import ChanSpyDriver
from telephony.asterisk_waiting import Watch
from telephony.speaking import Driver, LogDriver


@click.command()
@click.option(
    "--driver",
    type=click.Choice(["log", "ari", "ami"]),
    default="log",
    show_default=True,
    help="What the words are given to: the log, an Asterisk's REST interface, or its manager interface alone.",
)
@centre_option
@system_option
@click.option("--ari", default="http://127.0.0.1:8088", show_default=True, help="The switch's REST interface.")
@click.option(
    "--ami", type=Address(), default="127.0.0.1:5038", show_default=True, help="The switch's manager interface."
)
@click.option("--user", default="occ-announcer", show_default=True, help="Who logs in at both.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with that user's password.",
)
@click.option(
    "--sounds",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The switch's folder of sounds, or a copy of it: the driver ami cannot ask the switch for it.",
)
@click.option("--plain-text", is_flag=True, help="Let the password leave this machine unencrypted.")
def command(
    driver: str,
    centre: str,
    system: str,
    ari: str,
    ami: tuple[str, int],
    user: str,
    secret_file: Path | None,
    sounds: Path | None,
    plain_text: bool,
) -> None:
    """Speak what the worker decides to waiting callers, until stopped.

    The driver `log` prints each line instead, takes as long as saying it would, and reports the outcome. The others
    speak to callers of one switch, while they wait there, and fall silent when they are answered. How it fares is at
    /health and /metrics of 127.0.0.1:6068, or where OCC_ANNOUNCER__PORT says.
    """
    settings = load()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    if driver == "log":
        _run(settings, LogDriver(), None)
        return
    if secret_file is None:
        raise click.UsageError(f"--driver {driver} needs --secret-file.")
    secret = secret_in(secret_file)
    if driver == "ami" and sounds is None:
        raise click.UsageError("--driver ami needs --sounds.")
    watch = Watch(Account(*_allowed(ami, plain_text), user, secret))
    speaking: Driver = (
        ChanSpyDriver(watch, sounds)
        if sounds is not None and driver == "ami"
        else AriDriver(Interface(_allowed_url(ari, plain_text), user, secret), watch)
    )
    _run(settings, speaking, f"//{centre}/{system}")


def _run(settings: Settings, driver: Driver, source: str | None) -> None:
    lookout = Lookout()

    async def speak() -> None:
        async with watched(settings.announcer, lookout, "OCC_ANNOUNCER__PORT"):
            await announce(
                settings.bootstrap_servers, driver, _print, source=source, lookout=lookout, begun=_say_that_it_began
            )

    try:
        asyncio.run(until_stopped(speak()))
    except (LoginRefusedError, ReplacedError) as error:
        raise click.ClickException(str(error)) from None


def _allowed(address: tuple[str, int], plain_text: bool) -> tuple[str, int]:
    if not plain_text and not _is_here(address[0]):
        raise click.UsageError(
            f"The manager interface at {address[0]} is plain text: use a tunnel, or say --plain-text."
        )
    return address


def _allowed_url(url: str, plain_text: bool) -> str:
    try:
        parsed = URL(url)
    except ValueError:
        parsed = URL()
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.user or parsed.password:
        raise click.UsageError("--ari is an address such as http://127.0.0.1:8088, without user and password.")
    if parsed.scheme == "http" and not plain_text and not _is_here(parsed.host):
        raise click.UsageError(
            f"The password would go to {parsed.host} as plain text: use https, or say --plain-text."
        )
    return url


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _say_that_it_began() -> None:
    click.echo("Announcing; Ctrl-C stops.", err=True)


def _print(line: str) -> None:
    click.echo(f"{datetime.now(UTC):%H:%M:%S}Z {line}")
