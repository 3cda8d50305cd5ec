"""The open streams: each is written what it has yet to see, and ended when it is too slow or may no longer look.

A client that takes nothing for SLOW_SECONDS is cut off. What waits for it until then is bounded: a few rooms of which
the newest board is to be sent, and a send buffer of SEND_BUFFER_BYTES.
"""

import asyncio
import socket
from dataclasses import dataclass, field
from importlib.metadata import version as version_of

from aiohttp import hdrs, web

from wallboard.access import Access, Person
from wallboard.hub import Client, Hub
from wallboard.sse import GZIP_HEADER, Encoded, note
from wallboard.static_files import accepts_gzip

BEAT_SECONDS = 2.0
LOOK_SECONDS = 1.0
SLOW_SECONDS = 5.0
SEND_BUFFER_BYTES = 256 * 1024
RETRY_MS = 1_000


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream. `writing_since` is a time of the loop while a write waits for the client.

    `sent` is the version sent last, by part and control room.
    """

    person: Person
    client: Client
    transport: asyncio.Transport
    writing_since: float | None = None
    begun: bool = False
    sent: dict[tuple[str, str], str] = field(default_factory=dict)


class Streams:
    """All open streams of one server."""

    def __init__(self, hub: Hub, access: Access) -> None:
        self._hub, self._access = hub, access
        self._streams: set[Stream] = set()

    async def serve(self, request: web.Request, person: Person, client: Client) -> web.StreamResponse:
        """Write to `client` until it goes away or is sent away."""
        if request.transport is None:
            raise ConnectionResetError("it went away before it was served")
        _bound(request.transport)
        stream = Stream(person, client, request.transport)
        last_seen = request.headers.get("Last-Event-ID", "")
        for centre in client.centres:
            edition = self._hub.rooms[centre].edition(client.view)
            if edition.ident == last_seen:
                stream.sent["board", centre] = last_seen
            client.tell(centre)
        response = web.StreamResponse(headers=_headers(accepts_gzip(request)))
        await response.prepare(request)
        self._streams.add(stream)
        self._hub.clients.add(client)
        try:
            await self._write(stream, response, [Encoded(f"retry: {RETRY_MS}\n\n".encode()), self._hello()])
            while True:
                await self._step(stream, response)
        except ConnectionError:
            return response  # it went away, or was sent away
        finally:
            self._streams.discard(stream)
            self._hub.clients.discard(client)

    async def keep(self) -> None:
        """Beat, and end the streams that have to end, until cancelled."""
        beaten_at = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._access.look()
            for stream in tuple(self._streams):
                self._judge(stream, loop.time())
            if loop.time() - beaten_at >= BEAT_SECONDS - LOOK_SECONDS / 2:
                beaten_at = loop.time()
                self._hub.beat()

    def end(self) -> None:
        """End every stream: the browsers will look for another server."""
        for stream in tuple(self._streams):
            stream.transport.abort()
        self._hub.beat()  # so that each notices

    def _hello(self) -> Encoded:
        return note("hello", self._hub.greeting() | {"version": version_of("occ-stream")})

    async def _step(self, stream: Stream, response: web.StreamResponse) -> None:
        due, centres = await stream.client.due()
        for centre in centres:
            for name, version, part in self._hub.rooms[centre].parts(stream.client.view):
                if stream.sent.get((name, centre)) != version:
                    stream.sent[name, centre] = version
                    due.append(part)
        if due:
            await self._write(stream, response, due)

    async def _write(self, stream: Stream, response: web.StreamResponse, due: list[Encoded]) -> None:
        if hdrs.CONTENT_ENCODING in response.headers:
            content = (b"" if stream.begun else GZIP_HEADER) + b"".join(each.deflated for each in due)
        else:
            content = b"".join(each.plain for each in due)
        stream.begun = True
        stream.writing_since = asyncio.get_running_loop().time()
        await response.write(content)
        stream.writing_since = None
        self._hub.sent_bytes += len(content)

    def _judge(self, stream: Stream, now: float) -> None:
        if stream.writing_since is not None and now - stream.writing_since > SLOW_SECONDS:
            self._hub.dropped += 1
            stream.transport.abort()
        elif not self._access.still(stream.person):
            stream.transport.abort()


def _bound(transport: asyncio.Transport) -> None:
    """However far a client lies behind, it is by no more than this."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)


def _headers(compressed: bool) -> dict[str, str]:
    headers = {
        hdrs.CONTENT_TYPE: "text/event-stream",
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
        "X-Accel-Buffering": "no",
    }
    return headers | ({hdrs.CONTENT_ENCODING: "gzip"} if compressed else {})
