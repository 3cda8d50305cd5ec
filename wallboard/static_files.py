"""The page's own files, read once: each with its type, the hash of its content, and itself compressed."""

import gzip
import mimetypes
from dataclasses import dataclass
from hashlib import blake2b
from importlib.resources import files

from aiohttp import hdrs, web

INDEX = "index.html"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
WORTH_IT = 0.9
"""A file that compresses to more than this share of itself is sent as it is."""


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file, ready to be sent. `compressed` is gzip, or None where that gains nothing."""

    content_type: str
    etag: str
    content: bytes
    compressed: bytes | None

    def answer(self, request: web.Request) -> web.Response:
        """The file, or that the browser has it already."""
        headers = {hdrs.CACHE_CONTROL: "no-cache", hdrs.ETAG: f'"{self.etag}"', hdrs.VARY: hdrs.ACCEPT_ENCODING}
        if any(tag.value in {self.etag, "*"} for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        body = self.content
        if self.compressed is not None and accepts_gzip(request):
            headers[hdrs.CONTENT_ENCODING], body = "gzip", self.compressed
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: self.content_type, **headers})


def read_static() -> dict[str, StaticFile]:
    """Every file of the page by its name; there are no folders, so no path leads out of them."""
    folder = files("wallboard") / "static"
    return {entry.name: _file(entry.name, entry.read_bytes()) for entry in folder.iterdir() if entry.is_file()}


def accepts_gzip(request: web.Request) -> bool:
    """Whether an answer may be compressed."""
    return "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "").lower()


def _file(name: str, content: bytes) -> StaticFile:
    kind = TYPES.get(name[name.rfind(".") :]) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    compressed = gzip.compress(content, 9, mtime=0)
    return StaticFile(
        content_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
        etag=blake2b(content, digest_size=16).hexdigest(),
        content=content,
        compressed=compressed if len(compressed) < WORTH_IT * len(content) else None,
    )
