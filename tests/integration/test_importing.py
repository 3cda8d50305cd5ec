"""`occ import` on a real broker: what reaches the topic is what the worker takes, and all or nothing of a file."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agents.broker import Broker
from agents.gate import Gate
from schemas.topics import PARTITIONS_DEFAULT
from stream.engine import Engine
from stream.history import History, Period
from stream.profile import Profile
from tests.integration.test_publish import Log, log

__all__ = ["log"]

Import = Callable[..., Awaitable["subprocess.CompletedProcess[str]"]]
HOUR = 3600


@pytest.fixture
def run_import(broker: Broker) -> Import:
    async def run(*arguments: object, secret: str = "a secret for tests") -> "subprocess.CompletedProcess[str]":
        environment = {"OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap, "OCC_PSEUDONYM_SECRET": secret}
        return await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "agents.cli", "import", *map(str, arguments)],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def written(path: Path, *rows: tuple[int, str]) -> Path:
    """A queue_log of rows (so many seconds ago, the rest of the row)."""
    now = int(time.time())
    path.write_text("".join(f"{now - ago}|{rest}\n" for ago, rest in rows))
    return path


RECENT = (
    (900, "pbx1-1795507200.1|999|NONE|ENTERQUEUE||01632960101|1"),
    (890, "pbx1-1795507200.1|999|Ann|CONNECT|10|pbx1-1795507200.2|3"),
    (800, "pbx1-1795507200.1|999|Ann|COMPLETECALLER|10|90|1"),
    (700, "pbx1-1795507200.3|101|NONE|ENTERQUEUE||anonymous|1"),
    (640, "pbx1-1795507200.3|101|NONE|ABANDON|1|1|60"),
    (60, "pbx1-1795507200.4|101|NONE|ENTERQUEUE||01632960102|1"),
)


async def test_history_is_sent_once_as_the_worker_takes_it_however_often_it_is_imported(
    log: Log, run_import: Import, tmp_path: Path
) -> None:
    file = written(tmp_path / "queue_log", *RECENT)
    for _ in range(2):
        run = await run_import("queue-log", file, "--json")
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == {
            "sent": 7,
            "of": 7,
            "left_out": {"too_old": 0, "without_end": 1},
            "stopped": False,
        }
    records = await log.records()
    sifted = Gate(PARTITIONS_DEFAULT).sift(records, records[0].partition)
    assert (len(records), len(sifted.arrivals), sifted.refused) == (14, 14, [])
    engine = Engine(Profile())
    engine.apply(sifted.arrivals, time.time_ns() // 1_000)
    queues = {queue["queue"]: queue for queue in engine.board("west-mercia", time.time_ns() // 1_000)["queues"]}  # type: ignore[attr-defined]
    counts = ("queued", "answered", "abandoned")
    assert [queues["999"]["windows"]["retained"][name] for name in counts] == [1, 1, 0]
    assert [queues["101"]["windows"]["retained"][name] for name in counts] == [1, 0, 1]
    assert queues["101"]["waiting"] == 0


async def test_older_history_is_refused_with_what_to_do_or_left_out(
    log: Log, run_import: Import, tmp_path: Path
) -> None:
    file = written(
        tmp_path / "queue_log",
        (60 * HOUR, "pbx1-1795400000.1|101|NONE|ENTERQUEUE||anonymous|1"),
        (60 * HOUR - 9, "pbx1-1795400000.1|101|NONE|ABANDON|1|1|9"),
        *RECENT,
    )
    run = await run_import("queue-log", file)
    assert run.returncode == 1
    assert "1 of its visits began more than 48 hours ago" in run.stderr
    assert "occ figures" in run.stderr
    assert await log.records() == []

    run = await run_import("queue-log", file, "--recent")
    assert run.returncode == 0
    assert "7 of 7 events sent. Left out: 1 too old, 1 without end." in run.stderr
    assert len(await log.records()) == 7


async def test_one_line_at_fault_or_no_secret_and_nothing_is_sent(
    log: Log, run_import: Import, tmp_path: Path
) -> None:
    file = written(tmp_path / "queue_log", *RECENT)
    unnamed = await run_import("queue-log", file, secret="")
    assert unnamed.returncode == 1
    assert "OCC_PSEUDONYM_SECRET is not set" in unnamed.stderr

    with file.open("a") as rows:
        rows.write("half a li")
    run = await run_import("queue-log", file)
    assert run.returncode == 1
    assert "line 7 has fewer than 5 fields" in run.stderr
    assert "Nothing was sent" in run.stderr
    assert await log.records() == []


async def test_wrap_up_of_a_contact_log_completes_the_handling_time(
    log: Log, run_import: Import, tmp_path: Path
) -> None:
    #  Ann talked for 90 s and wrote for 45 s; the call is of this test alone, since the topic holds those of others
    rows = [(ago, rest.replace("pbx1-1795507200.", "pbx1-1795507201.")) for ago, rest in RECENT]
    assert (await run_import("queue-log", written(tmp_path / "queue_log", *rows))).returncode == 0
    export = tmp_path / "contacts.csv"
    export.write_text("call,handler,seconds,outcome_class\n1795507201.1,Ann,45,police\n")
    for _ in range(2):
        run = await run_import("wrap-up", export, "--json")
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout) == {"sent": 1, "of": 1, "left_out": {"too_old": 0}, "stopped": False}

    records = await log.records()
    sifted = Gate(PARTITIONS_DEFAULT).sift(records, records[0].partition)
    assert sifted.refused == []
    history = History(Profile(), Period())
    for _ in history.take(sorted(sifted.arrivals, key=lambda each: (each.at, each.event.source, each.event.id))):
        pass
    figures = {row["figure"]: row["value"] for row in history.rows("999")}
    assert (figures["average_wrap_up_time"], figures["average_handle_time"]) == (45, 135)

    export.write_text("call,handler,seconds\n1795507201.1,Ben,45\n1795507299.1,Ann,45\n")
    run = await run_import("wrap-up", export)
    assert run.returncode == 1
    assert "line 2 names a handler who did not answer" in run.stderr
    assert "line 3 names a visit or call of which no answer is known" in run.stderr
    assert "Nothing was sent: 2 lines" in run.stderr
