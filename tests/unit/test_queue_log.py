"""Each kind of row of a queue_log as a small constructed timeline; seconds are counted from 08:00."""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Arrival, decode, encode
from schemas.events import (
    CallOffered,
    CallRefused,
    Event,
    VisitAnswered,
    VisitEnded,
    VisitLeft,
    VisitQueued,
    VisitRingNoAnswer,
)
from schemas.moments import SECOND, micros
from stream.history import History, Period
from stream.profile import Profile
from telephony.ami_text import blocks
from telephony.pseudonyms import KeyRing
from telephony.queue_log import CHANNELS_MAX, FAULTS_MAX, Translator
from tests.unit.test_asterisk_trace import translate

EIGHT = 1_795_507_200  # 2026-11-24 08:00 UTC
KEYS = KeyRing(b"a secret for tests")
A, B, C = "pbx1-1795507200.1", "pbx1-1795507200.2", "pbx1-1795507200.3"
TRACE = Path(__file__).parents[1] / "data" / "asterisk" / "queue_log.txt"
AnyEvent = TypeVar("AnyEvent", bound=Event)


class Log:
    """Writes what a switch would write, at a second, and keeps what was made of it."""

    def __init__(self) -> None:
        self.translator = Translator("west-mercia", "pbx1", KEYS)
        self.events: list[Event] = []

    def writes(
        self, at: int, verb: str, channel: str = A, *figures: object, queue: str = "101", who: str = "NONE"
    ) -> list[Event]:
        row = "|".join(map(str, (EIGHT + at, channel, queue, who, verb, *figures)))
        events = self.translator.feed(row.encode() + b"\n")
        self.events += events
        return events

    def joins(self, at: int, channel: str = A, queue: str = "101", number: str = "01632960101") -> None:
        self.writes(at, "ENTERQUEUE", channel, "", number, 1, queue=queue)

    def of(self, cls: type[AnyEvent]) -> list[AnyEvent]:
        return [event for event in self.events if isinstance(event, cls)]

    @property
    def skipped(self) -> dict[str, int]:
        return {kind: count for kind, count in self.translator.skipped.items() if count}

    def outcomes(self, queue: str = "101") -> dict[str, object]:
        return figures(self.events, queue)


def all_figures(events: Iterable[Event]) -> list[dict[str, Any]]:
    history = History(Profile(), Period())
    arrivals = [decode(encode(event)) for event in events]
    assert all(isinstance(arrival, Arrival) for arrival in arrivals)
    for _ in history.take(sorted(arrivals, key=lambda each: (each.at, each.event.source, each.event.id))):
        pass
    return [{name: row[name] for name in ("queue", "figure", "value", "numerator")} for row in history.rows()]


def figures(events: Iterable[Event], queue: str) -> dict[str, object]:
    """How many visits to a queue there were of each outcome."""
    names = ("queued", "answered", "abandoned", "abandoned_short", "timed_out", "exited_by_key")
    names += ("transferred_out", "withdrawn", "waiting")
    rows = [row for row in all_figures(events) if row["queue"] == queue and row["figure"] in names]
    return {row["figure"]: row["value"] for row in rows if row["value"]}


def seconds(event: Event) -> int:
    return micros(event.time) // SECOND - EIGHT


def test_answered_caller_from_joining_to_the_end():
    #  joins at 0, Ann does not hear her telephone, answers at 20, hangs up at 50
    log = Log()
    log.joins(0)
    log.writes(9, "RINGNOANSWER", A, 8000, who="Ann")
    log.writes(20, "CONNECT", A, 20, "pbx1-1795507215.9", 5, who="Ann")
    log.writes(50, "COMPLETEAGENT", A, 20, 30, 1, who="Ann")

    offered, queued, missed, answered, ended = log.events
    assert isinstance(offered, CallOffered)
    assert (offered.data.call, offered.data.service, offered.data.time_quality) == (A, "101", "arrival")
    assert offered.data.caller_state == "ok"
    assert isinstance(queued, VisitQueued)
    assert (queued.data.visit, queued.data.call, queued.data.queue, queued.data.position) == (f"{A}#1", A, "101", 1)
    assert isinstance(missed, VisitRingNoAnswer)
    assert isinstance(answered, VisitAnswered)
    assert answered.data.handler == missed.data.handler == KEYS.handler("Ann")
    assert isinstance(ended, VisitEnded)
    assert ended.data.reason == "handler"
    assert [seconds(event) for event in log.events] == [0, 0, 9, 20, 50]
    assert {event.data.time_quality for event in log.events[1:]} == {"second"}
    assert {event.source for event in log.events} == {"//west-mercia/pbx1-queue-log"}
    assert b"960101" not in b"".join(map(encode, log.events))


@pytest.mark.parametrize(
    ("verb", "figures", "reason"),
    [
        ("ABANDON", (1, 1, 12), "abandoned"),
        ("EXITWITHTIMEOUT", (1, 1, 12), "timed_out"),
        ("EXITEMPTY", (1, 1, 12), "timed_out"),
        ("EXITWITHKEY", ("1", 1, 1, 12), "exited_by_key"),
        ("WITHDRAW", (1, 1, 12, "moved to another site"), "withdrawn"),
        ("SYSCOMPAT", (), "withdrawn"),
    ],
)
def test_who_leaves_unanswered_leaves_for_the_reason_of_the_verb(verb: str, figures: tuple[object, ...], reason: str):
    log = Log()
    log.joins(0)
    log.writes(12, verb, A, *figures)
    (left,) = log.of(VisitLeft)
    assert (left.data.visit, left.data.reason, seconds(left)) == (f"{A}#1", reason, 12)
    assert log.outcomes() == {"queued": 1, reason: 1}


@pytest.mark.parametrize(
    ("verb", "figures", "reason"),
    [
        ("COMPLETECALLER", (20, 30, 1), "caller"),
        ("COMPLETEAGENT", (20, 30, 1), "handler"),
        ("TRANSFER", ("102", "from-handlers", 20, 30), "transfer"),
        ("BLINDTRANSFER", ("102", "from-handlers", 20, 30, 1), "transfer"),
        ("ATTENDEDTRANSFER", ("BRIDGE", "b1", 20, 30, 1), "transfer"),
        ("ATTENDEDTRANSFER", ("LINK", "PJSIP/a", "PJSIP/b", 20, 30, 1), "transfer"),
    ],
)
def test_conversation_ends_by_whom_the_verb_says(verb: str, figures: tuple[object, ...], reason: str):
    log = Log()
    log.joins(0)
    log.writes(20, "CONNECT", A, 20, B, 5, who="Ann")
    log.writes(50, verb, A, *figures, who="Ann")
    (ended,) = log.of(VisitEnded)
    assert (ended.data.visit, ended.data.reason, seconds(ended)) == (f"{A}#1", reason, 50)


@pytest.mark.parametrize(
    ("verb", "reason"),
    [("FULL", "full"), ("CLOSED", "closed"), ("JOINEMPTY", "unstaffed"), ("JOINUNAVAIL", "unstaffed")],
)
def test_who_is_turned_away_is_refused_and_has_no_visit(verb: str, reason: str):
    log = Log()
    log.writes(3, verb, A)
    (offered,), (refused,) = log.of(CallOffered), log.of(CallRefused)
    assert offered.data.call == refused.data.call == A
    assert (refused.data.queue, refused.data.reason, seconds(refused)) == ("101", reason, 3)
    assert log.of(VisitQueued) == []


def test_joins_of_a_channel_are_counted_over_all_queues_and_offered_once():
    log = Log()
    log.joins(0)
    log.writes(5, "EXITWITHTIMEOUT", A, 1, 1, 5)
    log.joins(5, queue="101-secondary")
    log.joins(6, B)
    assert [event.data.visit for event in log.of(VisitQueued)] == [f"{A}#1", f"{A}#2", f"{B}#1"]
    assert [event.data.call for event in log.of(CallOffered)] == [A, B]


def test_channel_of_a_switch_without_a_name_of_its_own_gets_the_one_given_here():
    log = Log()
    log.joins(0, "1795507200.1")
    (queued,) = log.of(VisitQueued)
    assert (queued.data.visit, queued.data.channel_ref) == ("pbx1-1795507200.1#1", "1795507200.1")


def test_caller_who_was_handed_over_ends_the_first_visit_by_joining_the_second():
    #  the row of the transfer comes after that of the second join
    log = Log()
    log.joins(0)
    log.writes(10, "CONNECT", A, 10, B, 2, who="Ann")
    log.joins(30, queue="101-secondary")
    log.writes(31, "BLINDTRANSFER", A, "102", "from-handlers", 10, 20, 1, who="Ann")
    (ended,) = log.of(VisitEnded)
    assert (ended.data.visit, ended.data.reason, seconds(ended)) == (f"{A}#1", "transfer", 30)
    assert log.skipped == {"unknown_visit": 1}


def test_extension_that_joins_is_a_visit_and_no_call_that_was_offered():
    #  it may be a handler who consults: the call was offered when its caller rang in
    log = Log()
    log.joins(0, number="2001")
    log.joins(1, B, number="anonymous")
    assert [event.data.visit for event in log.of(VisitQueued)] == [f"{A}#1", f"{B}#1"]
    assert [(event.data.call, event.data.caller_state) for event in log.of(CallOffered)] == [(B, "withheld")]


def test_conversation_whose_caller_got_another_channel_is_found_by_its_handler():
    #  Ann consults on a channel of her own, which waits, and hands it to the caller: the end names the caller's
    log = Log()
    log.joins(0, B, queue="101-secondary")
    log.writes(9, "CONNECT", B, 9, C, 2, who="Ben", queue="101-secondary")
    log.writes(40, "COMPLETEAGENT", A, 9, 31, 1, who="Ben", queue="101-secondary")
    (ended,) = log.of(VisitEnded)
    assert (ended.data.visit, seconds(ended)) == (f"{B}#1", 40)


def test_caller_moved_out_of_the_queue_who_joins_again_did_not_abandon():
    log = Log()
    log.joins(0)
    log.writes(8, "ABANDON", A, 1, 1, 8)
    log.joins(9)
    assert [event.data.reason for event in log.of(VisitLeft)] == ["abandoned", "transferred_out"]
    assert log.outcomes() == {"queued": 2, "transferred_out": 1, "waiting": 1}


def test_callers_whom_a_stopping_switch_hangs_up_on_are_withdrawn():
    #  A gives up at 3; B and C wait when the switch stops at 60, and D talks
    log = Log()
    log.joins(0)
    log.writes(3, "ABANDON", A, 1, 1, 3)
    log.joins(4, B)
    log.joins(5, C)
    log.joins(6, "pbx1-1795507206.4", queue="999")
    log.writes(9, "CONNECT", "pbx1-1795507206.4", 3, "pbx1-1795507208.5", 1, who="Ann", queue="999")
    log.writes(60, "ABANDON", B, 1, 1, 56)
    log.writes(60, "COMPLETEAGENT", "pbx1-1795507206.4", 3, 51, 1, who="Ann", queue="999")
    log.writes(61, "ABANDON", C, 1, 2, 56)
    log.writes(7200, "QUEUESTART", "NONE", queue="NONE")
    log.joins(7200, "pbx1-1795514400.0")
    assert log.outcomes() == {"queued": 4, "abandoned_short": 1, "withdrawn": 2, "waiting": 1}


@pytest.mark.parametrize(
    ("verb", "figures"), [("ENTERQUEUE", ("", "", 1)), ("ADDMEMBER", ("",))], ids=["a caller", "a login"]
)
def test_who_gave_up_while_the_switch_went_on_abandoned(verb: str, figures: tuple[object, ...]):
    log = Log()
    log.joins(0)
    log.writes(30, "ABANDON", A, 1, 1, 30)
    log.writes(31, verb, B, *figures)
    log.writes(32, "EXITWITHTIMEOUT", B, 1, 1, 1)
    log.writes(90, "QUEUESTART", "NONE", queue="NONE")
    assert [event.data.reason for event in log.of(VisitLeft) if event.data.visit == f"{A}#1"] == ["abandoned"]


def test_who_waits_when_the_switch_is_killed_is_not_told_to_have_left():
    log = Log()
    log.joins(0)
    log.joins(1, B)
    log.writes(2, "ABANDON", A, 1, 1, 2)
    log.writes(9, "QUEUESTART", "NONE", queue="NONE")
    assert [event.data.reason for event in log.of(VisitLeft)] == ["abandoned"]
    assert log.skipped == {"unresolved": 1}


def test_log_that_begins_in_the_middle_tells_when_those_joined_who_left_later():
    log = Log()
    log.writes(10, "CONNECT", A, 25, "pbx1-1795507205.9", 3, who="Ann")
    log.writes(11, "ABANDON", B, 1, 3, 40)
    log.writes(12, "COMPLETECALLER", C, 15, 60, 1, who="Ben")
    joined = {event.data.visit: seconds(event) for event in log.of(VisitQueued)}
    assert joined == {f"{A}#1": 10 - 25, f"{B}#1": 11 - 40, f"{C}#1": 12 - 60 - 15}
    assert [seconds(event) for event in log.of(VisitAnswered)] == [10, 12 - 60]
    assert log.of(CallOffered) == []


@pytest.mark.parametrize(
    ("verb", "figures"),
    [("ABANDON", (1, 1, 2)), ("CONNECT", (2, B, 1)), ("COMPLETEAGENT", (2, 9, 1)), ("RINGNOANSWER", (1000,))],
)
def test_row_of_a_visit_that_is_over_says_nothing(verb: str, figures: tuple[object, ...]):
    log = Log()
    log.joins(0)
    log.writes(1, "EXITWITHTIMEOUT", A, 1, 1, 1)
    assert log.writes(3, verb, A, *figures, who="Ann") == []
    assert log.skipped == {"unknown_visit": 1}


@pytest.mark.parametrize(
    "verb",
    ["ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSEALL", "PENALTY", "CONFIGRELOAD", "DID", "INFO", "AGENTDUMP"],
)
def test_rows_about_staff_and_configuration_are_counted_and_say_nothing(verb: str):
    log = Log()
    assert log.writes(0, verb, "NONE", "07700900101", queue="NONE", who="PJSIP/ann") == []
    assert log.skipped == {"not_used": 1}


def test_row_of_an_unknown_kind_is_counted_as_such():
    log = Log()
    assert log.writes(0, "TELEPORT", A) == []
    assert log.skipped == {"unknown_verb": 1}


def test_lines_that_are_no_rows_are_named_and_the_others_lose_nothing():
    log = Log()
    for line in (b"\n", b"garbage\n", b"|||||\n", b"\xff\xfe|a|b|c|ENTERQUEUE\n", b"9" * 9_000 + b"\n"):
        assert log.translator.feed(line) == []
    log.joins(0, "")
    log.writes(0, "ENTERQUEUE", A, queue="")
    log.writes(0, "CONNECT", A, "soon", B, 1, who="Ann")
    log.writes(0, "CONNECT", B, 5, C, 1, who="")
    log.joins(1)
    assert [event.data.visit for event in log.of(VisitQueued)] == [f"{A}#1"]
    assert [(fault.line, fault.why) for fault in log.translator.faults] == [
        (2, "has fewer than 5 fields separated by |"),
        (3, "does not begin with epoch seconds or with a time as in 2026-11-24 08:00:00"),
        (4, "does not begin with epoch seconds or with a time as in 2026-11-24 08:00:00"),
        (5, "is over 8192 bytes"),
        (6, "names no channel"),
        (7, "names no queue"),
        (8, "does not say for how long"),
        (9, "names no handler"),
    ]
    assert log.skipped == {"malformed": 8}


def test_no_more_faults_are_kept_than_are_shown():
    log = Log()
    for _ in range(FAULTS_MAX + 5):
        log.translator.feed(b"garbage\n")
    assert len(log.translator.faults) == FAULTS_MAX
    assert log.skipped == {"malformed": FAULTS_MAX + 5}


def test_memory_is_bounded_and_a_caller_who_is_dropped_waiting_is_counted():
    log = Log()
    for number in range(CHANNELS_MAX + 1):
        log.joins(0, f"pbx1-1795507200.{number}")
    assert log.skipped == {"unresolved": 1}
    assert log.writes(9, "EXITWITHTIMEOUT", f"pbx1-1795507200.{CHANNELS_MAX}", 1, 1, 9) != []


_words = st.sampled_from([A, B, "NONE", "", "101", "Ann", "7", "-1", "9" * 30, "ünïcode", "\x00", "07700900101"])
_verbs = st.sampled_from(["ENTERQUEUE", "CONNECT", "ABANDON", "COMPLETEAGENT", "QUEUESTART", "FULL", "RINGNOANSWER"])
_rows = st.tuples(st.integers(EIGHT, EIGHT + 20).map(str), _words, _words, _words, _verbs, _words, _words, _words)


@settings(max_examples=200)
@given(st.lists(st.one_of(st.binary(max_size=60), _rows.map(lambda row: "|".join(row).encode())), max_size=30))
def test_whatever_the_lines_every_event_is_one_the_processor_accepts(lines: list[bytes]):
    translator = Translator("west-mercia", "pbx1", KEYS)
    for event in [event for line in lines for event in translator.feed(line)] + translator.finish():
        arrival = decode(encode(event))
        assert isinstance(arrival, Arrival)
        assert arrival.event == event


# The recorded trace


def trace() -> list[Event]:
    translator = Translator("west-mercia", "pbx1", KEYS)
    events = [event for line in TRACE.read_bytes().splitlines(keepends=True) for event in translator.feed(line)]
    assert not any(translator.skipped[kind] for kind in translator.skipped if kind != "not_used")
    return events + translator.finish()


def test_recorded_run_gives_what_truly_happened():
    events = trace()
    in_101, in_999 = figures(events, "101"), figures(events, "999")
    assert in_101 == {"queued": 13, "answered": 4, "abandoned": 5, "timed_out": 4}
    assert in_999 == {"queued": 6, "answered": 4, "abandoned": 2}


def test_what_both_the_bridge_and_the_log_tell_counts_once_as_the_bridge_told_it():
    heard = translate(list(blocks(BytesIO((TRACE.parent / "ami-events.txt").read_bytes()))))
    assert all_figures([*heard, *trace()]) == all_figures(heard)


def test_two_readings_say_the_same_with_the_same_ids():
    assert trace() == trace()
    assert len({event.id for event in trace()}) == len(trace())
