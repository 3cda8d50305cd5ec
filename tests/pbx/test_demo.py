"""`occ demo --pbx`: real calls on a real switch, from the first ring to the last line, and nothing left behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.packages import require
from tests.processes import of_a_demo, processes_of

DEMO = (sys.executable, "-m", "agents.cli", "demo", "--pbx")


@pytest.fixture
def folder(asterisk: Path, tmp_path: Path) -> Path:
    """Where a demo runs that finds its Asterisk built."""
    require("espeak-ng", "espeak-ng")
    require("sox", "sox")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "asterisk").symlink_to(asterisk)
    return tmp_path


@pytest.mark.long
def test_the_demo_on_a_real_switch_ends_by_itself_with_every_event_applied_and_no_process_left(folder: Path) -> None:
    shown = subprocess.run([*DEMO, "--for", "25"], cwd=folder, env=of_a_demo(), capture_output=True, timeout=150)
    assert shown.returncode == 0, shown.stderr.decode()
    totals = orjson.loads(shown.stdout.splitlines()[-1])
    assert totals["events_produced"] == totals["events_applied"] > 100
    assert totals["dead_letters"] == totals["lag_at_end"] == 0
    assert totals["conservation_ok"] is True
    assert totals["announcements_issued"] > 0
    for counts in totals["queues"].values():
        assert counts["queued"] == sum(count for name, count in counts.items() if name != "queued")
    assert totals["queues"]["101"]["answered"] > 0
    log = (folder / ".cache" / "demo" / "announcer.log").read_text()
    assert "welcome: If someone is in danger" in log
    failed = [line for line in log.splitlines() if " failed " in line]
    assert not [line for line in failed if "ARI was lost" not in line]  # what the end of the demo cut off
    assert not processes_of(folder)


async def test_ctrl_c_ends_the_demo_and_every_call(folder: Path) -> None:
    demo = await asyncio.create_subprocess_exec(
        *DEMO, cwd=folder, env=of_a_demo(), stdout=asyncio.subprocess.PIPE, start_new_session=True
    )
    assert demo.stdout is not None
    async with asyncio.timeout(90):
        while b"feed live" not in await demo.stdout.readline():
            pass
        running = " ".join(processes_of(folder))
        assert "sipp" in running
        assert "usr/sbin/asterisk" in running
        os.killpg(demo.pid, signal.SIGINT)  # a terminal tells all that run in its foreground
        assert await demo.wait() == 0
    assert not processes_of(folder)


def test_machine_that_cannot_have_a_switch_is_told_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    environment = {**of_a_demo(), "PATH": str(tmp_path / "bin")}
    shown = subprocess.run(DEMO, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 1
    assert shown.stderr.splitlines() == [
        "Error: sipp is missing: install Debian's package sip-tester.",
        "`occ demo` without --pbx simulates the telephone system.",
    ]
