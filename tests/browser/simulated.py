"""Boards as a worker would write them, of a simulated room that is busy and short of staff."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from msgspec import structs

from schemas.boards import Board
from schemas.codec import Arrival
from schemas.moments import MINUTE, micros
from stream.engine import Engine
from stream.profile import Profile
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation
from tests.wallboard.served import said
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


def as_of(board: Board, at: datetime, *, age: float = 1.0, **changes: Any) -> Board:
    """The board as if it were made at `at`, of data `age` seconds old."""
    moment = at.isoformat().replace("+00:00", "Z")
    return {**board, "as_of": moment, "feed": {**board["feed"], "data_age_seconds": age}, **changes}


def now_of(board: Board, *, age: float = 1.0, **changes: Any) -> Board:
    """The same as if it were made at this moment."""
    return as_of(board, datetime.now(UTC), age=age, **changes)


def show(hub: Hub, boards: list[Board], at: datetime | None = None) -> None:
    """Show the last of `boards` as of `at`, which is now if not given, after the others, each a minute before."""
    last = at or datetime.now(UTC)
    for ago, board in reversed(list(enumerate(reversed(boards)))):
        hub.take(as_of(board, last - timedelta(minutes=ago)))


def announce(hub: Hub) -> None:
    """One announcement to a caller on 101 that was heard, and one on 101-secondary of which nothing is known yet."""
    text = "If someone is in danger or a crime is happening now, hang up and dial 999. You are number 3 in the queue."
    for number, queue in enumerate(("101", "101-secondary")):
        hub.announced(structs.replace(said(number, CENTRE), queue=queue, text=text))
    hub.announcement_ended(CENTRE, said(0).id, "played")
