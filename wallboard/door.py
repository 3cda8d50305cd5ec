"""Where the server listens and by what it knows people; what would let strangers in keeps it from starting.

On the loopback nobody has to log in: whoever is on the machine can read Kafka as well. Beyond it the server needs
users with hashed passwords, or proxies that log people in (OIDC proxies do) and say who they are in a header.
"""

import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mode = Literal["open", "users", "proxy"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


class UnsafeDoorError(Exception):
    """It is not safe to listen like this; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How the server is reached.

    `hosts` are the names people use in their browsers; `trusted_proxies` addresses or networks of proxies whose word
    on the client's address, on TLS, and (without `users_file`) on the user and the user's groups is believed.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    hosts: tuple[str, ...] = ()
    users_file: Path | None = None
    session_secret_file: Path | None = None
    session_hours: float = 12
    tls_cert: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"
    supervise_group: str = "occ-supervise"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def mode(self) -> Mode:
        """By what people are known."""
        if self.users_file:
            return "users"
        return "proxy" if self.trusted_proxies else "open"

    @property
    def proxies(self) -> tuple[Network, ...]:
        """The networks of `trusted_proxies`. Raises UnsafeDoorError."""
        try:
            return tuple(ipaddress.ip_network(each) for each in self.trusted_proxies)
        except ValueError as error:
            raise UnsafeDoorError(f"trusted_proxies: {error}") from None

    @property
    def scheme(self) -> str:
        """As in an address."""
        return "https" if self.tls_cert else "http"

    def check(self) -> None:
        """Raises UnsafeDoorError when strangers could get in, or passwords be read on the way."""
        if bool(self.tls_cert) != bool(self.tls_key):
            raise UnsafeDoorError("TLS needs both: tls_cert and tls_key.")
        if any(network.prefixlen == 0 for network in self.proxies):
            raise UnsafeDoorError("trusted_proxies: every address would be a proxy; name those that are.")
        if self.loopback:
            return
        if self.mode == "open":
            raise UnsafeDoorError(
                f"Listening on {self.host} would show the control room to whoever can reach it. Give a file of users "
                "(wallboard.users_file; `occ wallboard hash-password` makes its passwords), or name the proxies that "
                "log people in (wallboard.trusted_proxies), or listen on 127.0.0.1."
            )
        if self.mode == "users" and not (self.tls_cert or self.trusted_proxies):
            raise UnsafeDoorError(
                f"Listening on {self.host} without TLS would let passwords be read on the way. Give "
                "wallboard.tls_cert and wallboard.tls_key, or name the proxies that do TLS "
                "(wallboard.trusted_proxies)."
            )

    def tls(self) -> ssl.SSLContext | None:
        """The context of `tls_cert`; None without. Raises UnsafeDoorError."""
        if not (self.tls_cert and self.tls_key):
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.tls_cert, self.tls_key)
        except (OSError, ssl.SSLError) as error:
            raise UnsafeDoorError(f"TLS: {self.tls_cert} and {self.tls_key} cannot be used: {error}") from None
        return context


def is_loopback(host: str) -> bool:
    """Whether `host` is a name or address of this machine alone."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
