"""Streams of boards, as a browser gets them."""

import pytest

from tests.wallboard.served import AT, a_board


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
