"""What the page asks: each request by its route, answered in JSON, and turned away in one sentence."""

import asyncio
import gzip
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from schemas.health import Check, Health
from schemas.moments import moment
from schemas.outputs import AuditRecord
from wallboard.access import Access, AccessError, Person
from wallboard.history import MINUTES_MAX, WINDOW
from wallboard.hub import Client, Hub
from wallboard.static_files import INDEX, StaticFile, accepts_gzip
from wallboard.streams import Streams
from wallboard.users import NAME_LENGTH_MAX
from wallboard.views import VIEWS, View

BODY_BYTES_MAX = 4_096
BODY_SECONDS_MAX = 10.0
CLIENTS_MAX = 2_000
CENTRES_A_STREAM_MAX = 32
MINUTES_DEFAULT = 60
WORTH_COMPRESSING = 1_000

ROUTES = {
    ("GET", "/"): "index",
    ("GET", "/static/{file}"): "file",
    ("GET", "/api/session"): "session",
    ("POST", "/api/login"): "log_in",
    ("POST", "/api/logout"): "log_out",
    ("GET", "/api/centres"): "centres",
    ("GET", "/api/centres/{centre}/board"): "board",
    ("GET", "/api/centres/{centre}/history"): "history",
    ("GET", "/api/centres/{centre}/announcements"): "announcements",
    ("GET", "/api/stream"): "stream",
    ("GET", "/api/definitions"): "definitions",
    ("GET", "/api/openapi.json"): "openapi",
    ("GET", "/health"): "health",
    ("GET", "/metrics"): "metrics",
}
"""Every route there is, and the method of Api that answers it."""

Audit = Callable[[AuditRecord], Awaitable[None]]
"""Keeps a record for good; raises OSError when it cannot."""

log = logging.getLogger(__name__)


class _Login(msgspec.Struct, forbid_unknown_fields=True):
    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The handlers of one server, and what they need."""

    hub: Hub
    access: Access
    streams: Streams
    audit: Audit
    static: Mapping[str, StaticFile]
    documents: Mapping[str, bytes]
    registry: CollectorRegistry
    checks: Callable[[], Awaitable[Mapping[str, Check]]]

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [web.route(method, path, getattr(self, name)) for (method, path), name in ROUTES.items()]

    # The page ----------------------------------------------------------------------------------------------------

    async def index(self, request: web.Request) -> web.Response:
        return self._file(INDEX, request)

    async def file(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["file"], request)

    def _file(self, name: str, request: web.Request) -> web.Response:
        found = self.static.get(name)
        if found is None:
            raise AccessError(404, "There is no such file.")
        return found.answer(request)

    # People ------------------------------------------------------------------------------------------------------

    async def session(self, request: web.Request) -> web.Response:
        person = self.access.person(request)
        said = {"user": person.name, "role": person.role} if person else {"user": None, "role": "view"}
        return _json(request, said | {"login": person is None})

    async def log_in(self, request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise AccessError(415, "A login is JSON: a user and a password.")
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                given = msgspec.json.decode(await request.read(), type=_Login)
        except TimeoutError:
            raise AccessError(408, "The login did not arrive in time.") from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise AccessError(400, "A login is JSON: a user and a password.") from None
        if len(given.user) > NAME_LENGTH_MAX:
            raise AccessError(401, "The name or the password is wrong.")
        response = _json(request, {})
        self.access.set_cookie(request, response, await self.access.log_in(request, given.user, given.password))
        return response

    async def log_out(self, request: web.Request) -> web.Response:
        response = _json(request, {})
        self.access.drop_cookies(response)
        return response

    def _person(self, request: web.Request) -> Person:
        person = self.access.person(request)
        if person is None:
            raise AccessError(401, "Log in first.")
        return person

    def _view(self, request: web.Request, person: Person) -> View:
        """The view asked for, else the most the person may see."""
        wanted = request.query.get("view", "supervisor" if person.role == "supervise" else "room")
        for view in VIEWS:
            if view == wanted:
                if view == "supervisor" and person.role != "supervise":
                    raise AccessError(403, "Single visits are shown to supervisors only.")
                return view
        raise AccessError(400, f"view is one of {', '.join(VIEWS)}.")

    # Boards ------------------------------------------------------------------------------------------------------

    async def centres(self, request: web.Request) -> web.Response:
        self._person(request)
        rooms = sorted(self.hub.rooms.items())
        return _json(request, {"centres": [{"centre": name, "as_of": room.board["as_of"]} for name, room in rooms]})

    async def board(self, request: web.Request) -> web.Response:
        person = self._person(request)
        view = self._view(request, person)
        centre = self._known(request.match_info["centre"])
        await self._record(request, person, view, [centre])
        return _bytes(request, self.hub.rooms[centre].edition(view).json)

    async def history(self, request: web.Request) -> web.Response:
        self._person(request)
        centre = self._known(request.match_info["centre"])
        minutes = _minutes(request.query.get("minutes", str(MINUTES_DEFAULT)))
        series = self.hub.rooms[centre].history.series(minutes, self.hub.clock())
        return _json(request, {"centre": centre, "step_seconds": 60, "window": WINDOW, "queues": series})

    async def announcements(self, request: web.Request) -> web.Response:
        person = self._person(request)
        if person.role != "supervise":
            raise AccessError(403, "What callers are told is shown to supervisors only.")
        centre = self._known(request.match_info["centre"])
        await self._record(request, person, "supervisor", [centre])
        return _bytes(request, self.hub.rooms[centre].announcements.json)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        person = self._person(request)
        view = self._view(request, person)
        asked = list(dict.fromkeys(request.query.getall("centre", [])))
        if not 1 <= len(asked) <= CENTRES_A_STREAM_MAX:
            raise AccessError(400, f"Name 1 to {CENTRES_A_STREAM_MAX} control rooms: ?centre=a&centre=b.")
        centres = [self._known(each) for each in asked]
        if len(self.hub.clients) >= CLIENTS_MAX:
            raise AccessError(503, "Too many screens look at this server already.", {"Retry-After": "5"})
        await self._record(request, person, view, centres)
        return await self.streams.serve(request, person, Client(view, centres))

    def _known(self, centre: str) -> str:
        if centre not in self.hub.rooms:
            raise AccessError(404, "There is no board of such a control room.")
        return centre

    async def _record(self, request: web.Request, person: Person, view: View, centres: list[str]) -> None:
        """Whoever looks at single visits is recorded first: what cannot be recorded is not shown."""
        if view != "supervisor":
            return
        for centre in centres:
            record = AuditRecord(
                centre=centre,
                at=moment(self.hub.clock()),
                action="consultation",
                what="waiting visits, by position and age, and announcements, on the wallboard",
                who=person.name,
                session=person.session,
                address=self.access.address(request),
            )
            try:
                await self.audit(record)
            except OSError:
                log.error("the audit topic cannot be written to: no single visits are shown")
                raise AccessError(
                    503, "Who looks at single visits is recorded, and that is not possible now.", {"Retry-After": "5"}
                ) from None

    # Documents ---------------------------------------------------------------------------------------------------

    async def definitions(self, request: web.Request) -> web.Response:
        self._person(request)
        return _bytes(request, self.documents["definitions.json"])

    async def openapi(self, request: web.Request) -> web.Response:
        return _bytes(request, self.documents["openapi.json"])

    async def health(self, request: web.Request) -> web.Response:
        health = Health(await self.checks())
        return web.Response(status=health.http_status, body=health.as_json(), content_type="application/json")

    async def metrics(self, request: web.Request) -> web.Response:
        if not self.access.from_this_machine(request):
            self._person(request)
        return web.Response(
            body=generate_latest(self.registry), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_PLAIN_0_0_4}
        )


def _minutes(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= len(str(MINUTES_MAX)) and 1 <= int(text) <= MINUTES_MAX:
        return int(text)
    raise AccessError(400, f"minutes is a whole number from 1 to {MINUTES_MAX}.")


def _json(request: web.Request, content: Any) -> web.Response:
    return _bytes(request, orjson.dumps(content))


def _bytes(request: web.Request, content: bytes) -> web.Response:
    headers = {hdrs.CACHE_CONTROL: "no-store", hdrs.VARY: hdrs.ACCEPT_ENCODING, hdrs.CONTENT_TYPE: "application/json"}
    if len(content) > WORTH_COMPRESSING and accepts_gzip(request):
        content = gzip.compress(content, 5, mtime=0)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=content, headers=headers)


def error(says: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """The answer to a request that is turned away."""
    return web.Response(
        status=status, body=orjson.dumps({"error": says}), content_type="application/json", headers=headers
    )
