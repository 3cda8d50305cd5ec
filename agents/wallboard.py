"""Puts one wallboard server together: boards from Kafka into its hub, audit records from it to Kafka."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from agents import clients
from agents.audit import AuditTrail
from agents.wallboard_feed import TOPICS, ask, fill, follow, recall
from schemas.health import Check
from wallboard.door import Door
from wallboard.hub import Hub
from wallboard.server import new_hub, serve

log = logging.getLogger(__name__)


async def run(door: Door, servers: str, tell: Callable[[str], None]) -> None:
    """Serve the wallboard until cancelled; `tell` is given its address once it is there.

    Raises UnsafeDoorError, FaultyUsersError, FaultySecretError, ClickException without Kafka, and OSError where the
    address is taken.
    """
    door.check()
    hub = new_hub()

    async def checks() -> Mapping[str, Check]:
        return {"kafka": _kafka(hub), "boards": _boards(hub)}

    async with clients.consumer(servers, *TOPICS) as boards, clients.producer(servers) as producer:
        await boards.seek_to_end()
        await fill(hub, servers)
        async with serve(door, hub, AuditTrail(producer), checks) as address, asyncio.TaskGroup() as tasks:
            tell(address)
            tasks.create_task(follow(hub, boards))
            tasks.create_task(ask(hub, boards))
            tasks.create_task(_recall(hub, servers))


async def _recall(hub: Hub, servers: str) -> None:
    try:
        await recall(hub, servers)
    except clients.KafkaUnreachable:
        log.warning("Kafka went away while the last hours were read: the trends begin now")


def _kafka(hub: Hub) -> Check:
    if hub.feed.state == "lost":
        return Check("failing", "Kafka does not answer, so boards grow old")
    return Check("ok", "Kafka answers")


def _boards(hub: Hub) -> Check:
    numbers = {"centres": len(hub.rooms), "clients": len(hub.clients)}
    if not hub.rooms:
        return Check("degraded", "there is no board yet", numbers)
    return Check("ok", "there are boards", numbers)
