"""Each trap of mod_callcenter as a small constructed timeline; seconds are counted from 08:00.

There is no recorded FreeSWITCH here: what it says is constructed from its source (tests/freeswitch.py).
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import (
    CallEnded,
    CallOffered,
    HandlerSnapshot,
    HandlerState,
    SourceHeartbeat,
    VisitAnswered,
    VisitEnded,
    VisitHeld,
    VisitLeft,
    VisitQueued,
    VisitResumed,
    VisitRinging,
    VisitRingNoAnswer,
)
from telephony.freeswitch import _TRANSLATE, Translator
from telephony.freeswitch_agents import QUEUES_MAX
from telephony.origins import read
from tests import rooms
from tests.feed import CENTRE, us
from tests.freeswitch import (
    ANN,
    BOB,
    KEYS,
    QUEUE,
    A,
    B,
    C,
    Switch,
    a_translator,
    arrivals,
    figures,
    members,
    of,
    outcomes,
    reasons,
    second,
)

# What becomes of a caller


def test_answered_when_connected_and_over_when_a_leg_is_hung_up() -> None:
    #  101   |0 rings in, joins   5 rings   12 answered   72 handler hangs up|
    switch = Switch()
    switch.waits(0, A)
    switch.rings(5, A)
    switch.answers(12, A)
    switch.parts(72, A)
    switch.hangs_up(72.2, A)
    events = switch.events()

    assert [(type(event).__name__, second(event)) for event in events if not isinstance(event, HandlerState)] == [
        ("CallOffered", 0),
        ("VisitQueued", 0),
        ("VisitRinging", 5),
        ("VisitAnswered", 12),
        ("VisitEnded", 72),  # not 72.08, when mod_callcenter noticed
        ("CallEnded", 72.2),
    ]
    assert outcomes(events) == {"queued": 1, "answered": 1}
    found = figures(events)
    assert (found["average_speed_of_answer"], found["average_talk_time"]) == (12, 60)
    (queued,) = of(events, VisitQueued)
    assert (queued.data.visit, queued.data.call, queued.data.channel_ref) == (A.member, A.session, A.session)


def test_telephone_that_is_picked_up_is_no_answer_until_the_two_are_connected() -> None:
    #  picked up at 10, the caller hangs up during the words that the handler hears first, and is never connected
    switch = Switch()
    switch.waits(0, A)
    switch.rings(5, A)
    switch.picks_up(10, A)
    switch.gives_up(11, A, reason="NONE")
    switch.parts(11.1, A, bridged="false", connected=False)
    events = switch.events()
    assert of(events, VisitAnswered) == []
    assert outcomes(events) == {"queued": 1, "abandoned": 1}
    assert figures(events)["time_to_abandon"] == 11


def test_handler_who_is_gone_before_being_connected_leaves_the_caller_waiting() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.picks_up(10, A)
    switch.parts(10.5, A, bridged="false", connected=False)
    switch.rings(20, A, BOB)
    switch.answers(25, A, BOB)
    switch.parts(85, A, BOB)
    events = switch.events()
    assert [second(event) for event in of(events, VisitAnswered)] == [25]
    assert outcomes(events) == {"queued": 1, "answered": 1}


def test_older_switch_that_does_not_say_whether_it_connected_proves_it_by_terminated() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.picks_up(10, A)
    switch.gives_up(11, A, reason="NONE")
    switch.parts(11.1, A, bridged=None, connected=False)
    switch.waits(20, B)
    switch.picks_up(25, B)
    switch.parts(26, B, bridged=None, connected=False)
    switch.answers(30, B, BOB)
    switch.parts(50, B, BOB, bridged=None)
    events = switch.events()
    assert reasons(events) == {A.member: "abandoned"}
    assert [(event.data.visit, second(event)) for event in of(events, VisitAnswered)] == [(B.member, 30)]
    assert [(event.data.visit, second(event)) for event in of(events, VisitEnded)] == [(B.member, 50)]


def test_hang_up_and_transfer_are_both_break_out_and_told_apart() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    switch.gives_up(40, A)
    switch.cancels(50, B, "BREAK_OUT")  # its channel is still up
    switch.hangs_up(90, B)
    events = switch.events()
    assert reasons(events) == {A.member: "abandoned", B.member: "transferred_out"}
    assert outcomes(events) == {"queued": 2, "abandoned": 1, "transferred_out": 1}
    assert figures(events)["time_to_abandon"] == 40  # not 40.003
    assert [second(event) for event in of(events, CallEnded)] == [40, 90]


def test_abandon_is_not_said_before_it_is_known_that_the_channel_is_hung_up() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.cancels(40, A, "BREAK_OUT", leg={"Answer-State": "", "Hangup-Cause": ""})
    assert of(switch.events(a_translator()), VisitLeft) == []

    switch.hangs_up(40.5, A)
    (left,) = of(switch.events(), VisitLeft)
    assert (left.data.reason, second(left)) == ("abandoned", 40)


@pytest.mark.parametrize(
    ("reason", "left"),
    [("TIMEOUT", "timed_out"), ("NO_AGENT_TIMEOUT", "timed_out"), ("EXIT_WITH_KEY", "exited_by_key")],
)
def test_reasons_that_the_switch_names(reason: str, left: str) -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.cancels(60, A, reason)
    switch.hangs_up(60.2, A)  # soon after, for another reason
    events = switch.events()
    assert outcomes(events) == {"queued": 1, left: 1}
    assert [second(event) for event in of(events, VisitLeft)] == [60]


@pytest.mark.parametrize("cause", ["SYSTEM_SHUTDOWN", "MANAGER_REQUEST", "ALLOTTED_TIMEOUT"])
def test_whom_the_switch_hung_up_on_did_not_abandon(cause: str) -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.gives_up(40, A, cause)
    assert outcomes(switch.events()) == {"queued": 1, "withdrawn": 1}


@pytest.mark.parametrize("cause", ["NORMAL_CLEARING", "MEDIA_TIMEOUT", "RECOVERY_ON_TIMER_EXPIRE", "LOSE_RACE"])
def test_vanished_caller_abandoned_as_one_who_hung_up(cause: str) -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.gives_up(40, A, cause)
    assert outcomes(switch.events()) == {"queued": 1, "abandoned": 1}


def test_caller_who_is_heard_of_in_another_queue_was_transferred_out_of_the_first() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.cancels(40, A, "BREAK_OUT", leg={"Answer-State": ""})
    switch.joins(41, replace(A, stay="second"), "102@default")
    (left,) = of(switch.events(), VisitLeft)
    assert (left.data.visit, left.data.reason, second(left)) == (A.member, "transferred_out", 40)


def test_call_that_never_joins_is_offered_and_ends() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.hangs_up(8, A)
    events = switch.events()
    assert [type(event) for event in events] == [CallOffered, CallEnded]
    assert rooms.calls(arrivals(events), 3600)["calls_offered"] == 1


def test_handler_who_does_not_answer_keeps_the_callers_place() -> None:
    #  101   |0 joins   5 Ann rings   20 rings out   21 Bob rings   24 answered|
    switch = Switch()
    switch.waits(0, A)
    switch.rings(5, A)
    switch.fails(20, A)
    switch.rings(21, A, BOB)
    switch.answers(24, A, BOB)
    events = switch.events()
    assert [second(event) for event in of(events, VisitRinging)] == [5, 21]
    assert [(second(event), event.data.handler) for event in of(events, VisitRingNoAnswer)] == [
        (20, KEYS.handler(ANN))
    ]
    assert figures(events)["average_speed_of_answer"] == 24


@pytest.mark.parametrize("cause", ["LOSE_RACE", "ORIGINATOR_CANCEL", "PICKED_OFF"])
def test_telephone_that_stopped_ringing_for_another_reason_did_not_ring_out(cause: str) -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.rings(5, A)
    switch.rings(5, A, BOB)
    switch.answers(9, A, BOB)
    switch.fails(9.1, A, ANN, cause)
    assert of(switch.events(), VisitRingNoAnswer) == []


def test_transfer_to_a_second_queue_is_a_second_visit_of_the_same_call() -> None:
    #  101 |0 joins  10 answered  70 transferred|   102 |70.01 joins  100 answered  160 caller hangs up|
    switch = Switch()
    switch.waits(0, A)
    switch.answers(10, A)
    again = replace(A, stay="second")
    switch.joins(70.01, again, "102@default")
    switch.parts(70, A)  # which mod_callcenter notices only now
    switch.answers(100, again, BOB, "102@default")
    switch.hangs_up(160, A)
    switch.parts(160, again, BOB, "102@default", disposition="send_bye")
    events = switch.events()

    assert [(event.data.visit, event.data.queue, event.data.call) for event in of(events, VisitQueued)] == [
        (A.member, QUEUE, A.session),
        (again.member, "102@default", A.session),
    ]
    assert [(event.data.visit, event.data.reason, second(event)) for event in of(events, VisitEnded)] == [
        (A.member, "transfer", 70),
        (again.member, "caller", 160),
    ]
    first, then = figures(events, now=7200), figures(events, "102@default", 7200)
    assert (first["average_talk_time"], then["average_talk_time"]) == (60, 60)
    assert round(then["average_speed_of_answer"], 6) == 29.99
    assert rooms.calls(arrivals(events), 7200)["calls_offered"] == 1


@pytest.mark.parametrize(
    ("disposition", "cause", "caller_gone", "reason"),
    [
        ("recv_bye", "NORMAL_CLEARING", False, "handler"),
        ("send_bye", "NORMAL_CLEARING", True, "caller"),
        ("send_bye", "NORMAL_CLEARING", False, "transfer"),  # the caller goes on without the handler
        ("recv_bye", "BLIND_TRANSFER", False, "transfer"),
        ("recv_bye", "ATTENDED_TRANSFER", False, "transfer"),
        ("send_bye", "MANAGER_REQUEST", False, None),
        ("", "NORMAL_CLEARING", False, None),
    ],
)
def test_by_whom_a_conversation_ended(disposition: str, cause: str, caller_gone: bool, reason: str | None) -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.answers(10, A)
    if caller_gone:
        switch.hangs_up(70, A)
    switch.parts(70, A, disposition=disposition, cause=cause)
    (ended,) = of(switch.events(), VisitEnded)
    assert ended.data.reason == reason


def test_handler_who_asks_a_second_queue_waits_for_the_caller_they_talk_to() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.answers(10, A)
    asks = replace(B, number="1001")
    own_telephone: dict[str, object] = {"Channel-Presence-ID": ANN, "Channel-Name": "sofia/internal/1001@default"}
    switch.rings_in(30, asks, own_telephone)
    switch.says(31, "member-queue-start", asks.leg() | own_telephone | asks.is_member("102@default"))
    events = switch.events()
    assert [event.data.call for event in of(events, CallOffered)] == [A.session]
    assert [(event.data.visit, event.data.call) for event in of(events, VisitQueued)][1] == (asks.member, A.session)


def test_two_queues_of_one_name_in_two_domains_are_two_queues() -> None:
    switch = Switch()
    switch.waits(0, A, "101@default")
    switch.waits(0, B, "101@wales.example")
    switch.answers(10, A)
    switch.gives_up(40, B)
    switch.parts(70, A)
    events = switch.events()
    assert outcomes(events, "101@default") == {"queued": 1, "answered": 1}
    assert figures(events, "101@wales.example")["queued"] == 1
    assert {event.data.service for event in of(events, CallOffered)} == {"101"}


def test_resumed_place_is_another_visit_of_another_call() -> None:
    #  101  |0 A joins   30 hangs up|   |50 rings again and gets the same member   80 answered|
    switch = Switch()
    switch.waits(0, A)
    switch.gives_up(30, A)
    again = replace(A, name="a2", created=50)
    again_as_member = again.is_member() | {"CC-Member-UUID": A.member}
    switch.rings_in(50, again)
    switch.says(50.5, "member-queue-resume", again.leg() | again_as_member)
    agents: dict[str, object] = {"CC-Agent": ANN, "CC-Agent-UUID": "leg"}
    switch.says(79, "bridge-agent-start", again_as_member | agents | {"CC-Member-Joined-Time": us(0) // 1_000_000})
    switch.state(80, ANN, "In a queue call")
    events = switch.events()
    resumed = f"{A.member}#{us(50.5)}"
    assert [(event.data.visit, event.data.call) for event in of(events, VisitQueued)] == [
        (A.member, A.session),
        (resumed, again.session),
    ]
    assert [(event.data.visit, second(event)) for event in of(events, VisitAnswered)] == [(resumed, 80)]
    assert outcomes(events) == {"queued": 2, "answered": 1, "abandoned": 1}
    assert figures(events)["average_speed_of_answer"] == 29.5


def test_hold_is_what_the_handler_does_not_the_caller() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.answers(10, A)
    handlers_leg: dict[str, object] = {"Unique-ID": f"{ANN}-leg"}
    switch.says(20, "CHANNEL_HOLD", handlers_leg)
    switch.says(25, "CHANNEL_HOLD", A.leg())
    switch.says(35, "CHANNEL_UNHOLD", handlers_leg)
    switch.parts(70, A)
    events = switch.events()
    assert [second(event) for event in of(events, VisitHeld)] == [20]
    assert [second(event) for event in of(events, VisitResumed)] == [35]
    found = figures(events)
    assert (found["average_talk_time"], found["average_hold_time"]) == (45, 15)


# Who is a caller


def test_handlers_own_calls_and_legs_are_no_calls() -> None:
    switch = Switch()
    agents: dict[str, object] = {"variable_cc_agent": ANN, "Call-Direction": "outbound", "Channel-Presence-ID": ANN}
    switch.rings_in(0, A, agents)  # called by mod_callcenter: that is how the telephone becomes known
    switch.rings_in(1, B, {"Channel-Presence-ID": ANN})  # rings somebody up
    switch.rings_in(2, C, {"Channel-Name": "loopback/101-b"})
    translator = a_translator()
    assert switch.events(translator) == []
    assert translator.skipped["not_a_caller"] == 3


def test_telephone_of_a_listed_agent_is_known_before_it_ever_rang() -> None:
    switch = Switch()
    contact = "[leg_timeout=10]user/1001@default|user/2001@default"
    switch.lists(0, "agent list", f"name|contact|status|state\n{ANN}|{contact}|Available|Waiting\n+OK\n")
    switch.lists(1, "agent list", f"name|contact|status|state\n{ANN}|user/1001@default|Available|Waiting\n+OK\n")
    switch.rings_in(2, A, {"Channel-Presence-ID": "1001@default"})
    assert of(switch.events(), CallOffered) == []


def test_number_becomes_a_pseudonym_and_a_withheld_one_does_not() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.rings_in(0, B, {"Caller-Privacy-Hide-Number": "true"})
    switch.rings_in(0, replace(C, number="anonymous"))
    events = switch.events()
    assert [event.data.caller_state for event in of(events, CallOffered)] == ["ok", "withheld", "withheld"]
    (token, *_) = KEYS.caller(A.number, us(0)).tokens
    assert [event.data.caller_tokens for event in of(events, CallOffered)] == [(token,), None, None]


def test_nothing_that_leaves_names_a_number_or_a_handler() -> None:
    switch = Switch()
    for who in (A, B, C):
        switch.waits(0, who)
        switch.rings(1, who)
    switch.answers(10, A)
    switch.gives_up(20, B)
    switch.lists(30, f"queue list members {QUEUE}", members(C))
    everything = b"".join(encode(event) for event in switch.events())
    assert b"900101" not in everything
    assert b"900102" not in everything
    assert ANN.encode() not in everything


def test_origin_comes_from_the_profile_the_number_or_the_diversion(tmp_path: Path) -> None:
    table = tmp_path / "origins.toml"
    table.write_text(
        """
        [[origin]]
        trunk = "sofia/external"
        origin = "public"

        [[origin]]
        number = "07700 900102"
        origin = "station_phone"
        site = "worcester"

        [[origin]]
        diverted_from = "07700 900199"
        origin = "diverted_mobile"
        department = "cid"
        """
    )
    switch = Switch()
    switch.rings_in(0, A)
    switch.rings_in(0, B)
    switch.rings_in(0, C, {"variable_sip_h_Diversion": "<sip:+447700900199@192.0.2.1>;reason=unconditional"})
    events = switch.events(Translator(CENTRE, "pbx1", KEYS, origins=read(table)))
    assert [(event.data.origin, event.data.caller_state) for event in of(events, CallOffered)] == [
        ("public", "ok"),
        ("station_phone", "shared"),
        ("diverted_mobile", "ok"),
    ]


# Handlers


def test_states_of_a_handler_come_from_status_and_state_together() -> None:
    switch = Switch()
    said: list[Callable[[], None]] = [
        lambda: switch.state(0, ANN, "Waiting"),  # logged out, for all that is known
        lambda: switch.status(1, ANN, "Available"),
        lambda: switch.state(2, ANN, "Receiving"),
        lambda: switch.state(3, ANN, "In a queue call"),
        lambda: switch.status(4, ANN, "On Break"),  # goes on talking
        lambda: switch.state(5, ANN, "Waiting"),
        lambda: switch.status(6, ANN, "Available (On Demand)"),
        lambda: switch.state(7, ANN, "Idle"),
        lambda: switch.status(8, ANN, "Logged Out"),
        lambda: switch.status(9, ANN, "Logged Out"),
    ]
    for say in said:
        say()
    events = of(switch.events(), HandlerState)
    assert [(second(event), event.data.state) for event in events] == [
        (1, "available"),
        (2, "ringing"),
        (3, "talking"),
        (5, "not_ready"),
        (6, "available"),
        (7, "not_ready"),
        (8, "logged_out"),
    ]
    assert {event.data.handler for event in events} == {KEYS.handler(ANN)}


def test_listings_say_which_queues_a_handler_serves() -> None:
    switch = Switch()
    agents = f"name|instance_id|uuid|type|contact|status|state\n{ANN}|single_box||callback|user/1|Available|Waiting\n"
    agents += f"{BOB}|single_box||callback|user/2|user/3|Logged Out|Waiting\n+OK\n"  # a | of its own
    switch.lists(0, "agent list", agents)  # nobody said yet for which queues
    tiers = f"queue|agent|state|level|position\n{QUEUE}|{ANN}|Ready|1|1\n102@default|{ANN}|Ready|1|1\n+OK\n"
    switch.lists(1, "tier list", tiers)
    switch.lists(2, "agent list", agents)
    switch.waits(2, A)
    switch.status(3, ANN, "On Break")
    events = switch.events()
    assert rooms.shown(arrivals(events), 3.5, QUEUE)["handlers"] == {"not_ready": 1}
    (snapshot,) = of(events, HandlerSnapshot)
    assert [(now.handler, now.state, now.queues) for now in snapshot.data.handlers] == [
        (KEYS.handler(ANN), "available", ("101@default", "102@default")),
        (KEYS.handler(BOB), "logged_out", ()),
    ]
    (state,) = of(events, HandlerState)
    assert (state.data.state, state.data.queues) == ("not_ready", ("101@default", "102@default"))


# Whatever is said

NAMES = (
    "a",
    "a-session",
    "a-member",
    QUEUE,
    "",
    " ",
    "%00",
    "x" * 300,
    "101\n102",
    "\u2028",
    "07700900101",
    "-1",
    "0",
)
WORDS = (
    *("Cancel", "Terminated", "BREAK_OUT", "NONE", "TIMEOUT", "NORMAL_CLEARING", "hangup", "answered", "inbound"),
    *("Available", "Waiting", "Receiving", "In a queue call", "true", "false", "Single-Queue"),
    *("1795507200", "1795507200000000", "9999999999", "9999999999999999"),
    *("tier list", "agent list", f"queue list members {QUEUE}"),
)
MEMBERS = (
    *("CC-Queue", "CC-Member-UUID", "CC-Member-Session-UUID", "CC-Agent", "CC-Agent-UUID", "CC-Cause"),
    *("CC-Cancel-Reason", "CC-Agent-State", "CC-Agent-Status", "CC-Count", "CC-Selection", "CC-Agent-Bridged"),
    *("CC-Member-Joined-Time", "CC-Agent-Answered-Time", "Caller-Channel-Created-Time", "Caller-Channel-Hangup-Time"),
    *("Unique-ID", "Answer-State", "Hangup-Cause", "Call-Direction", "Channel-Name", "Channel-Presence-ID"),
    *("Caller-Caller-ID-Number", "Core-UUID", "Job-Command-Arg", "variable_cc_agent"),
)
SAID = st.tuples(
    st.sampled_from(sorted(_TRANSLATE)), st.dictionaries(st.sampled_from(MEMBERS), st.sampled_from(NAMES + WORDS))
)


@given(st.lists(SAID, max_size=12))
@settings(max_examples=300, deadline=None)
def test_no_event_stops_it_and_all_it_says_is_accepted(said: list[tuple[str, dict[str, str]]]) -> None:
    switch = Switch()
    for at, (event, fields) in enumerate(said):
        whole = A.leg() | A.is_member() | A.joined() | {"CC-Agent": ANN, "Job-Command": "callcenter_config"}
        switch.says(at, event, whole | fields, body=fields.get("Hangup-Cause", "queue|uuid|state\n||\n+OK\n"))
    arrivals(switch.events())


def test_hostile_values_stay_values() -> None:
    """A caller chooses their name: what looks like another event in it is none."""
    name = "x\n\nEvent-Name: CUSTOM\nCC-Action: member-queue-end\nContent-Length: 4000\n\n%0A%0ACC-Cause: Cancel"
    switch = Switch()
    switch.waits(0, A)
    switch.waits(1, replace(B, name=name))
    switch.waits(2, C)
    translator = a_translator()
    events = switch.events(translator)
    assert [event.data.call for event in of(events, VisitQueued)] == [A.session, C.session]
    assert translator.skipped["malformed"] == 2  # an id with line breaks is none
    assert reasons(events) == {}


def test_name_with_line_breaks_says_nothing_else() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.says(0, "member-queue-start", A.leg() | A.is_member() | {"CC-Member-CID-Name": "x\n\nCC-Queue: 999\n"})
    (queued,) = of(switch.events(), VisitQueued)
    assert queued.data.queue == QUEUE


def test_no_more_queues_are_counted_than_a_room_may_have() -> None:
    switch = Switch()
    for number in range(QUEUES_MAX + 5):
        switch.counts(number, 1, f"queue-{number}")
    switch.says(90, "HEARTBEAT")
    (beat,) = of(switch.events(), SourceHeartbeat)
    assert beat.data.callers_queued == QUEUES_MAX
