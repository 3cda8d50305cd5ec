"""Lets others look at a process that is no worker and no wallboard: `/health` and `/metrics` on the loopback.

The bridge and the announcer do their work whether or not anybody can look: a port that is taken is said in the log,
and no more.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from agents.config import LookoutSettings
from schemas.health import Check, Health

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lookout:
    """What is to be seen of a process: its parts add their checks and metrics when they begin."""

    checks: dict[str, Callable[[], Awaitable[Check]]] = field(default_factory=dict)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    async def health(self) -> Health:
        """The health of the process now."""
        return Health({name: await check() for name, check in self.checks.items()})


@asynccontextmanager
async def watched(settings: LookoutSettings, lookout: Lookout, variable: str) -> AsyncIterator[int | None]:
    """Serve `lookout` while the context lasts; gives the port, or None when it is taken: then `variable` may help."""
    runner = web.AppRunner(_app(lookout), access_log=None)
    await runner.setup()
    port: int | None
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port).start()
            port = int(runner.addresses[0][1])
        except OSError:
            port = None
            log.error("port %d is taken: nobody can look at /health and /metrics; set %s", settings.port, variable)
        yield port
    finally:
        await runner.cleanup()


def _app(lookout: Lookout) -> web.Application:
    async def health(_: web.Request) -> web.Response:
        found = await lookout.health()
        return web.Response(status=found.http_status, body=found.as_json(), content_type="application/json")

    async def metrics(_: web.Request) -> web.Response:
        page = generate_latest(lookout.registry)
        return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    app = web.Application()
    app.add_routes([web.get("/health", health), web.get("/metrics", metrics)])
    return app
