"""Where two sets of events differ, hand-worked; seconds are counted from 08:00."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from agents.cli.compare import command
from schemas.codec import Arrival, decode, encode
from schemas.moments import SECOND, parse
from stream.accounts import Accounts
from stream.comparison import Comparison
from stream.history import History, Period
from stream.profile import Profile
from telephony.ami_text import blocks
from telephony.pseudonyms import KeyRing
from telephony.queue_log import Translator
from telephony.room import SimulationConfig
from telephony.simulator import Simulation
from tests.unit.test_asterisk_trace import DATA, translate

EIGHT = parse("2026-11-24T08:00:00Z")
PROFILE = Profile()
KEYS = KeyRing(b"a secret for tests")


def event(kind: str, at: float, visit: str = "v1", *, quality: str = "exact", **data: Any) -> bytes:
    """An event of a source of its own for each quality."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"{visit}/{kind}/{at}",
            "source": f"//west-mercia/{quality}",
            "type": f"occ.visit.{kind}.v1",
            "time": f"2026-11-24T08:{int(at) // 60:02d}:{at % 60:09.6f}Z",
            "data": {"centre": "west-mercia", "visit": visit, "time_quality": quality, **data},
        }
    )


def visit(
    joined: float = 0,
    answered: float | None = None,
    ended: float | None = None,
    *,
    left: float | None = None,
    reason: str = "abandoned",
    queue: str = "101",
    handler: str = "ann",
    name: str = "v1",
    quality: str = "exact",
) -> list[bytes]:
    """What is said of one visit."""
    said = [event("queued", joined, name, quality=quality, call=name, queue=queue)]
    if answered is not None:
        said.append(event("answered", answered, name, quality=quality, handler=handler))
    if ended is not None:
        said.append(event("ended", ended, name, quality=quality))
    if left is not None:
        said.append(event("left", left, name, quality=quality, reason=reason))
    return said


def in_order(lines: list[bytes]) -> list[Arrival]:
    arrivals = [arrival for line in lines if isinstance(arrival := decode(line), Arrival)]
    assert len(arrivals) == len(lines)
    return sorted(arrivals, key=lambda each: (each.at, each.event.source, each.event.id))


def accounts(lines: list[bytes]) -> Accounts:
    taken = Accounts(PROFILE)
    for _ in taken.take(in_order(lines)):
        pass
    return taken


def compared(first: list[bytes], second: list[bytes], **period: int) -> Comparison:
    sets = accounts(first), accounts(second)
    as_of = max(each.newest for each in sets)
    return Comparison(sets[0].told(as_of), sets[1].told(as_of), PROFILE, as_of, **period)


def of_visits(first: list[bytes], second: list[bytes]) -> list[tuple[object, ...]]:
    """(visit, what, in the first, in the second) of differences between visits."""
    found = compared(first, second).differences()
    return [(each.visit, each.what, each.first, each.second) for each in found if each.visit is not None]


def test_the_same_events_do_not_differ_and_neither_does_their_order():
    day = [*visit(0, 20, 50), *visit(3, left=60, name="v2"), *visit(9, name="v3")]
    assert compared(day, day[::-1]).differences() == []


def test_visit_that_only_one_knows_is_named_with_what_became_of_it():
    one, both = visit(3, left=60, name="v2"), visit(0, 20, 50)
    assert of_visits([*both, *one], both) == [("v2", "visit", "abandoned", None)]
    assert of_visits(both, [*both, *visit(3, name="v2")]) == [("v2", "visit", None, "waiting")]
    assert compared([*both, *one], both).visits == (2, 1, 1)


@pytest.mark.parametrize(
    ("second", "what", "in_first", "in_second"),
    [
        (visit(0, 20, 50, queue="999"), "queue", "101", "999"),
        (visit(0, left=20, reason="timed_out"), "outcome", "answered", "timed_out"),
        (visit(0), "outcome", "answered", "waiting"),
        (visit(0, 20.5, 50.5), "wait", 20.0, 20.5),
        (visit(0, 20, 50, handler="ben"), "handler", "ann", "ben"),
        (visit(0, 20, 51), "conversation", 30.0, 31.0),
        (visit(0, 20), "conversation", 30.0, None),
        (visit(1, 21, 51), "joined", "2026-11-24T08:00:00.000000Z", "2026-11-24T08:00:01.000000Z"),
    ],
)
def test_what_differs_in_a_visit_is_named(second: list[bytes], what: str, in_first: object, in_second: object):
    others = [*visit(100, 101, 102, name="v8"), *visit(100, 101, 102, name="v9", handler="ben")]
    assert of_visits([*visit(0, 20, 50), *others], [*second, *others]) == [("v1", what, in_first, in_second)]


def test_whole_seconds_agree_with_exact_times_to_the_second_of_each_end():
    exact = visit(0.9, 20.1, 50.9)
    assert compared(exact, visit(0, 20, 50, quality="second")).differences() == []
    assert compared(exact, visit(1, 21, 51, quality="second")).differences() == []
    (joined, *_) = compared(exact, visit(2, 21, 51, quality="second")).differences()
    assert (joined.what, joined.allowed_seconds) == ("joined", 1 + 0.01)


def test_two_exact_listeners_may_lie_a_hundredth_of_a_second_apart_at_each_end():
    assert compared(visit(0, 20, 50), visit(0.01, 20, 50)).differences() == []
    assert of_visits(visit(0, 20, 50), visit(0, 20.05, 50.05)) == [("v1", "wait", 20.0, 20.05)]


def test_short_limit_between_two_waits_that_agree_makes_no_other_outcome():
    #  the short limit of 101 is 5 s
    assert compared(visit(0.2, left=5.1), visit(0, left=5, quality="second")).differences() == []
    assert of_visits(visit(0, left=3), visit(0, left=6, quality="second")) == [
        ("v1", "outcome", "abandoned_short", "abandoned")
    ]


def test_figures_differ_only_where_visits_do():
    #  v1 would be answered within 30 s of one and not of the other by whole seconds; v2 was missed by one
    first = [*visit(0.1, 29.9, 50, name="v1"), *visit(9, left=29, name="v2")]
    second = [*visit(0, 30, 50, name="v1", quality="second"), *visit(9, 29, name="v2", quality="second")]
    found = compared(first, second).differences()
    assert (found[0].visit, found[0].what) == ("v2", "outcome")
    by_figure = {each.what: (each.first, each.second) for each in found if each.visit is None}
    assert by_figure["answered"] == (1, 2)
    assert by_figure["abandoned"] == (1, 0)
    assert by_figure["service_level"] == (0.5, 1.0)
    assert "queued" not in by_figure


def test_handlers_under_other_keys_are_not_compared_and_that_is_said():
    comparison = compared(visit(0, 20, 50, handler="ann"), visit(0, 20, 50, handler="a5f1"))
    assert (comparison.handlers_compared, comparison.differences()) == (False, [])


def test_only_visits_that_joined_in_the_period_are_compared():
    early, late = visit(0, left=9, name="v1"), visit(60, left=99, name="v2")
    period = {"start": EIGHT + 30 * SECOND, "end": EIGHT + 90 * SECOND}
    assert compared([*early, *late], late, **period).differences() == []
    assert compared([*early, *late], early, **period).visits == (1, 0, 0)


def test_figures_of_the_accounts_are_those_of_the_same_history():
    starts_at = datetime.fromisoformat("2026-11-20T23:00:00Z")
    config = SimulationConfig(centre="west-mercia", starts_at=starts_at, hours=4, scale=2)
    lines = [encode(each) for each in Simulation(config, seed=7).events()]
    taken = accounts(lines)
    against_nothing = Comparison(taken.told(taken.newest), {}, PROFILE, taken.newest).differences()
    ours = {(each.queue, each.what): each.first for each in against_nothing if each.visit is None}

    history = History(PROFILE, Period(as_of=taken.newest))
    for _ in history.take(in_order(lines)):
        pass
    theirs = {(row["queue"], row["figure"]): row["value"] for row in history.rows()}
    assert {key: theirs[key] for key in ours} == ours
    assert len(ours) > 60
    assert ours["101", "queued"] > 50


def test_recorded_run_is_the_same_by_the_managers_events_and_by_the_queue_log(recorded: tuple[Path, Path]):
    heard, logged = (path.read_bytes().splitlines() for path in recorded)
    comparison = compared(heard, logged)
    assert comparison.differences() == []
    assert (comparison.visits, comparison.handlers_compared) == ((19, 19, 19), True)


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """The events of the recorded run as the manager's events give them, and as the queue_log does."""
    translator = Translator("west-mercia", "pbx1", KEYS)
    with (DATA / "ami-events.txt").open("rb") as text:
        heard = translate(list(blocks(text)))
    with (DATA / "queue_log.txt").open("rb") as rows:
        logged = [each for row in rows for each in translator.feed(row)] + translator.finish()
    for name, events in (("heard.jsonl", heard), ("logged.jsonl", logged)):
        (tmp_path / name).write_bytes(b"".join(encode(each) + b"\n" for each in events))
    return tmp_path / "heard.jsonl", tmp_path / "logged.jsonl"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))


def test_command_says_that_there_is_no_difference_and_exits_with_0(recorded: tuple[Path, Path]):
    done = run(*recorded)
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "No difference; 19 visits and 19, 19 of them in both.\n"


def test_command_has_a_line_for_each_difference_and_exits_with_1(recorded: tuple[Path, Path]):
    heard, logged = recorded
    lines = [line for line in logged.read_bytes().splitlines() if b"pbx1-1795444234.7#1" not in line]
    logged.write_bytes(b"\n".join(line.replace(b'"timed_out"', b'"abandoned"') for line in lines))
    done = run(heard, logged)
    assert done.exit_code == 1
    said = done.stdout.splitlines()
    assert "west-mercia 101, visit pbx1-1795444234.7#1: only in heard.jsonl (abandoned)" in said
    visit = "pbx1-1795444233.6#1"
    assert f"west-mercia 101, visit {visit}: outcome timed_out in heard.jsonl, abandoned in logged.jsonl" in said
    assert "west-mercia 101: abandoned 5 in heard.jsonl, 8 in logged.jsonl" in said
    assert done.stderr == f"{len(said)} differences; 19 visits and 18, 18 of them in both.\n"

    as_json = json.loads(run(heard, logged, "--json").stdout)
    assert (as_json["equal"], as_json["visits"]) == (False, {"first": 19, "second": 18, "both": 18})
    assert len(as_json["differences"]) == len(said)
    assert as_json["differences"][0] == {
        "centre": "west-mercia",
        "queue": "101",
        "visit": visit,
        "what": "outcome",
        "first": "timed_out",
        "second": "abandoned",
        "allowed_seconds": None,
    }


def test_command_without_events_to_compare_exits_with_2(recorded: tuple[Path, Path], tmp_path: Path):
    (tmp_path / "none.jsonl").write_text("{}\n")
    done = run(recorded[0], tmp_path / "none.jsonl")
    assert done.exit_code == 2
    assert "none.jsonl: 1 lines were refused" in done.stderr
    assert "not one event in none.jsonl" in done.stderr
