"""Counts failed logins, so that passwords cannot be guessed; what is remembered is bounded.

Each name and each address may fail LIMIT times within SPAN_SECONDS. When there is no more room the oldest is
forgotten: whoever fills it from one address is stopped by that address first.
"""

import ipaddress
from collections import OrderedDict

LIMIT = 10
SPAN_SECONDS = 300.0
REMEMBERED_MAX = 10_000
IPV6_PREFIX = 64
"""Whoever has one IPv6 address has a whole network of them."""


class Attempts:
    """Failed logins, by name and by address."""

    def __init__(self) -> None:
        self._failed: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def wait_seconds(self, user: str, address: str, now: float) -> float:
        """How long to wait before another attempt is looked at; 0 when it may be made now."""
        return max(self._wait(key, now) for key in _keys(user, address))

    def failed(self, user: str, address: str, now: float) -> None:
        """A login failed."""
        for key in _keys(user, address):
            times = [*self._recent(key, now), now][-LIMIT:]
            self._failed[key] = times
            self._failed.move_to_end(key)
        while len(self._failed) > REMEMBERED_MAX:
            self._failed.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """It did not fail after all. The name's failures are forgotten, the address's others are not."""
        of_user, of_address = _keys(user, address)
        self._failed.pop(of_user, None)
        if times := self._failed.get(of_address):
            times.pop()

    def _wait(self, key: tuple[str, str], now: float) -> float:
        recent = self._recent(key, now)
        return recent[0] + SPAN_SECONDS - now if len(recent) >= LIMIT else 0.0

    def _recent(self, key: tuple[str, str], now: float) -> list[float]:
        return [time for time in self._failed.get(key, ()) if now - time < SPAN_SECONDS]


def _keys(user: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("user", user), ("address", _network(address))


def _network(address: str) -> str:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return address
