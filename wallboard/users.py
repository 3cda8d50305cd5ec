"""Who may look: a TOML file of names, hashed passwords and roles, read again when it changes.

[users.anna]
password = "scrypt$…"       # occ wallboard hash-password
role = "supervise"          # or "view"
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from wallboard.passwords import is_hash

Role = Literal["view", "supervise"]
ROLES: tuple[Role, ...] = Role.__args__  # type: ignore[attr-defined]
NAME_LENGTH_MAX = 200
WRITABLE_BY_OTHERS = 0o022


class FaultyUsersError(Exception):
    """The file cannot be used; the message says why and repeats no secret."""


@dataclass(frozen=True, slots=True)
class User:
    """One person's hashed password and role."""

    password: str
    role: Role


class UsersFile:
    """The users in a file. `look` reads it again when it has changed; a fault leaves those who were there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()
        self.users = read(path)

    def look(self) -> None:
        """Read the file again if it changed. Raises FaultyUsersError once a change."""
        if (stamp := self._stamp()) != self._seen:
            self._seen = stamp
            self.users = read(self._path)

    def _stamp(self) -> tuple[int, int, int] | None:
        """What changes with the file; None while there is none."""
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino


def read(path: Path) -> dict[str, User]:
    """The users in the file at `path`. Raises FaultyUsersError."""
    try:
        if path.stat().st_mode & WRITABLE_BY_OTHERS:
            raise FaultyUsersError(f"{path}: others may write to it; chmod go-w {path}")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FaultyUsersError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaultyUsersError(f"{path}: is not TOML: {error}") from None
    users = content.get("users")
    if set(content) != {"users"} or not isinstance(users, dict) or not users:
        raise FaultyUsersError(f"{path}: holds a table [users.NAME] for each user, and nothing else")
    return {name: _user(path, name, given) for name, given in users.items()}


def _user(path: Path, name: str, given: Any) -> User:
    if not (0 < len(name) <= NAME_LENGTH_MAX and name.isprintable()):
        raise FaultyUsersError(f"{path}: a name has 1 to {NAME_LENGTH_MAX} printable characters")
    if not isinstance(given, dict) or set(given) != {"password", "role"}:
        raise FaultyUsersError(f"{path}, users.{name}: has a password and a role, and nothing else")
    password, role = given["password"], given["role"]
    if not isinstance(password, str) or not is_hash(password):
        raise FaultyUsersError(f"{path}, users.{name}: the password is a hash made by `occ wallboard hash-password`")
    if role not in ROLES:
        raise FaultyUsersError(f"{path}, users.{name}: the role is one of {', '.join(ROLES)}")
    return User(password, role)
