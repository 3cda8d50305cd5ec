"""Where a call comes from, told from a table of numbers and trunks that each site keeps in a file.

A row of the TOML file names one thing and what it means; the end of a number may be left open with `*`:

    [[origin]]
    number = "01632 960 5*"         # the caller's; or trunk = "PJSIP/stations"; or diverted_from = "07700 900101"
    origin = "station_phone"
    site = "worcester"              # or department = "cid"

Who diverted a call says more than who rings, and a number more than a trunk; the longest number that fits counts.
What matches nothing is `unknown`.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta, Struct

from schemas.events import Id, Origin
from telephony.pseudonyms import e164

ROWS_MAX = 50_000


class Place(Struct, frozen=True):
    """What the table says of a call."""

    origin: Origin
    site: Id | None = None
    department: Id | None = None


UNKNOWN = Place("unknown")


class Classifier(Protocol):
    """What a translator asks for."""

    def classify(self, number: str, trunk: str, diverted_from: str) -> Place: ...


class FaultyTableError(Exception):
    """The file of origins cannot be used; the message says where and why, and repeats no number."""


class _Row(Place, frozen=True, forbid_unknown_fields=True, kw_only=True):
    number: str | None = None
    trunk: str | None = None
    diverted_from: str | None = None


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    origin: Annotated[tuple[_Row, ...], Meta(max_length=ROWS_MAX)] = ()


class Origins:
    """The table as it was read."""

    def __init__(self, rows: tuple[_Row, ...] = ()) -> None:
        self._numbers: dict[str, Place] = {}
        self._diverted: dict[str, Place] = {}
        self._trunks: dict[str, Place] = {}
        for count, row in enumerate(rows, 1):
            place = Place(row.origin, row.site, row.department)
            match (row.number, row.diverted_from, row.trunk):
                case (str(number), None, None):
                    self._numbers[_pattern(number, count)] = place
                case (None, str(number), None):
                    self._diverted[_pattern(number, count)] = place
                case (None, None, str(trunk)):
                    self._trunks[trunk] = place
                case _:
                    raise FaultyTableError(f"row {count}: names one of number, trunk and diverted_from")

    def classify(self, number: str, trunk: str, diverted_from: str) -> Place:
        """Where a call comes from; `trunk` is the channel without its counter (`PJSIP/bt`)."""
        return (
            _longest(self._diverted, diverted_from)
            or _longest(self._numbers, number)
            or self._trunks.get(trunk)
            or UNKNOWN
        )


NOWHERE = Origins()


class OriginsFile:
    """The table in a file, read again by `refresh` when the file has changed."""

    def __init__(self, path: Path) -> None:
        """Raises FaultyTableError."""
        self._path = path
        self._seen = _version(path)
        self._table = read(path)

    def classify(self, number: str, trunk: str, diverted_from: str) -> Place:
        return self._table.classify(number, trunk, diverted_from)

    def refresh(self) -> bool:
        """Whether a new table is in force. A faulty one is not, and raises FaultyTableError once."""
        version = _version(self._path)
        if version == self._seen:
            return False
        self._seen = version
        self._table = read(self._path)
        return True


def read(path: Path) -> Origins:
    """The table in `path`. Raises FaultyTableError."""
    try:
        content: Mapping[str, object] = tomllib.loads(path.read_text())
    except OSError as error:
        raise FaultyTableError(f"{path}: cannot be read ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FaultyTableError(f"{path}: is not TOML ({error})") from None
    try:
        return Origins(msgspec.convert(content, _File).origin)
    except msgspec.ValidationError as error:
        where = str(error).rpartition(" - at ")[2]
        raise FaultyTableError(f"{path}: {where} is not what a table of origins holds") from None
    except FaultyTableError as error:
        raise FaultyTableError(f"{path}: {error}") from None


def _version(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def _longest(table: Mapping[str, Place], number: str) -> Place | None:
    if not table or not number:
        return None
    normal = e164(number) or number.strip()
    if normal in table:
        return table[normal]
    return next((table[f"{normal[:end]}*"] for end in range(len(normal), 0, -1) if f"{normal[:end]}*" in table), None)


def _pattern(number: str, row: int) -> str:
    """One spelling of a number or of its beginning; an extension is one as it is."""
    beginning, star, rest = "".join(char for char in number if char not in " -().").partition("*")
    if not beginning.removeprefix("+").isdecimal() or rest:
        raise FaultyTableError(f"row {row}: a number is digits, with a * at its end if that is open")
    if not star:
        return e164(beginning) or beginning
    if beginning.startswith("00"):
        beginning = f"+{beginning[2:]}"
    elif beginning.startswith("0"):
        beginning = f"+44{beginning[1:]}"
    return f"{beginning}*"
