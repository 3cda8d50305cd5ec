"""A queue whose promises are broken stops making them, and starts again when what it would say is right."""

from datetime import datetime

import pytest

from schemas.outputs import Command
from stream import announcements
from stream.engine import Engine
from stream.profile import Profile
from telephony.simulator import Simulation
from tests.simulation.day import busy_room, seconds


def test_a_queue_that_promises_too_much_falls_back_to_positions_until_it_is_right_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = busy_room(datetime.fromisoformat("2026-11-24T09:00:00Z"), hours=6, sick=0.45)
    engine = Engine(Profile())
    said: list[Command] = []
    changes: list[tuple[int, bool]] = []
    monkeypatch.setattr(announcements, "minutes_for", lambda _: 2)
    for now, arrivals in seconds(Simulation(config, 3)):
        said += engine.apply(arrivals, now).commands + engine.tick(now).commands
        rooms = engine.rooms.values()
        fallen = any(room.queues["101"].promises.position_only for room in rooms)
        if fallen != (changes[-1][1] if changes else False):
            changes.append((len(said), fallen))
            monkeypatch.undo()
    (fell_at, fell), (rose_at, still_fallen), *_ = changes
    assert (fell, still_fallen) == (True, False)
    assert promised(said[:fell_at]) >= 50
    assert promised(said[fell_at:rose_at]) == 0
    assert sum(command.unspoken_minutes is not None for command in said[fell_at:rose_at]) >= 20
    assert promised(said[rose_at:]) > 0


def promised(commands: list[Command]) -> int:
    """How many of the 101 queue promised a wait aloud."""
    return sum(command.wait_minutes is not None and command.queue == "101" for command in commands)
