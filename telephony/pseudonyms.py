"""Who a caller and a handler are, without saying so: pseudonyms made at the edge.

A caller's token is HMAC-SHA-256(day key, E.164 number), 128 bits in hexadecimal. The key changes at 04:00
Europe/London; from 04:00 to 05:10 tokens of the old and the new day are both given, so that a caller who redials
across the change is still one caller. Handlers keep one pseudonym under a key of their own.

Always: the same secret, number and moment give the same tokens, and nothing here keeps a number. It does not
know where the secret comes from; whoever holds it can make the keys of any day again, so that it serves recordings:
the keys of a live bridge are those of `ratchet.py`.
"""

import hmac
import re
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Protocol

from schemas.events import CallerState, CallerToken
from schemas.moments import LONDON, key_day, moment

BOTH_KEYS_FROM, BOTH_KEYS_UNTIL = time(4, 0), time(5, 10)
TOKEN_BYTES = 16

_WITHHELD = frozenset({"anonymous", "private", "restricted", "withheld"})
_PUNCTUATION = re.compile(r"[\s().-]")
_UK = re.compile(r"\+44[1-9][0-9]{8,9}")
_ABROAD = re.compile(r"\+(?!44)[1-9][0-9]{7,14}")


@dataclass(frozen=True, slots=True)
class Caller:
    """What may be said of a caller: `tokens` only where `state` is `ok`, the newest key first."""

    state: CallerState
    tokens: tuple[CallerToken, ...] = ()


class Pseudonyms(Protocol):
    """What a translator asks for; `number` is as the switch reports it, `at` microseconds of event time."""

    def caller(self, number: str, at: int) -> Caller: ...

    def handler(self, name: str) -> str: ...


class KeyRing:
    """Pseudonyms under keys derived from one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def caller(self, number: str, at: int) -> Caller:
        """A withheld number gives no token: one shared "anonymous" would make one caller of many."""
        normal = e164(number)
        if normal is None:
            return Caller(caller_state(number))
        return Caller("ok", tuple(CallerToken(day, self._token(f"callers {day}", normal)) for day in key_days(at)))

    def handler(self, name: str) -> str:
        return self._token("handlers", name)

    def _token(self, key_name: str, value: str) -> str:
        key = hmac.digest(self._secret, key_name.encode(), "sha256")
        return hmac.digest(key, value.encode(), "sha256")[:TOKEN_BYTES].hex()


def key_days(at: int) -> tuple[date, ...]:
    """The days whose keys are in force at `at`, the newest first: one, or two from 04:00 to 05:10."""
    day = key_day(at)
    if BOTH_KEYS_FROM <= moment(at).astimezone(LONDON).time() < BOTH_KEYS_UNTIL:
        return day, day - timedelta(days=1)
    return (day,)


def e164(number: str) -> str | None:
    """The one spelling of a number: 07…, +447…, 00447… and 447… are one caller; None if it is no number."""
    text = _PUNCTUATION.sub("", number.replace("(0)", ""))
    if text.startswith("00"):
        text = f"+{text[2:]}"
    elif text.startswith("0"):
        text = f"+44{text[1:]}"
    elif text.startswith("44") and len(text) > 10:
        text = f"+{text}"
    elif len(text) == 10 and text[0] in "1237":
        text = f"+44{text}"
    if text.startswith("+440"):
        text = f"+44{text[4:]}"
    return text if _UK.fullmatch(text) or _ABROAD.fullmatch(text) else None


def caller_state(number: str) -> CallerState:
    """Of a caller without a public number: mere digits are an extension, a telephone of many people."""
    text = number.strip().lower()
    if any(text.startswith(word) for word in _WITHHELD):
        return "withheld"
    return "shared" if text.isdecimal() else "absent"
