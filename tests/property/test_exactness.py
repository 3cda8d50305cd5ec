"""The same events give the same figures in whatever order, however often and in whatever slices they arrive.

Three ways must agree on every strange day: the engine, fed live in a disturbed order; the history, fed from a sorted
file; and an oracle that keeps every event and computes each figure anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock

import msgspec
import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.codec import Arrival
from schemas.events import HandlerSnapshot
from schemas.moments import HOUR, MINUTE, SECOND, parse
from stream import room as room_module
from stream.engine import Engine
from stream.figures import PERCENTILES
from stream.history import History, Period
from stream.profile import Profile
from stream.windows import ROLLING, day_start
from tests.feed import CENTRE
from tests.oracle import Oracle
from tests.strategies import Case, cases

PROFILE = Profile()
ANY_ORDER = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
seeds = st.integers(0, 2**32 - 1)
_PERCENTILE_NAMES = {f"{name}_p{percent}" for name in ("wait", "wait_answered") for percent in PERCENTILES}


def slices(arrivals: list[Arrival], random: Random) -> Iterator[list[Arrival]]:
    start = 0
    while start < len(arrivals):
        length = random.choice((1, 1, 2, 5, len(arrivals)))
        yield arrivals[start : start + length]
        start += length


def live(case: Case, seed: int) -> Engine:
    """An engine that heard the events of `case` in some order, with ticks and boards between, up to `as_of`."""
    random = Random(seed)
    engine = Engine(PROFILE)
    now = case.arrivals[0].at
    counted = dict[str, int]()
    for part in slices(case.disturbed(random), random):
        step = random.choice((0, 1, SECOND, 20 * SECOND, HOUR))
        now = min(case.as_of, max(now + step, *(arrival.at - 5 * MINUTE for arrival in part)))
        engine.apply([Arrival(arrival.event, arrival.at, now) for arrival in part], now)
        for do in random.sample((engine.tick, lambda at: engine.board(CENTRE, at)), k=random.randrange(3)):
            do(now)
        counted = check_invariants(engine, now, counted)
    engine.tick(case.as_of)
    check_invariants(engine, case.as_of, counted)
    return engine


def check_invariants(engine: Engine, now: int, counted_before: dict[str, int]) -> dict[str, int]:
    """What holds after every step; returns the counters, which never fall."""
    room = engine.rooms[CENTRE]
    room.sweep(now)
    for name, queue in room.queues.items():
        assert queue.conservation_error == 0, name
        positions = [queue.line.position(room.visits[ident].counting.line_key) for ident in queue.line.visits()]
        assert positions == list(range(1, len(positions) + 1)), name
    counted = counters(engine)
    assert all(counted.get(name, 0) >= before for name, before in counted_before.items())
    return counted


def counters(engine: Engine) -> dict[str, int]:
    room = engine.rooms[CENTRE]
    flat = {f"anomaly {kind}": number for kind, number in room.counters.anomalies.items()}
    flat |= {f"offered {key}": number for key, number in room.counters.calls_offered.items()}
    flat |= {f"events {kind}": number for kind, number in room.counters.events.items()}
    for name, queue in room.queues.items():
        known = queue.counters
        flat[f"{name} queued"] = known.queued
        flat |= {f"{name} ended {outcome}": number for outcome, number in enumerate(known.ended)}
        flat |= {f"{name} corrected {way}": number for way, number in known.corrections.items()}
        for group, buckets in enumerate(known.wait_buckets):
            flat |= {f"{name} wait {group} {bucket}": number for bucket, number in enumerate(buckets)}
        flat |= {f"{name} wait {group} sum": total for group, total in enumerate(known.wait_sums)}
    return flat


def board(engine: Engine, now: int) -> dict[str, Any]:
    """The board, without what tells of the path and not of the events."""
    whole = orjson.loads(orjson.dumps(engine.board(CENTRE, now)))
    del whole["feed"]
    for queue in whole["queues"]:
        del queue["drift"], queue["announcements"]
    return dict(whole)


def rows(arrivals: list[Arrival], **period: Any) -> list[dict[str, Any]]:
    history = History(PROFILE, Period(**period))
    ordered = sorted(arrivals, key=lambda arrival: (arrival.at, arrival.event.source, arrival.event.id))
    list(history.take(ordered))
    return history.rows()


def within_one_per_cent(value: float | None, exact: int | None) -> bool:
    if value is None or exact is None:
        return value is None and exact is None
    return abs(round(value * SECOND) - exact) * 100 <= exact


CALLERS = ("unique_callers", "unique_callers_coverage")


@contextmanager
def packing_at_once() -> Iterator[None]:
    with mock.patch.multiple(room_module, COLD_AFTER=0, COOL_EVERY=1, COOLED_TOGETHER_MAX=2):
        yield


@ANY_ORDER
@given(cases(), seeds, seeds)
def test_any_order_any_repeats_and_any_slices_give_the_same_board(case: Case, one: int, other: int) -> None:
    assert board(live(case, one), case.as_of) == board(live(case, other), case.as_of)


@ANY_ORDER
@given(cases(), seeds, seeds)
def test_ids_used_for_anything_crash_nothing_and_give_the_same_board_in_any_order(
    case: Case, one: int, other: int
) -> None:
    ids = Random(one)
    named = [
        Arrival(msgspec.structs.replace(arrival.event, id=ids.choice("xyz")), arrival.at, arrival.at)
        for arrival in case.arrivals
        if not isinstance(arrival.event, HandlerSnapshot)
    ]
    if named:
        confused = Case(named, case.as_of)
        assert board(live(confused, one), case.as_of) == board(live(confused, other), case.as_of)


@ANY_ORDER
@given(cases(), seeds)
def test_packing_calls_nobody_speaks_of_changes_nothing(case: Case, seed: int) -> None:
    plain = live(case, seed)
    with packing_at_once():
        packed = live(case, seed)
    assert board(packed, case.as_of) == board(plain, case.as_of)
    assert counters(packed) == counters(plain)


@ANY_ORDER
@given(cases(), seeds)
def test_the_board_shows_in_every_window_what_the_oracle_counts(case: Case, seed: int) -> None:
    shown = board(live(case, seed), case.as_of)
    oracle = Oracle(PROFILE, case.arrivals, case.as_of)
    last = case.as_of // SECOND + 1
    starts = {name: (last - length) * SECOND for name, length in ROLLING.items()}
    starts |= {"retained": (last - 48 * 3600) * SECOND, "today": day_start(case.as_of)}
    assert {queue["queue"] for queue in shown["queues"]} == oracle.queues | PROFILE.targets.keys()
    assert shown["headless"] == oracle.headless
    assert shown["ring_backs_due"]["count"] == oracle.ring_backs_due()
    callers = shown["callers"]
    since = parse(callers.pop("from"))
    counted = oracle.callers(since, lambda at: at <= case.as_of)
    assert callers == {name: value for name, (value, _, _) in counted.items()}
    for name, start in starts.items():

        def inside(at: int, start: int = start) -> bool:
            return start <= at <= case.as_of

        assert shown["calls"][name] == {key: value for key, (value, _, _) in oracle.call_figures(inside).items()}
        assert shown["coverage"][name] == oracle.coverage(start, case.as_of)
        for queue in shown["queues"]:
            check_window(queue["queue"], queue["windows"][name], oracle, inside)
    for queue in shown["queues"]:
        now = oracle.now_of(queue["queue"])
        assert (queue["waiting"], queue["callbacks_waiting"]) == (now["waiting"][0], now["callbacks_waiting"][0])
        assert queue["oldest_wait_seconds"] == now["oldest_wait"][0]
        assert [visit["visit"] for visit in queue["visits"]] == oracle.line(queue["queue"])
        assert [visit["position"] for visit in queue["visits"]] == list(range(1, len(queue["visits"]) + 1))


def check_window(queue: str, shown: dict[str, Any], oracle: Oracle, inside: Any) -> None:
    expected = {name: value for name, (value, _, _) in oracle.figures_of(queue, inside).items()}
    assert {name: value for name, value in shown.items() if name not in _PERCENTILE_NAMES} == expected
    for name, (exact, _) in oracle.percentiles(queue, inside).items():
        assert within_one_per_cent(shown[name], exact), (name, shown[name], exact)


@ANY_ORDER
@given(cases(), seeds)
def test_the_history_of_a_file_is_what_the_oracle_counts_and_the_board_retains(case: Case, seed: int) -> None:
    told = rows(case.disturbed(Random(seed)), as_of=case.as_of)
    again = rows(case.arrivals, as_of=case.as_of)
    assert orjson.dumps(told) == orjson.dumps(again)
    oracle = Oracle(PROFILE, case.arrivals, case.as_of)
    check_callers(told, oracle, case.as_of)
    figures = {
        (row["queue"], row["figure"]): (row["value"], row["numerator"], row["denominator"])
        for row in told
        if row["figure"] not in CALLERS
    }
    expected = expected_rows(oracle, lambda at: at <= case.as_of)
    for queue in oracle.queues:
        expected |= {(queue, name): figure for name, figure in oracle.now_of(queue).items()}
    due = oracle.ring_backs_due()
    expected[None, "ring_backs_due"] = (due, due, None)
    for queue in oracle.queues:
        for name, (exact, total) in oracle.percentiles(queue, lambda at: at <= case.as_of).items():
            value, _, denominator = figures.pop((queue, name))
            assert denominator == total
            assert within_one_per_cent(value, exact)
    assert figures.pop((None, "feed_coverage"))[0] == oracle.coverage(case.arrivals[0].at, case.as_of)
    assert figures == expected
    retained = board(live(case, seed), case.as_of)
    for shown in retained["queues"]:
        for name, value in shown["windows"]["retained"].items():
            if shown["queue"] in oracle.queues and name not in _PERCENTILE_NAMES:
                assert value == figures[shown["queue"], name][0], name
    for name, value in retained["calls"]["retained"].items():
        assert value == figures[None, name][0], name


def check_callers(told: list[dict[str, Any]], oracle: Oracle, as_of: int) -> None:
    """Each day of callers is what the oracle counts, and no call of a known caller is in none."""
    days: dict[str, dict[str, Any]] = {}
    for row in told:
        if row["figure"] in CALLERS:
            figure = (row["value"], row["numerator"], row["denominator"])
            days.setdefault(row["from"], {})[row["figure"]] = figure
    for start, found in days.items():
        assert found == oracle.callers(parse(start), lambda at: at <= as_of)
    offered = oracle.call_figures(lambda at: at <= as_of)["calls_offered"][0]
    assert sum(found["unique_callers_coverage"][2] for found in days.values()) == offered


def expected_rows(oracle: Oracle, inside: Any) -> dict[tuple[str | None, str], Any]:
    expected: dict[tuple[str | None, str], Any] = {
        (None, name): figure for name, figure in oracle.call_figures(inside).items()
    }
    for queue in oracle.queues:
        expected |= {(queue, name): figure for name, figure in oracle.figures_of(queue, inside).items()}
    return expected


@ANY_ORDER
@given(cases(), st.sampled_from(("15m", "30m", "1h", "1d")))
def test_intervals_of_history_are_what_the_oracle_counts_and_add_up_to_the_whole(case: Case, window: str) -> None:
    told = rows(case.arrivals, as_of=case.as_of, window=window)
    oracle = Oracle(PROFILE, case.arrivals, case.as_of)
    intervals: dict[tuple[str, str], dict[tuple[str | None, str], Any]] = {}
    sums: dict[tuple[str | None, str], int] = {}
    for row in told:
        if row["figure"] in CALLERS:
            continue
        key = (row["queue"], row["figure"])
        intervals.setdefault((row["from"], row["to"]), {})[key] = (row["value"], row["numerator"], row["denominator"])
        if isinstance(row["value"], int):
            sums[key] = sums.get(key, 0) + row["value"]
    for (start, end), found in intervals.items():
        low, high = parse(start), parse(end)
        expected = expected_rows(oracle, lambda at, low=low, high=high: low <= at < high and at <= case.as_of)
        assert {key: figure for key, figure in found.items() if key in expected} == expected
    whole = expected_rows(oracle, lambda at: at <= case.as_of)
    counts = {key: value for key, (value, _, denominator) in whole.items() if denominator is None and value}
    assert {key: value for key, value in sums.items() if value} == counts


@ANY_ORDER
@given(cases(), seeds)
def test_a_state_read_again_from_the_input_shows_the_same_board(case: Case, seed: int) -> None:
    restored = Engine(PROFILE)
    restored.restoring = True
    random = Random(seed)
    for part in slices(case.arrivals, random):
        restored.apply(part, case.as_of)
    restored.restoring = False
    restored.tick(case.as_of)
    assert board(restored, case.as_of) == board(live(case, seed), case.as_of)
