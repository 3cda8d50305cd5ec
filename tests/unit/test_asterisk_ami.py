"""Each trap of Asterisk's event stream as a small constructed timeline; seconds are counted from 08:00.

1. QueueCallerAbandon comes for time-outs, redirections and a switch that stops as well.
2. QueueCallerLeave gives no reason, and comes before AgentConnect.
3. No event says that a position changed; test_asterisk_trace.py holds what follows against QueueStatus.
4. The order of Uniqueids is not that of the queue.
5. A call may never join a queue.
6. A Uniqueid is not one visit, nor a number one caller.
7. A leg to a handler begins as a call does; "<unknown>" is no number.
8. The announcer's own Snoop and Local channels come and go as calls do.
9. Who vanishes says nothing; tests/pbx/test_calls.py lets peers vanish from a real switch.
10. SIGTERM makes everybody abandon, SIGKILL says nothing, a login repeats nothing; tests/pbx/test_faults.py does it.
11. Events have the switch's time only where timestampevents is set.
12. Ids are a switch's own only where systemname is set.
13. ARI knows nothing of queues: the announcer hears by AMI who is answered (tests/pbx/test_speech.py).
14. A CANCEL and the answer may cross.
15. Half of the stream is noise.
"""

import string
from typing import Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Arrival, decode, encode
from schemas.events import (
    CallEnded,
    CallOffered,
    CallRefused,
    Event,
    HandlerSnapshot,
    HandlerState,
    QueueSnapshot,
    VisitAnswered,
    VisitEnded,
    VisitHeld,
    VisitLeft,
    VisitPriority,
    VisitQueued,
    VisitResumed,
    VisitRinging,
    VisitRingNoAnswer,
)
from schemas.moments import SECOND, micros
from telephony.asterisk_ami import LISTED_MAX, Translator
from telephony.pseudonyms import KeyRing
from telephony.switch_events import PART_SIZE
from telephony.translating import CHANNELS_MAX

EIGHT = 1_795_507_200 * SECOND  # 2026-11-24 08:00 UTC
KEYS = KeyRing(b"a secret for tests")
AnyEvent = TypeVar("AnyEvent", bound=Event)

A, B, C = "pbx1-1795507200.1", "pbx1-1795507200.2", "pbx1-1795507200.3"
ANN = "Ann"


class Switch:
    """Says what an Asterisk would say, at a second, and keeps what was made of it."""

    def __init__(self) -> None:
        self.translator = Translator("west-mercia", "pbx1", KEYS)
        self.events: list[Event] = []

    def says(self, at: float, event: str, **fields: object) -> list[Event]:
        """A stamped event."""
        now = EIGHT + round(at * SECOND)
        return self.says_unstamped(at, event, Timestamp=f"{now // SECOND}.{now % SECOND:06d}", **fields)

    def says_unstamped(self, at: float, event: str, **fields: object) -> list[Event]:
        block = {"Event": event} | {name: str(value) for name, value in fields.items()}
        events = self.translator.feed(block, EIGHT + round(at * SECOND) + 900)
        self.events += events
        return events

    def of(self, cls: type[AnyEvent]) -> list[AnyEvent]:
        return [event for event in self.events if isinstance(event, cls)]

    def reasons(self) -> list[str]:
        return [event.data.reason for event in self.of(VisitLeft)]

    # What happens on a channel

    def rings_in(self, at: float, uniqueid: str, exten: str = "101", **fields: object) -> list[Event]:
        return self.says(at, "Newchannel", **caller(uniqueid, exten) | fields)

    def joins(self, at: float, uniqueid: str, queue: str = "101", **fields: object) -> list[Event]:
        place: dict[str, object] = {"Queue": queue, "Position": 1, "Count": 1}
        return self.says(at, "QueueCallerJoin", **caller(uniqueid) | place | fields)

    def waits(self, at: float, uniqueid: str, queue: str = "101") -> None:
        self.rings_in(at, uniqueid, queue)
        self.joins(at, uniqueid, queue)

    def leaves(self, at: float, uniqueid: str, queue: str = "101", *, abandon: bool = False) -> None:
        if abandon:
            self.says(at, "QueueCallerAbandon", Queue=queue, **caller(uniqueid))
        self.says(at, "QueueCallerLeave", Queue=queue, **caller(uniqueid))

    def sets(self, at: float, uniqueid: str, variable: str, value: str) -> None:
        self.says(at, "VarSet", Variable=variable, Value=value, **caller(uniqueid))

    def requests_hangup(self, at: float, uniqueid: str) -> None:
        self.says(at, "HangupRequest", **caller(uniqueid))

    def hangs_up(self, at: float, uniqueid: str) -> None:
        self.says(at, "Hangup", Cause=16, **caller(uniqueid))

    def agent(self, at: float, what: str, uniqueid: str, queue: str = "101", **fields: object) -> None:
        """AgentCalled, AgentConnect and so on, by Ann at her telephone."""
        who = {"Interface": "PJSIP/ann", "MemberName": ANN}
        self.says(at, f"Agent{what}", Queue=queue, **caller(uniqueid) | who | fields)

    def answers(self, at: float, uniqueid: str, queue: str = "101") -> None:
        self.leaves(at, uniqueid, queue)
        self.agent(at + 0.00002, "Connect", uniqueid, queue)

    def member(self, at: float, what: str, queue: str = "101", **fields: object) -> None:
        device = {"MemberName": ANN, "Interface": "PJSIP/ann", "Status": 1, "Paused": 0}
        self.says(at, f"QueueMember{what}", Queue=queue, **device | fields)

    def listing(self, at: float, *blocks: dict[str, object], items: int | None = None) -> list[Event]:
        """The answer to QueueStatus, which carries no stamps."""
        for block in blocks:
            self.says_unstamped(at, **block)  # type: ignore[arg-type]
        number = len(blocks) if items is None else items
        return self.says_unstamped(at, "QueueStatusComplete", ListItems=number)


def caller(uniqueid: str, exten: str = "101") -> dict[str, Any]:
    return {
        "Channel": f"PJSIP/trunk-{uniqueid.rpartition('.')[2].zfill(8)}",
        "ChannelState": 4,
        "CallerIDNum": "07700900101",
        "Language": "en",
        "Exten": exten,
        "Priority": 2,
        "Uniqueid": uniqueid,
        "Linkedid": uniqueid,
    }


def params(queue: str) -> dict[str, object]:
    return {"event": "QueueParams", "Queue": queue, "Calls": 0}


def entry(queue: str, uniqueid: str, position: int, wait: int, **fields: object) -> dict[str, object]:
    where = {"event": "QueueEntry", "Queue": queue, "Position": position, "Wait": wait, "Uniqueid": uniqueid}
    return where | {"Channel": "PJSIP/trunk-00000009", "CallerIDNum": "07700900101"} | fields


def second(event: Event) -> float:
    return (micros(event.time) - EIGHT) / SECOND


# Trap 1: QueueCallerAbandon is not "the caller gave up"


def test_caller_who_hangs_up_abandons_when_they_left_the_queue() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.requests_hangup(5, A)
    switch.leaves(5.1, A, abandon=True)
    assert switch.reasons() == []
    switch.hangs_up(5.2, A)
    (left,) = switch.of(VisitLeft)
    assert (left.data.reason, left.data.visit, second(left)) == ("abandoned", f"{A}#1", 5.1)


def test_queue_timeout_is_reported_as_abandon_and_is_none() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(25, A, abandon=True)
    assert switch.reasons() == []
    switch.sets(25.00001, A, "QUEUESTATUS", "TIMEOUT")
    assert switch.reasons() == ["timed_out"]
    switch.hangs_up(25.1, A)
    assert switch.reasons() == ["timed_out"]


def test_caller_who_hangs_up_as_the_queue_times_out_has_timed_out() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.requests_hangup(25, A)
    switch.leaves(25, A, abandon=True)
    switch.sets(25, A, "QUEUESTATUS", "TIMEOUT")
    switch.hangs_up(25, A)
    assert switch.reasons() == ["timed_out"]


def test_queue_that_loses_its_staff_overflows_and_a_withdrawn_caller_is_withdrawn() -> None:
    for status, reason in {"LEAVEEMPTY": "timed_out", "LEAVEUNAVAIL": "timed_out", "WITHDRAW": "withdrawn"}.items():
        switch = Switch()
        switch.waits(0, A)
        switch.leaves(9, A, abandon=True)
        switch.sets(9, A, "QUEUESTATUS", status)
        assert switch.reasons() == [reason]


def test_redirected_caller_was_transferred_out_and_did_not_abandon() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(7, A, abandon=True)
    switch.says(7.01, "Newexten", Application="Playback", AppData="moment", **caller(A))
    assert switch.reasons() == ["transferred_out"]


def test_caller_who_presses_a_key_leaves_without_abandon_and_without_a_status() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(7, A)
    switch.says(7.01, "Newexten", Application="Voicemail", AppData="1", **caller(A))
    assert switch.reasons() == ["exited_by_key"]


def test_key_whose_extension_hangs_up_at_once_is_an_exit_too() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(7, A)
    switch.hangs_up(7.01, A)
    assert switch.reasons() == ["exited_by_key"]


def test_hangup_extension_that_runs_before_the_hangup_does_not_make_a_transfer_of_an_abandon() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.requests_hangup(5, A)
    switch.leaves(5, A, abandon=True)
    switch.says(5.01, "Newexten", Exten="h", Application="NoOp", AppData="", Uniqueid=A)
    assert switch.reasons() == ["abandoned"]


# Trap 2: the order around leaving


def test_leave_comes_before_connect_and_is_an_answer() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.agent(3, "Called", A)
    switch.leaves(8, A)
    assert switch.events[-1] is switch.of(VisitRinging)[0]
    switch.agent(8.000023, "Connect", A)
    (answered,) = switch.of(VisitAnswered)
    assert answered.data.handler == KEYS.handler(ANN)
    assert answered.data.queue == "101"
    assert second(answered) == 8.000023
    assert switch.reasons() == []


def test_caller_who_hangs_up_during_the_announcement_to_the_handler_is_reported_twice_and_counted_once() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.requests_hangup(6, A)
    switch.says(6, "QueueCallerAbandon", Queue="101", **caller(A))
    switch.leaves(6, A, abandon=True)
    switch.hangs_up(6, A)
    assert switch.reasons() == ["abandoned"]


def test_conversation_ends_with_who_ended_it() -> None:
    for reason, ours in {"caller": "caller", "agent": "handler", "transfer": "transfer"}.items():
        switch = Switch()
        switch.waits(0, A)
        switch.answers(4, A)
        switch.agent(60, "Complete", A, Reason=reason, TalkTime=56)
        (ended,) = switch.of(VisitEnded)
        assert (ended.data.reason, second(ended)) == (ours, 60)


def test_ring_that_nobody_takes_leaves_the_caller_waiting() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.agent(3, "Called", A)
    switch.agent(11, "RingNoAnswer", A, RingTime=8000)
    (missed,) = switch.of(VisitRingNoAnswer)
    assert (missed.data.visit, missed.data.handler) == (f"{A}#1", KEYS.handler(ANN))
    assert switch.translator.callers_queued == 1


# Traps 3 and 4: positions


def test_position_is_the_reported_one_and_not_the_order_of_arrival() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.rings_in(0.1, B)
    switch.joins(0.2, B, Position=1)
    switch.joins(0.5, A, Position=2)
    assert [(event.data.visit, event.data.position) for event in switch.of(VisitQueued)] == [
        (f"{B}#1", 1),
        (f"{A}#1", 2),
    ]


def test_priority_of_a_join_is_a_line_of_the_dialplan_and_is_not_taken_for_the_callers() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.joins(0, A, Priority=3)
    switch.rings_in(1, B)
    switch.sets(1, B, "QUEUE_PRIO", "5")
    switch.joins(1, B)
    assert [event.data.priority for event in switch.of(VisitQueued)] == [None, 5]


# Traps 5 and 6: what is a call, what is a visit


def test_caller_gone_before_any_queue_is_offered_and_ended() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.hangs_up(0.01, A)
    assert [type(event) for event in switch.events] == [CallOffered, CallEnded]
    assert switch.translator.calls_up == 0


def test_channel_that_joins_three_times_makes_three_visits_of_one_call() -> None:
    #  101 until its timeout, then 101-secondary until a redirection, then 101 again
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(25, A, abandon=True)
    switch.sets(25, A, "QUEUESTATUS", "TIMEOUT")
    switch.joins(25.1, A, "101-secondary")
    switch.leaves(40, A, "101-secondary", abandon=True)
    switch.joins(40.1, A)
    queued = switch.of(VisitQueued)
    assert [event.data.visit for event in queued] == [f"{A}#1", f"{A}#2", f"{A}#3"]
    assert {event.data.call for event in queued} == {A}
    assert switch.reasons() == ["timed_out", "transferred_out"]
    assert switch.translator.callers_queued == 1


def test_two_calls_from_one_number_are_two_calls_of_one_caller() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(1, B)
    first, again = switch.of(CallOffered)
    assert first.data.call != again.data.call
    assert first.data.caller_tokens == again.data.caller_tokens


def test_withheld_number_and_no_number_are_different_and_neither_is_a_caller_to_link() -> None:
    switch = Switch()
    switch.rings_in(0, A, CallerIDNum="anonymous")
    switch.rings_in(1, B, CallerIDNum="<unknown>")
    assert [(event.data.caller_state, event.data.caller_tokens) for event in switch.of(CallOffered)] == [
        ("withheld", None),
        ("absent", None),
    ]


def test_full_and_unstaffed_queues_refuse_and_the_call_is_offered_demand() -> None:
    for status, reason in {"FULL": "full", "JOINEMPTY": "unstaffed", "JOINUNAVAIL": "unstaffed"}.items():
        switch = Switch()
        switch.rings_in(0, A)
        switch.says(0.1, "Newexten", Application="Queue", AppData="101,,,,25", **caller(A))
        switch.sets(0.1, A, "QUEUESTATUS", status)
        switch.hangs_up(0.2, A)
        assert [type(event) for event in switch.events] == [CallOffered, CallRefused, CallEnded]
        (refused,) = switch.of(CallRefused)
        assert (refused.data.reason, refused.data.queue, refused.data.call) == (reason, "101", A)


def test_service_is_that_of_the_extension_and_an_undeclared_extension_is_not_repeated() -> None:
    switch = Switch()
    switch.rings_in(0, A, "999")
    switch.rings_in(0, B, "101")
    switch.rings_in(0, C, "07700900199")
    assert [(event.data.service, event.data.dialled) for event in switch.of(CallOffered)] == [
        ("999", "999"),
        ("101", "101"),
        ("101", None),
    ]


# Trap 7: handlers' legs


def test_leg_to_a_handler_is_no_call() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.rings_in(3, B, "s", Channel="PJSIP/ann-00000002", ChannelState=0, Linkedid=A, CallerIDNum="2001")
    switch.hangs_up(11, B)
    switch.rings_in(12, C, "s", Linkedid=A)  # a leg that a call picked up or was forked to
    assert [event.data.call for event in switch.of(CallOffered)] == [A]
    assert switch.of(CallEnded) == []


def test_call_that_the_switch_or_a_handler_makes_is_no_demand() -> None:
    switch = Switch()
    switch.member(0, "Added")
    switch.rings_in(1, A, "s", ChannelState=0)  # dialled by the switch
    switch.rings_in(2, B, "07700900102", Channel="PJSIP/ann-00000007")  # a ring-back
    assert switch.of(CallOffered) == []


# Trap 8: our own announcements


def test_snoop_and_local_channels_are_no_callers() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.rings_in(1, "occ-7", "s", Channel=f"Snoop/{A}-00000001", ChannelState=6)
    switch.rings_in(1, B, "say", Channel="Local/say@announce-00000001;1")
    switch.hangs_up(2, "occ-7")
    switch.hangs_up(2, B)
    assert [event.data.call for event in switch.of(CallOffered)] == [A]
    assert switch.of(CallEnded) == []
    assert switch.translator.calls_up == 1


def test_local_channel_that_waits_in_a_queue_waits_for_the_call_it_belongs_to() -> None:
    switch = Switch()
    switch.rings_in(0, A)
    switch.joins(1, B, Channel="Local/101@queues-00000001;2", Linkedid=A)
    assert [type(event) for event in switch.events] == [CallOffered, VisitQueued]
    assert [(event.data.call, event.data.visit) for event in switch.of(VisitQueued)] == [(A, f"{B}#1")]


# Traps 9 and 10: what is never said


def test_conversation_whose_completion_is_never_reported_ends_with_its_channel() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.answers(4, A)
    switch.hangs_up(168, A)
    assert switch.of(VisitEnded) == []
    switch.says(184, "RTCPSent")
    (ended,) = switch.of(VisitEnded)
    assert (second(ended), ended.data.reason) == (168, None)


def test_completion_reported_after_the_hangup_is_the_end() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.answers(4, A)
    switch.hangs_up(60.001, A)
    switch.agent(60.002, "Complete", A, Reason="caller")
    switch.says(90, "RTCPSent")
    assert [(second(event), event.data.reason) for event in switch.of(VisitEnded)] == [(60.002, "caller")]


def test_switch_that_stops_makes_nobody_abandon() -> None:
    #  A waits, B gave up before, and on SIGTERM the switch reports A as an abandon, then its shutdown
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    switch.requests_hangup(3, B)
    switch.leaves(3, B, abandon=True)
    switch.hangs_up(3, B)
    switch.leaves(10, A, abandon=True)
    switch.hangs_up(10.01, A)
    assert switch.reasons() == ["abandoned"]
    switch.says(10.5, "Shutdown", Shutdown="Cleanly", Restart="False")
    assert switch.reasons() == ["abandoned", "withdrawn"]
    assert second(switch.of(VisitLeft)[-1]) == 10


def test_switch_that_stops_between_leave_and_hangup_makes_nobody_abandon_either() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    switch.requests_hangup(10, B)
    switch.leaves(10, B, abandon=True)
    switch.leaves(10, A, abandon=True)
    switch.says(10, "Shutdown", Shutdown="Uncleanly", Restart="False")
    assert switch.reasons() == ["withdrawn"]
    switch.hangs_up(10, B)
    assert switch.reasons() == ["withdrawn", "abandoned"]


def test_hangup_that_nobody_requested_is_an_abandon_when_no_shutdown_follows() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(10, A, abandon=True)
    switch.hangs_up(10.01, A)
    switch.says(24, "RTCPSent")
    assert switch.reasons() == []
    switch.says(26, "RTCPSent")
    assert switch.reasons() == ["abandoned"]


def test_end_of_a_recording_settles_what_was_held() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.leaves(10, A, abandon=True)
    switch.hangs_up(10.01, A)
    (left,) = switch.translator.finish()
    assert isinstance(left, VisitLeft)
    assert left.data.reason == "abandoned"
    assert switch.translator.finish() == []


def test_login_to_the_same_switch_forgets_nothing_and_login_after_a_restart_forgets_all() -> None:
    switch = Switch()
    switch.says_unstamped(0, "FullyBooted", Uptime=65)
    switch.waits(1, A)
    switch.says_unstamped(20, "FullyBooted", Uptime=85)
    assert (switch.translator.calls_up, switch.translator.callers_queued) == (1, 1)
    switch.says_unstamped(40, "FullyBooted", Uptime=2)
    assert (switch.translator.calls_up, switch.translator.callers_queued) == (0, 0)
    assert switch.reasons() == []


# Traps 11 and 12: times and names


def test_event_time_is_the_switchs_stamp_and_without_one_the_receipt_marked_so() -> None:
    switch = Switch()
    switch.rings_in(1, A)
    switch.says_unstamped(2, "Newchannel", **caller(B))
    first, other = switch.of(CallOffered)
    assert (second(first), first.data.time_quality) == (1, "exact")
    assert (micros(other.time) - EIGHT, other.data.time_quality) == (2 * SECOND + 900, "arrival")


def test_switch_without_a_system_name_gets_one() -> None:
    switch = Switch()
    switch.waits(0, "1795507200.1")
    (queued,) = switch.of(VisitQueued)
    assert (queued.data.call, queued.data.visit) == (A, f"{A}#1")
    assert queued.data.channel_ref == "1795507200.1"


# Trap 14: crossing


def test_cancel_that_crosses_the_answer_was_answered() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.requests_hangup(4, A)
    switch.answers(4.001, A)
    switch.hangs_up(4.5, A)
    switch.says(30, "RTCPSent")
    assert switch.reasons() == []
    assert len(switch.of(VisitAnswered)) == len(switch.of(VisitEnded)) == 1


# Trap 15: noise


def test_noise_is_counted_and_says_nothing() -> None:
    switch = Switch()
    for event in ("CEL", "TestEvent", "RTCPSent", "Cdr", "MusicOnHoldStart"):
        switch.says(0, event, **caller(A))
    switch.sets(0, A, "SIPDOMAIN", "127.0.0.1")
    assert switch.events == []
    assert switch.translator.skipped["not_used"] == 6


def test_event_said_twice_is_one_event() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, A)
    assert [type(event) for event in switch.events] == [CallOffered, VisitQueued]
    assert switch.translator.skipped["repeated"] == 2


# Hold and transfers


def test_hold_is_the_handlers_and_not_the_callers() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.answers(4, A)
    leg = {"Channel": "PJSIP/ann-00000002", "Uniqueid": B, "Linkedid": A}
    switch.says(10, "Hold", **leg)
    switch.says(30, "Unhold", **leg)
    switch.says(40, "Hold", **caller(A))
    assert [(event.data.visit, second(event)) for event in switch.of(VisitHeld)] == [(f"{A}#1", 10)]
    assert [(event.data.visit, second(event)) for event in switch.of(VisitResumed)] == [(f"{A}#1", 30)]


def test_blind_transfer_to_a_second_queue_is_a_second_visit_of_the_call() -> None:
    switch = Switch()
    switch.waits(0, A, "999")
    switch.answers(2, A, "999")
    switch.agent(30, "Complete", A, "999", Reason="transfer")
    switch.joins(30.1, A, "101")
    switch.answers(50, A, "101")
    assert [(event.data.visit, event.data.call) for event in switch.of(VisitQueued)] == [
        (f"{A}#1", A),
        (f"{A}#2", A),
    ]
    assert [event.data.visit for event in switch.of(VisitAnswered)] == [f"{A}#1", f"{A}#2"]
    assert [event.data.reason for event in switch.of(VisitEnded)] == ["transfer"]


def test_call_that_waits_again_is_talked_to_no_more() -> None:
    switch = Switch()
    switch.waits(0, A, "999")
    switch.answers(2, A, "999")
    switch.joins(30, A, "101")
    assert [(event.data.visit, second(event)) for event in switch.of(VisitEnded)] == [(f"{A}#1", 30)]


def test_handler_who_asks_in_a_second_queue_waits_there_for_their_caller() -> None:
    #  Ann talks to A, asks in 101-secondary from her telephone, and hands A over while still waiting
    switch = Switch()
    switch.member(0, "Added")
    switch.waits(0, A)
    switch.answers(4, A)
    consult = {"Channel": "PJSIP/ann-00000003", "CallerIDNum": "2001"}
    switch.rings_in(20, C, "102", **consult)
    switch.joins(20.1, C, "101-secondary", **consult)
    switch.says(
        30,
        "AttendedTransfer",
        SecondTransfererUniqueid=C,
        TransfereeUniqueid=A,
        DestType="App",
        DestApp="Queue",
    )
    switch.agent(30, "Complete", A, Reason="transfer")
    switch.hangs_up(30, C)
    switch.leaves(45, A, "101-secondary")
    switch.agent(45, "Connect", A, "101-secondary", MemberName="Ben", Interface="PJSIP/ben")

    assert [event.data.call for event in switch.of(CallOffered)] == [A]
    assert switch.of(CallEnded) == []
    assert {(event.data.visit, event.data.call) for event in switch.of(VisitQueued)} == {
        (f"{A}#1", A),
        (f"{C}#1", A),
    }
    assert [event.data.visit for event in switch.of(VisitAnswered)] == [f"{A}#1", f"{C}#1"]


def test_handler_who_rings_a_queue_after_their_conversation_rings_for_themselves() -> None:
    own = {"Channel": "PJSIP/ann-00000003", "CallerIDNum": "2001"}
    over = Switch()
    over.member(0, "Added")
    over.waits(0, A)
    over.answers(4, A)
    over.agent(20, "Complete", A, Reason="caller")
    over.joins(30, C, "101-secondary", **own)

    restarted = Switch()
    restarted.says_unstamped(0, "FullyBooted", Uptime=100)
    restarted.member(0, "Added")
    restarted.waits(0, A)
    restarted.answers(4, A)
    restarted.says_unstamped(30, "FullyBooted", Uptime=3)
    restarted.joins(40, C, "101-secondary", **own)

    for switch in (over, restarted):
        assert switch.of(VisitQueued)[-1].data.call == C
        assert len(switch.of(CallOffered)) == 1


# Handlers


def test_handler_of_two_queues_has_one_state() -> None:
    switch = Switch()
    for queue in ("999", "101"):
        switch.member(0, "Added", queue)
    for queue in ("999", "101"):
        switch.member(5, "Status", queue, Status=6)
    for queue in ("999", "101"):
        switch.member(9, "Status", queue, Status=2)
    for queue in ("999", "101"):
        switch.member(60, "Removed", queue)
    said = [(second(event), event.data.state, event.data.queues) for event in switch.of(HandlerState)]
    assert said == [
        (0, "available", ("999",)),
        (0, "available", ("101", "999")),
        (5, "ringing", ("101", "999")),
        (9, "talking", ("101", "999")),
        (60, "talking", ("101",)),
        (60, "logged_out", None),
    ]
    assert {event.data.handler for event in switch.of(HandlerState)} == {KEYS.handler(ANN)}


def test_pause_is_not_ready_only_when_the_call_is_over_and_only_in_all_queues() -> None:
    switch = Switch()
    switch.member(0, "Added", "101", Status=2)
    switch.member(1, "Pause", "101", Status=2, Paused=1, PausedReason="Break")
    switch.member(9, "Status", "101", Status=1, Paused=1, PausedReason="Break")
    switch.member(20, "Added", "999")
    said = [(event.data.state, event.data.reason_class, event.data.queues) for event in switch.of(HandlerState)]
    assert said == [
        ("talking", None, ("101",)),
        ("not_ready", "break", ("101",)),
        ("available", None, ("999",)),
    ]


def test_reason_of_a_pause_that_may_hold_a_number_or_a_name_is_not_passed_on() -> None:
    switch = Switch()
    switch.member(0, "Pause", Paused=1, PausedReason="call me on 07700900123")
    assert [event.data.reason_class for event in switch.of(HandlerState)] == [None]


def test_unregistered_telephone_staffs_nothing() -> None:
    switch = Switch()
    switch.member(0, "Added", Status=5)
    assert [event.data.state for event in switch.of(HandlerState)] == ["logged_out"]


# QueueStatus


def test_snapshot_says_who_waits_in_the_switchs_own_words() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(4, B)
    events = switch.listing(10, params("101"), entry("101", A, 1, 10), entry("101", B, 2, 6), params("999"))
    first, other = switch.of(QueueSnapshot)
    assert [(now.visit, now.call, now.position) for now in first.data.waiting] == [
        (f"{A}#1", A, 1),
        (f"{B}#1", B, 2),
    ]
    assert [micros(now.queued_at) - EIGHT for now in first.data.waiting] == [0, 4 * SECOND]
    assert (first.data.queue, first.data.part, first.data.parts) == ("101", 1, 1)
    assert (other.data.queue, other.data.waiting) == ("999", ())
    assert first.data.taken_at == first.time
    assert [type(event) for event in events] == [QueueSnapshot, QueueSnapshot, HandlerSnapshot]


def test_snapshot_is_on_the_clock_of_the_switch() -> None:
    #  the listener's clock is an hour ahead of the switch's
    switch = Switch()
    switch.translator.feed({"Event": "RTCPSent", "Timestamp": "1795507210.000000"}, EIGHT + 3610 * SECOND)
    switch.translator.feed({"Event": "QueueParams", "Queue": "101"}, EIGHT + 3612 * SECOND)
    first, _ = switch.translator.feed({"Event": "QueueStatusComplete", "ListItems": "1"}, EIGHT + 3612 * SECOND)
    assert second(first) == 12


def test_caller_nobody_saw_join_is_opened_with_their_true_wait() -> None:
    switch = Switch()
    switch.listing(100, params("999"), entry("999", A, 1, 40))
    (offered,), (queued,) = switch.of(CallOffered), switch.of(VisitQueued)
    assert (offered.data.service, offered.data.caller_state, offered.data.time_quality) == (
        "999",
        "ok",
        "arrival",
    )
    assert (queued.data.visit, queued.data.position, queued.data.time_quality) == (f"{A}#1", 1, "second")
    assert micros(queued.time) == EIGHT + 60 * SECOND + 900
    assert switch.translator.callers_queued == 1

    switch.listing(105, params("999"), entry("999", A, 1, 45))
    assert len(switch.of(VisitQueued)) == 1

    switch.answers(110, A, "999")
    assert [event.data.visit for event in switch.of(VisitAnswered)] == [f"{A}#1"]


def test_snapshot_that_overtakes_the_join_makes_no_second_visit() -> None:
    switch = Switch()
    switch.rings_in(9.9, A)
    switch.listing(10, params("101"), entry("101", A, 1, 0))
    switch.joins(9.99, A)
    queued = switch.of(VisitQueued)
    assert [(event.data.visit, event.data.time_quality) for event in queued] == [
        (f"{A}#1", "second"),
        (f"{A}#1", "exact"),
    ]
    assert switch.translator.callers_queued == 1


def test_caller_missing_from_one_snapshot_is_still_counted_and_from_two_no_more() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.listing(10, params("101"))
    assert switch.translator.callers_queued == 1
    switch.listing(15, params("101"), entry("101", A, 1, 15))
    switch.listing(20, params("101"))
    assert switch.translator.callers_queued == 1
    switch.listing(25, params("101"))
    assert switch.translator.callers_queued == 0
    assert switch.reasons() == []


def test_listing_with_a_block_missing_proves_nothing() -> None:
    switch = Switch()
    switch.waits(0, A)
    assert switch.listing(10, params("101"), items=2) == []
    assert switch.translator.skipped["incomplete_listing"] == 1
    for wait in ("soon", "999999999"):
        broken = entry("101", A, 1, 10) | {"Wait": wait}
        assert switch.listing(20, params("101"), broken) == []
    assert switch.translator.callers_queued == 1


def test_listing_cut_off_by_a_new_login_is_forgotten() -> None:
    switch = Switch()
    switch.says_unstamped(10, **entry("101", A, 1, 5))
    switch.says_unstamped(12, "FullyBooted", Uptime=100)
    events = switch.listing(13, params("101"))
    assert [type(event) for event in events] == [QueueSnapshot, HandlerSnapshot]
    assert switch.of(VisitQueued) == []


def test_caller_moved_up_is_seen_in_the_next_snapshot_since_no_event_says_so() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.listing(10, params("101"), entry("101", A, 1, 10, Priority=0))
    assert switch.of(VisitPriority) == []
    switch.listing(15, params("101"), entry("101", A, 1, 15, Priority=10))
    switch.listing(20, params("101"), entry("101", A, 1, 20, Priority=10))
    assert [(event.data.visit, event.data.priority) for event in switch.of(VisitPriority)] == [(f"{A}#1", 10)]
    assert switch.of(QueueSnapshot)[-1].data.waiting[0].priority == 10


def test_long_queue_comes_in_parts_that_a_record_can_hold() -> None:
    switch = Switch()
    switch.listing(100, params("101"), *(entry("101", f"{'pbx' * 30}-{n}", n, 60) for n in range(1, PART_SIZE + 2)))
    parts = switch.of(QueueSnapshot)
    assert [(event.data.part, event.data.parts, len(event.data.waiting)) for event in parts] == [
        (1, 2, PART_SIZE),
        (2, 2, 1),
    ]
    assert all(isinstance(decode(encode(event)), Arrival) for event in switch.events)


def test_handlers_are_listed_with_their_queues_and_absence_means_logged_out() -> None:
    switch = Switch()
    member = {"event": "QueueMember", "Name": ANN, "Location": "PJSIP/ann", "Status": 1, "Paused": 0}
    switch.listing(
        10, params("101"), member | {"Queue": "101"}, params("999"), member | {"Queue": "999", "Status": 6}
    )
    switch.listing(15, params("101"), params("999"))
    first, last = switch.of(HandlerSnapshot)
    assert [(now.handler, now.state, now.queues) for now in first.data.handlers] == [
        (KEYS.handler(ANN), "ringing", ("101", "999"))
    ]
    assert last.data.handlers == ()


# Whatever comes


def test_calls_that_never_end_and_listings_without_end_are_bounded() -> None:
    switch = Switch()
    for number in range(CHANNELS_MAX + 3):
        switch.rings_in(0, f"pbx1-{number}.1")
    assert switch.translator.calls_up == CHANNELS_MAX
    assert switch.translator.skipped["no_room"] == 3

    for _ in range(LISTED_MAX + 1):
        switch.says_unstamped(10, **params("101"))
    assert switch.translator.skipped["no_room"] == 4
    assert switch.says_unstamped(10, "QueueStatusComplete", ListItems=LISTED_MAX + 1) == []


NAMES = [
    "Newchannel",
    "Newexten",
    "VarSet",
    "HangupRequest",
    "Hangup",
    "AttendedTransfer",
    "QueueCallerJoin",
    "QueueCallerLeave",
    "QueueCallerAbandon",
    "AgentCalled",
    "AgentRingNoAnswer",
    "AgentConnect",
    "AgentComplete",
    "Hold",
    "Unhold",
    "QueueMemberAdded",
    "QueueMemberStatus",
    "QueueMemberPause",
    "QueueMemberRemoved",
    "FullyBooted",
    "Shutdown",
    "QueueParams",
    "QueueMember",
    "QueueEntry",
    "QueueStatusComplete",
    "CEL",
]
VALUES: dict[str, list[str]] = {
    "Event": NAMES,
    "Uniqueid": [A, B, "1795507200.1", "x" * 101],
    "Linkedid": [A, B],
    "SecondTransfererUniqueid": [A, B],
    "TransfereeUniqueid": [A, B],
    "Channel": ["PJSIP/trunk-00000001", "PJSIP/ann-00000002", f"Snoop/{A}-1", "Local/1@q-1;2", "odd"],
    "ChannelState": ["0", "4"],
    "Queue": ["101", "999"],
    "Timestamp": ["1795507200.000001", "1795507260.5", "1795507200", "-1", "99999999999999999999"],
    "Variable": ["QUEUESTATUS", "QUEUE_PRIO"],
    "Value": ["TIMEOUT", "FULL", "7", "-99999", "WITHDRAW"],
    "MemberName": [ANN, "Ben"],
    "Status": ["0", "1", "6", "77", "x"],
    "Paused": ["0", "1"],
    "Position": ["1", "0", "-3", "999999999"],
    "Wait": ["0", "30", "999999999", "-1"],
    "Priority": ["3", "100000"],
    "ListItems": ["0", "1", "2"],
    "Uptime": ["1", "999999999"],
    "CallerIDNum": ["07700900101", "anonymous", "<unknown>", "", "2001"],
    "Exten": ["999", "101", "s"],
    "Application": ["Queue"],
    "AppData": ["101,,,,25", ""],
    "Reason": ["caller", "agent", "?"],
    "Language": ["en", "cy", ""],
    "PausedReason": ["break", "07700900123"],
    "MemberNumber": ["1"],
}
hostile = st.text(max_size=12) | st.text(string.printable, min_size=90, max_size=110)
block = st.fixed_dictionaries(
    {"Event": st.sampled_from(NAMES)},
    optional={name: st.sampled_from(values) | hostile for name, values in VALUES.items() if name != "Event"},
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(block, st.integers(0, 20)), max_size=40))
def test_no_block_whatever_raises_and_all_that_comes_out_is_acceptable(
    blocks: list[tuple[dict[str, str], int]],
) -> None:
    translator = Translator("west-mercia", "pbx1", KEYS)
    events: list[Event] = []
    now = EIGHT
    for fields, pause in blocks:
        now += pause * SECOND
        events += translator.feed(fields, now)
    events += translator.finish()

    for event in events:
        assert isinstance(decode(encode(event)), Arrival), event
    assert translator.events_seen == len(events)
    assert translator.callers_queued >= 0
