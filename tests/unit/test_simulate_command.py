import json
from datetime import datetime

import pytest
from click.testing import CliRunner

from agents.cli.simulate import command
from schemas.codec import encode
from telephony.room import SimulationConfig
from telephony.simulator import Simulation

AT_NINE = ["--from", "2026-11-24T09:00:00Z", "--hours", "0.5"]


def simulation(seed: int = 1) -> Simulation:
    config = SimulationConfig(starts_at=datetime.fromisoformat("2026-11-24T09:00:00Z"), hours=0.5)
    return Simulation(config, seed)


def test_without_a_file_the_events_are_printed_and_nothing_else():
    run = CliRunner().invoke(command, AT_NINE)
    assert run.exit_code == 0
    assert run.stdout_bytes.splitlines() == [encode(event) for event in simulation().events()]
    assert "events" in run.stderr


def test_with_a_file_the_last_line_is_the_truth(tmp_path):
    file = tmp_path / "day.jsonl"
    run = CliRunner().invoke(command, [*AT_NINE, "--seed", "7", "--out", str(file), "--json"])
    expected = simulation(7)
    assert file.read_bytes().splitlines() == [encode(event) for event in expected.events()]
    assert json.loads(run.stdout.splitlines()[-1]) == expected.truth.as_json()


def test_disorder_changes_the_order_and_repeats_but_invents_and_loses_nothing(tmp_path):
    file = tmp_path / "day.jsonl"
    CliRunner().invoke(command, [*AT_NINE, "--out", str(file), "--disorder"])
    ordered = [encode(event) for event in simulation().events()]
    disturbed = file.read_bytes().splitlines()
    assert set(disturbed) == set(ordered)
    assert len(disturbed) > len(ordered)
    assert list(dict.fromkeys(disturbed)) != ordered


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--json"], "--out FILE or --kafka"),
        (["--kafka", "--disorder"], "neither --out nor --disorder"),
        (["--from", "1999-12-31T00:00:00Z"], "before the year 2000"),
        (["--from", "yesterday"], "is not a moment"),
        (["--centre", ""], "a name has 1 to 100 bytes"),
    ],
)
def test_what_cannot_be_is_a_usage_error(options, says):
    run = CliRunner().invoke(command, [*AT_NINE, *options])
    assert run.exit_code == 2
    assert says in run.stderr.replace("\n", " ")
