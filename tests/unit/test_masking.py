"""What of a refused event is kept never shows a pseudonym or a number, and can always be written."""

import json

import orjson
import pytest

from schemas.masking import DEPTH_MAX, MASK, mask


def test_pseudonyms_are_masked_wherever_they_are():
    event = {
        "subject": "h-41",
        "data": {
            "caller_tokens": [{"key_day": "2026-11-24", "token": "2c26b46b"}],
            "handlers": [{"handler": "h-41", "state": "talking"}],
            "deeper": [{"Token": {"of": "2c26b46b"}}],
        },
    }
    assert mask(event) == {
        "subject": MASK,
        "data": {
            "caller_tokens": MASK,
            "handlers": [{"handler": MASK, "state": "talking"}],
            "deeper": [{"Token": MASK}],
        },
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("tel:07700900123", f"tel:{MASK}"),
        ("+44 7700 900 123 rang", f"+{MASK} rang"),
        ("1234", "1234"),
        ("12345", MASK),
        ("٠١٦٣٢٩٦٠", MASK),
        ("2026-11-24T08:00:00.123456Z", f"2026-11-24T08:00:00.{MASK}Z"),
        (1234, 1234),
        (-12345, MASK),
        (7700900123.0, MASK),
        (0.123456, MASK),
        (2.5, 2.5),
        (True, True),
        (None, None),
    ],
)
def test_runs_of_five_or_more_digits_are_masked(before: object, after: object):
    assert mask([before]) == [after]


def test_a_number_used_as_the_name_of_a_member_is_masked():
    assert mask({"07700900123": 1}) == {MASK: 1}


def test_whatever_json_holds_can_be_written_afterwards():
    deep: object = "bottom"
    for _ in range(100_000):
        deep = [deep]
    hostile = json.loads('{"half": "\\ud800", "\\udfff": 1, "long": ' + "9" * 4000 + ', "huge": 1e999, "nan": NaN}')
    orjson.dumps(mask([hostile, deep, object(), 10**10_000]))


def test_what_is_nested_too_deep_is_cut_off():
    event: object = "bottom"
    for _ in range(DEPTH_MAX + 1):
        event = [event]
    assert "bottom" not in str(mask(event))
    assert isinstance(event, list)
    assert "bottom" in str(mask(event[0]))


def test_masking_leaves_the_event_itself_alone():
    event = {"data": {"token": "2c26b46b", "dialled": "01632960123"}}
    mask(event)
    assert event == {"data": {"token": "2c26b46b", "dialled": "01632960123"}}
