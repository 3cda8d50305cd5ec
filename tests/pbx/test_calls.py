"""What truly happened to real calls on a real switch, against what the bridge said and what the figures are.

The switch's own queue_log is the witness: who came, what became of them and, to the second, when.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.events import (
    CallEnded,
    CallOffered,
    CallRefused,
    QueueSnapshot,
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
from schemas.moments import SECOND, micros
from tests.pbx.room import Room

_VERBS = {
    "CONNECT": "answered",
    "ABANDON": "abandoned",
    "EXITWITHTIMEOUT": "timed_out",
    "EXITWITHKEY": "exited_by_key",
}


async def agree(room: Room) -> None:
    """Every join and every outcome that was said is in the queue_log at its second, and none besides.

    queue_log knows the second in which a line was written; that is done beside the event, a moment before or after.
    """
    calls = {event.data.call for event in room.of(CallOffered)}
    theirs = sorted(
        (row[1], row[2], _VERBS.get(row[4], "queued"), int(row[0]))
        for row in room.switch.queue_log
        if row[1] in calls and row[4] in (*_VERBS, "ENTERQUEUE")
    )
    queues = {event.data.visit: (event.data.channel_ref, event.data.queue) for event in room.of(VisitQueued)}
    said = [(event, "queued") for event in room.of(VisitQueued)]
    said += [(event, "answered") for event in room.of(VisitAnswered)]
    said += [(event, event.data.reason) for event in room.of(VisitLeft)]
    ours = sorted((*queues[event.data.visit], what, micros(event.time) // SECOND) for event, what in said)
    assert [each[:3] for each in ours] == [each[:3] for each in theirs]
    assert all(-1 <= row[3] - our[3] <= 2 for our, row in zip(ours, theirs, strict=True))
    await room.agrees_with_queue_log()


@pytest.mark.alone
async def test_answered_call_is_told_from_its_arrival_to_its_end(room: Room) -> None:
    await room.log_in("ann", "101")
    await room.phones.handler("ann", answers_after=300, talks=700)
    await room.phones.caller("101")
    await room.hears_calls_end()
    (offered,), (queued,) = room.of(CallOffered), room.of(VisitQueued)
    assert (offered.data.service, offered.data.dialled, offered.data.caller_state) == ("101", "101", "ok")
    assert (queued.data.queue, queued.data.position) == ("101", 1)
    assert len(room.of(VisitRinging)) == 1
    (answered,), (over,) = room.of(VisitAnswered), room.of(VisitEnded)
    assert over.data.reason == "handler"
    assert micros(over.time) - micros(answered.time) == pytest.approx(700_000, abs=200_000)
    assert offered.time < queued.time < answered.time < over.time
    assert room.figures("101") == {"queued": 1, "answered": 1}
    assert room.figures() == {"calls_offered": 1, "calls_with_visit": 1}
    await agree(room)


async def test_handler_who_does_not_answer_leaves_the_caller_to_the_next(room: Room) -> None:
    await room.log_in("ann", "101")
    await room.phones.handler("ann", answers_after=60_000)
    await room.phones.caller("1011")
    await room.hears(CallEnded)
    assert len(room.of(VisitRinging)) == len(room.of(VisitRingNoAnswer)) == 1
    assert room.figures("101") == {"queued": 1, "timed_out": 1}
    await agree(room)


@pytest.mark.alone
async def test_hold_is_part_of_the_conversation(room: Room) -> None:
    await room.log_in("ann", "101")
    await room.phones.handler("ann", holds=400, talks=300)
    await room.phones.caller("101")
    await room.hears(VisitEnded)
    (held,), (resumed,) = room.of(VisitHeld), room.of(VisitResumed)
    assert micros(resumed.time) - micros(held.time) == pytest.approx(400_000, abs=200_000)
    await room.agrees_with_queue_log()


async def test_callers_who_give_up_by_bye_and_by_cancel_both_abandon(room: Room) -> None:
    await room.phones.caller("101", hang_up_after=900)
    await room.phones.caller("1012", "01632960102", cancels=True, hang_up_after=900)
    await room.hears(CallEnded, 2)
    assert [event.data.reason for event in room.of(VisitLeft)] == ["abandoned", "abandoned"]
    assert room.figures("101") == {"queued": 2, "abandoned_short": 2}
    await agree(room)


async def test_caller_the_queue_gives_up_on_timed_out_and_did_not_abandon(room: Room) -> None:
    await room.phones.caller("1011")
    await room.hears(CallEnded)
    assert room.figures("101") == {"queued": 1, "timed_out": 1}
    await agree(room)


async def test_call_that_never_joins_is_offered_and_one_turned_away_is_refused(room: Room) -> None:
    await room.phones.caller("1015", hang_up_after=300)
    await room.phones.caller("1016", "anonymous")
    await room.hears(CallEnded, 2)
    (refused,) = room.of(CallRefused)
    assert (refused.data.queue, refused.data.reason) == ("staffed", "unstaffed")
    assert room.of(VisitQueued) == []
    assert [event.data.caller_state for event in room.of(CallOffered, call=refused.data.call)] == ["withheld"]
    assert room.figures() == {"calls_offered": 2, "calls_refused": 1, "calls_ended_before_queue": 1}


async def test_caller_who_presses_a_key_exits_by_it(room: Room) -> None:
    await room.phones.caller("101")
    (queued,) = await room.hears(VisitQueued)
    await room.press(room.switch.channel(queued.data.call), "1")
    await room.hears(CallEnded)
    assert room.figures("101") == {"queued": 1, "exited_by_key": 1}
    await agree(room)


async def test_blind_transfer_makes_a_second_visit_of_the_same_call(room: Room) -> None:
    await room.log_in("ann", "101")
    await room.log_in("ben", "101-secondary")
    await room.phones.handler("ann", talks=400, refers_to="102")
    await room.phones.handler("ben", answers_after=300, talks=400)
    await room.phones.caller("101")
    await room.hears_calls_end()
    (offered,) = room.of(CallOffered)
    assert [event.data.call for event in room.of(VisitQueued)] == [offered.data.call] * 2
    assert [event.data.reason for event in room.of(VisitEnded)] == ["transfer", "handler"]
    assert room.figures("101") == room.figures("101-secondary") == {"queued": 1, "answered": 1}
    assert room.figures() == {"calls_offered": 1, "calls_with_visit": 1}
    await agree(room)


async def test_attended_transfer_makes_a_second_visit_of_the_same_call(room: Room) -> None:
    await room.log_in("ann", "101")
    await room.phones.handler("ann", talks=3_500)
    await room.phones.caller("101")
    (answered,) = await room.hears(VisitAnswered)
    telephone = room.switch.channel_of_handler("ann")
    await room.press(telephone, "*2")
    await room.hears(VisitHeld)
    await room.press(telephone, "102#")
    await room.hears(VisitQueued, queue="101-secondary")
    await room.log_in("ben", "101-secondary")
    await room.phones.handler("ben", talks=4_000)
    await room.hears_calls_end()
    (offered,) = room.of(CallOffered)
    assert {event.data.call for event in room.of(VisitQueued)} == {offered.data.call}
    assert len(room.of(VisitEnded)) == 2
    assert answered.data.visit != room.of(VisitAnswered)[1].data.visit
    assert room.figures("101") == room.figures("101-secondary") == {"queued": 1, "answered": 1}
    assert room.figures() == {"calls_offered": 1, "calls_with_visit": 1}
    await room.agrees_with_queue_log()


async def test_two_joins_of_one_channel_are_two_visits(room: Room) -> None:
    await room.log_in("ben", "101-secondary")
    await room.phones.handler("ben", talks=300)
    await room.phones.caller("1013")
    await room.hears_calls_end()
    first, second = room.of(VisitQueued)
    assert (first.data.visit, second.data.visit) == (f"{first.data.call}#1", f"{first.data.call}#2")
    assert room.figures("101") == {"queued": 1, "timed_out": 1}
    assert room.figures("101-secondary") == {"queued": 1, "answered": 1}
    await agree(room)


async def test_caller_with_priority_overtakes_and_is_answered_first(room: Room) -> None:
    await room.phones.caller("101")
    (first,) = await room.hears(VisitQueued)
    await room.phones.caller("1014", "01632960102")
    second = (await room.hears(VisitQueued, 2))[1]
    assert (second.data.priority, second.data.position) == (5, 1)
    snapshots = len(room.of(QueueSnapshot, queue="101"))
    snapshot = (await room.hears(QueueSnapshot, snapshots + 1, queue="101"))[-1]
    assert [(now.visit, now.priority, now.position) for now in snapshot.data.waiting] == [
        (second.data.visit, 5, 1),
        (first.data.visit, None, 2),
    ]
    await room.log_in("ann", "101")
    await room.phones.handler("ann", talks=300)
    answered = await room.hears(VisitAnswered, 2)
    assert [event.data.visit for event in answered] == [second.data.visit, first.data.visit]
    await agree(room)


@pytest.mark.long
async def test_peer_that_vanishes_while_waiting_is_missed_and_has_abandoned(room: Room, words: Path) -> None:
    #  who sends no audio for 2 s is hung up; this caller waits for longer than that, and then is gone without a BYE;
    #  nobody asked for that hang-up, so the bridge first makes sure for 15 s that the switch is not stopping
    phone = await room.phones.caller("101", address="127.0.0.2", says=words)
    (queued,) = await room.hears(VisitQueued)
    while (await room.next(SourceHeartbeat)).time < queued.time + timedelta(seconds=3):
        pass
    assert room.of(VisitLeft) == []
    phone.kill()
    (left,) = await room.hears(VisitLeft)
    await room.hears(CallEnded)
    assert left.data.reason == "abandoned"
    figures = room.figures("101")
    assert figures.pop("queued") == 1
    assert figures in ({"abandoned": 1}, {"abandoned_short": 1})  # by how soon the switch missed them
    await agree(room)


async def test_peer_that_vanishes_in_a_conversation_ends_it_and_the_handler_is_free_again(
    room: Room, words: Path
) -> None:
    await room.log_in("ann", "101")
    await room.phones.handler("ann")
    phone = await room.phones.caller("101", address="127.0.0.2", says=words)
    (answered,) = await room.hears(VisitAnswered)
    while (await room.next(SourceHeartbeat)).time < answered.time + timedelta(seconds=3):
        pass
    assert room.of(VisitEnded) == []
    phone.kill()
    (over,) = await room.hears(VisitEnded)
    await room.hears(CallEnded)
    assert over.data.reason == "caller"
    await room.phones.caller("101", "01632960102")
    await room.hears(VisitAnswered, 2)
    assert room.figures("101") == {"queued": 2, "answered": 2}
    await agree(room)


async def test_origin_is_told_by_trunk_by_number_and_by_who_diverted_the_call(room: Room) -> None:
    await room.phones.caller("101", hang_up_after=900)
    await room.phones.caller("101", "01632960501", hang_up_after=900)
    await room.phones.caller("101", "07700900102", hang_up_after=900, diverted_from="07700900150")
    await room.hears(CallEnded, 3)
    table = room.figures(prefix="calls_origin_")
    assert table == {"calls_origin_public": 1, "calls_origin_station_phone": 1, "calls_origin_diverted_mobile": 1}
    assert {event.data.department for event in room.of(CallOffered, origin="diverted_mobile")} == {"cid"}
    (station,) = room.of(CallOffered, origin="station_phone")
    assert (station.data.site, station.data.caller_tokens) == ("worcester", None)
    await room.agrees_with_queue_log()
