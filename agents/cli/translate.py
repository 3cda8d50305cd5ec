"""`occ translate`: a telephone system's own events into canonical events, one JSON object a line.

What every source shares is here: where the secret of the pseudonyms comes from, and how what was translated is
printed and summed up. Each source is one subcommand.
"""

import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo, available_timezones

import click

from agents.config import SECRET_VARIABLE as SECRET
from schemas.codec import encode
from schemas.events import Event
from telephony import ami_text, asterisk_ami, freeswitch, freeswitch_text, queue_log
from telephony.pseudonyms import KeyRing, Pseudonyms
from telephony.queue_log import FAULTS_MAX
from telephony.ratchet import HandlersOfBridge, KeyFileError
from telephony.reading import epoch_micros, usable_id

SECRET_BYTES_MIN = 16
PROGRESS_SECONDS = 2


def _name(_: click.Context, parameter: click.Parameter, value: str) -> str:
    if not usable_id(value) or "/" in value:
        raise click.BadParameter("a name has 1 to 100 bytes, no slash and no control characters.", param=parameter)
    return value


recording = click.argument("file", type=click.File("rb"), metavar="FILE")
centre_option = click.option(
    "--centre",
    default="west-mercia",
    show_default=True,
    callback=_name,
    help="The control room whose events these are.",
)
system_option = click.option(
    "--system", default="pbx1", show_default=True, callback=_name, help="The name of its telephone system."
)
keys_option = click.option(
    "--keys",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file `keys` in a live bridge's folder: handlers get the pseudonyms that they have there.",
)


class Zone(click.ParamType):
    """The name of a time zone."""

    name = "zone"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> ZoneInfo:
        """The time zone of that name."""
        if value not in available_timezones():
            self.fail(f"{value!r} is not a time zone such as Europe/London", param, ctx)
        return ZoneInfo(value)


timezone_option = click.option("--timezone", "zone", type=Zone(), help="Of rows with a local time: Europe/London.")


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
def from_asterisk_ami(file: BinaryIO, centre: str, system: str) -> None:
    """Translate what Asterisk's manager interface said.

    FILE holds its text as it was received; - is standard input. A line "; recv EPOCH-SECONDS" before a block says
    when that was; without it the block's own Timestamp counts (timestampevents=yes).
    """
    translator = asterisk_ami.Translator(centre, system, pseudonyms(None))
    said = _print(_from_ami(translator, file))
    if not said and not any(translator.skipped.values()):
        raise click.ClickException("There is not one AMI event with a time in this file.")
    _sum_up(said, "blocks", translator.skipped)


@command.command("queue-log")
@recording
@centre_option
@system_option
@timezone_option
@keys_option
def asterisk_queue_log(file: BinaryIO, centre: str, system: str, zone: ZoneInfo | None, keys: Path | None) -> None:
    """Translate Asterisk's own log of its queues.

    FILE holds its rows in the order in which they were written; - is standard input. Give --system the name that the
    bridge of the same switch has, and visits get the ids that they have there; the source is SYSTEM-queue-log. Times
    are epoch seconds, or local text from a database (2026-11-24 08:00:00.123456), which needs --timezone; such a
    table comes as rows by

    \b
      SELECT CONCAT_WS('|', time, callid, queuename, agent, event,
                       data1, data2, data3, data4, data5)
      FROM queue_log ORDER BY id

    Lines that are no rows are named, counted and left out. So are rows of the hour that comes twice in autumn where
    the order of the rows does not decide which of the two it is.
    """
    translator = queue_log.Translator(centre, system, pseudonyms(keys), zone=zone)
    said = _print(log_events(translator, file))
    name_log_faults(translator)
    if not said and translator.skipped["malformed"] == sum(translator.skipped.values()):
        raise click.ClickException("There is not one row in this file that can be used.")
    _sum_up(said, "rows", translator.skipped)


@command.command("freeswitch")
@recording
@centre_option
@system_option
def from_freeswitch(file: BinaryIO, centre: str, system: str) -> None:
    """Translate what FreeSWITCH's event socket said of mod_callcenter.

    FILE holds its text as it was received; - is standard input. What it takes, and in which format, is

    \b
      event plain CHANNEL_CREATE CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE
      CHANNEL_HOLD CHANNEL_UNHOLD HEARTBEAT BACKGROUND_JOB
      CUSTOM callcenter::info

    in one line. Jobs are the listings by bgapi of callcenter_config (tier list, agent list, queue list members QUEUE)
    and of show channels.
    """
    translator = freeswitch.Translator(centre, system, pseudonyms(None))
    said = _print(_from_event_socket(translator, file))
    if not said and translator.skipped["malformed"] == sum(translator.skipped.values()):
        raise click.ClickException(
            "There is not one event of FreeSWITCH's event socket in this file: record it with `event plain`,"
            " not as json, as xml or by fs_cli."
        )
    _sum_up(said, "blocks", translator.skipped)


def log_events(translator: queue_log.Translator, file: BinaryIO) -> Iterator[Event]:
    """The events of a queue_log."""
    for line in file:
        yield from translator.feed(line)
    yield from translator.finish()


def name_faults(faults: Sequence[tuple[int, str]], count: int) -> None:
    """Name the first lines that were refused on the standard error; there were `count`."""
    for line, why in faults[:FAULTS_MAX]:
        click.echo(f"line {line} {why}", err=True)
    if count > FAULTS_MAX:
        click.echo(f"… and {count - FAULTS_MAX:,} more lines", err=True)


def name_log_faults(translator: queue_log.Translator) -> int:
    """The same of a queue_log; how many there were."""
    count = translator.skipped["malformed"] + translator.skipped["undecided_time"]
    name_faults([(fault.line, fault.why) for fault in translator.faults], count)
    return count


def _from_ami(translator: asterisk_ami.Translator, file: BinaryIO) -> Iterator[Event]:
    now = 0
    for block in ami_text.blocks(file):
        stamp = epoch_micros(block.fields.get("Timestamp", ""))
        now = block.received_at or stamp or now
        if now:
            yield from translator.feed(block.fields, now)
    yield from translator.finish()


def _from_event_socket(translator: freeswitch.Translator, file: BinaryIO) -> Iterator[Event]:
    now = 0
    for fields in freeswitch_text.blocks(file):
        now = freeswitch_text.stamp(fields) or now
        yield from translator.feed(fields, now)
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


def _sum_up(said: Counter[str], units: str, skipped: Mapping[Any, int]) -> None:
    by_type = ", ".join(f"{name} {n}" for name, n in sorted(said.items()))
    by_kind = ", ".join(f"{kind} {n}" for kind, n in skipped.items() if n)
    click.echo(f"{said.total()} events: {by_type or 'none'}; skipped {units}: {by_kind or 'none'}", err=True)


def pseudonyms(keys: Path | None, *, lasting: bool = False) -> Pseudonyms:
    """Those under the secret; handlers' under a bridge's `keys` where they are given. Raises ClickException.

    Where they have to be the same the next time, `lasting`, there has to be a secret.
    """
    secret = os.fsencode(os.environ.get(SECRET, ""))
    if lasting and not secret:
        raise click.ClickException(
            f"{SECRET} is not set: give it {SECRET_BYTES_MIN} bytes or more, the same each time, so that what is "
            "imported twice is the same twice."
        )
    if secret and len(secret) < SECRET_BYTES_MIN:
        raise click.ClickException(f"{SECRET} is too short: give it {SECRET_BYTES_MIN} bytes or more.")
    if not secret:
        whose = "callers' pseudonyms" if keys else "pseudonyms, and the ids of handlers' events,"
        click.echo(f"{SECRET} is not set: {whose} cannot be compared between runs.", err=True)
    ring = KeyRing(secret or secrets.token_bytes(32))
    return ring if keys is None else _with_handlers_of(keys, ring)


def handlers(keys: Path | None) -> Callable[[str], str]:
    """The pseudonyms of handlers alone, the same each time. Raises ClickException."""
    return (pseudonyms(None, lasting=True) if keys is None else _with_handlers_of(keys, KeyRing(b""))).handler


def _with_handlers_of(keys: Path, callers: Pseudonyms) -> Pseudonyms:
    try:
        return HandlersOfBridge(callers, keys)
    except KeyFileError as error:
        raise click.ClickException(str(error)) from None
