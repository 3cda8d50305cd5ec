"""Many open streams of a wallboard in one process, as cheap as they can be had: bytes in, ages of boards out."""

import asyncio
import time
import zlib
from collections.abc import Iterator

from schemas.moments import parse

REQUEST = "GET /api/stream?centre={centre}&view=room HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n"


class Screen(asyncio.Protocol):
    """One open stream: how old each board was when it was whole, in µs. The first, of before it came, is left out."""

    def __init__(self, centre: str) -> None:
        self.ages: list[int] = []
        self.boards = 0
        self.lost = False
        self._centre = centre
        self._raw = b""
        self._text = b""
        self._inflate = zlib.decompressobj(31)
        self._in_body = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(REQUEST.format(centre=self._centre).encode())

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True

    def data_received(self, data: bytes) -> None:
        self._raw += data
        if not self._in_body:
            head, end, rest = self._raw.partition(b"\r\n\r\n")
            if not end:
                return
            assert head.startswith(b"HTTP/1.1 200 "), head
            self._raw, self._in_body = rest, True
        for chunk in self._chunks():
            self._text += self._inflate.decompress(chunk)
        while (length := self._text.find(b"\n\n")) >= 0:
            event, self._text = self._text[:length], self._text[length + 2 :]
            if event.startswith(b"event: board"):
                self._note(event)

    def _chunks(self) -> Iterator[bytes]:
        while (line := self._raw.find(b"\r\n")) > 0:
            length = int(self._raw[:line], 16)
            if len(self._raw) < line + length + 4:
                return
            yield self._raw[line + 2 : line + 2 + length]
            self._raw = self._raw[line + length + 4 :]

    def _note(self, event: bytes) -> None:
        self.boards += 1
        if self.boards > 1:
            at = event.index(b'"as_of":"') + 9
            self.ages.append(time.time_ns() // 1_000 - parse(event[at : event.index(b'"', at)].decode()))


async def open_screens(port: int, count: int, centre: str) -> list[Screen]:
    """Connect `count` screens."""
    loop = asyncio.get_running_loop()
    screens = [Screen(centre) for _ in range(count)]
    for screen in screens:
        await loop.create_connection(lambda screen=screen: screen, "127.0.0.1", port)  # type: ignore[misc]
    return screens
