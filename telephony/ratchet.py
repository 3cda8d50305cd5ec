"""The keys of a live bridge's pseudonyms, in a file; a key that is no longer needed can be made by nobody again.

Each day's key is derived from the last one, and at 05:10 the old one is overwritten: whoever takes the file learns
who rang since, and of no earlier day. The first key is random. A second bridge on the same switch gets a copy of the
file before it starts, and from then on derives the same keys.

Tokens for a moment outside the days whose keys are held (a clock that is wrong) are those of the nearest such day.
"""

import hmac
import os
import secrets
from datetime import date, timedelta
from pathlib import Path
from typing import Self

import msgspec

from schemas.events import CallerToken
from telephony.pseudonyms import TOKEN_BYTES, Caller, Pseudonyms, caller_state, e164, key_days

KEY_BYTES = 32
DAY = timedelta(days=1)


class KeyFileError(Exception):
    """The file of keys cannot be used; the message says why, and repeats nothing of it."""


class _Keys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`callers` is the key of `day`, the oldest one still needed."""

    day: date
    callers: bytes
    handlers: bytes


class Ratchet:
    """Pseudonyms under the keys in a file; `advance` must be called as time goes on."""

    def __init__(self, path: Path, keys: _Keys) -> None:
        self._path = path
        self._keys = keys
        self._next = _derived(keys.callers)

    @classmethod
    def open(cls, path: Path, now: int) -> Self:
        """The keys in `path` brought up to `now` (µs); new ones where there is no such file. Raises KeyFileError."""
        if path.exists():
            keys = _read(path)
        else:
            keys = _Keys(min(key_days(now)), secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES))
            _write(path, keys)
        if path.stat().st_mode & 0o077:
            raise KeyFileError(f"{path}: others may read it; only its owner must (chmod 600)")
        ratchet = cls(path, keys)
        ratchet.advance(now)
        return ratchet

    def advance(self, now: int) -> None:
        """Destroy the keys that are no longer needed at `now`."""
        oldest, keys = min(key_days(now)), self._keys
        if oldest <= keys.day:
            return
        callers = keys.callers
        for _ in range((oldest - keys.day).days):
            callers = _derived(callers)
        self._keys = _Keys(oldest, callers, keys.handlers)
        self._next = _derived(callers)
        _write(self._path, self._keys)

    def caller(self, number: str, at: int) -> Caller:
        """A withheld number gives no token: one shared "anonymous" would make one caller of many."""
        normal = e164(number)
        if normal is None:
            return Caller(caller_state(number))
        held = {self._keys.day: self._keys.callers, self._keys.day + DAY: self._next}
        days = [day for day in key_days(at) if day in held]
        if not days:
            days = [min(held) if max(key_days(at)) < min(held) else max(held)]
        return Caller("ok", tuple(CallerToken(day, _token(held[day], normal)) for day in days))

    def handler(self, name: str) -> str:
        return _token(self._keys.handlers, name)


class HandlersOfBridge:
    """Pseudonyms of history: callers' under keys of their own, handlers' those of the bridge with the file `path`."""

    def __init__(self, callers: Pseudonyms, path: Path) -> None:
        """Raises KeyFileError."""
        self.caller = callers.caller
        self._key = _read(path).handlers

    def handler(self, name: str) -> str:
        return _token(self._key, name)


def _read(path: Path) -> _Keys:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Keys)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read ({error.strerror})") from None
    except msgspec.MsgspecError:
        raise KeyFileError(f"{path}: holds no keys") from None


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, b"the next day", "sha256")


def _token(key: bytes, value: str) -> str:
    return hmac.digest(key, value.encode(), "sha256")[:TOKEN_BYTES].hex()


def _write(path: Path, keys: _Keys) -> None:
    """Put `keys` in place of what the file held, and overwrite that."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(keys))
        os.fsync(file.fileno())
    old = os.open(path, os.O_WRONLY) if path.exists() else None
    fresh.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    if old is not None:
        os.pwrite(old, bytes(os.fstat(old).st_size), 0)
        os.fsync(old)
        os.close(old)
