"""Keys of a live bridge: one a day, the old one beyond anybody's reach."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schemas.events import CallerToken
from schemas.moments import micros
from telephony.ratchet import KeyFileError, Ratchet

NUMBER = "07700 900101"


def at(text: str) -> int:
    """A moment of winter, when London has UTC."""
    return micros(datetime.fromisoformat(text).replace(tzinfo=UTC))


def tokens(ratchet: Ratchet, moment: str) -> dict[date, str]:
    return {token.key_day: token.token for token in ratchet.caller(NUMBER, at(moment)).tokens}


def test_caller_is_one_caller_over_the_change_of_keys_and_another_the_day_after(tmp_path: Path) -> None:
    ratchet = Ratchet.open(tmp_path / "keys", at("2026-11-24 20:00"))
    evening = tokens(ratchet, "2026-11-24 20:00")
    ratchet.advance(at("2026-11-25 04:30"))
    both = tokens(ratchet, "2026-11-25 04:30")
    ratchet.advance(at("2026-11-25 05:10"))
    day = tokens(ratchet, "2026-11-25 12:00")
    assert evening.items() | day.items() == both.items()
    assert len(set(both.values())) == 2


def test_two_bridges_from_one_file_agree_on_every_later_day(tmp_path: Path) -> None:
    Ratchet.open(tmp_path / "keys", at("2026-11-24 20:00"))
    (tmp_path / "copy").write_bytes((tmp_path / "keys").read_bytes())
    (tmp_path / "copy").chmod(0o600)
    daily = Ratchet.open(tmp_path / "keys", at("2026-11-24 20:00"))
    for day in range(25, 29):
        daily.advance(at(f"2026-11-{day} 05:10"))
    late = Ratchet.open(tmp_path / "copy", at("2026-11-28 12:00"))
    assert tokens(daily, "2026-11-28 12:00") == tokens(late, "2026-11-28 12:00")
    assert daily.handler("Ann") == late.handler("Ann")


def test_key_of_yesterday_is_overwritten_at_ten_past_five(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ratchet = Ratchet.open(path, at("2026-11-24 20:00"))
    yesterday = path.read_bytes()
    (tmp_path / "held").hardlink_to(path)  # whoever still has the old file open
    ratchet.advance(at("2026-11-25 05:09"))
    assert path.read_bytes() == yesterday
    ratchet.advance(at("2026-11-25 05:10"))
    assert path.read_bytes() != yesterday
    assert not any((tmp_path / "held").read_bytes())
    assert path.stat().st_mode & 0o777 == 0o600


def test_moment_of_a_day_whose_key_is_gone_gets_a_token_of_a_day_that_is_there(tmp_path: Path) -> None:
    ratchet = Ratchet.open(tmp_path / "keys", at("2026-11-24 20:00"))
    assert list(tokens(ratchet, "2026-11-20 12:00")) == [date(2026, 11, 24)]
    assert list(tokens(ratchet, "2027-11-20 12:00")) == [date(2026, 11, 25)]


def test_who_has_no_number_has_no_token(tmp_path: Path) -> None:
    ratchet = Ratchet.open(tmp_path / "keys", at("2026-11-24 20:00"))
    noon = at("2026-11-24 12:00")
    assert [ratchet.caller(number, noon).state for number in ("anonymous", "2001", "<unknown>")] == [
        "withheld",
        "shared",
        "absent",
    ]
    assert isinstance(ratchet.caller(NUMBER, noon).tokens[0], CallerToken)


def test_file_that_others_may_read_or_that_is_none_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    Ratchet.open(path, at("2026-11-24 20:00"))
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Ratchet.open(path, at("2026-11-24 20:00"))
    path.chmod(0o600)
    path.write_text("secret words")
    with pytest.raises(KeyFileError, match=r"holds no keys$"):
        Ratchet.open(path, at("2026-11-24 20:00"))
