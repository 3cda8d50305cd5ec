"""What a worker remembers fits into the memory it was promised, and stops growing when the oldest is forgotten."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from schemas.codec import encode
from telephony.room import SimulationConfig
from telephony.simulator import Simulation

VISITS_A_DAY = 20_000
RESIDENT_MAX = 250_000_000
DAYS = 4
FIRST_DAY = date(2026, 11, 23)

_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
_OWN_ID = re.compile(rb'"((?:call|visit|sip-call|pbx1|safe|roster)-)')


def days() -> Iterator[bytes]:
    """A busy day, lived anew again and again: the same people, other calls."""
    config = SimulationConfig(starts_at=datetime(*FIRST_DAY.timetuple()[:3], tzinfo=UTC), scale=7.7)
    simulation = Simulation(config, seed=1)
    day = b"\n".join(encode(event) for event in simulation.events())
    assert sum(simulation.truth.of_queue(queue)["queued"] for queue in simulation.truth.queues) >= VISITS_A_DAY
    for number in range(DAYS):
        later = timedelta(days=number)
        dates = {
            str(at).encode(): str(at + later).encode() for at in (FIRST_DAY + timedelta(n) for n in range(-2, 3))
        }
        moved = _DATE.sub(lambda found, dates=dates: dates[found[0]], day)  # type: ignore[misc]
        yield _OWN_ID.sub(rb'"\g<1>%d-' % number, moved) + b"\n"


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_two_days_of_20000_visits_fit_into_250_mb_and_later_days_add_next_to_nothing() -> None:
    #  day 1 │ day 2 │ day 3 │ day 4     what is older than 56 hours (digital: 120) is forgotten
    filled = Path(__file__).with_name("filled_engine.py")
    with subprocess.Popen([sys.executable, str(filled)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as engine:
        assert engine.stdin is not None
        for day in days():
            engine.stdin.write(day)
        said, _ = engine.communicate()
    assert engine.returncode == 0
    empty, *midnights = orjson.loads(said)
    a_day = (midnights[1] - empty) / 2
    assert max(midnights) < RESIDENT_MAX, midnights
    assert midnights[3] - midnights[2] < a_day / 4
