"""What can be read off one thing that a switch said: a block of named texts with its moment.

Every name and number comes from outside: what cannot serve as one is `MalformedError`, never a guess. It does not
know which switch spoke.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.events import TimeQuality
from schemas.moments import SECOND
from telephony.switch_channels import When

ID_BYTES_MAX = 100  # what a switch calls things becomes part of our ids, which may have 200
EARLIEST_SECOND = 946_684_800  # 2000-01-01

_EPOCH_SECONDS = re.compile(r"([0-9]{9,10})(?:\.([0-9]{1,9}))?")
_WHOLE = re.compile(r"-?[0-9]{1,9}")


class MalformedError(Exception):
    """A block lacks something it must have, or has it in a form that cannot be used."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A block with its moment in microseconds: the switch's own stamp where it has one, else when it was received."""

    fields: Mapping[str, str]
    at: int
    quality: TimeQuality
    received_at: int

    @property
    def when(self) -> When:
        return When(self.at, self.quality)

    def text(self, member: str) -> str:
        return self.fields.get(member, "")

    def id(self, member: str) -> str:
        """A name the switch gave to something; `MalformedError` when it cannot serve as one."""
        value = self.optional_id(member)
        if value is None:
            raise MalformedError(member)
        return value

    def optional_id(self, member: str) -> str | None:
        value = self.fields.get(member, "")
        return value if usable_id(value) else None

    def whole(self, member: str) -> int:
        """A whole number of at most nine digits; `MalformedError` when it is none."""
        value = self.optional_whole(member)
        if value is None:
            raise MalformedError(member)
        return value

    def optional_whole(self, member: str) -> int | None:
        value = self.fields.get(member, "")
        return int(value) if _WHOLE.fullmatch(value) else None


def usable_id(value: str) -> bool:
    return bool(value) and value.isprintable() and len(value.encode()) <= ID_BYTES_MAX


def epoch_micros(text: str) -> int | None:
    """Microseconds of `seconds.fraction` since 1970, or None when it is no moment since 2000."""
    found = _EPOCH_SECONDS.fullmatch(text)
    if found is None or int(found[1]) < EARLIEST_SECOND:
        return None
    return int(found[1]) * SECOND + int((found[2] or "").ljust(6, "0")[:6])
