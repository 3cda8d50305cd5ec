"""Windows on event time.

`RollingWindows` keeps the sums of the last 5, 15, 30 and 60 minutes, 6 hours, today and 48 hours; `FixedWindows`
keeps those of intervals `[start, end)` for history. Both are handed atoms and the time, and hold that each window's
tally is exactly the sum of the atoms whose moment lies in it and is not later than the clock: an atom of the future
waits in its second until the clock reaches it. A rolling window covers `⌊as_of⌋ + 1 s − length` to `as_of`.

Neither knows what an atom means.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from schemas.moments import HOUR, LONDON, SECOND, micros, moment
from stream.tally import Atom, Tally, absorb, fold, merged

ROLLING = {"5m": 300, "15m": 900, "30m": 1800, "60m": 3600, "6h": 6 * 3600}
RETAINED_SECONDS = 48 * 3600
HORIZON = 48 * HOUR
WINDOW_NAMES = (*ROLLING, "today", "retained")
_RING_NAMES = (*ROLLING, "retained")

_LENGTHS = (*ROLLING.values(), RETAINED_SECONDS)
_PACKED_AFTER = tuple(ROLLING).index("60m")
"""Minutes that left this ring are kept packed: two days of atoms take a tenth of the memory."""
_MINUTE = 60

Shown = TypeVar("Shown")

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Atom]).decode


def day_start(at: int) -> int:
    """The last midnight of Europe/London at or before `at`, in µs."""
    local = moment(at).astimezone(LONDON)
    return micros(datetime(local.year, local.month, local.day, tzinfo=LONDON).astimezone(UTC))


def next_day_start(at: int) -> int:
    """The first midnight of Europe/London after `at`, in µs; days of 23 and 25 hours exist."""
    local = moment(at).astimezone(LONDON) + timedelta(days=1)
    return micros(datetime(local.year, local.month, local.day, tzinfo=LONDON).astimezone(UTC))


class Windows(Protocol):
    """Anything that sums atoms by time."""

    clock: int

    def add(self, atom: Atom) -> None: ...
    def remove(self, atom: Atom) -> None: ...
    def advance(self, now: int) -> None: ...


class RollingWindows:
    """The sums of the rolling windows of one queue.

    Each second's atoms are in one ring at a time: the seconds of the last 5 minutes, those before them up to 15
    minutes, and so on; a window is the sum of the rings inside it, and time moves seconds from ring to ring.
    """

    __slots__ = (
        "_cells",
        "_changes",
        "_day_ends",
        "_day_starts_second",
        "_edges",
        "_loose",
        "_packed",
        "_rings",
        "_shown",
        "_stale_from",
        "_sums",
        "_today",
        "_today_is_stale",
        "clock",
    )

    def __init__(self) -> None:
        self.clock = 0
        self._changes: dict[Atom, int] = {}
        """Atoms that came (1) or went (-1) since the last reading; most of what comes and goes cancels out."""
        self._cells: dict[int, list[Atom]] = {}
        """The atoms of each second that is not packed."""
        self._packed: dict[int, bytes] = {}
        """The atoms of each packed minute."""
        self._loose: set[int] = set()
        """Minutes to be packed as soon as no edge is within them."""
        self._rings: list[Tally] = [{} for _ in _LENGTHS]
        self._edges = [1 - length for length in _LENGTHS]
        self._today: Tally = {}
        self._day_starts_second = 0
        self._day_ends = 0
        self._sums: list[Tally] = [{} for _ in _LENGTHS]
        """Of each ring and those inside it, right for the rings before `_stale_from`."""
        self._stale_from = 0
        self._today_is_stale = True
        self._shown: dict[str, Any] = {}

    def add(self, atom: Atom) -> None:
        self._changes[atom] = self._changes.get(atom, 0) + 1

    def remove(self, atom: Atom) -> None:
        self._changes[atom] = self._changes.get(atom, 0) - 1

    def settle(self) -> None:
        """Bring what came and went since the last reading into the sums."""
        changed: dict[tuple[int, bool], Tally] = {}
        for atom, count in self._changes.items():
            second = atom[0] // SECOND
            if count == 0 or second < self._edges[-1]:
                continue
            atoms = self._cell(second)
            if count > 0:
                atoms.extend([atom] * count)
            else:
                for _ in range(-count):
                    atoms.remove(atom)
                if not atoms:
                    del self._cells[second]
            if atom[0] <= self.clock:
                place = self._ring_of(second), second >= self._day_starts_second
                fold(changed.setdefault(place, {}), atom, count)
        self._changes.clear()
        for (index, is_today), sums in changed.items():
            absorb(self._rings[index], sums)
            self._stale_from = min(self._stale_from, index)
            if is_today:
                absorb(self._today, sums)
                self._today_is_stale = True

    def advance(self, now: int) -> None:
        """Move the clock to `now`; a `now` in the past changes nothing."""
        self.settle()
        before = self.clock
        if now <= before:
            return
        self.clock = now
        last = now // SECOND
        newest = self._rings[0]
        for second in self._seconds(before // SECOND, last + 1):
            for atom in self._cells[second]:
                if before < atom[0] <= now:
                    fold(newest, atom, 1)
                    fold(self._today, atom, 1)
                    self._stale_from, self._today_is_stale = 0, True
        for index, length in enumerate(_LENGTHS):
            self._move_edge(index, last + 1 - length)
        if now >= self._day_ends:
            self._start_day(now)
        self._pack_up()

    def tally(self, window: str) -> Tally:
        """The sums of `window`, one of `WINDOW_NAMES`, as of the clock."""
        if window == "today":
            return self._today
        if window == "retained":
            return merged(self._rings)
        return merged(self._rings[: list(ROLLING).index(window) + 1])

    def tallies(self) -> dict[str, Tally]:
        """The sums of every window as of the clock; not to be changed."""
        sums = self._sums
        for index in range(self._stale_from, len(sums)):
            sums[index] = merged((sums[index - 1], self._rings[index])) if index else dict(self._rings[0])
            self._shown.pop(_RING_NAMES[index], None)
        self._stale_from = len(sums)
        return {**dict(zip(_RING_NAMES, sums, strict=True)), "today": self._today}

    def shown(self, values: Callable[[Tally], Shown]) -> dict[str, Shown]:
        """`values` of the sums of every window, computed anew only where they changed since it was last asked.

        Whoever asks has to ask for the same `values` each time.
        """
        tallies = self.tallies()
        if self._today_is_stale:
            self._shown.pop("today", None)
            self._today_is_stale = False
        shown = self._shown
        for name in WINDOW_NAMES:
            if name not in shown:
                shown[name] = values(tallies[name])
        return {name: shown[name] for name in WINDOW_NAMES}

    def amount(self, window: str, field: int) -> int:
        """The sum of one field over a rolling window, as of the clock."""
        rings = self._rings if window == "retained" else self._rings[: list(ROLLING).index(window) + 1]
        return sum(ring.get(field, 0) for ring in rings)

    def start_of(self, window: str) -> int:
        """The first moment of `window` in µs."""
        if window == "today":
            return self._day_starts_second * SECOND
        length = RETAINED_SECONDS if window == "retained" else ROLLING[window]
        return (self.clock // SECOND + 1 - length) * SECOND

    def _ring_of(self, second: int) -> int:
        """The ring of a second that is not past the last edge."""
        for index, edge in enumerate(self._edges):
            if second >= edge:
                return index
        raise AssertionError("a second before the horizon")

    def _move_edge(self, index: int, edge: int) -> None:
        leaving = self._seconds(self._edges[index], edge)
        self._edges[index] = edge
        ring = self._rings[index]
        older = self._rings[index + 1] if index + 1 < len(self._rings) else None
        for second in leaving:
            self._stale_from = min(self._stale_from, index)
            for atom in self._cells[second]:
                fold(ring, atom, -1)
                if older is not None:
                    fold(older, atom, 1)
            if older is None:
                del self._cells[second]
            elif index >= _PACKED_AFTER:
                self._loose.add(second // _MINUTE)

    def _start_day(self, now: int) -> None:
        self._day_ends = next_day_start(now)
        self._day_starts_second = day_start(now) // SECOND
        self._today = {}
        self._today_is_stale = True
        for second in self._seconds(self._day_starts_second, now // SECOND + 1):
            for atom in self._cells[second]:
                if atom[0] <= now:
                    fold(self._today, atom, 1)

    def _cell(self, second: int) -> list[Atom]:
        """The atoms of a second, to be changed."""
        if second < self._edges[_PACKED_AFTER] and second // _MINUTE not in self._loose:
            self._loosen(second // _MINUTE)
        cell = self._cells.get(second)
        if cell is None:
            cell = self._cells[second] = []
        return cell

    def _seconds(self, start: int, end: int) -> Iterable[int]:
        """The seconds of `[start, end)` that have atoms, none of them packed."""
        if start < self._edges[_PACKED_AFTER]:
            minutes = range(start // _MINUTE, (end - 1) // _MINUTE + 1)
            packed = self._packed
            for minute in [m for m in packed if m in minutes] if len(minutes) > len(packed) else minutes:
                self._loosen(minute)
        if end - start > len(self._cells):
            return [second for second in self._cells if start <= second < end]
        return [second for second in range(start, end) if second in self._cells]

    def _loosen(self, minute: int) -> None:
        """Unpack a minute beyond the packing edge."""
        self._loose.add(minute)
        packed = self._packed.pop(minute, None)
        if packed is not None:
            for atom in _unpack(packed):
                self._cells.setdefault(atom[0] // SECOND, []).append(atom)

    def _pack_up(self) -> None:
        """Pack the minutes through which no edge moves at present."""
        cells, edges = self._cells, self._edges
        before = edges[_PACKED_AFTER] // _MINUTE
        moving = {edge // _MINUTE for edge in edges}
        for minute in [m for m in self._loose if m < before and m not in moving]:
            self._loose.discard(minute)
            seconds = range(minute * _MINUTE, (minute + 1) * _MINUTE)
            atoms = [atom for second in seconds for atom in cells.pop(second, ())]
            if atoms:
                self._packed[minute] = _pack(atoms)


class FixedWindows:
    """The sums of one queue by interval; `start_of(at)` says which interval a moment lies in.

    An atom that was folded in can be taken out again as long as its visit may change, however old.
    """

    __slots__ = ("_future", "_start_of", "clock", "tallies")

    def __init__(self, start_of: Callable[[int], int | None]) -> None:
        self.clock = 0
        self.tallies: dict[int, Tally] = {}
        self._start_of = start_of
        self._future: dict[int, list[Atom]] = {}

    def add(self, atom: Atom) -> None:
        if atom[0] <= self.clock:
            self._fold(atom, 1)
        else:
            self._future.setdefault(atom[0] // SECOND, []).append(atom)

    def remove(self, atom: Atom) -> None:
        if atom[0] <= self.clock:
            self._fold(atom, -1)
            return
        cell = self._future[atom[0] // SECOND]
        cell.remove(atom)
        if not cell:
            del self._future[atom[0] // SECOND]

    def advance(self, now: int) -> None:
        """Move the clock to `now`; a `now` in the past changes nothing."""
        if now <= self.clock:
            return
        self.clock = now
        last = now // SECOND
        for second in [second for second in self._future if second <= last]:
            waiting = self._future.pop(second)
            later = [atom for atom in waiting if atom[0] > now]
            for atom in waiting:
                if atom[0] <= now:
                    self._fold(atom, 1)
            if later:
                self._future[second] = later

    def _fold(self, atom: Atom, sign: int) -> None:
        start = self._start_of(atom[0])
        if start is None:
            return
        tally = self.tallies.setdefault(start, {})
        fold(tally, atom, sign)
        if not tally:
            del self.tallies[start]
