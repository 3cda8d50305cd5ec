"""Whatever a command is given, it answers with one message that says what is wrong, and with an exit code."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main

DAY = Path(__file__).parents[1] / "data/asterisk/ami-events.txt"
NOBODY = "127.0.0.1:1"
"""An address where nobody listens."""
UNREADABLE = "/proc/self/mem"
"""A file that is there, and may be opened even by root, and whose first byte cannot be read."""
SECRET = {"OCC_PSEUDONYM_SECRET": "sixteen bytes or more"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, without settings."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("OCC_"):
            monkeypatch.delenv(name)
    return tmp_path


def run(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, args, env={"OCC_KAFKA__BOOTSTRAP_SERVERS": NOBODY, **SECRET, **env})


def assert_refused(result: Result, code: int, says: str) -> None:
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == code, result.output
    assert says in result.stderr
    assert result.stderr.count("Error:") == 1


READERS = {
    "figures": ("figures",),
    "publish": ("publish",),
    "translate asterisk-ami": ("translate", "asterisk-ami"),
    "translate queue-log": ("translate", "queue-log"),
    "translate freeswitch": ("translate", "freeswitch"),
    "import queue-log": ("import", "queue-log"),
    "import wrap-up": ("import", "wrap-up"),
    "profile publish": ("profile", "publish"),
    "compare": ("compare",),
}


def reading(command: str, file: str) -> tuple[str, ...]:
    return (*READERS[command], *([file] if command != "compare" else [file, file]))


@pytest.mark.parametrize("command", READERS)
def test_a_file_that_is_missing_is_named(command: str) -> None:
    assert_refused(run(*reading(command, "missing")), 2, "missing")


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("content", [b"", b"\xff\x00\x8e garbage \xc3\x28\n" * 50], ids=["empty", "garbage"])
def test_a_file_without_a_single_line_of_use_is_an_error(folder: Path, command: str, content: bytes) -> None:
    (folder / "useless").write_bytes(content)
    assert_refused(run(*reading(command, "useless")), 2 if command == "compare" else 1, "")


@pytest.mark.skipif(not Path(UNREADABLE).exists(), reason="there is no such file here")
@pytest.mark.parametrize("command", READERS)
def test_a_file_that_cannot_be_read_is_an_error_in_words(command: str) -> None:
    assert_refused(run(*reading(command, UNREADABLE)), 2 if command == "compare" else 1, "Input/output error")


@pytest.mark.parametrize(
    "args",
    [
        ("simulate", "--hours", "nan"),
        ("simulate", "--rate", "nan"),
        ("publish", str(DAY), "--speed", "inf"),
        ("demo", "--for", "nan"),
        ("figures", str(DAY), "--from", "2026-11-24T09:00:00Z", "--to", "2026-11-24T08:00:00Z"),
        ("compare", str(DAY), str(DAY), "--from", "2026-11-24T09:00:00Z", "--to", "2026-11-24T08:00:00Z"),
        ("figures", str(DAY), "--from", "2026-11-24 08:00"),
        ("board", "--as-of", "yesterday"),
        ("simulate", "--centre", "a/b"),
        ("translate", "asterisk-ami", str(DAY), "--system", ""),
        ("bridge", "asterisk", "--secret-file", str(DAY), "--ami", "127.0.0.1:99999"),
        ("announcer", "--driver", "ari", "--secret-file", str(DAY), "--ari", "http://127.0.0.1:99999"),
        ("announcer", "--driver", "ari", "--secret-file", str(DAY), "--ari", "http://[::1"),
        ("worker", "--nonsense"),
        ("nonsense",),
    ],
    ids=" ".join,
)
def test_what_no_command_can_mean_is_wrong_usage(args: tuple[str, ...]) -> None:
    assert_refused(run(*args), 2, "")


@pytest.mark.parametrize("driver", [("announcer", "--driver", "ari"), ("bridge", "asterisk")], ids=" ".join)
@pytest.mark.parametrize(("content", "says"), [(b"", "is empty"), (b"\xff\xfe", "is not text")])
def test_a_file_without_a_password_is_an_error(
    folder: Path, driver: tuple[str, ...], content: bytes, says: str
) -> None:
    (folder / "secret").write_bytes(content)
    assert_refused(run(*driver, "--secret-file", "secret", OCC_BRIDGE__PORT="0"), 1, says)


@pytest.mark.parametrize("servers", ["nonsense", "127.0.0.1:99999", "kafka:", "one:9092, two:9092"])
def test_an_address_of_kafka_that_is_none_is_a_faulty_setting(servers: str) -> None:
    assert_refused(run("board", OCC_KAFKA__BOOTSTRAP_SERVERS=servers), 2, "OCC_KAFKA__BOOTSTRAP_SERVERS: should be")


@pytest.mark.parametrize(
    "args", [("board",), ("watch",), ("topics",), ("topics", "create"), ("simulate", "--kafka")], ids=" ".join
)
def test_where_no_kafka_listens_it_is_said_where_to_look(args: tuple[str, ...]) -> None:
    assert_refused(run(*args), 1, f"Kafka at {NOBODY} does not answer")


def test_a_worker_with_faulty_settings_is_not_to_be_restarted(folder: Path) -> None:
    (folder / "occ.toml").write_text("[kafka\n", encoding="utf-8")
    assert_refused(run("worker"), 2, "is not TOML")


def test_a_worker_whose_port_is_taken_says_which_setting_helps() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = run("worker", OCC_WEB__PORT=str(port), OCC_ACCEPT_ANY_CENTRE="true")
    assert_refused(refused, 1, "Set OCC_WEB__PORT")


@pytest.mark.parametrize("command", ["alerts", "grafana"])
def test_a_folder_that_cannot_be_written_to_is_named(command: str) -> None:
    assert_refused(run(command, "render", "--out", "/proc", OCC_ACCEPT_ANY_CENTRE="true"), 1, "/proc/")


def process(*args: str, **streams: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "agents.cli", *args], stderr=subprocess.PIPE, **streams)


@pytest.mark.parametrize(
    "args",
    [("simulate", "--hours", "3"), ("prompts", "list"), ("config",), ("translate", "asterisk-ami", str(DAY))],
    ids=" ".join,
)
def test_a_reader_who_has_had_enough_is_left_in_peace(args: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with process(*args, stdout=writer) as command:
        os.close(writer)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 1
    assert b"Traceback" not in said
    assert b"Error" not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no such file here")
@pytest.mark.parametrize(
    "args",
    [("simulate", "--hours", "1"), ("config",), ("figures", "day", "--json"), ("prompts", "list")],
    ids=" ".join,
)
def test_a_disk_that_is_full_is_said_in_words(args: tuple[str, ...]) -> None:
    assert run("simulate", "--hours", "0.1", "--out", "day").exit_code == 0
    with open("/dev/full", "wb") as full, process(*args, stdout=full.fileno()) as command:
        _, said = command.communicate(timeout=60)
    assert command.returncode == 1
    assert b"Error: Reading or writing failed: No space left on device." in said
    assert b"Traceback" not in said


def test_closed_streams_are_no_reason_to_fail() -> None:
    closed = 'exec "$0" -m agents.cli simulate --hours 0.1 --out day <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", closed, sys.executable], check=False, timeout=60).returncode == 0
    assert run("figures", "day").exit_code == 0


def test_an_interrupted_command_says_so_and_leaves_whole_lines() -> None:
    with process("simulate", "--hours", "5000", "--rate", "50", "--out", "day") as command:
        deadline = time.monotonic() + 60
        while not Path("day").exists() or not Path("day").stat().st_size:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        command.send_signal(signal.SIGINT)
        _, said = command.communicate(timeout=60)
    assert command.returncode == 130
    assert said.endswith(b"Interrupted.\n")
    assert Path("day").read_bytes().endswith(b"}\n")
