"""Local time, as people and databases write it, as moments."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from schemas.events import TimeQuality
from schemas.moments import micros


def moments_of(local: datetime, zone: ZoneInfo) -> tuple[int, ...]:
    """The moments (µs) that a local time can mean, in order.

    There are two in the hour that comes twice when the clocks go back, and none in the one they skip.
    """
    aware = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    found = {moment for moment in aware if moment.astimezone(zone).replace(tzinfo=None) == local}
    return tuple(sorted(micros(moment) for moment in found))


def quality_of(fraction: str) -> TimeQuality:
    """Of a time written with so many digits of a second: milliseconds or finer are exact."""
    return "exact" if len(fraction) >= 3 else "second"
