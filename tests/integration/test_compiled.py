"""The compiled core, as workers have it in their image: what is true of the core in Python is true of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.packages import do_without, require

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 300
UNITS = ("announcements", "callers", "codec", "figures", "merging", "voice")


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder it was compiled into: in a hurry, since here it need not be fast."""
    require("cc", "gcc")
    target = tmp_path_factory.mktemp("core")
    compiling = subprocess.run(
        [ROOT / "deploy" / "compile", target, sys.executable],
        env={**os.environ, "MYPYC_OPT_LEVEL": "0"},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
    )
    if compiling.returncode == 3:
        do_without(compiling.stderr)
    assert compiling.returncode == 0, compiling.stderr
    return target


def python(*arguments: str, core: Path | None = None) -> bytes:
    """What Python prints, with the compiled core or with the one in Python."""
    path = [str(ROOT)] if core is None else [str(core), str(ROOT)]
    run = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONSAFEPATH": "1"},
        cwd=ROOT,
        capture_output=True,
        timeout=SECONDS_MAX,
    )
    assert run.returncode == 0, (run.stdout + run.stderr).decode()
    return run.stdout


@pytest.mark.parametrize(
    "tests",
    [
        ("tests/property",),
        tuple(f"tests/unit/test_{what}.py" for what in UNITS),
    ],
    ids=" ".join,
)
def test_what_holds_of_the_core_holds_when_it_is_compiled(tests: tuple[str, ...], core: Path) -> None:
    printed = python("-m", "pytest", "-p", "no:cacheprovider", "--tb=short", *tests, core=core)
    assert b"100%" in printed


def test_a_day_gives_the_same_bytes(core: Path, tmp_path: Path) -> None:
    import_of = "import stream.{0}; print(stream.{0}.__file__)"
    for module in ("engine", "room", "voice", "windows"):
        assert python("-c", import_of.format(module), core=core).strip().endswith(b".so")
    day = tmp_path / "day.jsonl"
    python("-m", "agents.cli", "simulate", "--from", "2026-11-24T00:00:00Z", "--out", str(day))
    figures = ("-m", "agents.cli", "figures", str(day), "--window", "30m", "--json")
    assert python(*figures, core=core) == python(*figures)
