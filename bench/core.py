"""What an event costs in the core, beside the barest thing one can do with it.

CPU time of `orjson.loads` alone, of the codec, and of the engine, over the same simulated half day, taken in turn in
slices so that all meet the same machine. No Kafka, no shell.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.codec import Arrival, decode, encode
from stream.engine import Engine
from stream.profile import Profile
from telephony.room import SimulationConfig
from telephony.simulator import Simulation

ROUNDS = 3
SLICE = 1_000

Spent = dict[str, float]
"""Seconds by what they were spent on."""


def measure(say: Callable[[str], None]) -> dict[str, Any]:
    """The round whose ratio of engine to `orjson.loads` is the median."""
    config = SimulationConfig(starts_at=datetime(2026, 11, 24, 6, tzinfo=UTC), hours=12, scale=4)
    lines = [encode(event) for event in Simulation(config, seed=1).events()]
    rounds: list[Spent] = []
    for number in range(1, ROUNDS + 1):
        say(f"core: round {number} of {ROUNDS}")
        rounds.append(_round(lines))
    rounds.sort(key=lambda spent: spent["engine"] / spent["orjson"])
    median = rounds[ROUNDS // 2]
    return {
        "events": len(lines),
        "microseconds_per_event": {name: round(spent / len(lines) * 1e6, 2) for name, spent in median.items()},
        "times_orjson": {name: round(spent / median["orjson"], 2) for name, spent in median.items()},
    }


def _round(lines: list[bytes]) -> Spent:
    spent = {"orjson": 0.0, "codec": 0.0, "engine": 0.0}
    engine = Engine(Profile())
    for start in range(0, len(lines), SLICE):
        part = lines[start : start + SLICE]
        began = time.process_time()
        for line in part:
            orjson.loads(line)
        read = time.process_time()
        arrivals = [arrival for line in part if isinstance(arrival := decode(line), Arrival)]
        decoded = time.process_time()
        engine.apply(arrivals, arrivals[-1].at)
        applied = time.process_time()
        spent["orjson"] += read - began
        spent["codec"] += decoded - read
        spent["engine"] += applied - decoded
    return spent
