"""A worker that takes over in the rush hour says what the one before it would have said."""

from collections.abc import Sequence

import pytest
from msgspec import structs

from schemas.codec import Arrival
from schemas.moments import SECOND
from schemas.outputs import Command
from stream.engine import Engine
from stream.profile import Profile
from tests.simulation.broken import rush_hour
from tests.simulation.day import Second
from tests.simulation.reckoner import published

GOES_ON_FOR = 1800


def told(engine: Engine, time: Sequence[Second]) -> list[Command]:
    """What `engine` says over `time`."""
    said = []
    for now, arrivals in time:
        said += engine.apply(arrivals, now).commands + engine.tick(now).commands
    return said


def restored(time: Sequence[Second], said: Sequence[Command]) -> Engine:
    """An engine of the next owner, made from what was heard and said over `time`."""
    engine = Engine(Profile(), epoch=1)
    engine.restoring = True
    for now, arrivals in time:
        engine.apply(arrivals, now)
        engine.tick(now)
    for command in said:
        engine.remember(command)
    engine.restoring = False
    return engine


def unowned(commands: Sequence[Command]) -> list[Command]:
    """Commands but for who decided them."""
    return [structs.replace(command, id="", epoch=0) for command in commands]


def promises_of(engine: Engine) -> list[tuple[str, int, int, int, bool]]:
    return [
        (name, queue.promises.kept, queue.promises.broken, queue.promises.left_early, queue.promises.position_only)
        for room in engine.rooms.values()
        for name, queue in room.queues.items()
    ]


@pytest.mark.parametrize("second", [1200, 2511, 3600])
def test_a_restarted_worker_says_the_same_as_one_that_went_on(second: int) -> None:
    time = list(rush_hour())
    first: list[Arrival] = [published("west-mercia", time[0][0]), *time[0][1]]
    time[0] = (time[0][0], first)
    before, after = time[:second], time[second : second + GOES_ON_FOR]
    engine = Engine(Profile())
    said = told(engine, before)
    successor = restored(before, said)
    assert promises_of(successor) == promises_of(engine)
    goes_on = unowned(told(engine, after))
    assert len(goes_on) > 100
    assert unowned(told(successor, after)) == goes_on
    assert promises_of(successor) == promises_of(engine)


def test_what_was_counted_before_is_not_counted_again() -> None:
    time = rush_hour()[:3600]
    engine = Engine(Profile())
    successor = restored(time, told(engine, time))
    (room,), (next_room,) = engine.rooms.values(), successor.rooms.values()
    assert sum(room.queues["101"].counters.promises.values()) > 20
    assert next_room.queues["101"].counters.promises == {}
    assert next_room.queues["101"].counters.announcements == {}


def test_a_queue_that_fell_back_to_positions_is_still_there_after_a_restart() -> None:
    time = rush_hour()[:2400]
    engine = Engine(Profile())
    said = told(engine, time[:1200])
    engine.rooms["west-mercia"].queues["101"].promises.position_only = True
    said += told(engine, time[1200:])
    assert any(command.unspoken_minutes for command in said)
    assert restored(time, said).rooms["west-mercia"].queues["101"].promises.position_only


def test_the_restart_itself_says_nothing() -> None:
    time = rush_hour()[:3000]
    engine = Engine(Profile())
    said = told(engine, time)
    successor = restored(time, said)
    now = time[-1][0]
    again = successor.tick(now + SECOND // 5).commands
    assert unowned(again) == unowned(engine.tick(now + SECOND // 5).commands)
