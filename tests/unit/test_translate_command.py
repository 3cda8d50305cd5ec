"""`occ translate`: events out, a summary beside them, errors that say what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.codec import Arrival, decode
from telephony.ratchet import Ratchet

DATA = Path(__file__).parents[1] / "data" / "asterisk"
TRACE, LOG = DATA / "ami-events.txt", DATA / "queue_log.txt"
SECRET = {"OCC_PSEUDONYM_SECRET": "a secret for tests"}


def translate(
    *arguments: str, secret: dict[str, str] | None = None, text: bytes | None = None, of: str = "asterisk-ami"
) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in SECRET}
    return subprocess.run(
        [sys.executable, "-c", "from agents.cli import main; main()", "translate", of, *arguments],
        input=text,
        capture_output=True,
        check=False,
        timeout=60,
        env=environment | (SECRET if secret is None else secret),
    )


@pytest.fixture(scope="module")
def done() -> subprocess.CompletedProcess[bytes]:
    return translate(str(TRACE))


def test_prints_acceptable_events_of_the_room_and_system_it_was_told(
    done: subprocess.CompletedProcess[bytes],
) -> None:
    assert done.returncode == 0
    arrivals = [decode(line) for line in done.stdout.splitlines()]
    assert len(arrivals) == 147
    assert all(isinstance(arrival, Arrival) for arrival in arrivals)
    sources = {arrival.event.source for arrival in arrivals if isinstance(arrival, Arrival)}
    assert sources == {"//west-mercia/pbx1"}

    other = translate(str(TRACE), "--centre", "dyfed", "--system", "pbx7")
    assert b"//dyfed/pbx7" in other.stdout


def test_sums_up_in_one_line(done: subprocess.CompletedProcess[bytes]) -> None:
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("147 events: occ.call.ended.v1 20, occ.call.offered.v1 20, ")
    assert line.endswith("skipped blocks: not_used 1201, not_a_caller 12, unknown_call 32")


def test_same_secret_gives_the_same_bytes_also_from_standard_input(
    done: subprocess.CompletedProcess[bytes],
) -> None:
    assert translate("-", text=TRACE.read_bytes()).stdout == done.stdout


def test_without_a_secret_it_says_that_tokens_do_not_compare(done: subprocess.CompletedProcess[bytes]) -> None:
    run = translate(str(TRACE), secret={})
    assert run.returncode == 0
    assert b"OCC_PSEUDONYM_SECRET is not set" in run.stderr
    assert run.stdout.count(b"\n") == 147
    assert run.stdout != done.stdout


def test_recording_without_moments_of_receipt_has_the_stamps(done: subprocess.CompletedProcess[bytes]) -> None:
    lines = [line for line in TRACE.read_bytes().splitlines(keepends=True) if not line.startswith(b";")]
    assert translate("-", text=b"".join(lines)).stdout == done.stdout


def test_errors_say_what_to_do() -> None:
    short = translate(str(TRACE), secret={"OCC_PSEUDONYM_SECRET": "short"})
    assert (short.returncode, short.stdout) == (1, b"")
    assert b"16 bytes or more" in short.stderr

    empty = translate("-", text=b"not a recording\n")
    assert empty.returncode == 1
    assert b"not one AMI event" in empty.stderr

    missing = translate("no-such-file")
    assert missing.returncode == 2
    assert b"No such file" in missing.stderr

    nameless = translate(str(TRACE), "--centre", "")
    assert nameless.returncode == 2
    assert b"--centre" in nameless.stderr


def queue_log(*arguments: str, **options: bytes) -> subprocess.CompletedProcess[bytes]:
    return translate(*arguments, of="queue-log", **options)  # type: ignore[arg-type]


def test_queue_log_gives_events_of_a_source_of_its_own_and_a_summary():
    run = queue_log(str(LOG), "--centre", "dyfed", "--system", "pbx7")
    assert run.returncode == 0
    arrivals = [decode(line) for line in run.stdout.splitlines()]
    assert {arrival.event.source for arrival in arrivals if isinstance(arrival, Arrival)} == {
        "//dyfed/pbx7-queue-log"
    }
    assert run.stderr.decode() == (
        "69 events: occ.call.offered.v1 19, occ.visit.answered.v1 8, occ.visit.ended.v1 8, occ.visit.left.v1 11, "
        "occ.visit.queued.v1 19, occ.visit.ring_no_answer.v1 4; skipped rows: not_used 16\n"
    )


def test_queue_log_of_a_database_has_local_times_and_the_lines_at_fault_are_named():
    text = b"2026-11-24 08:00:00.250000|pbx1-1795507200.1|101|NONE|ENTERQUEUE||anonymous|1\nhalf a li\n"
    run = queue_log("-", "--timezone", "Europe/London", text=text)
    assert run.returncode == 0
    assert b'"time":"2026-11-24T08:00:00.250000Z"' in run.stdout
    assert b"line 2 has fewer than 5 fields" in run.stderr

    zoneless = queue_log("-", text=text)
    assert (zoneless.returncode, zoneless.stdout) == (1, b"")
    assert b"line 1 has a local time, and no time zone was given (--timezone)" in zoneless.stderr

    nowhere = queue_log("-", "--timezone", "Worcester", text=text)
    assert nowhere.returncode == 2
    assert b"Europe/London" in nowhere.stderr


def test_queue_log_without_a_row_is_an_error():
    run = queue_log("-", text=b"\n")
    assert run.returncode == 1
    assert b"not one row" in run.stderr


def test_handlers_have_the_names_of_the_bridge_whose_keys_are_given(tmp_path: Path):
    keys = tmp_path / "keys"
    ann = Ratchet.open(keys, 1_795_507_200_000_000).handler("Agent One")
    run = queue_log(str(LOG), "--keys", str(keys))
    assert run.stdout.count(ann.encode()) == 6 + 1  # answered, and missed

    keys.write_text("{}")
    broken = queue_log(str(LOG), "--keys", str(keys))
    assert broken.returncode == 1
    assert b"holds no keys" in broken.stderr
