"""Handlers are counted as they change; a count from nothing, of all that was said, is the same."""

from collections import Counter

from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.events import HandlerNow
from schemas.moments import SECOND
from stream.handlers import RANK, STAFFED, STATES, Handlers, state_fact

REPEATABLE = settings(max_examples=500, deadline=None, derandomize=True, database=None)

names = st.sampled_from(("ann", "ben"))
states = st.sampled_from(("available", "talking", "not_ready"))
sources = st.sampled_from(("//room/north", "//room/south"))
queues = st.sampled_from((("101",), ("101", "999")))
listed = st.builds(HandlerNow, handler=names, state=states, queues=queues)
moments = st.integers(1, 20).map(lambda number: number * 10 * SECOND)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("state"), moments, names, states, sources, queues),
        st.tuples(
            st.just("snapshot"), moments, sources, st.lists(listed, max_size=2, unique_by=lambda now: now.handler)
        ),
        st.tuples(st.just("count"), st.integers(1, 6).map(lambda number: number * 10 * SECOND - 1)),
    ),
    max_size=40,
)


def hear(handlers: Handlers, step: tuple) -> None:
    match step:
        case "state", at, name, state, source, in_queues:
            handler = handlers.get(name)
            assert handler is not None
            handlers.heard(handler, state_fact(at, state), source)
            handlers.in_queues(handler, (at, f"{at}-{name}-{RANK[state]}"), in_queues)
        case "snapshot", at, source, now:
            handlers.snapshot(source, at, f"{at}-{source}", tuple(now))


def before(heard: list[tuple], handlers: Handlers, now: int) -> dict[str, int]:
    """How many of each queue were staffed a minute ago, reckoned from all that was said."""
    staffed: Counter[str] = Counter()
    for name in ("ann", "ben"):
        place = handlers._places.get(name)
        if place is None:
            continue
        said = [
            (at, RANK[state])
            for kind, at, who, state, *_ in (each for each in heard if each[0] == "state")
            if who == name and at <= now - 60 * SECOND
        ]
        state = STATES[max(said)[1]] if said else place.state
        staffed.update(queue for queue in place.queues if state in STAFFED)
    present = {queue: 0 for queue, staff in handlers.staff(now).items() if staff.now}
    return present | dict(staffed)


NORTH = "//room/north"
ANN = [HandlerNow(handler="ann", state="available", queues=("101",))]


@REPEATABLE
@given(steps)
# The source speaks sooner than its rhythm was, of somebody who spoke for herself in between.
@example(
    [
        ("snapshot", 10 * SECOND, NORTH, ANN),
        ("snapshot", 70 * SECOND, NORTH, ANN),
        ("state", 90 * SECOND, "ann", "available", NORTH, ("101",)),
        ("count", 95 * SECOND),
        ("snapshot", 100 * SECOND, NORTH, ANN),
    ]
)
def test_counts_kept_up_to_date_equal_those_from_nothing(script: list[tuple]) -> None:
    kept, now, heard = Handlers(), 0, []
    for step in [*script, *[("count", 10 * SECOND - 1)] * 40]:
        if step[0] != "count":
            heard.append(step)
            hear(kept, step)
            continue
        now += step[1]
        fresh = Handlers()
        for each in heard:
            hear(fresh, each)
        assert kept.counts(now) == fresh.counts(now)
        assert kept.staff(now) == fresh.staff(now)
        assert {queue: staff.before for queue, staff in kept.staff(now).items()} == before(heard, kept, now)
