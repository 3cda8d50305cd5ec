"""Events of files of any length and order, sorted by (time, source, id).

Up to `IN_MEMORY` events are sorted in memory; more are sorted in runs on disk and merged, so that a year of events
needs no more memory than a day. A line that is refused is counted by reason, and reported with its place; the
others go on.
"""

import heapq
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from schemas.codec import Arrival, Refusal, decode

IN_MEMORY = 200_000
REPORTED_MAX = 10

_Key = tuple[int, str, str, bytes]


@dataclass(slots=True)
class Reading:
    """What was read: accepted events, refused lines by reason, and the first of them in words."""

    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    reports: list[str] = field(default_factory=list)

    def refuse(self, place: str, refusal: Refusal) -> None:
        """Count a refused line."""
        self.refused[refusal.reason] += 1
        if len(self.reports) < REPORTED_MAX:
            member = f" {refusal.member}:" if refusal.member else ""
            self.reports.append(f"{place}: {refusal.reason}:{member} {refusal.why}")


def sorted_arrivals(
    files: Iterable[Path], reading: Reading, progress: Callable[[int], None] = lambda _: None
) -> Iterator[Arrival]:
    """The events of `files` (JSON lines) in order; fills `reading` before the first is given."""
    with tempfile.TemporaryDirectory(prefix="occ-sort-") as folder:
        runs: list[IO[bytes]] = []
        held: list[_Key] = []
        try:
            for key in _keys(files, reading, progress):
                held.append(key)
                if len(held) >= IN_MEMORY:
                    runs.append(_spill(held, Path(folder) / str(len(runs))))
                    held = []
            held.sort()
            for key in heapq.merge(held, *map(_read_run, runs)):
                yield _arrival(key[3])
        finally:
            for run in runs:
                run.close()


def _keys(files: Iterable[Path], reading: Reading, progress: Callable[[int], None]) -> Iterator[_Key]:
    for file in files:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                text = line.strip()
                if not text:
                    continue
                arrival = decode(text)
                if isinstance(arrival, Refusal):
                    reading.refuse(f"{file.name}:{number}", arrival)
                    continue
                reading.accepted += 1
                if reading.accepted % 10_000 == 0:
                    progress(reading.accepted)
                yield arrival.at, arrival.event.source, arrival.event.id, text


def _spill(held: list[_Key], path: Path) -> IO[bytes]:
    held.sort()
    with path.open("wb") as run:
        run.writelines(key[3] + b"\n" for key in held)
    return path.open("rb")


def _read_run(run: IO[bytes]) -> Iterator[_Key]:
    for line in run:
        text = line.rstrip(b"\n")
        arrival = _arrival(text)
        yield arrival.at, arrival.event.source, arrival.event.id, text


def _arrival(text: bytes) -> Arrival:
    arrival = decode(text)
    assert isinstance(arrival, Arrival)
    return arrival
