"""An hour of 101 in which three people serve it, and what is usual then."""

from schemas import events as ev
from schemas.codec import Arrival
from tests.feed import answered, ended, event, handler, handlers, queued, when, wrapped_up

NOW = 3600


#  An hour in which h1 and h2 answer six calls of 101 each, 200 s of talk and 100 s of wrap-up, and h3 nobody.
#  Each waited 10 s; three wait now. No emergencies, nobody gave up: s = 3, µ = 1/300, θ = 1/360 (120 s waited).
def an_hour() -> list[Arrival]:
    events = [
        handlers(0, dict.fromkeys(("h1", "h2", "h3"), "available")),
        *(handler(name, 1, "available", queues=("101",)) for name in ("h1", "h2", "h3")),
    ]
    for number in range(12):
        visit, at, name = f"v{number}", 300 * number - 210, f"h{number % 2 + 1}"
        events += [
            queued(visit, at),
            answered(visit, at + 10, name),
            ended(visit, at + 210),
            wrapped_up(visit, at + 310),
        ]
    return [*events, *(queued(visit, NOW - 30) for visit in "abc")]


def profile(aht: float, minute: int, *, at: float = 0, queue: str | None = None, **more: float) -> Arrival:
    slot = ev.ProfileSlot(
        **{"weekday": 1, "minute": minute, "offered": 1, "aht_mean": aht, "wait_median": 60, "crossover": 0, "n": 4}
        | more  # type: ignore[arg-type]
    )
    return event(
        ev.ProfilePublished,
        ev.ProfilePublishedData,
        at,
        slots=(slot,),
        month_to_date={},
        computed_at=when(at),
        queue=queue,
    )
