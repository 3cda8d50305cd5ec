"""The contract in the words of others: JSON Schemas and an AsyncAPI document, generated from the types.

    python -m schemas.generate            writes schemas/json/ and schemas/asyncapi.json
    python -m schemas.generate --check    changes nothing; exits 1 and names what no longer agrees with the types

What a schema cannot say (bytes instead of characters, one moment against another) is left to the codec.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from schemas.events import EVENT_TYPES
from schemas.outputs import AuditRecord, Cancellation, Command, DeadLetter, StateRecord, VisitFacts
from schemas.topics import ANNOUNCEMENTS, AUDIT, BOARD, DEAD, EVENTS, FACTS, STATE, TOPICS, Topic

HERE = Path(__file__).parent
CONTRACT_VERSION = "1.0.0"

_TYPE_OF: dict[type[msgspec.Struct], str] = {cls: name for name, cls in EVENT_TYPES.items()}

MESSAGES: dict[Topic, tuple[type[msgspec.Struct], ...]] = {
    EVENTS: tuple(EVENT_TYPES.values()),
    ANNOUNCEMENTS: (Command, Cancellation),
    BOARD: (),
    FACTS: (VisitFacts,),
    STATE: (StateRecord,),
    DEAD: (DeadLetter,),
    AUDIT: (AuditRecord,),
}

# A board is made for reading, not decoded into a record: only what every reader may rely on is promised.
BOARD_SCHEMA: dict[str, Any] = {
    "title": "Board",
    "description": "The whole board of a control room at an instant.",
    "type": "object",
    "properties": {
        "centre": {"type": "string"},
        "as_of": {"type": "string", "format": "date-time"},
        "epoch": {"type": "integer"},
        "feed": {"type": "object"},
        "queues": {"type": "array", "items": {"type": "object"}},
    },
    "required": ["centre", "as_of", "epoch", "feed", "queues"],
}


def documents() -> dict[str, str]:
    """Every generated file by its path below `schemas/`."""
    schemas = {f"json/{_name(cls)}.json": _schema(cls) for classes in MESSAGES.values() for cls in classes}
    schemas["json/Board.json"] = _dialect("Board") | BOARD_SCHEMA
    return {path: _text(document) for path, document in (*schemas.items(), ("asyncapi.json", _asyncapi()))}


def drift(folder: Path = HERE) -> list[str]:
    """The files below `folder` that are missing, left over or not what the types say."""
    wanted = documents()
    found = {f"json/{path.name}" for path in (folder / "json").glob("*")}
    differing = {path for path, text in wanted.items() if not _holds(folder / path, text)}
    return sorted(differing | (found - set(wanted)))


def write(folder: Path = HERE) -> None:
    """Make the files below `folder` what the types say."""
    wanted = documents()
    (folder / "json").mkdir(exist_ok=True)
    for path in drift(folder):
        if path in wanted:
            (folder / path).write_text(wanted[path], encoding="utf-8")
        else:
            (folder / path).unlink()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m schemas.generate", description="Generate schemas/json and asyncapi.json"
    )
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 naming what drifted")
    if not parser.parse_args(arguments).check:
        write()
        return 0
    drifted = drift()
    for path in drifted:
        print(f"schemas/{path} does not agree with the types: run `python -m schemas.generate`", file=sys.stderr)
    return 1 if drifted else 0


def _name(cls: type[msgspec.Struct]) -> str:
    return _TYPE_OF.get(cls, cls.__name__)


def _says(cls: type[msgspec.Struct]) -> str:
    return (inspect.getdoc(cls) or "").splitlines()[0]


def _dialect(name: str) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:occ:{name}"}


def _schema(cls: type[msgspec.Struct]) -> dict[str, Any]:
    _, components = msgspec.json.schema_components(
        [cls],
        ref_template="#/$defs/{name}",
        schema_hook=lambda _: {"description": "Any JSON."},
    )
    own: dict[str, Any] = components.pop(cls.__name__)
    return _dialect(_name(cls)) | own | ({"$defs": components} if components else {})


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Calls of a control room",
            "version": CONTRACT_VERSION,
            "description": "What the worker reads and what it writes. All records are UTF-8 JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation(topic): _action(topic) for topic in TOPICS},
        "components": {"messages": {name: message for topic in TOPICS for name, message in _messages(topic).items()}},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.content,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": topic.kafka_config() | _typed_config(topic),
                "bindingVersion": "0.5.0",
            }
        },
        "x-key": topic.key,
        "x-owner": topic.owner,
    }


def _typed_config(topic: Topic) -> dict[str, Any]:
    """The settings that AsyncAPI gives a type of its own."""
    config = topic.kafka_config()
    numbers = {name: int(config[name]) for name in ("retention.ms", "max.message.bytes")}
    return numbers | {"cleanup.policy": config["cleanup.policy"].split(",")}


def _operation(topic: Topic) -> str:
    return f"{'read' if topic is EVENTS else 'write'}_{topic.name.split('.')[1]}"


def _action(topic: Topic) -> dict[str, Any]:
    return {
        "action": "receive" if topic is EVENTS else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.content,
    }


def _messages(topic: Topic) -> dict[str, dict[str, Any]]:
    if topic is BOARD:
        return {"Board": _message(topic, "Board", "Board", BOARD_SCHEMA["description"])}
    return {cls.__name__: _message(topic, cls.__name__, _name(cls), _says(cls)) for cls in MESSAGES[topic]}


def _message(topic: Topic, title: str, name: str, summary: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "summary": summary,
        "payload": {
            "schemaFormat": "application/schema+json;version=2020-12",
            "schema": {"$ref": f"json/{name}.json"},
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}},
    }


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
