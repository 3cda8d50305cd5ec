"""Server-sent events, encoded and compressed once for all who get them.

A stream in gzip is a header and then blocks of deflate. Each event is compressed by itself and ends at a full byte,
so the same bytes continue any client's stream: whatever it got before, whenever it joined. The stream has no end, and
so no checksum; TCP and TLS keep it whole.
"""

import zlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import orjson

GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""RFC 1952: deflate, no name, no time, unknown system."""
LEVEL = 5


class Encoded:
    """Bytes of a stream, plain and as blocks of deflate, each made once, when first asked for."""

    def __init__(self, plain: bytes) -> None:
        self.plain = plain

    @cached_property
    def deflated(self) -> bytes:
        """Whole blocks that need nothing that was sent before."""
        compress = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        return compress.compress(self.plain) + compress.flush(zlib.Z_FULL_FLUSH)


def event(name: str, data: bytes, ident: str | None = None) -> Encoded:
    """One event; `data` is JSON in one line, as orjson writes it."""
    head = f"event: {name}\n" + (f"id: {ident}\n" if ident else "")
    return Encoded(head.encode() + b"data: " + data + b"\n\n")


def note(name: str, content: Mapping[str, Any]) -> Encoded:
    """One event of small content."""
    return event(name, orjson.dumps(content))
