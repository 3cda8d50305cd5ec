"""`occ translate`: a telephone system's own events into canonical events, one JSON object a line.

What every source shares is here: where the secret of the pseudonyms comes from, and how what was translated is
printed and summed up. Each source is one subcommand.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

import click

from schemas.codec import encode
from schemas.events import Event
from telephony.ami_text import blocks
from telephony.asterisk_ami import Translator
from telephony.pseudonyms import KeyRing
from telephony.reading import epoch_micros, usable_id
from telephony.translating import Skipped

SECRET = "OCC_PSEUDONYM_SECRET"  # noqa: S105
SECRET_BYTES_MIN = 16
PROGRESS_SECONDS = 2


def _name(_: click.Context, parameter: click.Parameter, value: str) -> str:
    if not usable_id(value):
        raise click.BadParameter("a name has 1 to 100 bytes and no control characters.", param=parameter)
    return value


recording = click.argument("file", type=click.File("rb"), metavar="FILE")
centre_option = click.option(
    "--centre",
    default="west-mercia",
    show_default=True,
    callback=_name,
    help="The control room whose events these are.",
)
system_option = click.option("--system", default="pbx1", show_default=True, help="The name of its telephone system.")


@click.group()
def command() -> None:
    """Turn a telephone system's own events into canonical events.

    They are printed as JSONL, a summary on standard error. Callers' numbers and handlers' names become pseudonyms
    under the secret in OCC_PSEUDONYM_SECRET (16 bytes or more).
    """


@command.command("asterisk-ami")
@recording
@centre_option
@system_option
def asterisk_ami(file: BinaryIO, centre: str, system: str) -> None:
    """Translate what Asterisk's manager interface said.

    FILE holds its text as it was received; - is standard input. A line "; recv EPOCH-SECONDS" before a block says
    when that was; without it the block's own Timestamp counts (timestampevents=yes).
    """
    translator = Translator(centre, system, _pseudonyms())
    said = _print(_translated(translator, file))
    if not said and not any(translator.skipped.values()):
        raise click.ClickException("There is not one AMI event with a time in this file.")
    _sum_up(said, translator.skipped)


def _translated(translator: Translator, file: BinaryIO) -> Iterator[Event]:
    now = 0
    for block in blocks(file):
        stamp = epoch_micros(block.fields.get("Timestamp", ""))
        now = block.received_at or stamp or now
        if now:
            yield from translator.feed(block.fields, now)
    yield from translator.finish()


def _print(events: Iterable[Event]) -> Counter[str]:
    """Print the events; how many there were of each type."""
    said: Counter[str] = Counter()
    out = click.get_binary_stream("stdout")
    report_at = time.monotonic() + PROGRESS_SECONDS
    for event in events:
        out.write(encode(event) + b"\n")
        said[str(event.__struct_config__.tag)] += 1
        if time.monotonic() > report_at:
            click.echo(f"{said.total()} events …", err=True)
            report_at = time.monotonic() + PROGRESS_SECONDS
    out.flush()
    return said


def _sum_up(said: Counter[str], skipped: Mapping[Skipped, int]) -> None:
    by_type = ", ".join(f"{name} {n}" for name, n in sorted(said.items()))
    by_kind = ", ".join(f"{kind} {n}" for kind, n in skipped.items() if n)
    click.echo(f"{said.total()} events: {by_type or 'none'}; skipped blocks: {by_kind or 'none'}", err=True)


def _pseudonyms() -> KeyRing:
    secret = os.fsencode(os.environ.get(SECRET, ""))
    if secret and len(secret) < SECRET_BYTES_MIN:
        raise click.ClickException(f"{SECRET} is too short: give it {SECRET_BYTES_MIN} bytes or more.")
    if not secret:
        click.echo(
            f"{SECRET} is not set: pseudonyms, and the ids of handlers' events, cannot be compared between runs.",
            err=True,
        )
    return KeyRing(secret or secrets.token_bytes(32))
