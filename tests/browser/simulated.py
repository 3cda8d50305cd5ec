"""Boards as a worker would write them, of a simulated room that is busy and short of staff."""

from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.boards import Board
from schemas.codec import Arrival
from schemas.moments import MINUTE, micros
from stream.engine import Engine
from stream.profile import Profile
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation
from wallboard.hub import Hub

CENTRE = "west-mercia"
STARTS_AT = datetime(2026, 11, 25, 8, tzinfo=UTC)
MINUTES = 70


def busy_boards() -> list[Board]:
    """A board a minute; the same each time."""
    config = SimulationConfig(centre=CENTRE, starts_at=STARTS_AT, hours=MINUTES / 60, scale=6, sick=0.28)
    arrivals = [
        Arrival(event, at, at)
        for event in Simulation(always_busy(config), seed=5).events()
        for at in (micros(event.time),)
    ]
    engine, boards, done = Engine(Profile()), [], 0
    for minute in range(1, MINUTES + 1):
        now = micros(STARTS_AT) + minute * MINUTE
        upto = next((index for index in range(done, len(arrivals)) if arrivals[index].at > now), len(arrivals))
        engine.apply(arrivals[done:upto], now)
        engine.tick(now)
        done = upto
        boards.append(orjson.loads(orjson.dumps(engine.board(CENTRE, now))))
    return boards


def now_of(board: Board, *, age: float = 1.0, **changes: Any) -> Board:
    """The board as if it were made at this moment, of data `age` seconds old."""
    as_of = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return {**board, "as_of": as_of, "feed": {**board["feed"], "data_age_seconds": age}, **changes}


def show(hub: Hub, boards: list[Board]) -> None:
    """Show the last of `boards` as of now, after the others as they were."""
    for board in boards[:-1]:
        hub.take(board)
    hub.take(now_of(boards[-1]))
