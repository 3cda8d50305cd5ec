"""One wallboard server as a browser meets it: boards put into its hub, requests over its port, streams read."""

import zlib
from typing import Any, Self

import aiohttp
import orjson

from schemas.health import Check
from schemas.moments import moment, rfc3339
from schemas.outputs import AuditRecord, Command
from wallboard.door import Door
from wallboard.server import new_hub, serve

AT = 1_764_144_000_000_000


def a_board(
    centre: str = "west", *, at: int = AT, waiting: int = 2, epoch: int = 1, queue: str = "101"
) -> dict[str, Any]:
    """A small board with two visits that wait, `at` in µs."""
    return {
        "centre": centre,
        "as_of": rfc3339(at),
        "epoch": epoch,
        "feed": {
            "state": "live",
            "data_age_seconds": 1.0,
            "sources": [{"source": f"//{centre}/pbx1", "age_seconds": 1.0}],
        },
        "queues": [
            {
                "queue": queue,
                "waiting": waiting,
                "oldest_wait_seconds": 40.5,
                "windows": {"15m": {"service_level": 0.75, "abandonment_rate": 0.125}},
                "handlers": {"available": 3},
                "visits": [
                    {"visit": "pbx1-1764.17", "position": 1, "waited_seconds": 40.5, "ringing": False},
                    {"visit": "pbx1-1764.18", "position": 2, "waited_seconds": 3.0, "ringing": True},
                ],
            }
        ],
        "conservation": {"ok": True, "errors": {queue: 0}},
    }


def said(number: int, centre: str = "west") -> Command:
    """An announcement of a position to a caller."""
    at = moment(AT + number * 1_000_000)
    return Command(
        id=f"a{number}", centre=centre, visit="pbx1-1764.17", call="call-1764.17", queue="101", source="//west/pbx1",
        epoch=1, kind="position", language="en", text="You are number 3.", issued_at=at, expires_at=at, position=3,
    )  # fmt: skip


class Browser:
    """Requests to one server, with a cookie jar; ended with the context."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(
            self.url,
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            auto_decompress=False,
            skip_auto_headers=("User-Agent",),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    @property
    def port(self) -> int:
        """Where the server listens."""
        return int(self.url.rsplit(":", 1)[1].strip("/"))

    async def get(self, path: str, **options: Any) -> "Answer":
        """What a GET is answered."""
        return await self.ask("GET", path, **options)

    async def ask(self, method: str, path: str, **options: Any) -> "Answer":
        """What any request is answered."""
        headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
        async with self.session.request(method, path, headers=headers, ssl=False, **options) as response:
            return Answer(response, await response.read())

    async def stream(self, query: str, **headers: str) -> "Stream":
        """An open stream; `query` as in an address."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=20)
        return Stream(await self.session.get(f"/api/stream?{query}", headers=headers, timeout=timeout))


class Served(Browser):
    """A running server that is fed by hand, and a browser at it.

    `audited` is what it wrote to the audit trail, which fails unless `audit_works`; `fault` is what its checks raise.
    """

    def __init__(self, door: Door) -> None:
        self.door = door
        self.hub = new_hub()
        self.audited: list[AuditRecord] = []
        self.audit_works = True
        self.checks: dict[str, Check] = {}
        self.fault: Exception | None = None
        self._ended = False

    async def __aenter__(self) -> Self:
        self._serving = serve(self.door, self.hub, self._audit, self._checks)
        self.url = await self._serving.__aenter__()
        return await super().__aenter__()

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self.end()

    async def end(self) -> None:
        """End the server, now or with the context."""
        if not self._ended:
            self._ended = True
            await self._serving.__aexit__(None, None, None)

    async def _audit(self, record: AuditRecord) -> None:
        if not self.audit_works:
            raise OSError
        self.audited.append(record)

    async def _checks(self) -> dict[str, Check]:
        if self.fault:
            raise self.fault
        return self.checks


class Answer:
    """One answer, read whole."""

    def __init__(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        self.status, self.headers, self.cookies, self.body = response.status, response.headers, response.cookies, body

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class Stream:
    """Server-sent events as they arrive; compressed or not."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self._inflate = zlib.decompressobj(31) if response.headers.get("Content-Encoding") == "gzip" else None
        self._text = b""

    async def next(self) -> dict[str, Any]:
        """The next event: its members by name, `data` decoded. Raises EOFError at the end."""
        while b"\n\n" not in self._text:
            arrived = await self.response.content.readany()
            if not arrived:
                raise EOFError
            self._text += self._inflate.decompress(arrived) if self._inflate else arrived
        block, _, self._text = self._text.partition(b"\n\n")
        members = dict(line.split(": ", 1) for line in block.decode().split("\n"))
        return {name: orjson.loads(value) if name == "data" else value for name, value in members.items()}

    async def next_of(self, name: str) -> dict[str, Any]:
        """The next event of this name."""
        while (event := await self.next()).get("event") != name:
            pass
        return event

    async def ended(self) -> bool:
        """True once the server has ended it."""
        try:
            while True:
                await self.next()
        except (EOFError, aiohttp.ClientError):
            return True
