"""Files of profiles: what is published of them, and what is said of their faults."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agents.cli import main
from agents.profiles import BadProfile, read_profiles, records_of
from schemas.codec import Arrival, decode
from tests.feed import us

SLOT = {"weekday": 1, "minute": 480, "offered": 41.5, "aht_mean": 402.7, "wait_median": 95, "crossover": 0.4, "n": 4}
PROFILE = {"centre": "mercia", "slots": [SLOT], "month_to_date": {}, "computed_at": "2026-11-24T02:00:00Z"}
NOW = us(0)


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def of(content: Any, centre: str | None = None) -> Any:
        file = tmp_path / "profile.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_profiles(file, centre, NOW)

    return of


def test_a_profile_is_an_event_the_worker_accepts(read: Any) -> None:
    [(centre, record)] = records_of(read(PROFILE))
    arrival = decode(record)
    assert isinstance(arrival, Arrival)
    assert (centre, arrival.event.source) == ("mercia", "//mercia/profile")
    assert arrival.event.data.slots[0].aht_mean == 402.7


def test_the_same_profile_is_the_same_event_however_it_is_written(read: Any) -> None:
    [one] = read(PROFILE)
    [same] = read([dict(reversed(PROFILE.items()))])
    [other] = read({**PROFILE, "slots": [{**SLOT, "n": 5}]})
    assert one == same
    assert one.id != other.id


def test_an_array_holds_one_profile_a_queue_and_the_option_names_the_centre(read: Any) -> None:
    nameless = {name: value for name, value in PROFILE.items() if name != "centre"}
    events = read([{**nameless, "queue": queue} for queue in ("101", "internal")], "mercia")
    assert [(event.data.centre, event.data.queue) for event in events] == [("mercia", "101"), ("mercia", "internal")]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no profile"),
        ("3", "is not an object"),
        ({name: value for name, value in PROFILE.items() if name != "centre"}, "add centre, or give --centre"),
        ({name: value for name, value in PROFILE.items() if name != "computed_at"}, "computed_at is missing"),
        ({**PROFILE, "computed_at": "yesterday"}, "computed_at "),
        ({**PROFILE, "computed_at": "2026-11-22T07:00:00Z"}, "more than 48 hours ago"),
        ({**PROFILE, "computed_at": "2026-11-24T09:00:00Z"}, "is in the future"),
        ({**PROFILE, "que": "101"}, "que: no such member"),
        ({**PROFILE, "slots": [{**SLOT, "medain": 3}]}, "slots.medain: no such member"),
        ({**PROFILE, "slots": [{**SLOT, "weekday": 7}]}, "slots"),
        ({**PROFILE, "slots": []}, "there are none"),
        ({**PROFILE, "slots": [SLOT, SLOT]}, "weekday 1, minute 480 is there 2 times"),
        ([PROFILE, {**PROFILE, "slots": [{**SLOT, "n": 5}]}], "two profiles of mercia, all queues"),
    ],
)
def test_a_fault_is_named_and_nothing_is_published(read: Any, content: Any, fault: str) -> None:
    with pytest.raises(BadProfile, match=r"nothing was published") as raised:
        read(content)
    assert fault in raised.value.message


def test_the_command_ends_with_1_and_the_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCC_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    file = tmp_path / "profile.json"
    file.write_text("{}")
    result = CliRunner().invoke(main, ["profile", "publish", str(file)])
    assert result.exit_code == 1
    assert "names no control room" in result.output
