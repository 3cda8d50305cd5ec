"""What FreeSWITCH says of itself, and what a listener who missed or repeats something still says truly."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from schemas.codec import encode
from schemas.events import (
    CallEnded,
    CallOffered,
    Event,
    HandlerState,
    QueueSnapshot,
    SourceHeartbeat,
    VisitAnswered,
    VisitEnded,
    VisitLeft,
    VisitQueued,
)
from schemas.moments import micros
from telephony.freeswitch import Translator
from telephony.switch_channels import Memory
from tests import rooms
from tests.feed import CENTRE, us
from tests.freeswitch import (
    ANN,
    BOB,
    FIRST_RUN,
    KEYS,
    QUEUE,
    SECOND_RUN,
    A,
    B,
    C,
    Caller,
    Switch,
    a_translator,
    arrivals,
    fed,
    figures,
    hung_up,
    members,
    of,
    outcomes,
    reasons,
    second,
)

# What the switch says of itself


def test_listing_of_members_is_a_snapshot_in_the_order_of_the_switch() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(1, B)
    switch.lists(10, f"queue list members {QUEUE}", members(B, A))  # B has the higher score
    (snapshot,) = of(switch.events(), QueueSnapshot)
    assert (snapshot.data.queue, micros(snapshot.data.taken_at)) == (QUEUE, us(10))
    assert [(now.visit, now.call, now.position, micros(now.queued_at)) for now in snapshot.data.waiting] == [
        (B.member, B.session, 1, us(1)),
        (A.member, A.session, 2, us(0)),
    ]


def test_who_waited_before_anybody_listened_is_told_with_the_true_wait() -> None:
    switch = Switch()
    switch.lists(100, f"queue list members {QUEUE}", members(A, joined=40, name="a|b\tc"))
    switch.answers(130, A)
    switch.parts(190, A)
    events = switch.events()
    (queued,) = of(events, VisitQueued)
    assert (second(queued), queued.data.time_quality) == (40, "second")
    (offered,) = of(events, CallOffered)
    assert (offered.data.service, offered.data.caller_state) == ("101", "absent")
    assert figures(events)["average_speed_of_answer"] == 90
    assert outcomes(events) == {"queued": 1, "answered": 1}


def test_who_is_missing_from_two_listings_is_lost_and_from_one_is_not() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    for at in (10, 16):
        switch.lists(at, f"queue list members {QUEUE}", members(B))
    switch.lists(22, f"queue list members {QUEUE}", members())
    switch.answers(23, B)
    events = switch.events()
    assert figures(events)["lost"] == 1
    assert [event.data.visit for event in of(events, VisitAnswered)] == [B.member]


def test_listing_that_lags_behind_the_events_opens_nothing_again() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    switch.gives_up(10, A)
    switch.lists(10.1, f"queue list members {QUEUE}", members(A, B))
    (snapshot,) = of(switch.events(), QueueSnapshot)
    assert [now.visit for now in snapshot.data.waiting] == [B.member]


def test_listed_now_and_then_is_not_lost() -> None:
    switch = Switch()
    switch.waits(0, A)
    for at, listed in ((10, ()), (16, (A,)), (22, ())):
        switch.lists(at, f"queue list members {QUEUE}", members(*listed))
    translator = a_translator()
    switch.events(translator)
    assert translator.callers_queued == 1


@pytest.mark.parametrize("state", ["Answered", "Abandoned", "Unknown"])
def test_listed_members_who_do_not_wait_are_not_waiting(state: str) -> None:
    switch = Switch()
    switch.lists(10, f"queue list members {QUEUE}", members(A, state=state))
    (snapshot,) = switch.events()
    assert isinstance(snapshot, QueueSnapshot)
    assert snapshot.data.waiting == ()


def test_place_that_was_resumed_while_nobody_listened_has_no_name_and_is_not_told() -> None:
    switch = Switch()
    switch.lists(10, f"queue list members {QUEUE}", members(A, rejoined=1_795_507_205))
    assert of(switch.events(), VisitQueued) == []


def test_event_that_follows_its_listing_makes_the_moment_exact() -> None:
    switch = Switch()
    switch.lists(3.5, f"queue list members {QUEUE}", members(A, joined=3))
    switch.joins(3.4, A)
    queued = of(switch.events(), VisitQueued)
    assert [(second(event), event.data.time_quality) for event in queued] == [(3, "second"), (3.4, "exact")]


def test_call_is_offered_when_it_came_in_also_to_who_hears_of_it_when_it_joins() -> None:
    switch = Switch()
    switch.joins(30, A)
    (offered, _) = switch.events()
    assert isinstance(offered, CallOffered)
    assert (offered.data.call, offered.data.caller_state, second(offered)) == (A.session, "ok", 0)


def test_call_that_two_listings_of_channels_lack_is_over() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    for at, listed in ((10, (A, B)), (16, (B,)), (22, (A, B)), (28, (B,)), (34, (B,))):
        rows = "".join(f"{who.session},inbound,2026-11-24 08:00:00,{who.number}\n" for who in listed)
        switch.lists(at, "channels", f"uuid,direction,created,cid_num\n{rows}\n{len(listed)} total.\n", "show")
    translator = a_translator()
    events = switch.events(translator)
    assert [(event.data.call, second(event)) for event in of(events, CallEnded)] == [(A.session, 34)]
    assert (translator.calls_up, translator.skipped["unresolved"]) == (1, 1)


@pytest.mark.parametrize(
    "body", ["", "-ERR\n", "uuid,direction\n", "uuid,direction\na\n\n2 total.\n", "name\na\n\n1 total."]
)
def test_broken_listing_of_channels_ends_no_call(body: str) -> None:
    switch = Switch()
    switch.waits(0, A)
    for at in (10, 16, 22):
        switch.lists(at, "channels", body, "show")
    translator = a_translator()
    assert of(switch.events(translator), CallEnded) == []
    assert translator.skipped["incomplete_listing"] == 3


def test_listing_of_no_channels_at_all_ends_all_calls() -> None:
    switch = Switch()
    switch.waits(0, A)
    for at in (10, 16):
        switch.lists(at, "channels", "\n0 total.\n", "show")
    assert [event.data.call for event in of(switch.events(), CallEnded)] == [A.session]


def test_who_came_late_hears_of_the_end_of_a_call_with_that_of_the_conversation() -> None:
    switch = Switch()
    switch.hangs_up(70, A)
    switch.parts(70, A, disposition="send_bye", connected=False)
    over = A.leg() | hung_up(70) | A.is_member() | A.joined() | {"CC-Cause": "Terminated", "CC-Agent": ANN}
    switch.says(70.0801, "member-queue-end", over)
    translator = a_translator()
    events = switch.events(translator)
    assert [(event.data.call, second(event)) for event in of(events, CallEnded)] == [(A.session, 70)]
    assert translator.calls_up == 0


def test_nobody_joined_later_than_they_left() -> None:
    switch = Switch()
    switch.cancels(40, replace(A, created=50), "TIMEOUT")
    switch.lists(41, f"queue list members {QUEUE}", members(B, joined=50))
    assert switch.events() == []


def test_visit_whose_end_was_not_heard_is_not_made_up() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.joins(30, replace(A, stay="second"), "102@default")  # it left the first for an unknown reason
    translator = a_translator()
    assert of(switch.events(translator), VisitLeft) == []
    assert (translator.callers_queued, translator.skipped["unresolved"]) == (1, 1)


def test_what_a_hang_up_leaves_open_is_settled_after_a_grace() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    switch.answers(10, B)
    for who in (A, B):
        switch.says(50, "CHANNEL_HANGUP", who.leg() | hung_up(50))
    switch.counts(64, 0)
    translator = a_translator()
    assert of(fed(translator, switch.said), VisitEnded) == []
    switch.counts(66, 0)
    (ended,) = fed(translator, switch.said[-1:])
    assert isinstance(ended, VisitEnded)
    assert (ended.data.visit, second(ended)) == (B.member, 50)
    assert translator.skipped["unresolved"] == 1  # of A nobody said why
    assert translator.memory.channels == {}


@pytest.mark.parametrize("body", ["", "-ERR Invalid!\n", "queue|uuid\n+OK", "queue|uuid\na\n+OK\n", "queue|state"])
def test_listing_that_is_not_whole_says_nobody_is_gone(body: str) -> None:
    switch = Switch()
    switch.waits(0, A)
    for at in (10, 16, 22):
        switch.lists(at, "agent list", body)
        switch.lists(at, f"queue list members {QUEUE}", body if "+OK" not in body else body.replace("+OK", "+O"))
    translator = a_translator()
    events = switch.events(translator)
    assert of(events, QueueSnapshot) == []
    assert translator.callers_queued == 1


def test_heartbeat_counts_as_the_switch_does() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.says(1, "HEARTBEAT", {"Session-Count": 1})  # nobody counted yet: as heard
    switch.counts(2, 7)
    switch.counts(2, 3, "102@default")
    switch.says(2.5, "members-count", {"CC-Queue": "*", "CC-Count": 10, "CC-Selection": "All-Queues"})
    switch.says(3, "HEARTBEAT", {"Session-Count": 10})
    switch.lists(4, f"queue list members {QUEUE}", members(A))
    switch.says(5, "HEARTBEAT", {"Session-Count": 10})
    beats = [(second(event), event.data.callers_queued) for event in of(switch.events(), SourceHeartbeat)]
    assert beats == [(1, 1), (3, 10), (5, 4)]


def test_restart_ends_all_calls_and_abandons_nobody() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.waits(0, B)
    switch.answers(10, B)
    switch.run = SECOND_RUN
    switch.says(60, "HEARTBEAT", {"Session-Count": 0})
    switch.waits(65, C)
    switch.gives_up(100, C)
    translator = a_translator()
    events = switch.events(translator)
    assert reasons(events) == {C.member: "abandoned"}
    assert [(event.data.call, second(event)) for event in of(events, CallEnded)] == [
        (A.session, 60),
        (B.session, 60),
        (C.session, 100),
    ]
    assert translator.skipped["unresolved"] == 2
    assert (translator.calls_up, translator.callers_queued) == (0, 0)


def test_restart_after_which_the_clock_is_right_again_is_a_restart() -> None:
    switch = Switch()
    switch.says(7_000_000, "HEARTBEAT")
    switch.run = SECOND_RUN
    switch.waits(0, A)
    switch.gives_up(30, A)
    assert reasons(switch.events()) == {A.member: "abandoned"}


def test_bridge_that_failed_opens_nothing_for_who_came_late() -> None:
    switch = Switch()
    switch.parts(10, A, bridged="false", connected=False)
    switch.parts(11, B, bridged=None, connected=False)
    switch.fails(12, C)
    assert [event for event in switch.events() if not isinstance(event, HandlerState)] == []


def test_straggler_of_the_former_run_ends_nothing() -> None:
    switch = Switch()
    switch.says(0, "HEARTBEAT")
    switch.run = SECOND_RUN
    switch.waits(60, A)
    switch.run = FIRST_RUN
    switch.says(59, "HEARTBEAT")
    translator = a_translator()
    assert of(switch.events(translator), CallEnded) == []
    assert translator.calls_up == 1


def test_shutdown_that_hangs_up_on_everybody_abandons_nobody() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.says(50, "SHUTDOWN", {"Event-Info": "System Shutting Down"})
    switch.gives_up(50.1, A, "SYSTEM_SHUTDOWN")
    switch.run = SECOND_RUN
    switch.says(80, "HEARTBEAT")
    assert outcomes(switch.events()) == {"queued": 1, "withdrawn": 1}


# Repeats, gaps, disorder


def a_busy_hour() -> Switch:
    """One of each, on two queues, with a restart of the switch."""
    switch = Switch()
    second_line = "102@default"
    for number, end in enumerate(("answer", "give up", "time out", "key", "out", "answer", "twice") * 3):
        at, who = 60.0 * number, Caller(f"c{number}", f"07700 9001{number:02}", created=60.0 * number)
        queue = (QUEUE, second_line)[number % 2]
        switch.waits(at, who, queue)
        switch.counts(at, 1, queue)
        switch.rings(at + 2, who, queue=queue)
        match end:
            case "answer" | "twice":
                switch.answers(at + 10, who, queue=queue)
                switch.says(at + 15, "CHANNEL_HOLD", {"Unique-ID": f"{ANN}-leg"})
                switch.says(at + 18, "CHANNEL_UNHOLD", {"Unique-ID": f"{ANN}-leg"})
                if end == "twice":
                    again = replace(who, stay="second")
                    switch.joins(at + 20.01, again, second_line)
                    switch.parts(at + 20, who, queue=queue, disposition="send_bye")
                    switch.answers(at + 30, again, BOB, second_line)
                    switch.parts(at + 40, again, BOB, second_line)
                else:
                    switch.parts(at + 40, who, queue=queue)
                switch.hangs_up(at + 41, who)
            case "give up":
                switch.says(at + 30, "CHANNEL_HANGUP", who.leg() | hung_up(at + 30))
                switch.cancels(at + 30.003, who, "BREAK_OUT", queue, hung_up(at + 30))
            case "time out" | "key" | "out":
                reason = {"time out": "TIMEOUT", "key": "EXIT_WITH_KEY", "out": "BREAK_OUT"}[end]
                switch.cancels(at + 30, who, reason, queue)
                switch.hangs_up(at + 45, who)
        if number == 12:
            switch.run = SECOND_RUN
    return switch


def final(events: list[Event]) -> list[Any]:
    return [figures(events, queue, 7200) for queue in (QUEUE, "102@default")] + [rooms.calls(arrivals(events), 7200)]


def test_busy_hour_gives_what_happened() -> None:
    events = a_busy_hour().events()
    first, then, calls = final(events)
    names = ("queued", "answered", "abandoned", "timed_out", "exited_by_key", "transferred_out", "lost")
    assert [first[name] for name in names] == [11, 5, 1, 2, 1, 2, 0]
    assert [then[name] for name in names] == [10 + 3, 4 + 3, 2, 1, 2, 1, 0]
    assert calls["calls_offered"] == 21
    #  answered after 10 s; transferred to 102 they were answered 9.99 s later
    assert first["average_speed_of_answer"] == 10
    assert then["average_speed_of_answer"] == round((4 * 10 + 3 * 9.99) / 7, 9)
    #  27 s of talk without those who were transferred (17 s), 3 s of hold in every first conversation
    assert first["average_talk_time"] == round((3 * 27 + 2 * 7) / 5, 9)
    assert first["average_hold_time"] == 3


def test_everything_said_twice_changes_nothing() -> None:
    switch = a_busy_hour()
    once = final(switch.events())
    for said in ([block for block in switch.said for _ in range(2)], switch.said * 2):
        translator = a_translator()
        assert final(switch.events(translator, said)) == once
        assert (translator.callers_queued, translator.calls_up) == (0, 0)


def test_join_that_is_repeated_after_the_end_opens_nothing() -> None:
    switch = Switch()
    switch.waits(0, A)
    switch.gives_up(20, A)
    switch.joins(0, A)
    translator = a_translator()
    switch.events(translator)
    assert (translator.callers_queued, translator.skipped["repeated"]) == (0, 1)


def test_heart_beats_on_when_the_clock_of_the_switch_is_set_back() -> None:
    switch = Switch()
    switch.waits(3600, A)
    switch.says(1, "HEARTBEAT")
    (*_, beat) = arrivals(switch.events())
    assert isinstance(beat.event, SourceHeartbeat)
    assert beat.event.data.newest_event_at == beat.event.time


def test_second_listener_gives_the_same_events_and_one_who_came_late_contradicts_nothing() -> None:
    switch = a_busy_hour()
    events = switch.events()
    ours = {event.id: encode(event) for event in events}
    assert {event.id: encode(event) for event in switch.events()} == ours
    for late in range(5, len(switch.said), 17):
        others = switch.events(said=switch.said[late:])
        assert final(events + others) == final(events), late


def test_memory_carries_a_listener_over_its_own_restart() -> None:
    switch = a_busy_hour()
    whole = switch.events()
    for cut in range(3, len(switch.said), 29):
        before = a_translator()
        events = fed(before, switch.said[:cut])
        memory = msgspec.json.decode(msgspec.json.encode(before.memory), type=Memory)
        events += switch.events(Translator(CENTRE, "pbx1", KEYS, memory=memory), switch.said[cut:])
        found, expected = final(events), final(whole)
        for name in ("queued", "answered", "abandoned", "timed_out", "exited_by_key", "transferred_out", "lost"):
            assert [one[name] for one in found[:2]] == [one[name] for one in expected[:2]], (cut, name)
