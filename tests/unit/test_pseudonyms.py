"""Pseudonyms: one caller in whatever spelling, never a number, keys that change at 04:00 in London."""

import hmac
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.moments import micros
from telephony.pseudonyms import KeyRing, e164, key_days

KEYS = KeyRing(b"a secret for tests")
NOON = micros(datetime(2026, 11, 24, 12, tzinfo=UTC))


@pytest.mark.parametrize(
    "number",
    [
        "07700900101",
        "+447700900101",
        "00447700900101",
        "447700900101",
        "7700900101",
        "+44 (0) 7700 900101",
        "+4407700900101",
        " 07700-900 101 ",
    ],
)
def test_every_spelling_of_a_number_is_one_caller(number: str) -> None:
    assert e164(number) == "+447700900101"
    assert KEYS.caller(number, NOON) == KEYS.caller("07700900101", NOON)


def test_numbers_from_abroad_and_short_national_ones_are_numbers_too() -> None:
    assert e164("0033123456789") == "+33123456789"
    assert e164("+12025550123") == "+12025550123"
    assert e164("0169773000") == "+44169773000"


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("anonymous", "withheld"),
        ("Anonymous@anonymous.invalid", "withheld"),
        ("restricted", "withheld"),
        ("<unknown>", "absent"),
        ("unknown", "absent"),
        ("", "absent"),
        ("Reception", "absent"),
        ("2001", "shared"),
        ("+44", "absent"),
    ],
)
def test_what_is_no_number_of_a_caller_has_no_token(number: str, state: str) -> None:
    caller = KEYS.caller(number, NOON)
    assert (caller.state, caller.tokens) == (state, ())


def test_token_is_half_an_hmac_of_the_number_under_the_key_of_the_day() -> None:
    (token,) = KEYS.caller("07700900101", NOON).tokens
    key = hmac.digest(b"a secret for tests", b"callers 2026-11-24", "sha256")
    assert token.token == hmac.digest(key, b"+447700900101", "sha256").hex()[:32]
    assert token.key_day == date(2026, 11, 24)


@pytest.mark.parametrize(
    ("moment", "days"),
    [
        ("2026-11-24T03:59:59.999999Z", ["2026-11-23"]),
        ("2026-11-24T04:00:00Z", ["2026-11-24", "2026-11-23"]),
        ("2026-11-24T05:09:59.999999Z", ["2026-11-24", "2026-11-23"]),
        ("2026-11-24T05:10:00Z", ["2026-11-24"]),
        ("2026-11-24T23:59:59Z", ["2026-11-24"]),
        # summer time: 04:00 in London is 03:00 UTC
        ("2026-07-01T02:59:59Z", ["2026-06-30"]),
        ("2026-07-01T03:00:00Z", ["2026-07-01", "2026-06-30"]),
        ("2026-07-01T04:10:00Z", ["2026-07-01"]),
        # the days on which the clocks change, at 01:00 UTC
        ("2026-03-29T03:00:00Z", ["2026-03-29", "2026-03-28"]),
        ("2026-10-25T03:59:59Z", ["2026-10-24"]),
        ("2026-10-25T04:00:00Z", ["2026-10-25", "2026-10-24"]),
    ],
)
def test_key_changes_at_four_in_london_and_both_are_given_until_ten_past_five(moment: str, days: list[str]) -> None:
    assert [str(day) for day in key_days(micros(datetime.fromisoformat(moment)))] == days


def test_caller_who_redials_across_the_change_is_still_one_caller_and_a_day_later_is_another() -> None:
    before = KEYS.caller("07700900101", micros(datetime(2026, 11, 24, 3, 50, tzinfo=UTC)))
    after = KEYS.caller("07700900101", micros(datetime(2026, 11, 24, 4, 20, tzinfo=UTC)))
    tomorrow = KEYS.caller("07700900101", micros(datetime(2026, 11, 25, 12, tzinfo=UTC)))
    assert set(before.tokens) & set(after.tokens)
    assert not {token.token for token in after.tokens} & {token.token for token in tomorrow.tokens}


def test_handler_keeps_one_pseudonym_which_another_secret_does_not_give() -> None:
    assert KEYS.handler("Agent One") == KeyRing(b"a secret for tests").handler("Agent One")
    assert KEYS.handler("Agent One") != KEYS.handler("Agent Two")
    assert KEYS.handler("Agent One") != KeyRing(b"another secret for tests").handler("Agent One")


@given(st.text(max_size=40))
def test_any_text_is_a_caller_in_some_state_and_never_shows(number: str) -> None:
    caller = KEYS.caller(number, NOON)
    assert (caller.state == "ok") == bool(caller.tokens)
    assert all(len(token.token) == 32 for token in caller.tokens)
