"""`occ import`: what other systems have written down, to the topic of events."""

import asyncio
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

import click

from agents import clients
from agents.cli.progress import Progress
from agents.cli.running import until_stopped
from agents.cli.translate import (
    centre_option,
    handlers,
    keys_option,
    log_events,
    name_faults,
    name_log_faults,
    pseudonyms,
    recording,
    system_option,
    timezone_option,
)
from agents.config import load
from agents.importing import Selector, require_recent
from agents.sending import AtOnce, Record, require_events_topic, send_when_due, wall_clock
from agents.wrap_up import Conversations, conversations, match
from telephony.contact_log import ContactLog, FaultyHeaderError
from telephony.queue_log import Translator

recent_option = click.option("--recent", is_flag=True, help="Leave out what began more than 48 hours ago.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object at the end.")


@click.group()
def command() -> None:
    """Send what other systems have written down to Kafka.

    A file is checked whole first: with one line at fault nothing is sent, the lines are named and the exit code is
    1. The same file sent twice changes nothing, under the same secret. Ctrl-C ends it with exit code 0.
    """


@command.command("queue-log")
@recording
@centre_option
@system_option
@timezone_option
@keys_option
@recent_option
@json_option
def queue_log(
    file: BinaryIO,
    centre: str,
    system: str,
    zone: ZoneInfo | None,
    keys: Path | None,
    recent: bool,
    as_json: bool,
) -> None:
    """Send the visits in Asterisk's own log of its queues, read as by `occ translate queue-log`.

    For the time in which no bridge listened. What the bridge told too stays as it told it, to the microsecond; give
    --keys, so that handlers are the same in both. The worker takes no event older than 48 hours: where a visit
    began before that, nothing is sent, unless --recent leaves it out. Visits whose end is not in the log are left out
    in any case, and counted: who waits is for the bridge to say.
    """
    servers = load().bootstrap_servers
    translator = Translator(centre, system, pseudonyms(keys, lasting=True), zone=zone)
    selector = Selector(wall_clock())
    with Progress() as progress:
        for read, event in enumerate(log_events(translator, file), 1):
            selector.take(event)
            progress.show("read", read)
    if faults := name_log_faults(translator):
        raise _unusable(faults)
    if not any(translator.skipped.values()) and selector.is_empty:
        raise click.ClickException("There is not one row in this file.")
    selection = selector.selection()
    if not recent:
        require_recent(selection)
    left_out = {"too_old": selection.too_old, "without_end": selection.without_end}
    _send(servers, selection.records, as_json, left_out)


@command.command("wrap-up")
@recording
@centre_option
@system_option
@timezone_option
@keys_option
@recent_option
@json_option
def wrap_up(
    file: BinaryIO,
    centre: str,
    system: str,
    zone: ZoneInfo | None,
    keys: Path | None,
    recent: bool,
    as_json: bool,
) -> None:
    """Send when handlers were done writing up, from the export of a contact log.

    FILE is CSV in UTF-8 with a header; - is standard input. Its columns, in any order:

    \b
      visit          the visit, or
      call           the call (of Asterisk: the channel's Uniqueid)
      handler        who answered, by the name the switch has; needed
                     where several answered the call
      end            when the wrap-up was over, or
      start,seconds  when it began and how long it took, or
      seconds        how long it took after the conversation
      outcome_class  police, other_agency, advice or no_trace; optional
      agency         which other agency; optional

    Times have an offset (2026-11-24T08:00:00Z), or are local and need --timezone. A wrap-up counts from the end of
    the conversation. Which conversation a row means is looked up in what the topic of events says of the last two
    days; handlers are told apart by pseudonyms, so give --keys of the bridge. A row at fault, or of a conversation
    that is not known, is named with its line, and nothing is sent. Of two ends of one wrap-up the earlier counts.
    """
    servers = load().bootstrap_servers
    now = wall_clock()
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    log = ContactLog(system, lambda name: _handlers(keys)(name), zone)
    try:
        rows = list(log.read(text))
    except FaultyHeaderError as error:
        raise click.ClickException(f"Nothing was sent: {error}.") from None
    if not rows:
        raise click.ClickException("There is not one row in this file.")
    matched = match(rows, asyncio.run(_conversations(servers, centre, now)), now)
    if matched.faults:
        name_faults(matched.faults, len(matched.faults))
        raise _unusable(len(matched.faults))
    if matched.too_old and not recent:
        raise click.ClickException(
            f"Nothing was sent: {matched.too_old:,} of its rows are more than 48 hours old, and the worker takes "
            "nothing that old. --recent leaves them out."
        )
    _send(servers, matched.records, as_json, {"too_old": matched.too_old})


async def _conversations(servers: str, centre: str, now: int) -> Conversations:
    await require_events_topic(servers)
    return await conversations(servers, centre, now)


@cache
def _handlers(keys: Path | None) -> Callable[[str], str]:
    return handlers(keys)


def _unusable(faults: int) -> click.ClickException:
    return click.ClickException(f"Nothing was sent: {faults:,} lines of this file cannot be used.")


def _send(servers: str, records: list[Record], as_json: bool, left_out: dict[str, int]) -> None:
    """Send all, and say how many; `left_out` is what was not to be sent, by why."""
    sent = 0

    async def send() -> bool:
        await require_events_topic(servers)
        async with clients.producer(servers) as producer:
            with Progress() as progress:

                def acknowledged(count: int) -> None:
                    nonlocal sent
                    sent = count
                    progress.show("sent", count)

                await send_when_due(AtOnce(records), producer, sent=acknowledged)
        return True

    ended = asyncio.run(until_stopped(send()))
    if as_json:
        said: dict[str, Any] = {"sent": sent, "of": len(records), "left_out": left_out, "stopped": ended is None}
        click.echo(json.dumps(said))
        return
    why = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in left_out.items() if count)
    click.echo(f"{sent:,} of {len(records):,} events sent.{f' Left out: {why}.' if why else ''}", err=True)
