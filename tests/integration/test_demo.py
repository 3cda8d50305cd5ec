"""`occ demo`: the whole system, from the broker to the last line, and nothing left behind."""

import subprocess
import sys
from pathlib import Path

import orjson

from tests.processes import of_a_demo, processes_of


def test_the_demo_ends_by_itself_with_every_event_applied_and_no_process_left(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "agents.cli", "demo", "--for", "12"],
        cwd=tmp_path,
        env=of_a_demo(),
        capture_output=True,
        timeout=150,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr.decode()
    assert b"The wallboard is at http://127.0.0.1:" in shown.stdout
    totals = orjson.loads(shown.stdout.splitlines()[-1])
    assert totals["events_produced"] == totals["events_applied"] > 1_000
    assert totals["dead_letters"] == totals["lag_at_end"] == 0
    assert totals["conservation_ok"] is True
    assert totals["announcements_issued"] > 0
    for counts in totals["queues"].values():
        assert counts["queued"] == sum(count for name, count in counts.items() if name != "queued")
    assert sum(counts["queued"] for counts in totals["queues"].values()) > 100
    assert not processes_of(tmp_path)
