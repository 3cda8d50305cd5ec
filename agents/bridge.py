"""Puts a bridge together: what hears a switch, what its folder holds, and the way to Kafka.

The folder holds the keys of the pseudonyms, what is known of calls that are up, and events that Kafka does not have
yet. One bridge works in a folder; two bridges may hear one switch, each with a folder of its own.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

from agents.bridge_lookout import look_at
from agents.lookout import Lookout
from agents.outbox import Outbox
from schemas.topics import EVENTS
from telephony import asterisk_bridge
from telephony.asterisk_ami import Translator
from telephony.asterisk_bridge import Account
from telephony.hearing import Bridge, HandOn, MemoryFile, Remember
from telephony.origins import NOWHERE, Classifier, FaultyTableError, OriginsFile
from telephony.pseudonyms import Pseudonyms
from telephony.ratchet import Ratchet
from telephony.spool import Spool
from telephony.switch_channels import Memory

TEND_SECONDS = 3
DRAIN_SECONDS = 5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ends:
    """What a bridge is put between: the pseudonyms, the origins and the memory of its translator, and who listens."""

    pseudonyms: Pseudonyms
    origins: Classifier
    memory: Memory
    hand_on: HandOn
    remember: Remember


async def hear_asterisk(
    account: Account,
    servers: str,
    folder: Path,
    *,
    centre: str,
    system: str,
    origins: OriginsFile | None = None,
    topic: str = EVENTS.name,
    lookout: Lookout | None = None,
) -> None:
    """Hear an Asterisk until cancelled; as `hear`. Raises LoginRefusedError, too."""

    def between(ends: Ends) -> Bridge:
        translator = Translator(centre, system, ends.pseudonyms, origins=ends.origins, memory=ends.memory)
        return asterisk_bridge.Bridge(account, translator, ends.hand_on, ends.remember)

    await hear(between, servers, folder, centre=centre, origins=origins, topic=topic, lookout=lookout)


async def hear(
    between: Callable[[Ends], Bridge],
    servers: str,
    folder: Path,
    *,
    centre: str,
    origins: OriginsFile | None = None,
    topic: str = EVENTS.name,
    lookout: Lookout | None = None,
) -> None:
    """Hear a switch by the bridge that is made `between` its ends, until cancelled; `lookout` shows how that goes.

    Raises InUseError and KeyFileError.
    """
    with Spool(folder / "spool") as spool:
        ratchet = Ratchet.open(folder / "keys", _now())
        calls = MemoryFile(folder / "calls.json")
        outbox = Outbox(servers, spool, centre, topic=topic)
        bridge = between(Ends(ratchet, origins or NOWHERE, calls.load(), outbox.put, calls.save))
        if lookout is not None:
            look_at(lookout, bridge, outbox, spool)
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(outbox.run())
            tending = group.create_task(_tend(ratchet, origins))
            try:
                await bridge.run()
            finally:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(DRAIN_SECONDS):
                        await outbox.emptied()
                sending.cancel()
                tending.cancel()
        if spool.waiting_bytes:
            log.warning("%d bytes of events wait in %s for the next start", spool.waiting_bytes, folder)


async def _tend(ratchet: Ratchet, origins: OriginsFile | None) -> None:
    """Destroy old keys and read a changed table, whether or not there is a switch."""
    while True:
        ratchet.advance(_now())
        if origins is not None:
            try:
                if origins.refresh():
                    log.info("the table of origins was read again")
            except FaultyTableError as error:
                log.warning("%s; the last table stays in force", error)
        await asyncio.sleep(TEND_SECONDS)


def _now() -> int:
    return time_ns() // 1_000
