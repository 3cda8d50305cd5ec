"""What a simulated control room is like: how many call and when, how patient they are, who answers them.

The figures are those of a middle-sized force: 25 emergency and 55 non-emergency calls an hour on average, a morning
peak on 101, an evening peak on 999, and 120 s of contact logging after most conversations. Hours are local, durations
are seconds. `scale` makes the same room larger: callers, staff and lines grow together.

It deliberately does not know how calls and people meet; that is simulator.py.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import log
from random import Random

from schemas.moments import SECOND

SHIFT_STARTS = (7, 15, 23)
"""Local hours at which the early, the late and the night shift begin."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations spread log-normally about a mean, none longer than ten times it."""

    mean: float
    sigma: float = 0.6

    def draw(self, rng: Random) -> int:
        """One duration in µs."""
        seconds = rng.lognormvariate(log(self.mean) - self.sigma**2 / 2, self.sigma)
        return round(min(seconds, 10 * self.mean) * SECOND)


def by_hour(mean: float, weights: tuple[float, ...]) -> tuple[float, ...]:
    """Calls per hour for each hour of the day, in proportion to 24 weights, `mean` on average."""
    factor = mean * len(weights) / sum(weights)
    return tuple(weight * factor for weight in weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Who asks for one service: how often, for which queue, and what they hear before they join it.

    `greeting` is the time from offered to queued; `lost_in_greeting` is the share that hangs up before any queue.
    """

    per_hour: tuple[float, ...]
    queue: str
    greeting: Spread
    lost_in_greeting: float = 0.0
    surge: float = 1.0
    origins: Mapping[str, float] = field(default_factory=lambda: {"public": 1.0})
    withheld: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueModel:
    """One queue: how callers wait in it and how long each of them keeps a handler.

    `capacity` callers at most; after `timeout` a visit overflows. Shares are of the visits that join.
    `opens` and `closes` are local hours.
    """

    patience: Spread
    ring: Spread
    talk: Spread
    wrap_up: Spread
    capacity: int
    timeout: float
    short_limit: float = 5.0
    priority: int | None = None
    contact_log: float = 120.0
    hurried: float = 0.0
    exits_by_key: float = 0.0
    asks_callback: float = 0.0
    moved_up: float = 0.0
    moved_out: float = 0.0
    transfers: float = 0.0
    transfers_to: str | None = None
    opens: int = 0
    closes: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """Handlers who serve the same queues, the most urgent first; `staff` of the early, late and night shift."""

    name: str
    queues: tuple[str, ...]
    staff: tuple[int, int, int]


# fmt: off
_EVENING_PEAK = (
    0.85, 0.70, 0.60, 0.50, 0.45, 0.45, 0.50, 0.65, 0.85, 1.00, 1.05, 1.10,
    1.15, 1.15, 1.20, 1.30, 1.35, 1.40, 1.40, 1.35, 1.30, 1.30, 1.20, 1.05,
)
_OFFICE_PEAK = (
    0.35, 0.25, 0.20, 0.20, 0.20, 0.25, 0.40, 0.70, 1.20, 1.60, 1.70, 1.65,
    1.55, 1.50, 1.50, 1.50, 1.50, 1.55, 1.45, 1.30, 1.10, 0.90, 0.70, 0.50,
)
# fmt: on


def _demands() -> dict[str, Demand]:
    return {
        "999": Demand(
            per_hour=by_hour(25, _EVENING_PEAK),
            queue="999",
            greeting=Spread(0.3),
            surge=2.2,
            origins={"public": 0.985, "other_agency": 0.01, "unknown": 0.005},
            withheld=0.03,
        ),
        "101": Demand(
            per_hour=by_hour(55, _OFFICE_PEAK),
            queue="101",
            greeting=Spread(11, 0.3),
            lost_in_greeting=0.03,
            surge=1.7,
            origins={
                "public": 0.90,
                "diverted_mobile": 0.045,
                "station_phone": 0.025,
                "other_agency": 0.02,
                "unknown": 0.01,
            },
            withheld=0.07,
        ),
        "internal": Demand(
            per_hour=by_hour(10, _EVENING_PEAK),
            queue="internal",
            greeting=Spread(2, 0.3),
            surge=1.5,
            origins={"internal": 0.7, "other_agency": 0.3},
        ),
        "digital": Demand(per_hour=by_hour(9, _OFFICE_PEAK), queue="digital", greeting=Spread(1)),
    }


def _queues() -> dict[str, QueueModel]:
    return {
        "999": QueueModel(
            patience=Spread(120, 0.8),
            ring=Spread(2.2, 0.3),
            talk=Spread(150),
            wrap_up=Spread(60),
            capacity=20,
            timeout=150,
            short_limit=0,
            priority=100,
            hurried=0.012,
        ),
        "101": QueueModel(
            patience=Spread(480, 0.9),
            ring=Spread(3.5, 0.3),
            talk=Spread(250),
            wrap_up=Spread(75),
            capacity=20,
            timeout=900,
            hurried=0.04,
            exits_by_key=0.02,
            asks_callback=0.08,
            moved_up=0.015,
            moved_out=0.005,
            transfers=0.20,
            transfers_to="101-secondary",
        ),
        "101-secondary": QueueModel(
            patience=Spread(700, 0.9),
            ring=Spread(4, 0.3),
            talk=Spread(380),
            wrap_up=Spread(110),
            capacity=20,
            timeout=1200,
        ),
        "internal": QueueModel(
            patience=Spread(600),
            ring=Spread(4, 0.3),
            talk=Spread(90),
            wrap_up=Spread(25),
            capacity=15,
            timeout=1800,
            contact_log=0,
        ),
        "digital": QueueModel(
            patience=Spread(7200),
            ring=Spread(20),
            talk=Spread(420),
            wrap_up=Spread(40),
            capacity=60,
            timeout=6 * 3600,
            short_limit=0,
            opens=6,
        ),
    }


def _teams() -> tuple[Team, ...]:
    return (
        Team(name="emergency", queues=("999",), staff=(3, 5, 4)),
        Team(name="contact", queues=("999", "internal", "101"), staff=(13, 14, 6)),
        Team(name="resolution", queues=("101-secondary", "101"), staff=(3, 4, 0)),
        Team(name="digital", queues=("digital",), staff=(3, 3, 0)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulationConfig:
    """One simulated control room from `starts_at` on for `hours`, until its last caller is served.

    In `surge_hour` (local) demand rises by each service's factor; `sick` is the share of staff missing.
    """

    centre: str = "west-mercia"
    starts_at: datetime
    hours: float = 24.0
    scale: float = 1.0
    heartbeats: bool = True
    surge_hour: int | None = 19
    sick: float = 0.06
    ring_no_answer: float = 0.015
    holds: float = 0.18
    breaks: float = 0.04
    redials: float = 0.35
    redials_to_999: float = 0.15
    test_calls: float = 0.002
    demands: Mapping[str, Demand] = field(default_factory=_demands)
    queues: Mapping[str, QueueModel] = field(default_factory=_queues)
    teams: tuple[Team, ...] = field(default_factory=_teams)

    def __post_init__(self) -> None:
        if self.starts_at.tzinfo is None:
            raise ValueError("starts_at needs an offset from UTC")
        if not 0 < self.scale <= 100 or self.hours <= 0:
            raise ValueError("scale must be above 0 and at most 100, hours above 0")


def always_busy(config: SimulationConfig) -> SimulationConfig:
    """The same room with the demand and the staff of its busiest hour at any hour, closed never, without a surge."""
    busiest = SHIFT_STARTS[1] + 2
    return replace(
        config,
        surge_hour=None,
        demands={
            service: replace(demand, per_hour=(demand.per_hour[busiest],) * 24)
            for service, demand in config.demands.items()
        },
        queues={queue: replace(model, opens=0, closes=24) for queue, model in config.queues.items()},
        teams=tuple(replace(team, staff=(team.staff[1],) * 3) for team in config.teams),
    )
