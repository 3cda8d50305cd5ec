"""What is said when the switch, the bridge or Kafka goes away in the middle of calls: all of it true."""

import asyncio
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from agents.broker import Broker
from agents.switch import Switch
from schemas.events import (
    CallEnded,
    CallOffered,
    Event,
    HandlerSnapshot,
    HandlerState,
    QueueSnapshot,
    SourceHeartbeat,
    VisitAnswered,
    VisitEnded,
    VisitLeft,
    VisitQueued,
)
from schemas.moments import SECOND
from tests.pbx.room import PATIENCE_SECONDS, Room

OCC = str(Path(sys.executable).with_name("occ"))
REGULAR = (SourceHeartbeat, HandlerSnapshot, HandlerState, QueueSnapshot)


async def known_to_be_lost(room: Room, queue: str) -> None:
    """Read on until snapshots have shown that somebody is gone: two of them, 5 s apart."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "lost" not in room.figures(queue):
            await room.next(QueueSnapshot)


async def test_switch_that_stops_makes_nobody_abandon(room: Room, switch: Switch) -> None:
    await room.phones.caller("101", hang_up_after=900)
    await room.hears(CallEnded)
    await room.phones.caller("101", "01632960102")
    await room.hears(VisitQueued, 2)
    try:
        switch.terminate()
        await room.hears(VisitLeft, 2)
    finally:
        switch.start()
    await room.next(SourceHeartbeat)
    assert [event.data.reason for event in room.of(VisitLeft)] == ["abandoned", "withdrawn"]
    assert room.figures("101") == {"queued": 2, "abandoned_short": 1, "withdrawn": 1}
    assert room.figures() == {"calls_offered": 2, "calls_with_visit": 2}
    await room.agrees_with_queue_log()


async def test_switch_that_is_killed_loses_its_callers_and_the_next_ones_are_new(room: Room, switch: Switch) -> None:
    await room.phones.caller("101")
    await room.hears(VisitQueued)
    switch.kill()
    switch.start()
    await room.phones.hang_up()
    await room.next(SourceHeartbeat)
    await room.phones.caller("1011")
    await room.hears(VisitLeft)
    await known_to_be_lost(room, "101")
    await room.hears(CallEnded, 2)
    assert [event.data.reason for event in room.of(VisitLeft)] == ["timed_out"]
    assert room.figures("101") == {"queued": 2, "timed_out": 1, "lost": 1}
    assert room.figures() == {"calls_offered": 2, "calls_with_visit": 2}


async def test_switch_that_hangs_is_not_alive_and_is_heard_again_when_it_goes_on(
    room: Room, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    with switch.stopped():
        stopped_at = time.time()
        while "does not answer" not in caplog.text:
            await asyncio.sleep(0.05)
        await room.phones.caller("1011")
        went_on_at = time.time()
    await room.hears(CallEnded)
    await room.next(SourceHeartbeat)
    beats = [event.time.timestamp() for event in room.of(SourceHeartbeat)]
    assert not [beat for beat in beats if stopped_at < beat < went_on_at]
    assert room.figures("101") == {"queued": 1, "timed_out": 1}


async def bridge_process(room: Room, broker: Broker) -> asyncio.subprocess.Process:
    """The bridge as a site runs it; returns when it says what it found."""
    process = await asyncio.create_subprocess_exec(
        *(OCC, "bridge", "asterisk", "--ami", f"127.0.0.1:{room.switch.ami}", "--folder", str(room.folder)),
        *("--secret-file", str(room.switch.secret_file)),
        env={**os.environ, "OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap},
        stderr=asyncio.subprocess.DEVNULL,
    )
    await room.next(SourceHeartbeat)
    return process


async def test_bridge_that_is_killed_goes_on_with_the_calls_it_knew_and_learns_the_others(
    on_the_topic: Room, broker: Broker
) -> None:
    #  A talks to Ann all the time; B gives up and C is answered by Ben while nobody listens; D waits for Ann
    room = on_the_topic
    bridge = await bridge_process(room, broker)
    await room.log_in("ann", "999")
    await room.phones.handler("ann", talks=9_000)
    await room.phones.caller("999")
    await room.hears(VisitAnswered)
    await room.phones.caller("101", "01632960102", hang_up_after=1_200)
    await room.hears(VisitQueued, 2)
    bridge.kill()
    await bridge.wait()

    await logged(room, "ABANDON")
    await room.log_in("ben", "101")
    await room.phones.handler("ben", talks=7_000)
    await room.phones.caller("101", "01632960103")
    await logged(room, "CONNECT")
    await room.phones.caller("999", "01632960104")
    await logged(room, "ENTERQUEUE")

    bridge = await bridge_process(room, broker)
    try:
        await room.hears(VisitAnswered, 3)
        await room.hears(VisitEnded, 2)
        await known_to_be_lost(room, "101")
    finally:
        bridge.send_signal(signal.SIGTERM)
    assert await bridge.wait() == 0
    assert room.figures("999") == {"queued": 2, "answered": 2}
    assert room.figures("101") == {"queued": 2, "answered": 1, "lost": 1}
    assert room.figures() == {"calls_offered": 4, "calls_with_visit": 4}
    room.read_queue_log()
    assert room.figures("999") == {"queued": 2, "answered": 2}
    assert room.figures("101") == {"queued": 2, "answered": 1, "abandoned_short": 1}
    assert room.figures() == {"calls_offered": 4, "calls_with_visit": 4}


async def logged(room: Room, verb: str) -> None:
    """Returns when the switch has written a new row with `verb` to its log."""
    seen = len(room.switch.queue_log)
    while not any(row[4] == verb for row in room.switch.queue_log[seen:]):
        await asyncio.sleep(0.05)


@pytest.mark.long
async def test_nothing_is_lost_and_order_is_kept_while_kafka_is_away_for_30_s(room: Room, broker: Broker) -> None:
    #  all the time one caller after the other is given up on by the queue; the first time another one gives up
    await asyncio.to_thread(broker.stop)
    try:
        comes_back_at = time.monotonic() + 30
        await room.phones.caller("101", "01632960102", hang_up_after=900)
        calls = 1
        while time.monotonic() < comes_back_at:
            await room.phones.caller("1011")
            calls += 1
            await spooled(room, b"occ.call.ended.v1", calls)
    finally:
        await asyncio.to_thread(broker.start)
    await room.hears(CallEnded, calls)
    assert calls > 5
    said = [arrival.event for arrival in room.arrivals]
    assert len({event.id for event in said}) == len(said)
    by_call = [event for event in said if not isinstance(event, REGULAR)]
    kinds = [type(event) for event in by_call if event.subject and event.subject.startswith(by_call[0].subject or "")]
    assert kinds == [CallOffered, VisitQueued, VisitLeft, CallEnded]
    assert room.figures("101") == {"queued": calls, "timed_out": calls - 1, "abandoned_short": 1}
    assert room.figures() == {"calls_offered": calls, "calls_with_visit": calls}


async def spooled(room: Room, kind: bytes, count: int) -> None:
    """Returns when so many events of a kind wait for Kafka."""
    while sum(file.read_bytes().count(kind) for file in (room.folder / "spool").glob("*.jsonl")) < count:
        await asyncio.sleep(0.05)


async def test_two_bridges_say_the_same_with_the_same_ids(room: Room, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    shutil.copy(room.folder / "keys", tmp_path / "second" / "keys")
    await room.start_bridge(tmp_path / "second")
    await room.log_in("ann", "101")
    await room.phones.handler("ann", talks=300)
    await room.phones.caller("1013")
    await room.phones.caller("1011", "01632960102")
    await room.hears_calls_end(4)
    once: dict[str, Event] = {}
    told: list[str] = []
    for arrival in room.arrivals:
        if not isinstance(arrival.event, REGULAR):
            told.append(arrival.event.id)
            assert once.setdefault(arrival.event.id, arrival.event) == arrival.event
    assert sorted(told) == sorted([*once, *once])
    assert room.figures("101") == {"queued": 2, "answered": 2}
    assert room.figures() == {"calls_offered": 2, "calls_with_visit": 2}


async def test_bridge_without_the_right_password_says_so_and_ends(
    switch: Switch, broker: Broker, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("guessed")
    process = await asyncio.create_subprocess_exec(
        *(OCC, "bridge", "asterisk", "--ami", f"127.0.0.1:{switch.ami}", "--folder", str(tmp_path / "bridge")),
        *("--secret-file", str(tmp_path / "secret")),
        env={**os.environ, "OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 1
    assert b"Authentication failed: is it the right user and secret file?" in errors


@pytest.mark.alone
async def test_event_is_in_kafka_within_20_ms_of_happening_on_a_busy_switch(
    on_the_topic: Room, broker: Broker
) -> None:
    #  50 calls a second that ring, queue and give up: 200 events a second for 7 seconds, the first 2 to warm up
    calls, warm = 350, 100
    room = on_the_topic
    bridge = await bridge_process(room, broker)
    callers = await room.phones.caller("1012", cancels=True, hang_up_after=300, calls=calls, rate=50)
    await callers.wait()  # reading meanwhile would take the time that is measured
    await room.hears(CallEnded, calls)
    bridge.terminate()
    assert await bridge.wait() == 0
    # When somebody left is told only once it is known why; the three others are told as they happen.
    told = [each for each in room.arrivals if isinstance(each.event, CallOffered | VisitQueued | CallEnded)][
        3 * warm :
    ]
    late = sorted(each.appended_at - each.at for each in told)
    p99 = late[len(late) * 99 // 100] / 1000
    a_second = (calls - warm + len(told)) / ((told[-1].at - told[0].at) / SECOND)
    print(f"{a_second:.0f} events/s, median {late[len(late) // 2] / 1000} ms, p99 {p99} ms")
    assert p99 < 20
