"""`occ figures`: the same events give the same bytes, whatever their order and however often they come."""

from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from agents.cli import main


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated day of a control room, in order."""
    path = tmp_path_factory.mktemp("figures") / "day.jsonl"
    made = CliRunner().invoke(main, ["simulate", "--from", "2026-11-24T00:00:00Z", "--out", str(path)])
    assert made.exit_code == 0, made.output
    return path


@pytest.mark.parametrize("options", [("--window", "30m"), ("--as-of", "2026-11-24T14:30:00Z")], ids=" ".join)
def test_a_day_shuffled_and_a_fifth_of_it_repeated_gives_the_same_bytes(day: Path, options: tuple[str, ...]) -> None:
    lines = day.read_bytes().splitlines(keepends=True)
    pick = Random(1)
    disordered = [*lines, *pick.choices(lines, k=len(lines) // 5)]
    pick.shuffle(disordered)
    other = day.with_name("disordered.jsonl")
    other.write_bytes(b"".join(disordered))
    printed = [CliRunner().invoke(main, ["figures", str(path), *options, "--json"]) for path in (day, other)]
    assert [each.exit_code for each in printed] == [0, 0]
    assert printed[0].stdout_bytes == printed[1].stdout_bytes
    assert printed[0].stdout_bytes.count(b'"figure":') > 250
