"""Windows on event time.

`RollingWindows` keeps the sums of the last 5, 15, 30 and 60 minutes, 6 hours, today and 48 hours; `FixedWindows`
keeps those of intervals `[start, end)` for history. Both are handed atoms and the time, and hold that each window's
tally is exactly the sum of the atoms whose moment lies in it and is not later than the clock: an atom of the future
waits in its second until the clock reaches it. A rolling window covers `⌊as_of⌋ + 1 s − length` to `as_of`.

Neither knows what an atom means.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec

from schemas.moments import HOUR, LONDON, SECOND, micros, moment
from stream.tally import Atom, Tally, absorb, fold, total

ROLLING = {"5m": 300, "15m": 900, "30m": 1800, "60m": 3600, "6h": 6 * 3600}
RETAINED_SECONDS = 48 * 3600
HORIZON = 48 * HOUR
WINDOW_NAMES = (*ROLLING, "today", "retained")

_BY_LENGTH = (*ROLLING, "retained")
_LENGTHS = (*ROLLING.values(), RETAINED_SECONDS)
_PACKED_AFTER = _BY_LENGTH.index("60m")
"""Minutes that left this window are kept packed: two days of atoms take a tenth of the memory."""
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

    Each second's atoms are kept until they leave the last window; time moves the edge of each window over them.
    """

    __slots__ = (
        "_cells",
        "_changed",
        "_changes",
        "_day_ends",
        "_day_starts_second",
        "_edges",
        "_loose",
        "_packed",
        "_shown",
        "_sums",
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
        self._sums: dict[str, Tally] = {name: {} for name in WINDOW_NAMES}
        self._edges = [1 - length for length in _LENGTHS]
        """The first second of each window but today."""
        self._day_starts_second = 0
        self._day_ends = 0
        self._changed: dict[str, set[int]] = {name: set() for name in WINDOW_NAMES}
        """The fields of each window whose sums may differ from what was shown last."""
        self._shown: dict[str, dict[str, Any]] = {name: {} for name in WINDOW_NAMES}

    def add(self, atom: Atom) -> None:
        self._changes[atom] = self._changes.get(atom, 0) + 1

    def remove(self, atom: Atom) -> None:
        self._changes[atom] = self._changes.get(atom, 0) - 1

    def settle(self) -> None:
        """Bring what came and went since the last reading into the sums."""
        if not self._changes:
            return
        differences: dict[tuple[int, bool], Tally] = {}
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
                place = self._narrowest(second), second >= self._day_starts_second
                fold(differences.setdefault(place, {}), atom, count)
        self._changes.clear()
        for (narrowest, is_of_today), difference in differences.items():
            for name in _BY_LENGTH[narrowest:]:
                self._change(name, difference)
            if is_of_today:
                self._change("today", difference)

    def advance(self, now: int) -> None:
        """Move the clock to `now`; a `now` in the past changes nothing."""
        self.settle()
        before = self.clock
        if now <= before:
            return
        self.clock = now
        last = now // SECOND
        happened = [
            atom
            for second in self._seconds(before // SECOND, last + 1)
            for atom in self._cells[second]
            if before < atom[0] <= now
        ]
        if happened:
            difference = total(happened)
            for name in WINDOW_NAMES:
                self._change(name, difference)
        if last == before // SECOND:
            return
        for index, length in enumerate(_LENGTHS):
            self._move_edge(index, last + 1 - length)
        if now >= self._day_ends:
            self._start_day(now)
        self._pack_up()

    def tallies(self) -> Mapping[str, Tally]:
        """The sums of every window as of the clock; not to be changed."""
        return self._sums

    def shown(self, values: Callable[[Tally, Set[int] | None], Mapping[str, Shown]]) -> dict[str, dict[str, Shown]]:
        """By window what `values` makes of the sums: everything the first time, then only what changed.

        `values` is given a tally and which of its fields changed since it was last asked, None for all. Whoever
        asks has to ask for the same `values` each time.
        """
        for name, changed in self._changed.items():
            shown = self._shown[name]
            if changed or not shown:
                shown.update(values(self._sums[name], changed if shown else None))
                changed.clear()
        return {name: dict(shown) for name, shown in self._shown.items()}

    def amount(self, window: str, field: int) -> int:
        """The sum of one field over a window, as of the clock."""
        return self._sums[window].get(field, 0)

    def start_of(self, window: str) -> int:
        """The first moment of `window` in µs."""
        if window == "today":
            return self._day_starts_second * SECOND
        length = RETAINED_SECONDS if window == "retained" else ROLLING[window]
        return (self.clock // SECOND + 1 - length) * SECOND

    def _narrowest(self, second: int) -> int:
        """The index of the narrowest window by length around a second that is not past the last edge."""
        index = 0
        while second < self._edges[index]:
            index += 1
        return index

    def _change(self, window: str, difference: Tally) -> None:
        absorb(self._sums[window], difference)
        self._changed[window].update(difference)

    def _move_edge(self, index: int, edge: int) -> None:
        """Let the seconds before `edge` leave one window."""
        leaving = self._seconds(self._edges[index], edge)
        self._edges[index] = edge
        gone: Tally = {}
        for second in leaving:
            for atom in self._cells[second]:
                fold(gone, atom, -1)
            if index == len(_LENGTHS) - 1:
                del self._cells[second]
            elif index >= _PACKED_AFTER:
                self._loose.add(second // _MINUTE)
        self._change(_BY_LENGTH[index], gone)

    def _start_day(self, now: int) -> None:
        self._day_ends = next_day_start(now)
        self._day_starts_second = day_start(now) // SECOND
        seconds = self._seconds(self._day_starts_second, now // SECOND + 1)
        self._changed["today"].update(self._sums["today"])
        self._sums["today"] = {}
        self._change("today", total(atom for second in seconds for atom in self._cells[second] if atom[0] <= now))

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
            seconds = cells.keys() & range(minute * _MINUTE, (minute + 1) * _MINUTE)
            atoms = [atom for second in seconds for atom in cells.pop(second)]
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
