"""What is on its way to Kafka outlives us, whole and in order."""

from pathlib import Path

import pytest

from telephony import spool as module
from telephony.spool import InUseError, Spool


def test_records_are_given_out_in_order_until_they_have_arrived(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        assert spool.append([b"one", b"two"])
        assert spool.unsent() == [b"one", b"two"]
        spool.sent([b"one"])
        assert spool.append([b"three"])
        assert spool.unsent() == [b"two", b"three"]
        spool.sent([b"two", b"three"])
        assert (spool.unsent(), spool.waiting_bytes) == ([], 0)


def test_what_had_not_arrived_is_there_after_a_restart(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append([b"one", b"two"])
        spool.sent([b"one"])
    with Spool(tmp_path) as spool:
        assert spool.unsent() == [b"two"]


def test_record_cut_off_by_a_loss_of_power_is_dropped_and_those_before_it_live(tmp_path: Path) -> None:
    with Spool(tmp_path) as spool:
        spool.append([b"one"])
    with (tmp_path / "1.jsonl").open("ab") as file:
        file.write(b"tw")
    with Spool(tmp_path) as spool:
        spool.append([b"three"])
        assert spool.unsent() == [b"one", b"three"]


def test_full_spool_takes_nothing_until_some_has_arrived(tmp_path: Path) -> None:
    with Spool(tmp_path, bytes_max=10) as spool:
        assert spool.append([b"1234"])
        assert not spool.append([b"123456"])
        assert spool.unsent() == [b"1234"]
        spool.sent([b"1234"])
        assert spool.append([b"123456"])


def test_file_in_which_all_has_arrived_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_BYTES", 10)
    with Spool(tmp_path) as spool:
        spool.append([b"0123456789"])
        spool.append([b"still in the first file"])
        spool.sent(spool.unsent())
        spool.append([b"two"])
        assert spool.unsent() == [b"two"]
    assert [path.name for path in tmp_path.glob("*.jsonl")] == ["2.jsonl"]
    with Spool(tmp_path) as spool:
        assert spool.unsent() == [b"two"]


def test_more_than_can_be_sent_together_comes_in_turns_of_whole_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TOGETHER_BYTES", 10)
    with Spool(tmp_path) as spool:
        spool.append([b"one", b"two", b"three"])
        assert spool.unsent() == [b"one", b"two"]
        spool.sent([b"one", b"two"])
        assert spool.unsent() == [b"three"]


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    with Spool(tmp_path), pytest.raises(InUseError):
        Spool(tmp_path)
