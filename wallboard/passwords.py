"""Passwords as scrypt hashes (RFC 7914): `scrypt$N$r$p$salt$hash`, base64. One check takes 32 MB for a moment."""

import binascii
import hmac
import secrets
from base64 import b64decode, b64encode
from hashlib import scrypt

N, R, P = 2**15, 8, 1
SALT_BYTES = 16
HASH_BYTES = 32
MEMORY_BYTES_MAX = 64 * 1024 * 1024
LENGTH_MIN = 12
LENGTH_MAX = 1024


def hashed(password: str) -> str:
    """What the users file keeps of `password`. ValueError when it is too short or too long."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise ValueError(f"a password has {LENGTH_MIN} to {LENGTH_MAX} characters")
    salt = secrets.token_bytes(SALT_BYTES)
    return "$".join(("scrypt", str(N), str(R), str(P), *map(_text, (salt, _hash(password, salt, N, R, P)))))


def is_hash(text: str) -> bool:
    """Whether `text` is what `hashed` writes, with bounds that a check can afford."""
    return _parts(text) is not None


def matches(password: str, kept: str | None) -> bool:
    """Whether `password` is the one `kept` was made of; as slow when nothing is kept."""
    n, r, p, salt, wanted = _parts(kept or "") or (N, R, P, bytes(SALT_BYTES), b"")
    return hmac.compare_digest(_hash(password[:LENGTH_MAX], salt, n, r, p), wanted)


def _parts(text: str) -> tuple[int, int, int, bytes, bytes] | None:
    try:
        name, n, r, p, salt, kept = text.split("$")
        parts = int(n), int(r), int(p), b64decode(salt, validate=True), b64decode(kept, validate=True)
    except (ValueError, binascii.Error):
        return None
    affordable = parts[:3] == (N, R, P) and len(parts[3]) == SALT_BYTES and len(parts[4]) == HASH_BYTES
    return parts if name == "scrypt" and affordable else None


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt, n=n, r=r, p=p, maxmem=MEMORY_BYTES_MAX, dklen=HASH_BYTES,
    )  # fmt: skip


def _text(value: bytes) -> str:
    return b64encode(value).decode()
