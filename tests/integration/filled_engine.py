"""An engine in a process like the worker's, fed days of events on standard input: how much memory does it take?

Reads events as JSON lines and lets their times be the clock. Prints, as a line of JSON, the resident memory in bytes
before the first event, and its peak at each midnight after it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from agents import app
from agents.garbage import look_once
from schemas.codec import Arrival, decode
from schemas.moments import HOUR, MINUTE
from stream.engine import Engine
from stream.profile import Profile

SLICE = 5 * MINUTE
BOARD_EVERY = 15 * MINUTE


def resident(which: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{which}:"))


def slices() -> Iterator[tuple[int, list[Arrival]]]:
    """(the end of some minutes, what happened in them)"""
    end, heard = 0, list[Arrival]()
    for line in sys.stdin.buffer:
        arrival = decode(line.strip())
        assert isinstance(arrival, Arrival), arrival
        end = end or arrival.at + SLICE
        while arrival.at >= end:
            yield end, heard
            end, heard = end + SLICE, []
        heard.append(arrival)
    yield end, heard


def main() -> None:
    assert app.create_app
    look_once()
    engine = Engine(Profile())
    sizes = [resident("VmRSS")]
    for now, heard in slices():
        engine.apply(heard, now)
        engine.tick(now)
        if now % BOARD_EVERY == 0:
            for centre in engine.centres:
                engine.board(centre, now)
        if now % (24 * HOUR) == 0:
            sizes.append(resident("VmHWM"))
    sys.stdout.buffer.write(orjson.dumps(sizes))


if __name__ == "__main__":
    main()
