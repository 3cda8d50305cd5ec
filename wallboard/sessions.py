"""Sessions without a store: a signed note that says who and until when, so that any instance can check it.

The signature covers the user's hashed password: a new password, like a removed user, ends every session of old.
Instances that share work share the secret, in a file.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import blake2b, sha256
from pathlib import Path

import msgspec

SECRET_BYTES_MIN = 32
READABLE_BY_OTHERS = 0o077
TOKEN_LENGTH_MAX = 2_000


class FaultySecretError(Exception):
    """The file of the secret cannot be used; the message says why."""


class _Content(msgspec.Struct, array_like=True, frozen=True):
    user: str
    expires_at: float
    ident: str


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who logged in; `expires_at` is in seconds since the epoch, `ident` names the session in audits."""

    user: str
    expires_at: float
    ident: str


def read_secret(path: Path) -> bytes:
    """The secret in a file. Raises FaultySecretError."""
    try:
        mode, secret = path.stat().st_mode, path.read_bytes().strip()
    except OSError as error:
        raise FaultySecretError(f"{path}: cannot be read ({error.strerror})") from None
    if mode & READABLE_BY_OTHERS:
        raise FaultySecretError(f"{path}: others may read it; chmod 600 {path}")
    if len(secret) < SECRET_BYTES_MIN:
        raise FaultySecretError(f"{path}: holds fewer than {SECRET_BYTES_MIN} bytes; openssl rand -hex 32 > {path}")
    return secret


def new_secret() -> bytes:
    """A secret for one instance that stands alone: its sessions end with it."""
    return secrets.token_bytes(SECRET_BYTES_MIN)


def issue(secret: bytes, user: str, password_hash: str, expires_at: float) -> str:
    """The note of a new session."""
    content = msgspec.json.encode(_Content(user, expires_at, secrets.token_hex(8)))
    return f"{_text(content)}.{_text(_sign(secret, content, password_hash))}"


def named(token: str) -> str | None:
    """Whom a note names, not checked yet: for finding what to check it with."""
    content = _content(token)
    return None if content is None else content[1].user


def verify(secret: bytes, token: str, password_hash: str, now: float) -> Session | None:
    """The session of a note; None when it is forged, was issued for another password, or has expired."""
    found = _content(token)
    if found is None:
        return None
    raw, content = found
    signature = _bytes(token.partition(".")[2])
    if not hmac.compare_digest(_sign(secret, raw, password_hash), signature) or content.expires_at <= now:
        return None
    return Session(content.user, content.expires_at, content.ident)


def _content(token: str) -> tuple[bytes, _Content] | None:
    if len(token) > TOKEN_LENGTH_MAX:
        return None
    try:
        raw = _bytes(token.partition(".")[0])
        return raw, msgspec.json.decode(raw, type=_Content)
    except (ValueError, msgspec.MsgspecError):
        return None


def _sign(secret: bytes, content: bytes, password_hash: str) -> bytes:
    of_user = blake2b(password_hash.encode(), key=secret[:64], digest_size=32).digest()
    return hmac.digest(of_user, content, sha256)


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """Empty when it is not base64."""
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
