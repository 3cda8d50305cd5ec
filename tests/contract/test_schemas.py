"""The examples, the decoder, the JSON Schemas and the AsyncAPI document say the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas import generate
from schemas.codec import Arrival, Refusal, decode, encode
from schemas.events import EVENT_TYPES
from schemas.outputs import REFUSAL_REASONS
from schemas.topics import ANNOUNCEMENTS, BOARD, DEAD, EVENTS, STATE, TOPICS

SCHEMAS = Path(generate.__file__).parent
EXAMPLES = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (SCHEMAS / "examples").glob("*.json")}
ASYNCAPI = json.loads((SCHEMAS / "asyncapi.json").read_text(encoding="utf-8"))
NOT_OF_CONTENT = {"future", "too_late", "key_mismatch", "wrong_partition", "unknown_centre", "too_many_queues"}


def examples(kind: str, *, of: str = "event") -> list[Any]:
    """The good or bad examples that hold an `event`, or the bad ones that are a record of `text` or `hex`."""
    return [
        pytest.param(example, id=f"{name}: {example['what']}")
        for name, document in sorted(EXAMPLES.items())
        for example in document.get(kind, [])
        if of in example
    ]


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / "json" / f"{name}.json").read_text(encoding="utf-8")))


def schema_accepts(event: dict[str, Any]) -> bool:
    """Whether the schema of the event's own type takes it; a type without a schema is taken by none."""
    name = event.get("type")
    return isinstance(name, str) and name in EVENT_TYPES and validator(name).is_valid(event)


def as_record(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


@pytest.mark.parametrize("example", examples("good"))
def test_a_good_example_is_read_and_written_back_unchanged(example: dict[str, Any]):
    arrival = decode(as_record(example["event"]))
    assert isinstance(arrival, Arrival), arrival
    assert arrival == decode(encode(arrival.event))


@pytest.mark.parametrize("example", examples("good"))
def test_a_good_example_reads_the_same_with_and_without_escapes(example: dict[str, Any]):
    plain = json.dumps(example["event"], ensure_ascii=False)
    assert decode(plain.encode()) == decode(plain.replace("/", "\\/").encode())


@pytest.mark.parametrize("example", examples("good"))
def test_a_good_example_obeys_its_schema(example: dict[str, Any]):
    assert list(validator(example["event"]["type"]).iter_errors(example["event"])) == []


@pytest.mark.parametrize("example", examples("bad"))
def test_a_bad_example_is_refused_for_its_reason_and_member(example: dict[str, Any]):
    refusal = decode(as_record(example["event"]))
    assert isinstance(refusal, Refusal), refusal
    assert (refusal.reason, refusal.member) == (example["reason"], example["member"])
    assert refusal.why


@pytest.mark.parametrize("example", examples("bad"))
def test_a_bad_example_breaks_its_schema_unless_no_schema_can_say_it(example: dict[str, Any]):
    assert schema_accepts(example["event"]) == example.get("beyond_schema", False)


@pytest.mark.parametrize("example", [*examples("bad", of="text"), *examples("bad", of="hex")])
def test_a_record_that_is_no_event_is_refused_for_its_reason(example: dict[str, Any]):
    record = bytes.fromhex(example["hex"]) if "hex" in example else example["text"].encode()
    refusal = decode(record * example.get("times", 1))
    assert isinstance(refusal, Refusal), refusal
    assert (refusal.reason, refusal.member) == (example["reason"], example.get("member"))


def test_every_type_has_a_least_and_a_full_example_and_several_bad_ones():
    assert set(EXAMPLES) == {*EVENT_TYPES, "envelope", "records"}
    for name in EVENT_TYPES:
        assert len(EXAMPLES[name]["good"]) >= 2
        assert len(EXAMPLES[name]["bad"]) >= 3


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_the_full_example_says_every_member_and_the_least_only_the_required(name: str):
    document = json.loads((SCHEMAS / "json" / f"{name}.json").read_text(encoding="utf-8"))
    schema = document["$defs"][document["properties"]["data"]["$ref"].removeprefix("#/$defs/")]
    least, full = (example["event"]["data"] for example in EXAMPLES[name]["good"][:2])
    assert set(least) == set(schema["required"])
    assert set(full) == set(schema["properties"])


def test_every_reason_of_content_has_an_example():
    shown = {example["reason"] for document in EXAMPLES.values() for example in document["bad"]}
    assert shown == set(REFUSAL_REASONS) - NOT_OF_CONTENT


def test_the_generated_files_agree_with_the_types():
    assert generate.drift() == []


def test_a_generated_file_that_is_changed_missing_or_left_over_is_named(tmp_path: Path):
    generate.write(tmp_path)
    assert generate.drift(tmp_path) == []
    (tmp_path / "json" / "Command.json").write_text("{}")
    (tmp_path / "json" / "occ.note.v0.json").write_text("{}")
    (tmp_path / "asyncapi.json").unlink()
    assert generate.drift(tmp_path) == ["asyncapi.json", "json/Command.json", "json/occ.note.v0.json"]
    generate.write(tmp_path)
    assert generate.drift(tmp_path) == []


def test_check_exits_1_and_names_what_drifted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    assert generate.main(["--check"]) == 0
    monkeypatch.setitem(generate.BOARD_SCHEMA, "description", "something else")
    assert generate.main(["--check"]) == 1
    assert "schemas/json/Board.json does not agree" in capsys.readouterr().err


@pytest.mark.parametrize("path", sorted((SCHEMAS / "json").glob("*.json")), ids=lambda path: path.stem)
def test_each_schema_is_valid_json_schema(path: Path):
    Draft202012Validator.check_schema(json.loads(path.read_text(encoding="utf-8")))


def test_asyncapi_has_every_topic_with_its_owner_key_and_settings():
    assert ASYNCAPI["asyncapi"].startswith("3.")
    assert {"title", "version"} <= set(ASYNCAPI["info"])
    assert set(ASYNCAPI["channels"]) == {topic.name for topic in TOPICS}
    for topic in TOPICS:
        channel = ASYNCAPI["channels"][topic.name]
        assert channel["address"] == topic.name
        assert (channel["x-key"], channel["x-owner"]) == (topic.key, topic.owner)
        assert channel["bindings"]["kafka"]["topicConfiguration"]["retention.ms"] == topic.retention_ms


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    for reference in references(ASYNCAPI):
        if reference.startswith("#/"):
            target: Any = ASYNCAPI
            for step in reference[2:].split("/"):
                target = target[step]
        else:
            assert (SCHEMAS / reference).is_file(), reference


def test_asyncapi_has_each_event_type_on_the_input_and_operations_on_its_channels():
    names = {
        ASYNCAPI["components"]["messages"][name]["name"] for name in ASYNCAPI["channels"][EVENTS.name]["messages"]
    }
    assert names == set(EVENT_TYPES)
    for operation in ASYNCAPI["operations"].values():
        assert operation["action"] in ("send", "receive")
        assert operation["channel"]["$ref"].startswith("#/channels/")


def references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for item in node for found in references(item)]
    if isinstance(node, dict):
        own = [node["$ref"]] if "$ref" in node else []
        return own + [found for item in node.values() for found in references(item)]
    return []


def test_topics_are_stamped_on_append_and_roll_well_before_they_expire():
    for topic in TOPICS:
        config = topic.kafka_config()
        assert config["message.timestamp.type"] == "LogAppendTime"
        assert int(config["segment.ms"]) * 24 <= int(config["retention.ms"])
        assert all(isinstance(value, str) for value in config.values())


def test_the_log_of_the_worker_outlives_the_input_it_points_into():
    assert STATE.retention_ms > EVENTS.retention_ms
    assert STATE.partitions == EVENTS.partitions == BOARD.partitions == ANNOUNCEMENTS.partitions == DEAD.partitions
