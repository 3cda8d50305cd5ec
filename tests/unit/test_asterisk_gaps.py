"""What a bridge that did not listen for a while still says truly; seconds are counted from 08:00."""

from pathlib import Path

import msgspec

from schemas.events import CallEnded, CallOffered, HandlerSnapshot, VisitAnswered, VisitEnded, VisitLeft, VisitQueued
from schemas.moments import SECOND, micros
from telephony.asterisk_ami import Translator
from telephony.origins import Origins, read
from telephony.switch_channels import Memory
from tests.unit.test_asterisk_ami import EIGHT, KEYS, A, B, C, Switch, caller, entry, params, second


def restarted(switch: Switch, at: float) -> Switch:
    """Another bridge on the same switch, with what the last one knew, logged in at a second."""
    memory = msgspec.json.decode(msgspec.json.encode(switch.translator.memory), type=Memory)
    after = Switch()
    after.translator = Translator("west-mercia", "pbx1", KEYS, memory=memory)
    after.says_unstamped(at, "FullyBooted", Uptime=1000 + int(at))
    return after


def started() -> Switch:
    switch = Switch()
    switch.says_unstamped(0, "FullyBooted", Uptime=1000)
    return switch


def channels(switch: Switch, at: float, *uniqueids: str) -> None:
    for uniqueid in uniqueids:
        switch.says_unstamped(at, "CoreShowChannel", **caller(uniqueid))
    switch.says_unstamped(at, "CoreShowChannelsComplete", ListItems=len(uniqueids))


def test_joins_are_counted_on_after_a_restart_of_the_bridge() -> None:
    before = started()
    before.waits(0, A)
    before.leaves(25, A, abandon=True)
    before.sets(25, A, "QUEUESTATUS", "TIMEOUT")
    after = restarted(before, 30)
    after.joins(31, A, "101-secondary")
    assert [event.data.visit for event in after.of(VisitQueued)] == [f"{A}#2"]
    assert after.of(CallOffered) == []


def test_conversation_that_began_before_a_restart_ends_after_it() -> None:
    before = started()
    before.waits(0, A)
    before.answers(4, A)
    after = restarted(before, 30)
    after.agent(60, "Complete", A, Reason="caller", TalkTime=56, HoldTime=4)
    (ended,) = after.of(VisitEnded)
    assert (ended.data.visit, second(ended), after.of(VisitAnswered)) == (f"{A}#1", 60, [])


def test_what_was_held_back_is_decided_after_a_restart() -> None:
    before = started()
    before.waits(0, A)
    before.leaves(10, A, abandon=True)
    before.hangs_up(10.01, A)
    after = restarted(before, 12)
    after.says(26, "RTCPSent")
    assert after.reasons() == ["abandoned"]
    assert second(after.of(VisitLeft)[0]) == 10


def test_answer_that_nobody_heard_is_told_by_the_end_of_the_conversation_to_the_second() -> None:
    #  A waited before the gap and was answered in it; B came and was answered in it; C is answered after it
    before = started()
    before.waits(0, A)
    after = restarted(before, 30)
    after.waits(31, C)
    after.answers(33, C)
    after.agent(60, "Complete", A, Reason="caller", TalkTime=40, HoldTime=20)
    after.agent(61, "Complete", B, Reason="agent", TalkTime=36, HoldTime=5)
    after.agent(62, "Complete", C, Reason="agent", TalkTime=29, HoldTime=2)
    assert [(event.data.visit, second(event), event.data.time_quality) for event in after.of(VisitAnswered)] == [
        (f"{C}#1", 33.00002, "exact"),
        (f"{A}#1", 20, "second"),
        (f"{B}#1", 25, "second"),
    ]
    assert [(event.data.visit, second(event)) for event in after.of(VisitQueued)] == [(f"{C}#1", 31), (f"{B}#1", 20)]
    assert [event.data.call for event in after.of(CallOffered)] == [C, B]
    assert len(after.of(VisitEnded)) == 3


def test_end_of_a_conversation_that_was_heard_from_its_answer_opens_nothing() -> None:
    switch = started()
    switch.waits(1, A)
    switch.answers(4, A)
    switch.joins(30, A, "101-secondary")
    switch.agent(31, "Complete", A, Reason="transfer", TalkTime=26, HoldTime=3)
    assert len(switch.of(VisitAnswered)) == len(switch.of(VisitEnded)) == 1
    assert switch.translator.skipped["unknown_visit"] == 1


def test_caller_who_left_and_came_again_meanwhile_makes_a_new_visit() -> None:
    before = started()
    before.waits(0, A)
    after = restarted(before, 60)
    after.listing(60, params("101"), entry("101", A, 1, 20))
    (queued,) = after.of(VisitQueued)
    assert (queued.data.visit, micros(queued.time) - EIGHT) == (f"{A}#2", 40 * SECOND + 900)
    assert after.translator.callers_queued == 1


def test_call_that_ended_unheard_is_over_when_two_listings_lack_its_channel() -> None:
    before = started()
    before.waits(0, A)
    before.waits(0, B)
    after = restarted(before, 30)
    channels(after, 30, B)
    channels(after, 36, A, B)
    channels(after, 42, B)
    assert after.of(CallEnded) == []
    channels(after, 48, B)
    (ended,) = after.of(CallEnded)
    assert (ended.data.call, ended.data.time_quality, second(ended)) == (A, "arrival", 48.0009)
    assert after.reasons() == []
    assert after.translator.calls_up == 1


def test_listing_of_channels_that_lacks_a_block_proves_nothing() -> None:
    switch = started()
    switch.waits(0, A)
    for at in (10, 20):
        switch.says_unstamped(at, "CoreShowChannelsComplete", ListItems=1)
    assert switch.of(CallEnded) == []
    assert switch.translator.skipped["incomplete_listing"] == 2


def test_calls_of_a_switch_that_was_restarted_are_over_and_nobody_is_said_to_have_abandoned() -> None:
    before = started()
    before.waits(0, A)
    after = Switch()
    after.translator = Translator("west-mercia", "pbx1", KEYS, memory=before.translator.memory)
    after.says_unstamped(40, "FullyBooted", Uptime=2)
    assert [(event.data.call, second(event)) for event in after.of(CallEnded)] == [(A, 38.0009)]
    assert after.reasons() == []


def test_heartbeat_says_what_the_switch_counts_on_its_own_clock() -> None:
    switch = started()
    switch.waits(1, A)
    beat = switch.translator.heartbeat(7, EIGHT + 5 * SECOND + 900)
    assert (beat.data.callers_queued, beat.data.calls_up, beat.data.events_seen) == (7, 1, 2)
    assert second(beat) == 5
    assert beat.data.newest_event_at is not None


def test_origin_comes_from_the_table_and_telephones_of_many_people_are_no_callers_to_link(tmp_path: Path) -> None:
    table = tmp_path / "origins.toml"
    table.write_text(
        '[[origin]]\nnumber = "01632 960 5*"\norigin = "station_phone"\nsite = "worcester"\n'
        '[[origin]]\ndiverted_from = "07700 900150"\norigin = "diverted_mobile"\ndepartment = "cid"\n'
    )
    switch = Switch()
    origins: Origins = read(table)
    switch.translator = Translator("west-mercia", "pbx1", KEYS, origins=origins)
    switch.rings_in(0, A, CallerIDNum="01632960501")
    switch.rings_in(1, B)
    switch.says(1.01, "VarSet", Variable="OCC_DIVERTED_FROM", Value="07700900150", **caller(B))
    station, public, diverted = switch.of(CallOffered)
    assert (station.data.origin, station.data.site, station.data.caller_state, station.data.caller_tokens) == (
        "station_phone",
        "worcester",
        "shared",
        None,
    )
    assert (public.data.origin, diverted.data.origin, diverted.data.department) == (
        "unknown",
        "diverted_mobile",
        "cid",
    )
    assert diverted.time == public.time
    assert diverted.id < public.id  # of two facts of one moment the least id counts


def test_handlers_are_listed_anew_after_a_restart() -> None:
    after = restarted(started(), 30)
    after.listing(31, params("101"))
    assert len(after.of(HandlerSnapshot)) == 1
