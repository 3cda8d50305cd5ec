"""A control room to ask: what it shows after hearing some events."""

from collections.abc import Iterable
from typing import Any

from schemas.codec import Arrival
from stream.engine import Engine
from stream.history import History, Period
from stream.profile import Profile
from stream.queues import Queue
from tests.feed import CENTRE, in_order, us


def heard(arrivals: Iterable[Arrival], now: float, profile: Profile | None = None) -> Engine:
    """An engine that heard `arrivals` one by one, and then the time, second `now` after `T0`."""
    engine = Engine(profile or Profile())
    for arrival in arrivals:
        engine.apply([arrival], us(now))
    engine.tick(us(now))
    return engine


def queue_of(engine: Engine, name: str = "101") -> Queue:
    return engine.rooms[CENTRE].queues[name]


def shown(arrivals: Iterable[Arrival], now: float, queue: str = "101", profile: Profile | None = None) -> Any:
    """What the board shows of `queue` at second `now`."""
    board = heard(arrivals, now, profile).board(CENTRE, us(now))
    return next(entry for entry in board["queues"] if entry["queue"] == queue)


def figures(
    arrivals: Iterable[Arrival],
    now: float,
    queue: str = "101",
    window: str = "retained",
    profile: Profile | None = None,
) -> Any:
    """The figures of `queue` in a rolling window, as of second `now`."""
    return shown(arrivals, now, queue, profile)["windows"][window]


def calls(arrivals: Iterable[Arrival], now: float, window: str = "retained") -> Any:
    """The figures of all calls in a rolling window, as of second `now`."""
    return heard(arrivals, now).board(CENTRE, us(now))["calls"][window]


def positions(engine: Engine, queue: str = "101") -> dict[str, int]:
    """The place of each visit in line."""
    return {visit: place for place, visit in enumerate(queue_of(engine, queue).line.visits(), start=1)}


def history(arrivals: Iterable[Arrival], **period: Any) -> dict[tuple[str, str | None, str], Any]:
    """The values of `occ figures`: by (from, queue, figure)."""
    told = History(Profile(), Period(**period))
    list(told.take(in_order(list(arrivals))))
    return {(row["from"], row["queue"], row["figure"]): row["value"] for row in told.rows()}
