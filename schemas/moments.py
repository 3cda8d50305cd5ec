"""Moments and durations as integers.

Inside the system a moment is microseconds since 1970-01-01 UTC and a duration is microseconds, both `int`:
integer sums do not depend on the order of their terms, and that is what makes the figures exact.
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND

LONDON = ZoneInfo("Europe/London")
KEY_CHANGE = timedelta(hours=4)
"""When on a day, on the wall in London, the key of the callers' pseudonyms changes."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(moment: datetime) -> int:
    """Microseconds since the epoch of an aware `moment`."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def moment(at: int) -> datetime:
    """The aware UTC datetime of `at` microseconds since the epoch."""
    return _EPOCH + timedelta(microseconds=at)


def rfc3339(at: int) -> str:
    """`at` as events write it: `2026-11-24T08:00:00.000000Z`."""
    return moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> int:
    """Microseconds of an RFC 3339 moment; `ValueError` when it is malformed or has no offset."""
    parsed = datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError("a moment needs an offset, for example a final Z")
    return micros(parsed)


def key_day(at: int) -> date:
    """The day whose key the callers' pseudonyms are under at `at`."""
    return (moment(at).astimezone(LONDON) - KEY_CHANGE).date()
