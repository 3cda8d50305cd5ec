"""Streams of boards, as a browser gets them."""

import asyncio
import socket
import zlib

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.moments import rfc3339
from tests.wallboard.served import AT, a_board, said
from wallboard.announcements import SHOWN_MAX, Announcements
from wallboard.sse import GZIP_HEADER, Encoded


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_stream_greets_and_then_shows_the_board_there_is_and_each_newer_one(served, encoding):
    server = await served()
    server.hub.take(a_board(waiting=2))
    stream = await server.stream("centre=west&view=room", **{"Accept-Encoding": encoding})
    assert stream.response.headers["Content-Type"] == "text/event-stream"
    assert await stream.next() == {"retry": "1000"}
    hello = await stream.next()
    assert hello["event"] == "hello"
    assert set(hello["data"]) == {"server_time", "version", "feed"}
    shown = await stream.next_of("board")
    assert shown["data"]["queues"][0]["waiting"] == 2
    server.hub.take(a_board(waiting=3, at=AT + 1))
    newer = await stream.next_of("board")
    assert newer["data"]["queues"][0]["waiting"] == 3
    assert newer["id"] != shown["id"]


async def test_who_comes_back_is_sent_only_what_changed_meanwhile(served):
    server = await served()
    for centre in ("west", "north"):
        server.hub.take(a_board(centre))
    stream = await server.stream("centre=west&view=room")
    seen = (await stream.next_of("board"))["id"]
    back = await server.stream("centre=west&centre=north&view=room", **{"Last-Event-ID": seen})
    assert (await back.next_of("board"))["data"]["centre"] == "north"
    server.hub.take(a_board(at=AT + 1))
    assert (await back.next_of("board"))["data"]["centre"] == "west"


@pytest.mark.parametrize("ident", ["", "0", "<script>alert(1)</script>", "9" * 3000])
async def test_an_id_nobody_gave_out_is_answered_with_the_newest_board(served, ident):
    server = await served()
    server.hub.take(a_board())
    stream = await server.stream("centre=west&view=room", **{"Last-Event-ID": ident})
    assert (await stream.next_of("board"))["data"]["centre"] == "west"


async def test_the_room_sees_no_single_visit_and_the_supervisor_no_identity(served):
    server = await served()
    server.hub.take(a_board())
    room = (await (await server.stream("centre=west&view=room")).next_of("board"))["data"]
    supervisor = (await (await server.stream("centre=west&view=supervisor")).next_of("board"))["data"]
    assert "visits" not in room["queues"][0]
    assert supervisor["queues"][0]["visits"] == [
        {"position": 1, "waited_seconds": 40.5, "ringing": False},
        {"position": 2, "waited_seconds": 3.0, "ringing": True},
    ]
    assert room["queues"][0]["handlers"] == {"available": 3}
    assert room["feed"]["sources"][0]["source"] == "//west/pbx1"
    assert "received_at" in room


async def test_the_first_change_is_shown_at_once_and_of_a_burst_only_the_last(served):
    server = await served()
    server.hub.take(a_board())
    stream = await server.stream("centre=west&view=room")
    await stream.next_of("board")
    for waiting in range(50):
        server.hub.take(a_board(waiting=waiting, at=AT + 1 + waiting))
    shown = [(await stream.next_of("board"))["data"]["queues"][0]["waiting"]]
    while shown[-1] != 49:
        shown.append((await stream.next_of("board"))["data"]["queues"][0]["waiting"])
    assert len(shown) <= 2


async def test_a_board_of_a_replaced_worker_is_not_shown(served):
    server = await served()
    server.hub.take(a_board(epoch=7))
    server.hub.take(a_board(epoch=6, at=AT + 1, waiting=9))
    assert (await server.get("/api/centres/west/board")).json["queues"][0]["waiting"] == 2


async def test_a_stream_beats_and_says_at_once_when_kafka_is_lost_and_back(served):
    server = await served()
    server.hub.take(a_board())
    stream = await server.stream("centre=west&view=room")
    await stream.next_of("board")
    assert server.hub.hears("lost")
    assert (await stream.next_of("beat"))["data"]["feed"]["state"] == "lost"
    assert not server.hub.hears("lost")
    assert server.hub.hears("following")
    assert (await stream.next_of("beat"))["data"]["feed"]["state"] == "following"
    assert (await stream.next_of("beat"))["event"] == "beat"  # by itself


async def test_a_client_that_reads_nothing_is_cut_off_and_holds_no_memory_meanwhile(served):
    server = await served()
    large = a_board()
    large["filling"] = "x" * 200_000
    server.hub.take(large)
    with socket.create_connection(("127.0.0.1", server.port)) as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.sendall(b"GET /api/stream?centre=west&view=room HTTP/1.1\r\nHost: localhost\r\n\r\n")
        beside = await server.stream("centre=west&view=room")
        await beside.next_of("board")
        number = 0
        while not server.hub.dropped:
            number += 1
            server.hub.take(large | {"as_of": rfc3339(AT + number)})
            assert (await beside.next_of("board"))["data"]["as_of"] == rfc3339(AT + number)
    assert server.hub.dropped == 1
    assert number > 30
    while len(server.hub.clients) > 1:
        await asyncio.sleep(0.05)
    assert server.hub.sent_bytes < 2_000_000  # of the 6 MB and more that it did not read


@given(st.lists(st.binary(max_size=2000), max_size=8))
def test_any_events_one_after_another_continue_any_gzip_stream(parts):
    stream = GZIP_HEADER + b"".join(Encoded(part).deflated for part in parts)
    assert zlib.decompressobj(31).decompress(stream) == b"".join(parts)


async def test_what_all_get_is_made_once(served):
    server = await served()
    server.hub.take(a_board())
    room = server.hub.rooms["west"]
    assert room.edition("room") is room.edition("room")
    assert room.edition("room").event.deflated is room.edition("room").event.deflated


async def test_a_supervisor_reads_what_was_announced_and_what_became_of_it_but_not_to_whom(served):
    server = await served()
    server.hub.take(a_board())
    stream = await server.stream("centre=west&view=supervisor")
    assert (await stream.next_of("announcements"))["data"] == {"centre": "west", "announcements": []}
    server.hub.announced(said(1))
    shown = (await stream.next_of("announcements"))["data"]
    assert shown == {
        "centre": "west",
        "announcements": [
            {
                "issued_at": rfc3339(AT + 1_000_000),
                "queue": "101",
                "kind": "position",
                "language": "en",
                "text": "You are number 3.",
                "outcome": None,
            }
        ],
    }
    server.hub.announcement_ended("west", "a1", "cancelled")
    server.hub.announcement_ended("west", "a1", "played")  # it was on the way already
    server.hub.announcement_ended("west", "a1", "cancelled")
    server.hub.announcement_ended("west", "another", "played")
    server.hub.announcement_ended("nowhere", "a1", "played")
    while shown["announcements"][0]["outcome"] != "played":
        shown = (await stream.next_of("announcements"))["data"]
    assert (await server.get("/api/centres/west/announcements")).json == shown


async def test_the_room_is_not_told_what_single_callers_hear(served):
    server = await served()
    server.hub.take(a_board())
    stream = await server.stream("centre=west&view=room")
    await stream.next_of("board")
    server.hub.announced(said(1))
    server.hub.take(a_board(at=AT + 1))
    assert (await stream.next())["event"] == "board"


def test_only_the_last_announcements_are_kept_the_newest_first():
    announcements = Announcements("west")
    for number in range(SHOWN_MAX + 5):
        announcements.issued(said(number))
        announcements.issued(said(number))
    shown = orjson.loads(announcements.json)["announcements"]
    assert [entry["issued_at"] for entry in shown] == [
        rfc3339(AT + number * 1_000_000) for number in range(SHOWN_MAX + 4, 4, -1)
    ]
    assert announcements.version == SHOWN_MAX + 5
    assert not announcements.ended("a1", "played")


async def test_who_comes_back_to_another_instance_is_not_sent_again_what_they_saw(served):
    first, second = await served(), await served()
    for server in (first, second):
        server.hub.take(a_board())
    seen = (await (await first.stream("centre=west&view=room")).next_of("board"))["id"]
    back = await second.stream("centre=west&view=room", **{"Last-Event-ID": seen})
    second.hub.take(a_board(at=AT + 1, waiting=7))
    assert (await back.next_of("board"))["data"]["queues"][0]["waiting"] == 7
