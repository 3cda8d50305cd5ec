"""Who asks, and what they may see: by nothing on the loopback, by a session, or by the word of a trusted proxy.

A request is only looked at when it was meant for this server and came from its own page: the Host is one of ours
(against DNS rebinding), and Origin and Sec-Fetch-Site, where a browser sends them, say the same site.
"""

import asyncio
import ipaddress
import logging
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from wallboard import passwords, sessions
from wallboard.attempts import Attempts
from wallboard.door import LOOPBACK_NAMES, Door, is_loopback
from wallboard.users import NAME_LENGTH_MAX, FaultyUsersError, Role, UsersFile

COOKIE = "occ_session"
SECURE_COOKIE = "__Host-occ_session"
"""Browsers take a cookie of such a name only over TLS, and for no other host."""
HEALTH = "/health"
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::\d+)?", re.ASCII)
SAME_SITE = frozenset({"same-origin", "none"})

log = logging.getLogger(__name__)


class AccessError(Exception):
    """A request that is turned away: the HTTP status, a sentence, and what else the answer's head says."""

    def __init__(self, status: int, says: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(says)
        self.status, self.says, self.headers = status, says, headers or {}


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks. `name` and `session` are None where nobody logs in; `expires_at` in seconds since the epoch.

    `password` is the hashed password the session was issued for.
    """

    name: str | None
    role: Role
    session: str | None = None
    expires_at: float | None = None
    password: str | None = field(default=None, repr=False)


class Access:
    """What the door's settings mean for a request."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._proxies = door.proxies
        self._users = UsersFile(door.users_file) if door.users_file else None
        self._secret = (
            sessions.read_secret(door.session_secret_file) if door.session_secret_file else sessions.new_secret()
        )
        self._attempts = Attempts()
        self._checking = asyncio.Semaphore(2)  # a check of a password takes 32 MB and a core for a moment

    # Requests ----------------------------------------------------------------------------------------------------

    def check_request(self, request: web.Request) -> None:
        """Raises AccessError when it was not meant for this server or does not come from its own page."""
        self._check_host(request)
        if request.headers.get("Sec-Fetch-Site", "none") not in SAME_SITE and request.path.startswith("/api/"):
            raise AccessError(403, "This answers only its own page.")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != request.host.lower():
            raise AccessError(403, "This answers only its own page.")

    def _check_host(self, request: web.Request) -> None:
        allowed = set(map(str.lower, self._door.hosts))
        if self._door.loopback:
            allowed |= {*LOOPBACK_NAMES, self._door.host}
        if request.path == HEALTH:  # load balancers ask by address, and it says nothing of the control room
            return
        if allowed and _name_of(request.host) not in allowed:
            raise AccessError(421, "No such host here: its names are set in wallboard.hosts.")

    def person(self, request: web.Request) -> Person | None:
        """Who asks; None when nobody is logged in. Raises AccessError when no proxy says who it is."""
        match self._door.mode:
            case "open":
                return Person(None, "supervise")
            case "users":
                return self._by_session(request)
            case "proxy":
                return self._by_proxy(request)

    def secure(self, request: web.Request) -> bool:
        """Whether it came over TLS, here or at the proxy."""
        return request.secure or (
            self._from_proxy(request) and request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        )

    def from_this_machine(self, request: web.Request) -> bool:
        """Whether a process on this machine asks, and no proxy for somebody else."""
        return is_loopback(request.remote or "") and not self._from_proxy(request)

    def address(self, request: web.Request) -> str:
        """Where the person is: the last address that no trusted proxy stands for."""
        found = request.remote or ""
        if not self._from_proxy(request):
            return found
        for each in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
            try:
                address = ipaddress.ip_address(each.strip())
            except ValueError:
                return found
            found = str(address)
            if not any(address in network for network in self._proxies):
                break
        return found

    def _from_proxy(self, request: web.Request) -> bool:
        try:
            peer = ipaddress.ip_address(request.remote or "")
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(peer in network for network in self._proxies)

    # People ------------------------------------------------------------------------------------------------------

    async def log_in(self, request: web.Request, user: str, password: str) -> str:
        """The note of a new session. Raises AccessError."""
        if self._users is None:
            raise AccessError(404, "Nobody logs in here.")
        address, now = self.address(request), time.monotonic()
        if (wait := self._attempts.wait_seconds(user, address, now)) > 0:
            says = f"Too many failed logins: try again in {int(wait // 60) + 1} minutes."
            raise AccessError(429, says, {"Retry-After": str(int(wait) + 1)})
        self._attempts.failed(user, address, now)  # until it succeeds, so that many at once gain nothing
        self.look()
        known = self._users.users.get(user)
        async with self._checking:
            right = await asyncio.to_thread(passwords.matches, password, known.password if known else None)
        if not (known and right):
            raise AccessError(401, "The name or the password is wrong.")
        self._attempts.succeeded(user, address)
        expires_at = time.time() + self._door.session_hours * 3600
        return sessions.issue(self._secret, user, known.password, expires_at)

    def still(self, person: Person) -> bool:
        """Whether an open stream may go on: the session lasts, and the user's password and role are the same."""
        if person.expires_at is None or self._users is None:
            return True
        known = self._users.users.get(person.name or "")
        same = known is not None and (known.role, known.password) == (person.role, person.password)
        return same and time.time() < person.expires_at

    def look(self) -> None:
        """See whether the file of users has changed."""
        if self._users is not None:
            try:
                self._users.look()
            except FaultyUsersError as error:
                log.error("%s; those who were in it before still are", error)

    def set_cookie(self, request: web.Request, response: web.StreamResponse, token: str) -> None:
        """Hand a session to the browser."""
        secure = self.secure(request)
        response.set_cookie(
            SECURE_COOKIE if secure else COOKIE,
            token, path="/", httponly=True, secure=secure, samesite="Strict",
            max_age=int(self._door.session_hours * 3600),
        )  # fmt: skip

    def drop_cookies(self, response: web.StreamResponse) -> None:
        """Take the session from the browser."""
        response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")
        response.del_cookie(SECURE_COOKIE, path="/", httponly=True, samesite="Strict", secure=True)

    def _by_session(self, request: web.Request) -> Person | None:
        token = request.cookies.get(SECURE_COOKIE if self.secure(request) else COOKIE)
        name = sessions.named(token) if token else None
        known = self._users.users.get(name) if self._users and name else None
        if token is None or known is None:
            return None
        session = sessions.verify(self._secret, token, known.password, time.time())
        if session is None:
            return None
        return Person(session.user, known.role, session.ident, session.expires_at, known.password)

    def _by_proxy(self, request: web.Request) -> Person:
        if not self._from_proxy(request):
            raise AccessError(403, "This server is reached through its proxy.")
        names = request.headers.getall(self._door.user_header, [])
        if len(names) != 1 or not (0 < len(names[0]) <= NAME_LENGTH_MAX and names[0].isprintable()):
            raise AccessError(401, "The proxy has to name one user.")
        groups = ",".join(request.headers.getall(self._door.groups_header, [])).split(",")
        supervises = self._door.supervise_group in map(str.strip, groups)
        return Person(names[0], "supervise" if supervises else "view")


def _name_of(host: str) -> str:
    """The name in a Host, without the port and the brackets of an IPv6 address; empty when it is none."""
    found = _HOST.fullmatch(host.lower())
    return (found[1] or found[2]) if found else ""
