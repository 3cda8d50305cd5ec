"""Windows hold exactly the atoms that lie in them and have happened, whatever came, went and at what clock."""

from collections.abc import Set

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.moments import HOUR, SECOND, parse
from stream.quantiles import bucket_of, nearest_ranks, value_of
from stream.tally import Atom, Tally, total
from stream.windows import RETAINED_SECONDS, ROLLING, FixedWindows, RollingWindows, day_start, next_day_start

REPEATABLE = settings(max_examples=200, deadline=None, derandomize=True, database=None)

# Around a day of 24 hours, one of 23 (the clocks go forward) and one of 25 (they go back).
EVENINGS = [parse(moment) for moment in ("2026-11-24T22:00:00Z", "2026-03-28T22:00:00Z", "2026-10-24T21:00:00Z")]
LENGTHS = {**ROLLING, "retained": RETAINED_SECONDS}

steps = st.lists(
    st.tuples(
        st.sampled_from(("add", "add", "add", "remove", "advance", "read")),
        st.integers(0, 60 * 3600 * 4).map(lambda quarters: quarters * SECOND // 4) | st.integers(0, 400 * SECOND),
        st.integers(0, 3),
    ),
    max_size=40,
)


def lies_within(start: int, end: int, atoms: list[Atom]) -> dict[int, int]:
    return total(atom for atom in atoms if start <= atom[0] <= end)


def amounts(tally: Tally, changed: Set[int] | None) -> Tally:
    return {field: tally.get(field, 0) for field in (tally if changed is None else changed)}


@REPEATABLE
@given(steps, st.sampled_from(EVENINGS))
def test_rolling_windows_are_the_sums_of_what_lies_in_them(script: list[tuple[str, int, int]], evening: int) -> None:
    windows = RollingWindows()
    windows.advance(evening)
    now, held = evening, list[Atom]()
    for step, offset, field in script:
        # Atoms lie up to 48 h before the first clock and up to 12 h after it.
        atom = (evening + offset - 48 * HOUR, field, 1 + field, field + 10, offset)
        match step:
            case "add":
                windows.add(atom)
                held.append(atom)
            case "remove" if held:
                windows.remove(held.pop(offset % len(held)))
            case "advance":
                now = min(now + offset % (3 * HOUR), evening + 12 * HOUR)
                windows.advance(now)
            case _:
                windows.advance(now)
                last = now // SECOND + 1
                found = windows.tallies()
                for name, length in LENGTHS.items():
                    start = (last - length) * SECOND
                    assert windows.start_of(name) == start
                    assert found[name] == lies_within(start, now, held), name
                assert windows.start_of("today") == day_start(now)
                assert found["today"] == lies_within(day_start(now), now, held)
                shown = windows.shown(amounts)
                assert {name: {f: n for f, n in sums.items() if n} for name, sums in shown.items()} == found
    for atom in held:
        windows.remove(atom)
    windows.advance(now + 1)
    assert all(tally == {} for tally in windows.tallies().values())


@REPEATABLE
@given(steps, st.sampled_from(EVENINGS))
def test_fixed_windows_are_the_sums_of_what_lies_in_them(script: list[tuple[str, int, int]], evening: int) -> None:
    windows = FixedWindows(day_start)
    now, held = evening, list[Atom]()
    for step, offset, field in script:
        atom = (evening + offset - 48 * HOUR, field, 1 + field)
        match step:
            case "add":
                windows.add(atom)
                held.append(atom)
            case "remove" if held:
                windows.remove(held.pop(offset % len(held)))
            case _:
                now += offset % (3 * HOUR)
                windows.advance(now)
        days = {day_start(atom[0]) for atom in held if atom[0] <= windows.clock}
        assert windows.tallies == {
            day: lies_within(day, min(next_day_start(day) - 1, windows.clock), held) for day in days
        }
    for atom in held:
        windows.remove(atom)
    windows.advance(now + 100 * HOUR)
    assert windows.tallies == {}


@REPEATABLE
@given(st.lists(st.integers(0, 10**6) | st.integers(0, 9 * HOUR), min_size=1, max_size=60), st.integers(1, 99))
def test_a_percentile_is_within_one_per_cent_of_the_exact_one(waits: list[int], percent: int) -> None:
    counts: dict[int, int] = {}
    for wait in waits:
        counts[bucket_of(wait)] = counts.get(bucket_of(wait), 0) + 1
    exact = sorted(waits)[max(1, -(-percent * len(waits) // 100)) - 1]
    [told] = nearest_ranks(counts, len(waits), [percent])
    assert told is not None
    assert abs(told - exact) * 100 <= exact


def test_every_wait_is_within_one_per_cent_of_what_stands_for_it() -> None:
    waits = [*range(20_000), *(power + by for shift in range(14, 38) for power in (1 << shift,) for by in (-1, 0, 1))]
    assert value_of(bucket_of(0)) == 0
    assert [wait for wait in waits if abs(value_of(bucket_of(wait)) - wait) * 100 > wait] == []
