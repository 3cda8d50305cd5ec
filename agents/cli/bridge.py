"""`occ bridge`: hears a telephone system and sends what happens in it to Kafka."""

import asyncio
import logging
from pathlib import Path

import click

from agents.bridge import hear_asterisk
from agents.cli.running import until_stopped
from agents.cli.translate import centre_option, system_option
from agents.config import load
from agents.lookout import Lookout, watched
from agents.secret_file import secret_in
from telephony.asterisk_bridge import Account, LoginRefusedError
from telephony.origins import FaultyTableError, OriginsFile
from telephony.ratchet import KeyFileError
from telephony.spool import InUseError


class Address(click.ParamType):
    """`HOST:PORT`."""

    name = "host:port"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """The host and the port of `value`."""
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            self.fail(f"{value!r} is not an address such as 127.0.0.1:5038", param, ctx)
        return host, int(port)


@click.group()
def command() -> None:
    """Hear a telephone system and send what happens in it to Kafka, until stopped."""


@command.command()
@centre_option
@system_option
@click.option("--ami", type=Address(), default="127.0.0.1:5038", show_default=True, help="Its manager interface.")
@click.option("--user", default="occ-bridge", show_default=True, help="Who logs in there.")
@click.option(
    "--secret-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="A file with that user's password.",
)
@click.option(
    "--origins",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table of numbers and trunks that says where calls come from; read again when it changes.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where keys, open calls and unsent events are kept.  [default: bridge/CENTRE/SYSTEM in the cache]",
)
def asterisk(
    centre: str,
    system: str,
    ami: tuple[str, int],
    user: str,
    secret_file: Path,
    origins: Path | None,
    folder: Path | None,
) -> None:
    """Hear an Asterisk by its manager interface.

    While Kafka is away events wait on disk; while the switch is away it is knocked on again and again. Callers'
    numbers never leave this process: pseudonyms do, under keys in the folder that change every day. A second bridge
    on the same switch gets a copy of the folder's file `keys` before it starts. How it fares is at /health and
    /metrics of 127.0.0.1:6067, or where OCC_BRIDGE__PORT says.
    """
    settings = load()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the outbox says what matters of it, once
    lookout = Lookout()

    async def hear() -> None:
        async with watched(settings.bridge, lookout, "OCC_BRIDGE__PORT"):
            await hear_asterisk(
                Account(*ami, user, secret_in(secret_file)),
                settings.bootstrap_servers,
                folder or settings.cache / "bridge" / centre / system,
                centre=centre,
                system=system,
                origins=OriginsFile(origins) if origins else None,
                lookout=lookout,
            )

    try:
        asyncio.run(until_stopped(hear()))
    except (FaultyTableError, InUseError, KeyFileError, LoginRefusedError, OSError) as error:
        raise click.ClickException(str(error)) from None
