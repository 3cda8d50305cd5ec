"""Whatever arrives, `decode` answers; whatever it accepts can be written and read again; no refusal tells a value."""

import json
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import Arrival, Refusal, canonical, decode, encode
from schemas.events import EVENT_TYPES
from schemas.masking import mask

EXAMPLES = Path(codec.__file__).parent / "examples"
EVENTS: list[dict[str, Any]] = [
    example["event"]
    for name in sorted(EVENT_TYPES)
    for example in json.loads((EXAMPLES / f"{name}.json").read_text(encoding="utf-8"))["good"]
]
CANARY = "kanariefågel"

events = st.sampled_from(EVENTS)
moments = st.sampled_from(
    ["2026-11-24T08:00:00Z", "2000-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59", "9998-12-31T23:59:59-23:59"]
)
numbers = st.integers() | st.floats() | st.sampled_from([10**19, -(10**30), 1e308, 0.0, -0.0])
texts = st.text() | moments | st.sampled_from(["", "\x00", "\x7f", "\x85", "\ud800", "ŵ" * 200, "+447700900123"])
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def paths(node: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside `node`."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [way for name, value in inside for way in ((*before, name), *paths(value, (*before, name)))]


def changed(event: dict[str, Any], way: tuple[Any, ...], value: object) -> dict[str, Any]:
    """`event` with another value at the end of `way`."""
    copy: dict[str, Any] = json.loads(json.dumps(event))
    at: Any = copy
    for step in way[:-1]:
        at = at[step]
    at[way[-1]] = value
    return copy


@st.composite
def changed_events(draw: st.DrawFn, values: st.SearchStrategy[object] = anything) -> dict[str, Any]:
    event = draw(events)
    for _ in range(draw(st.integers(1, 3))):
        event = changed(event, draw(st.sampled_from(paths(event))), draw(values))
    return event


@st.composite
def damaged_records(draw: st.DrawFn) -> bytes:
    """A good record with bytes replaced, cut out or put in."""
    record = json.dumps(draw(events), ensure_ascii=draw(st.booleans())).encode()
    start = draw(st.integers(0, len(record)))
    return record[:start] + draw(st.binary(max_size=4)) + record[start + draw(st.integers(0, 4)) :]


def judged(record: bytes) -> Arrival | Refusal:
    """What `decode` says, having shown that an accepted event is the same when written and read again."""
    answer = decode(record, 7)
    if isinstance(answer, Arrival):
        assert decode(encode(answer.event), 7) == answer
        again = decode(canonical(answer.event), 7)
        assert isinstance(again, Arrival)
        assert again.at == answer.at
        assert canonical(again.event) == canonical(answer.event)
    else:
        assert isinstance(answer, Refusal)
        orjson.dumps([answer.why, answer.member])
    return answer


@given(st.binary())
def test_any_bytes_get_an_answer(record: bytes):
    judged(record)


@given(damaged_records())
def test_a_damaged_record_gets_an_answer(record: bytes):
    judged(record)


@given(anything)
def test_any_json_gets_an_answer_and_can_be_kept_masked(document: object):
    judged(json.dumps(document).encode())
    orjson.dumps(mask(document))


@given(changed_events())
def test_an_event_with_anything_anywhere_gets_an_answer(event: dict[str, Any]):
    judged(json.dumps(event).encode())
    orjson.dumps(mask(event))


@given(changed_events(st.sampled_from(["v-1", "2026-11-24T07:00:00Z", 1, 0, [], {}, None, "abandoned", "999"])))
def test_the_plain_way_and_the_careful_way_give_the_same_answer(event: dict[str, Any]):
    plain = json.dumps(event, ensure_ascii=False)
    assert decode(plain.encode()) == decode(plain.replace('"data"', '"\\u0064ata"').encode())


@given(
    events.flatmap(lambda event: st.tuples(st.just(event), st.sampled_from(paths(event)))),
    st.sampled_from([CANARY, f"{CANARY}` - at `$.{CANARY}`", f"occ.{CANARY}.v1", f"{CANARY}\x00", CANARY * 20]),
    st.sampled_from([lambda text: text, lambda text: [text], lambda text: {text: text}]),
)
def test_no_refusal_tells_a_value_of_the_event(where: tuple[dict[str, Any], tuple[Any, ...]], text: str, wrap: Any):
    answer = judged(json.dumps(changed(*where, wrap(text))).encode())
    if isinstance(answer, Refusal):
        assert CANARY not in f"{answer.why} {answer.member}"


@given(st.permutations(list(EVENTS[0].items())))
def test_members_may_come_in_any_order(items: list[tuple[str, Any]]):
    assert decode(json.dumps(dict(items)).encode()) == decode(json.dumps(EVENTS[0]).encode())
