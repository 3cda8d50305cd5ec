"""What is usual at an hour of the week: the profile that is published for live figures to lean on.

Of several profiles of one queue the one computed last holds. It holds for 48 hours: that is as far as a worker reads
back when it starts, so that a restart changes nothing.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from schemas.events import ProfilePublished, ProfileSlot
from schemas.moments import HOUR, LONDON, MINUTE, SECOND, micros, moment
from schemas.prompts import TIME_EVERY_MINUTES
from stream.windows import HORIZON

QUEUES_MAX = 64
SLOT_REACHES = 60
"""A slot speaks for at most so many minutes from its own."""
QUIETER_WITHIN = 12 * HOUR
QUIETER_SHARE = 4
"""A quieter slot has a median wait of at most one in so many of now's."""
WEEKS_MIN = 4


@dataclass(frozen=True, slots=True)
class Habit:
    """One published profile: when it was computed, its id, and its slots by (weekday, minute)."""

    computed_at: int
    id: str
    slots: tuple[ProfileSlot, ...]


class Habits:
    """The profiles of one control room, by queue; None for the room as a whole. There is always room for `known`."""

    def __init__(self, known: frozenset[str]) -> None:
        self._of: dict[str | None, Habit] = {}
        self._known = known

    def take(self, event: ProfilePublished) -> None:
        """Take a profile unless one computed later is known."""
        data = event.data
        known = self._of.get(data.queue)
        computed_at = micros(data.computed_at)
        if known is None and len(self._of) >= QUEUES_MAX and data.queue and data.queue not in self._known:
            return
        if known is None or (computed_at, event.id) > (known.computed_at, known.id):
            slots = tuple(sorted(data.slots, key=lambda slot: (slot.weekday, slot.minute)))
            self._of[data.queue] = Habit(computed_at, event.id, slots)

    def handle_time(self, queue: str, now: int) -> int | None:
        """The usual handling time of this hour in µs, or None."""
        local = moment(now).astimezone(LONDON)
        slots = self._slots(queue, now)
        minute = local.hour * 60 + local.minute
        index = bisect_right(slots, (local.weekday(), minute), key=lambda slot: (slot.weekday, slot.minute))
        if not index:
            return None
        slot = slots[index - 1]
        if slot.weekday != local.weekday() or minute - slot.minute >= SLOT_REACHES or not slot.aht_mean:
            return None
        return round(slot.aht_mean * SECOND)

    def quieter_after(self, queue: str, now: int, wait: int) -> int | None:
        """The next local time of day, in minutes, at which the wait is usually a quarter of `wait`; None without one.

        Only times that can be spoken are looked at: the half-hours of the next 12 hours. They must have been so on
        at least four of the same weekdays.
        """
        usual = {(slot.weekday, slot.minute): slot for slot in self._slots(queue, now)}
        for local in _half_hours(now) if usual else ():
            minute = local.hour * 60 + local.minute
            slot = usual.get((local.weekday(), minute))
            if slot is not None and slot.n >= WEEKS_MIN and slot.wait_median * SECOND * QUIETER_SHARE <= wait:
                return minute
        return None

    def _slots(self, queue: str, now: int) -> Sequence[ProfileSlot]:
        for name in (queue, None):
            habit = self._of.get(name)
            if habit is not None and now - habit.computed_at <= HORIZON:
                return habit.slots
        return ()


def _half_hours(now: int) -> list[datetime]:
    """The half-hours of local time after `now`, within 12 hours."""
    step = TIME_EVERY_MINUTES * MINUTE
    first = now - now % step + step
    return [moment(at).astimezone(LONDON) for at in range(first, now + QUIETER_WITHIN + 1, step)]
