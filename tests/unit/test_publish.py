"""Recordings before they are sent: checked whole, moved in time, given their pace."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import msgspec
import orjson
import pytest
from click.testing import CliRunner

from agents.cli.publish import command
from agents.publish import BadLines, FileFeed, Survey, moved, shift_to, survey
from schemas.codec import Arrival, decode
from schemas.events import Event
from schemas.moments import HOUR, MINUTE, SECOND, parse

FOLDER = Path(__file__).parents[2] / "schemas" / "examples"
SHIFT = 26 * HOUR + 3 * MINUTE + 17


def line(visit: str, at: str, type_: str = "occ.visit.held.v1", centre: str = "west-mercia", **data: Any) -> bytes:
    event = {
        "specversion": "1.0",
        "id": f"{type_}-{visit}-{at}",
        "source": f"//{centre}/pbx1",
        "type": type_,
        "time": f"2026-11-24T{at}Z",
        "data": {"centre": centre, "visit": visit, **data},
    }
    return orjson.dumps(event)


def written(path: Path, *lines: bytes) -> Path:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def _examples() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("occ.*.json")):
        for number, example in enumerate(json.loads(path.read_text())["good"]):
            yield pytest.param(orjson.dumps(example["event"]), id=f"{path.stem}-{number}")


EXAMPLES = list(_examples())


def event_of(value: bytes) -> Event:
    arrival = decode(value)
    assert isinstance(arrival, Arrival), arrival
    return arrival.event


def moments(value: object, place: str = "") -> Iterator[tuple[str, datetime]]:
    """Every moment anywhere in a record, by where it is."""
    match value:
        case datetime():
            yield place, value
        case msgspec.Struct():
            for name in value.__struct_fields__:
                yield from moments(getattr(value, name), f"{place}.{name}")
        case tuple():
            for index, item in enumerate(value):
                yield from moments(item, f"{place}[{index}]")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_moment_of_every_type_moves_alike(example: bytes):
    before, after = dict(moments(event_of(example))), dict(moments(event_of(moved(example, SHIFT))))
    assert after == {place: at + timedelta(microseconds=SHIFT) for place, at in before.items()}


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_else_changes_but_the_ids_of_the_event_its_calls_and_its_visits(example: bytes):
    renamed = {"id", "subject", "call", "visit", "for_call", "callback_of"}

    def rest(value: Any) -> Any:
        match value:
            case dict():
                return {name: rest(item) for name, item in value.items() if name not in renamed}
            case list():
                return [rest(item) for item in value]
            case str():
                try:
                    parse(value)
                except ValueError:
                    return value
                return "a moment" if "T" in value else value
            case _:
                return value

    assert rest(orjson.loads(moved(example, SHIFT))) == rest(orjson.loads(example))


def test_what_was_said_of_one_visit_is_still_said_of_one_visit():
    queued = moved(line("v1", "08:00:00", "occ.visit.queued.v1", call="c1", queue="101"), SHIFT)
    held = moved(line("v1", "08:01:00"), SHIFT)
    other = moved(line("v2", "08:01:00"), SHIFT)
    waiting = [{"visit": "v1", "call": "c1", "queued_at": "2026-11-24T08:00:00Z"}]
    taken = {"queue": "101", "taken_at": "2026-11-24T08:00:15Z", "part": 1, "parts": 1, "waiting": waiting}
    snapshot: Any = event_of(moved(line("", "08:00:15", "occ.queue.snapshot.v1", **taken), SHIFT))
    visit = event_of(queued).data.visit  # type: ignore[union-attr]
    assert event_of(held).data.visit == visit != event_of(other).data.visit  # type: ignore[union-attr]
    assert snapshot.data.waiting[0].visit == visit
    assert snapshot.data.waiting[0].call == event_of(queued).data.call  # type: ignore[union-attr]


def test_ids_depend_on_the_id_and_the_shift_alone():
    held = line("v1", "08:00:00")
    assert moved(held, SHIFT) == moved(held, SHIFT)
    once, again = orjson.loads(moved(held, SHIFT)), orjson.loads(moved(held, SHIFT + 1))
    assert len({once["id"], again["id"], orjson.loads(held)["id"]}) == 3
    assert len({once["data"]["visit"], again["data"]["visit"], "v1"}) == 3


def test_the_subject_follows_the_visit_and_stays_when_it_is_a_handler():
    answered = orjson.loads(line("v1", "08:00:00", "occ.visit.answered.v1", handler="h1"))
    about_visit = orjson.loads(moved(orjson.dumps({**answered, "subject": "v1"}), SHIFT))
    assert about_visit["subject"] == about_visit["data"]["visit"] != "v1"
    assert orjson.loads(moved(orjson.dumps({**answered, "subject": "h1"}), SHIFT))["subject"] == "h1"


def test_members_nobody_here_knows_are_carried_over():
    event = orjson.loads(moved(line("v1", "08:00:00", mood="calm", seen_at="2026-11-24T07:00:00Z"), SHIFT))
    assert event["data"]["mood"] == "calm"
    assert event["data"]["seen_at"] == "2026-11-24T07:00:00Z"


# A recording of ten minutes, published at noon: when its oldest and its newest event happen then.
NOON = parse("2026-11-24T12:00:00Z")
RECORDING = Survey(events=2, oldest=parse("2026-11-20T08:00:00Z"), newest=parse("2026-11-20T08:10:00Z"))


@pytest.mark.parametrize(
    ("speed", "oldest", "newest"),
    [
        (1.0, NOON, NOON + 10 * MINUTE),
        (None, NOON - 10 * MINUTE, NOON),
        (2.0, NOON - 5 * MINUTE, NOON + 5 * MINUTE),
        (0.5, NOON, NOON + 10 * MINUTE),
    ],
)
def test_rebased_events_end_in_the_present_and_none_is_sent_before_it_happens(
    speed: float | None, oldest: int, newest: int
):
    shift = shift_to(NOON, RECORDING, speed)
    assert (RECORDING.oldest + shift, RECORDING.newest + shift) == (oldest, newest)
    sent_last = NOON if speed is None else NOON + round(10 * MINUTE / speed)
    assert RECORDING.oldest + shift <= NOON
    assert RECORDING.newest + shift <= sent_last


def test_the_survey_finds_the_oldest_and_the_newest_of_all_files(tmp_path):
    first = written(tmp_path / "a.jsonl", line("v1", "08:00:05"), b"", line("v1", "08:00:01"))
    second = written(tmp_path / "b.jsonl", line("v1", "09:00:00"))
    assert survey([first, second]) == Survey(3, parse("2026-11-24T08:00:01Z"), parse("2026-11-24T09:00:00Z"))


def test_bad_lines_are_named_by_place_and_reason_and_never_quoted(tmp_path):
    good = line("v1", "08:00:00")
    bad = good.replace(b'"time":"2026', b'"time":"07700900123')
    file = written(tmp_path / "day.jsonl", good, b"{", bad, *[b"[]"] * 20)
    with pytest.raises(BadLines) as refused:
        survey([file])
    message = refused.value.message
    assert message.startswith("Nothing was published. 22 lines would be refused:\n")
    assert "day.jsonl:2: not_json" in message
    assert "day.jsonl:3: bad_value: time" in message
    assert "… and 12 more" in message
    assert "07700" not in message


def test_files_without_an_event_are_an_error(tmp_path):
    with pytest.raises(click.ClickException, match="not one event"):
        survey([written(tmp_path / "empty.jsonl")])


def fed(feed: FileFeed) -> list[tuple[int, bytes]]:
    taken = []
    while (due_at := feed.due_at) is not None:
        taken += [(due_at, value) for _, value in feed.take()]
    return taken


def test_events_are_due_at_the_recorded_pace_times_the_speed(tmp_path):
    lines = [line("v1", "08:00:00"), line("v1", "08:00:30"), line("v1", "08:01:00")]
    file = written(tmp_path / "a.jsonl", *lines)
    feed = FileFeed([file], parse("2026-11-24T08:00:00Z"), NOON, 3.0, shift=0)
    assert fed(feed) == [(NOON, lines[0]), (NOON + 10 * SECOND, lines[1]), (NOON + 20 * SECOND, lines[2])]


def test_flat_out_everything_is_due_at_once(tmp_path):
    file = written(tmp_path / "a.jsonl", line("v1", "08:00:00"), line("v1", "09:00:00"))
    assert [due_at for due_at, _ in fed(FileFeed([file], 0, NOON, None, shift=0))] == [NOON, NOON]


def test_files_are_merged_by_time_and_each_keeps_its_own_order(tmp_path):
    switch = [line("v1", "08:00:00"), line("v1", "08:00:20"), line("v1", "08:00:10")]
    log = [line("v2", "08:00:05"), line("v2", "08:00:40")]
    feed = FileFeed(
        [written(tmp_path / "a.jsonl", *switch), written(tmp_path / "b.jsonl", *log)], 0, NOON, None, shift=0
    )
    assert [value for _, value in fed(feed)] == [switch[0], log[0], switch[1], switch[2], log[1]]


def test_each_event_goes_to_its_own_control_room(tmp_path):
    file = written(tmp_path / "a.jsonl", line("v1", "08:00:00", centre="west"), line("v1", "08:00:01", centre="east"))
    feed = FileFeed([file], 0, NOON, None, shift=0)
    assert [centre for centre, _ in feed.take() + feed.take()] == ["west", "east"]


def test_two_paces_at_once_are_a_usage_error(tmp_path):
    file = written(tmp_path / "a.jsonl", line("v1", "08:00:00"))
    run = CliRunner().invoke(command, [str(file), "--flat-out", "--speed", "2"])
    assert run.exit_code == 2
    assert "exclude each other" in run.stderr
