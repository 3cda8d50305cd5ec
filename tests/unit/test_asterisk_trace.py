"""What truly happened on a real switch, from 1,505 recorded AMI events: 20 calls in 52 seconds.

The witnesses are the switch's own queue_log (whole seconds) and its QueueStatus, asked each second.
"""

import json
from collections import Counter
from pathlib import Path
from typing import TypeVar

import pytest

from schemas.codec import Arrival, decode, encode
from schemas.events import (
    CallEnded,
    CallOffered,
    Event,
    HandlerState,
    VisitAnswered,
    VisitEnded,
    VisitLeft,
    VisitQueued,
    VisitRinging,
    VisitRingNoAnswer,
)
from schemas.moments import SECOND, micros
from telephony.ami_text import Block, blocks
from telephony.asterisk_ami import Translator
from telephony.pseudonyms import KeyRing

DATA = Path(__file__).parents[1] / "data" / "asterisk"
AnyEvent = TypeVar("AnyEvent", bound=Event)


def translate(recorded: list[Block], delay: int = 0) -> list[Event]:
    translator = Translator("west-mercia", "pbx1", KeyRing(b"a secret for tests"))
    events: list[Event] = []
    for block in recorded:
        assert block.received_at is not None
        events += translator.feed(block.fields, block.received_at + delay)
    return events + translator.finish()


@pytest.fixture(scope="module")
def recorded() -> list[Block]:
    with (DATA / "ami-events.txt").open("rb") as file:
        return list(blocks(file))


@pytest.fixture(scope="module")
def events(recorded: list[Block]) -> list[Event]:
    return translate(recorded)


def queue_log(*verbs: str) -> list[tuple[int, str, str]]:
    """(second, Uniqueid, verb) of the lines with these verbs."""
    lines = [line.split("|") for line in (DATA / "queue_log.txt").read_text().splitlines()]
    return [(int(line[0]), line[1], line[4]) for line in lines if line[4] in verbs]


def of(events: list[Event], cls: type[AnyEvent]) -> list[AnyEvent]:
    return [event for event in events if isinstance(event, cls)]


def seconds(events: list[AnyEvent]) -> dict[str, int]:
    """The whole second of each visit's event, by Uniqueid."""
    return {event.data.visit.partition("#")[0]: micros(event.time) // SECOND for event in events}


def test_all_of_the_recording_is_read(recorded: list[Block]) -> None:
    assert len(recorded) == 1505
    assert Counter(block.fields["Event"] for block in recorded)["QueueCallerAbandon"] == 11


def test_twenty_calls_nineteen_of_which_joined_a_queue(events: list[Event]) -> None:
    offered = {event.data.call for event in of(events, CallOffered)}
    queued = [event.data.visit for event in of(events, VisitQueued)]

    assert len(offered) == len(of(events, CallOffered)) == 20
    assert {event.data.call for event in of(events, CallEnded)} == offered
    assert len(queued) == len(set(queued)) == 19
    assert {visit.partition("#")[0] for visit in queued} < offered


def test_seven_of_eleven_reported_abandons_are_abandons(events: list[Event]) -> None:
    assert Counter(event.data.reason for event in of(events, VisitLeft)) == {"abandoned": 7, "timed_out": 4}
    assert len(of(events, VisitAnswered)) == 8
    assert len(of(events, VisitEnded)) == 8


def test_every_outcome_is_the_one_in_the_queue_log_and_at_its_second(events: list[Event]) -> None:
    outcome = {"abandoned": "ABANDON", "timed_out": "EXITWITHTIMEOUT"}
    ours = {("CONNECT", *item) for item in seconds(of(events, VisitAnswered)).items()}
    ours |= {("COMPLETEAGENT", *item) for item in seconds(of(events, VisitEnded)).items()}
    for reason, verb in outcome.items():
        left = [event for event in of(events, VisitLeft) if event.data.reason == reason]
        ours |= {(verb, *item) for item in seconds(left).items()}

    theirs = queue_log("CONNECT", "COMPLETEAGENT", "COMPLETECALLER", *outcome.values())
    assert ours == {(verb, uniqueid, second) for second, uniqueid, verb in theirs}


def test_every_join_is_in_the_queue_log_with_its_second_and_position(events: list[Event]) -> None:
    lines = [line.split("|") for line in (DATA / "queue_log.txt").read_text().splitlines()]
    theirs = {(line[1], line[2], line[0], line[7]) for line in lines if line[4] == "ENTERQUEUE"}
    ours = {
        (event.data.channel_ref, event.data.queue, str(micros(event.time) // SECOND), str(event.data.position))
        for event in of(events, VisitQueued)
    }
    assert ours == theirs


def test_positions_follow_from_the_events_and_equal_what_the_switch_said_each_second(
    events: list[Event],
) -> None:
    joined = {event.data.visit: event for event in of(events, VisitQueued)}
    gone = {event.data.visit: event.time for event in of(events, VisitLeft)}
    gone |= {event.data.visit: event.time for event in of(events, VisitAnswered)}

    compared = 0
    for line in (DATA / "queuestatus.jsonl").read_text().splitlines():
        status = json.loads(line)
        theirs: dict[str, list[str]] = {"999": [], "101": []}
        for entry in status["entries"]:
            theirs[entry["Queue"]].append(entry["Uniqueid"])
        for queue, order in theirs.items():
            ours = [
                event.data.channel_ref
                for visit, event in sorted(joined.items(), key=lambda item: item[1].time)
                if event.data.queue == queue and event.time.timestamp() <= status["t"] < gone[visit].timestamp()
            ]
            assert ours == order
            compared += 1
    assert compared == 102


def test_handlers_rang_answered_and_missed_as_the_queue_log_says(events: list[Event]) -> None:
    missed = {(uniqueid, second) for second, uniqueid, _ in queue_log("RINGNOANSWER")}
    assert set(seconds(of(events, VisitRingNoAnswer)).items()) == missed
    assert len(of(events, VisitRinging)) == 8 + 4

    last = {event.data.handler: event.data.state for event in of(events, HandlerState)}
    assert len(last) == 3
    assert set(last.values()) == {"logged_out"}
    breaks = [event for event in of(events, HandlerState) if event.data.state == "not_ready"]
    assert [(event.data.reason_class, event.data.queues) for event in breaks] == [("break", ("101", "999"))]


def test_no_number_leaves_and_a_withheld_one_has_no_token(events: list[Event]) -> None:
    states = Counter(event.data.caller_state for event in of(events, CallOffered))
    tokens = [event.data.caller_tokens for event in of(events, CallOffered) if event.data.caller_tokens]

    assert states == {"ok": 19, "withheld": 1}
    assert len(tokens) == 19
    assert len(set(tokens)) == 18  # 01632 960102 called twice
    everything = b"".join(encode(event) for event in events)
    assert b"960102" not in everything
    assert b"900105" not in everything
    assert b"Agent" not in everything


def test_every_event_is_one_that_the_processor_accepts(events: list[Event]) -> None:
    for event in events:
        arrival = decode(encode(event))
        assert isinstance(arrival, Arrival)
        assert arrival.event == event


def test_two_listeners_say_the_same_with_the_same_ids(recorded: list[Block], events: list[Event]) -> None:
    assert translate(recorded, delay=3 * SECOND) == events
    assert len({event.id for event in events}) == len(events)


def test_listening_from_the_middle_contradicts_nothing(recorded: list[Block], events: list[Event]) -> None:
    known = {event.id: event for event in events}
    for start in range(0, len(recorded), 13):
        for event in translate(recorded[start:]):
            assert known.get(event.id, event) == event
            if isinstance(event, VisitLeft | VisitAnswered | VisitQueued):
                assert event.id in known


def test_callers_queued_for_the_heartbeat_are_those_the_switch_counted(recorded: list[Block]) -> None:
    translator = Translator("west-mercia", "pbx1", KeyRing(b"a secret for tests"))
    coming = iter(recorded)
    block = next(coming)
    for line in (DATA / "queuestatus.jsonl").read_text().splitlines():
        status = json.loads(line)
        while (received_at := block.received_at or 0) <= status["t"] * SECOND:
            translator.feed(block.fields, received_at)
            block = next(coming)
        assert translator.callers_queued == len(status["entries"])

    for last in (block, *coming):
        translator.feed(last.fields, last.received_at or 0)
    assert (translator.calls_up, translator.callers_queued) == (0, 0)
    assert translator.events_seen == 147
    assert translator.newest_event_at == 1795444284263625
