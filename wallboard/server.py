"""One server: the page, its files, REST and streams over a hub of boards. It knows no Kafka: boards are handed to it.

Every answer carries the same strict headers; nothing of an error leaves but a sentence.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from time import time_ns

from aiohttp import web
from prometheus_client import CollectorRegistry

from schemas.health import Check
from wallboard.access import Access, AccessError
from wallboard.api import BODY_BYTES_MAX, Api, Audit, error
from wallboard.door import Door
from wallboard.hub import Hub
from wallboard.metrics import WallboardCollector
from wallboard.static_files import read_static
from wallboard.streams import Streams

DOCUMENTS = ("definitions.json", "openapi.json")
SHUTDOWN_SECONDS = 1.0
IDLE_SECONDS = 20.0
"""Whoever connects and asks nothing for so long is cut off."""
BACKLOG = 1_024
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Server": "occ",
}
HSTS = "max-age=31536000"
Checks = Callable[[], Awaitable[Mapping[str, Check]]]

log = logging.getLogger(__name__)


def new_hub() -> Hub:
    """A hub by this machine's clock."""
    return Hub(lambda: time_ns() // 1000)


@asynccontextmanager
async def serve(door: Door, hub: Hub, audit: Audit, checks: Checks) -> AsyncIterator[str]:
    """Serve `hub` until the context ends; gives the address. Raises UnsafeDoorError, FaultyUsersError,
    FaultySecretError, and OSError where the address is taken."""
    door.check()
    access = Access(door)
    streams = Streams(hub, access)
    runner = web.AppRunner(
        _app(hub, access, streams, audit, checks),
        access_log=None,
        keepalive_timeout=IDLE_SECONDS,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    keeper = asyncio.create_task(streams.keep())
    try:
        site = web.TCPSite(runner, door.host, door.port, ssl_context=door.tls(), backlog=BACKLOG)
        await site.start()
        host = f"[{door.host}]" if ":" in door.host else door.host
        yield f"{door.scheme}://{host}:{runner.addresses[0][1]}/"
    finally:
        keeper.cancel()
        streams.end()
        await runner.cleanup()


def _app(hub: Hub, access: Access, streams: Streams, audit: Audit, checks: Checks) -> web.Application:
    registry = CollectorRegistry()
    registry.register(WallboardCollector(hub))
    api = Api(
        hub=hub,
        access=access,
        streams=streams,
        audit=audit,
        static=read_static(),
        documents={name: (files("wallboard") / name).read_bytes() for name in DOCUMENTS},
        registry=registry,
        checks=checks,
    )
    app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[_guard(access)])
    app.add_routes(api.routes())

    async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.update(HEADERS)
        if access.secure(request):
            response.headers["Strict-Transport-Security"] = HSTS

    app.on_response_prepare.append(add_headers)
    return app


def _guard(access: Access) -> Callable[..., Awaitable[web.StreamResponse]]:
    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            access.check_request(request)
            return await handler(request)
        except AccessError as turned_away:
            return error(turned_away.says, turned_away.status, turned_away.headers)
        except web.HTTPException as refused:
            return error(f"{refused.reason}.", refused.status, _allowed(refused))
        except ConnectionError:
            raise
        except Exception:
            log.exception("a request for %s failed", request.match_info.route.resource)
            return error("Something went wrong here; the server's log says what.", 500)

    return guard


def _allowed(refused: web.HTTPException) -> dict[str, str]:
    return {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else {}
