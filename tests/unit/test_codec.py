"""What the examples cannot show: the clock of arrival, repeated members, odd bytes, canonical form."""

import sys
from datetime import UTC, datetime

import msgspec
import pytest

from schemas import codec
from schemas.codec import DEPTH_MAX, RECORD_BYTES_MAX, Arrival, Refusal, canonical, decode, encode, new_event
from schemas.events import LISTED_MAX, HandlerSnapshot, SourceHeartbeat, VisitHeld, VisitHeldData, VisitLeft
from schemas.moments import parse

HELD = (
    b'{"specversion":"1.0","id":"1","source":"//west-mercia/pbx1","type":"occ.visit.held.v1",'
    b'"time":"2026-11-24T08:00:00.250Z","data":{"centre":"west-mercia","visit":"v"}}'
)
AT = parse("2026-11-24T08:00:00.250Z")


def held(old: bytes, new: bytes) -> bytes:
    assert old in HELD
    return HELD.replace(old, new)


def accepted(record: bytes) -> Arrival:
    arrival = decode(record)
    assert isinstance(arrival, Arrival), arrival
    return arrival


def refused(record: bytes | None) -> tuple[str, str | None]:
    refusal = decode(record)
    assert isinstance(refusal, Refusal), refusal
    return refusal.reason, refusal.member


def test_an_arrival_carries_when_it_happened_and_when_it_was_appended():
    assert decode(HELD, AT + 5).appended_at == AT + 5
    assert decode(HELD, 0).appended_at == 0
    assert decode(HELD).appended_at == decode(HELD).at == AT


def test_of_a_repeated_member_the_last_wins_even_where_the_first_is_wrong():
    assert accepted(held(b'"visit":"v"', b'"visit":"w","visit":"v"')) == decode(HELD)
    assert accepted(held(b'"visit":"v"', b'"visit":7,"visit":"v"')) == decode(HELD)
    assert accepted(held(b'"data":', b'"data":null,"data":')) == decode(HELD)
    assert accepted(held(b'"type":', b'"type":"occ.none.v1","type":')) == decode(HELD)
    assert refused(held(b'"visit":"v"', b'"visit":"v","visit":7')) == ("bad_value", "data.visit")


def test_a_repeated_type_is_read_as_the_last_one():
    record = held(b'"data":{', b'"type":"occ.visit.left.v1","data":{"reason":"abandoned",')
    assert isinstance(accepted(record).event, VisitLeft)


@pytest.mark.parametrize("junk", [b"9" * 5000, b"1e999", b"[[1, 2.5e-3], {}]", b'"\\u0000"', b"null"])
def test_members_nobody_knows_are_ignored_whatever_they_hold(junk: bytes):
    assert accepted(held(b'"data":{', b'"data":{"x":' + junk + b",")) == decode(HELD)
    assert accepted(held(b'"data":{', b'"data":{"\\u0078":' + junk + b",")) == decode(HELD)


def test_a_control_character_is_refused_raw_and_escaped():
    assert refused(held(b'"v"', b'"\x7f"')) == refused(held(b'"v"', b'"\\u007f"')) == ("bad_value", "data.visit")
    assert refused(held(b'"v"', b'"\xc2\x85"')) == refused(held(b'"v"', b'"\\u0085"')) == ("bad_value", "data.visit")


def test_what_is_not_unicode_is_not_json_even_in_a_member_nobody_knows():
    for half in (b'"\\ud800"', b'"\\udfff"', b'"\\ud800\\u0041"'):
        assert refused(held(b'"data":{', b'"data":{"x":' + half + b",")) == ("not_json", None)
        assert refused(held(b'"data":{', b'"data":{' + half + b":1,")) == ("not_json", None)
        assert refused(held(b'"2026-11-24T08:00:00.250Z"', half)) == ("not_json", None)
    assert refused(held(b'"data":{', b'"data":{"x":"\xff",')) == ("not_json", None)
    assert refused(held(b'"data":{', b'"data":{"x":"\xed\xa0\x80",')) == ("not_json", None)


def test_no_record_and_an_empty_record_are_not_json():
    assert refused(None) == refused(b"") == ("not_json", None)


def nested(depth: int) -> bytes:
    lists = depth - 2  # the event and its data are two
    return held(b'"data":{', b'"data":{"x":' + b"[" * lists + b"]" * lists + b",")


def test_a_record_may_nest_to_the_limit_and_no_deeper():
    assert accepted(nested(DEPTH_MAX)) == decode(HELD)
    assert refused(nested(DEPTH_MAX + 1)) == ("too_deep", None)


def test_a_caller_deep_in_its_own_calls_is_told_too_deep_instead_of_raised_at():
    def within(calls: int) -> tuple[str, str | None]:
        return within(calls - 1) if calls else refused(nested(DEPTH_MAX))

    assert within(sys.getrecursionlimit() - DEPTH_MAX) == ("too_deep", None)


def test_brackets_inside_strings_are_not_nesting():
    text = b'"' + b"[{" * DEPTH_MAX + b'\\"' + b"]" * DEPTH_MAX + b'"'
    assert accepted(held(b'"data":{', b'"data":{"x":' + text + b",")) == decode(HELD)
    hidden = b'"]]]]]]]]",' + b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    assert refused(held(b'"data":{', b'"data":{"x":[' + hidden + b"],")) == ("too_deep", None)


def test_a_record_of_256_kb_is_read_and_one_byte_more_is_not():
    full = held(b'"data":{', b'"data":{' + b" " * (RECORD_BYTES_MAX - len(HELD)))
    assert accepted(full) == decode(HELD)
    assert refused(full + b" ") == ("too_large", None)


def test_a_moment_means_the_same_in_any_offset_and_precision():
    same = [
        accepted(held(b"08:00:00.250Z", t)) for t in (b"09:00:00.25+01:00", b"08:00:00.250000Z", b"08:00:00.250z")
    ]
    assert {arrival.at for arrival in same} == {AT}
    assert {canonical(arrival.event) for arrival in same} == {canonical(accepted(HELD).event)}


def test_canonical_bytes_ignore_order_and_what_nobody_knows():
    other = held(b'"id":"1",', b"").replace(b'"visit":"v"', b'"visit":"v","x":1,"time_quality":"exact"')
    assert canonical(accepted(other[:-1] + b',"id":"1","subject":null}').event) == canonical(accepted(HELD).event)
    assert canonical(accepted(HELD).event) == (
        b'{"data":{"centre":"west-mercia","visit":"v"},"id":"1","source":"//west-mercia/pbx1","specversion":"1.0",'
        b'"time":"2026-11-24T08:00:00.250000Z","type":"occ.visit.held.v1"}'
    )


def test_a_new_event_is_written_as_it_would_be_read():
    time = datetime(2026, 11, 24, 8, 0, 0, 250_000, UTC)
    event = new_event(
        VisitHeld, VisitHeldData(centre="west-mercia", visit="v"), id="1", source="//west-mercia/pbx1", time=time
    )
    assert accepted(encode(event)) == decode(HELD)
    assert b'"time":"2026-11-24T08:00:00.250000Z"' in encode(event)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b'"v"', b"7", "is wrong: expected a string, got a whole number"),
        (b'"v"', b'""', "is wrong: expected a string of length >= 1"),
        (b'"1.0"', b'"0.3"', "is not 1.0"),
        (b"250Z", b"250", "is a moment without an offset"),
        (b"11-24", b"02-30", "is not an RFC 3339 moment"),
        (b'"id"', b'"subject":[],"id"', "is wrong: expected a string or null, got a list"),
        (b'"visit"', b'"time_quality":"rough","visit"', "is not one of the values of this member"),
    ],
)
def test_why_says_what_is_wrong_in_words(old: bytes, new: bytes, why: str):
    assert decode(held(old, new)).why == why


def snapshot(handlers: str, subject: str = "s") -> bytes:
    """Of handlers, and long enough to be read the way long records are."""
    return (
        '{"specversion":"1.0","id":"1","source":"//west-mercia/pbx1","type":"occ.handler.snapshot.v1",'
        f'"subject":"{subject}","time":"2026-11-24T08:00:00Z",'
        f'"data":{{"centre":"west-mercia","x":"{"." * 1000}","time_quality":"second","handlers":[{handlers}]}}}}'
    ).encode()


ANN = '{"handler":"ann","state":"talking","queues":["999","101"],"team":"a"}'
BOB = '{"handler":"bob","state":"wrap_up","queues":[]}'


def test_a_handler_repeated_word_for_word_is_the_same_as_one_read_anew(monkeypatch: pytest.MonkeyPatch):
    plain = msgspec.json.decode(snapshot(f"{ANN},{BOB}"), type=HandlerSnapshot)
    for _ in range(2):
        assert accepted(snapshot(f"{ANN},{BOB}")).event == plain
        assert accepted(snapshot(f"{BOB}, {ANN}")).event.data.handlers == plain.data.handlers[::-1]
    monkeypatch.setattr(codec, "HANDLERS_KNOWN_MAX", 3)
    for number in range(10):
        said = ANN.replace("ann", f"ann{number}")
        assert accepted(snapshot(f"{said},{ANN}")).event.data.handlers[0].handler == f"ann{number}"
        assert len(codec._known_handlers) <= 3


def test_a_handler_is_refused_however_often_it_is_repeated():
    for _ in range(2):
        assert refused(snapshot(f'{ANN},{{"handler":"ann","state":"asleep","queues":[]}}')) == (
            "bad_value",
            "data.handlers[1].state",
        )
        assert refused(snapshot(f"{ANN},7")) == ("bad_value", "data.handlers[1]")
        assert refused(snapshot(",".join([BOB] * (LISTED_MAX + 1)))) == ("bad_value", "data.handlers")


def test_a_long_record_without_a_type_is_no_snapshot_whatever_else_it_names():
    record = snapshot(ANN, subject="occ.handler.snapshot.v1").replace(b'"type":"occ.handler.snapshot.v1",', b"")
    assert refused(record) == ("no_envelope", "type")
    heartbeat = snapshot(ANN, subject="occ.handler.snapshot.v1").replace(
        b'"type":"occ.handler.snapshot.v1"', b'"type":"occ.source.heartbeat.v1"'
    )
    assert refused(heartbeat) == ("missing_member", "data.events_seen")
    whole = heartbeat.replace(b'"handlers"', b'"events_seen":1,"calls_up":2,"callers_queued":3,"handlers"')
    assert isinstance(accepted(whole).event, SourceHeartbeat)


def test_a_long_record_that_only_speaks_of_a_snapshot_is_what_it_is():
    record = held(b'"visit":"v"', b'"y":"' + b"." * 1000 + b'","x":"occ.handler.snapshot.v1","visit":"v"')
    assert accepted(record) == decode(HELD)
