"""What is asked and answered: as the OpenAPI document says, and nothing leaked to whoever asks wrongly."""

import asyncio
import json
import re
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from schemas.boards import read_board
from schemas.health import Check
from schemas.moments import MINUTE, rfc3339
from tests.wallboard.served import AT, Served, a_board
from wallboard import glossary
from wallboard.api import ROUTES
from wallboard.history import MINUTES_MAX, History
from wallboard.views import shown

OPENAPI = json.loads((files("wallboard") / "openapi.json").read_text())
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\u2028"


def obeys(name: str, content: Any) -> bool:
    schema = {"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}
    Draft202012Validator(schema).validate(content)
    return True


async def raw(server: Served, request: bytes) -> bytes:
    """What the bytes of a request are answered, to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


# The document ------------------------------------------------------------------------------------------------------


async def test_every_answer_is_what_the_document_says(served):
    server = await served()
    server.hub.take(a_board())
    assert obeys("Session", (await server.get("/api/session")).json)
    assert obeys("Centres", (await server.get("/api/centres")).json)
    assert obeys("Board", (await server.get("/api/centres/west/board")).json)
    assert obeys("History", (await server.get("/api/centres/west/history?minutes=360")).json)
    assert obeys("Announcements", (await server.get("/api/centres/west/announcements")).json)
    for definition in (await server.get("/api/definitions")).json:
        assert obeys("Definition", definition)
    server.checks = {"kafka": Check("ok", "Kafka answers")}
    assert obeys("Health", (await server.get("/health")).json)
    assert obeys("Error", (await server.get("/api/centres/nowhere/board")).json)
    stream = await server.stream("centre=west")
    assert obeys("Greeting", (await stream.next_of("hello"))["data"])
    assert obeys("Board", (await stream.next_of("board"))["data"])
    assert obeys("Greeting", (await stream.next_of("beat"))["data"])
    assert (await server.get("/api/openapi.json")).json == OPENAPI


def test_the_document_names_every_route_and_no_other():
    assert set(ROUTES) == {(method.upper(), path) for path, item in OPENAPI["paths"].items() for method in item}


def test_every_status_a_request_can_get_is_in_the_document():
    for item in OPENAPI["paths"].values():
        for operation in item.values():
            assert "200" in operation["responses"]
            assert operation["summary"].endswith(".")


def test_the_definitions_are_those_of_the_glossary():
    page = glossary.GLOSSARY.read_text(encoding="utf-8")
    assert glossary.WRITTEN.read_bytes() == glossary.written(page)
    said = {each["figure"]: each for each in glossary.definitions(page)}
    assert said["abandonment_rate"] == {
        "figure": "abandonment_rate",
        "formula": "abandoned / (answered + abandoned + timed_out)",
        "text_en": "Abandoned / (answered + abandoned + timed_out).",
        "threshold": "short limit",
        "placed_by": "end of wait",
    }
    assert said["answered"]["text_en"] == ("Visits whose caller was connected to a person. Ringing is not an answer.")
    assert {"service_level", "waiting", "oldest_wait", "wait_p95", "calls_offered"} <= set(said)


# The page's files --------------------------------------------------------------------------------------------------


async def test_every_answer_carries_the_strict_headers(served):
    server = await served()
    for path in ("/", "/api/session", "/static/nothing", "/nowhere", "/metrics"):
        headers = (await server.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer")
        assert "Python" not in headers["Server"]


async def test_a_file_that_has_not_changed_is_not_sent_again_and_one_that_is_sent_is_compressed(served):
    server = await served()
    page = await server.get("/")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    again = await server.get("/", headers={"If-None-Match": page.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")
    assert (await server.get("/", headers={"If-None-Match": '"other"'})).body == page.body
    compressed = await server.get("/", headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert len(compressed.body) < len(page.body)


async def test_the_page_names_every_module_so_that_none_waits_for_another(served):
    server = await served()
    page = (await server.get("/")).body.decode()
    modules = {each.name for each in (files("wallboard") / "static").iterdir() if each.name.endswith(".js")}
    named = re.findall(r'<link rel="modulepreload" href="/static/([a-z]+\.js)">', page)
    assert sorted(modules - {"main.js"}) == named


@pytest.mark.parametrize(
    "path",
    [
        b"/static/../server.py",
        b"/static/%2e%2e%2fserver.py",
        b"/static/..%2fserver.py",
        b"/static/..%5cserver.py",
        b"/static//etc/passwd",
        b"/static/%2fetc%2fpasswd",
        b"/static/index.html%00.js",
        b"/static/",
        b"/../../etc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_page(served, path):
    server = await served()
    answer = await raw(server, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ")[1] in {b"400", b"404"}
    assert b"root:" not in answer
    assert b"import" not in answer


# Who asks wrongly --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/centres/nowhere/board", 404),
        (f"/api/centres/{'x' * 5000}/board", 404),
        ("/api/centres/%3Cscript%3E/history", 404),
        ("/api/stream", 400),
        ("/api/stream?centre=nowhere", 404),
        ("/api/stream?centre=west&view=everything", 400),
        ("/api/stream?" + "&".join(f"centre={number}" for number in range(33)), 400),
        ("/api/centres/west/board?view=", 400),
        ("/nowhere", 404),
    ],
)
async def test_what_there_is_not_is_said_in_one_sentence_that_repeats_nothing(served, path, status):
    server = await served()
    server.hub.take(a_board())
    answer = await server.get(path)
    assert answer.status == status
    assert obeys("Error", answer.json)
    assert len(answer.body) < 200
    assert not any(word in answer.body for word in (b"nowhere", b"script", b"xxx", b"everything", b"west"))


@pytest.mark.parametrize(
    "minutes", ["0", "361", "-1", "1e2", "1.5", "", "abc", "99999999999999999999", "٣", " 5", "0x10"]
)
async def test_a_history_of_more_or_other_than_six_hours_is_refused(served, minutes):
    server = await served()
    server.hub.take(a_board())
    answer = await server.get("/api/centres/west/history", params={"minutes": minutes})
    assert (answer.status, answer.json) == (400, {"error": "minutes is a whole number from 1 to 360."})


async def test_a_method_a_route_does_not_have_is_refused(served):
    server = await served()
    answer = await server.ask("DELETE", "/api/centres")
    assert (answer.status, answer.json) == (405, {"error": "Method Not Allowed."})
    assert "GET" in answer.headers["Allow"]


async def test_bytes_that_are_no_request_are_answered_without_a_word_of_the_inside(served):
    server = await served()
    for request in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n"):
        answer = await raw(server, request)
        assert b"Traceback" not in answer
        assert b"site-packages" not in answer
    assert (await server.get("/api/session")).status == 200


async def test_a_fault_in_here_is_told_to_the_log_alone(served, caplog):
    server = await served()
    server.fault = RuntimeError("a secret of the inside")
    answer = await server.get("/health")
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert "a secret of the inside" in caplog.text


# Boards ------------------------------------------------------------------------------------------------------------


async def test_a_queue_named_like_markup_stays_a_name_in_json(served):
    server = await served()
    server.hub.take(a_board(queue=HOSTILE))
    answer = await server.get("/api/centres/west/board")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["queues"][0]["queue"] == HOSTILE
    stream = await server.stream("centre=west&view=room")
    assert (await stream.next_of("board"))["data"]["queues"][0]["queue"] == HOSTILE
    server.hub.take(a_board(queue="a\nevent: board\ndata: {}\n\n", at=AT + 1))
    assert (await stream.next_of("board"))["data"]["queues"][0]["queue"] == "a\nevent: board\ndata: {}\n\n"


def test_no_identity_gets_through_wherever_it_stands():
    board = a_board()
    board["ring_backs"] = [{"call": "pbx1-9", "age_seconds": 40.0, "number": "01632 960001", "done": False}]
    board["queues"][0]["longest"] = {"visit": "pbx1-9", "waited_seconds": 9.0}
    board["deep"] = deep = {}
    for _ in range(500):
        deep["inside"] = deep = {"call": "pbx1-9"}
    for view in ("room", "supervisor"):
        said = json.dumps(shown(board, view))
        assert "pbx1-" not in said
        assert "960001" not in said
    assert shown(board, "supervisor")["ring_backs"] == [{"age_seconds": 40.0, "done": False}]
    assert "ring_backs" not in shown(board, "room")
    assert shown(board, "room")["queues"][0]["longest"] == {"waited_seconds": 9.0}


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"centre": "west"}',
        *(
            json.dumps(a_board() | spoilt).encode()
            for spoilt in (
                {"centre": ""},
                {"centre": "x" * 201},
                {"centre": 7},
                {"as_of": "yesterday"},
                {"as_of": "2026-11-24T08:00:00"},
                {"as_of": 1},
                {"epoch": "1"},
                {"epoch": None},
                {"feed": []},
                {"queues": {}},
                {"queues": ["101"]},
                {"queues": [{"waiting": 1}]},
            )
        ),
    ],
)
def test_a_record_that_is_no_board_is_none(value):
    assert read_board(value) is None
    assert read_board(json.dumps(a_board()).encode()) == a_board()


async def test_a_board_with_odd_figures_is_shown_as_it_is_and_breaks_no_trend(served):
    server = await served()
    odd = a_board()
    odd["queues"] = [{"queue": "101", "waiting": "many", "windows": [], "visits": [1, None, "x"]}]
    server.hub.take(odd)
    assert (await server.get("/api/centres/west/history?minutes=1")).status == 200
    assert (await server.get("/api/centres/west/board")).json["queues"][0]["visits"] == []


def test_a_minute_has_the_value_of_its_last_board_and_none_without_one():
    #  minute   0         1         2         3
    #  boards   w=1 w=2             w=4      (now)
    history = History()
    for seconds, waiting in ((10, 1), (59, 2), (130, 4)):
        history.add(a_board(at=AT + seconds * 1_000_000, waiting=waiting))
    series = history.series(4, AT + 3 * MINUTE)
    assert series["101"]["at"] == [rfc3339(AT + minute * MINUTE) for minute in range(4)]
    assert series["101"]["waiting"] == [None, 2, None, 4]
    assert series["101"]["service_level"] == [None, 0.75, None, 0.75]


def test_what_is_read_of_the_past_fills_gaps_and_changes_nothing_known():
    history = History()
    history.add(a_board(at=AT + MINUTE, waiting=5))
    history.fill(a_board(at=AT + MINUTE, waiting=9))
    history.fill(a_board(at=AT, waiting=7))
    assert history.series(2, AT + 2 * MINUTE)["101"]["waiting"] == [7, 5]


def test_only_six_hours_are_kept():
    history = History()
    for minute in range(MINUTES_MAX + 100):
        history.add(a_board(at=AT + minute * MINUTE, waiting=minute))
    waiting = history.series(MINUTES_MAX + 100, AT + (MINUTES_MAX + 100) * MINUTE)["101"]["waiting"]
    assert sum(value is not None for value in waiting) == MINUTES_MAX + 1


# For machines ------------------------------------------------------------------------------------------------------


async def test_health_fails_with_503(served):
    server = await served()
    server.checks = {"kafka": Check("failing", "Kafka does not answer")}
    answer = await server.get("/health")
    assert (answer.status, answer.json["status"]) == (503, "failing")


async def test_metrics_count_clients_boards_and_refusals(served):
    server = await served()
    server.hub.take(a_board())
    server.hub.refuse()
    await (await server.stream("centre=west&view=room")).next_of("board")
    lines = (await server.get("/metrics")).body.decode().splitlines()
    for line in (
        'occ_wallboard_clients{view="room"} 1.0',
        'occ_wallboard_clients{view="supervisor"} 0.0',
        "occ_wallboard_boards_total 1.0",
        "occ_wallboard_boards_refused_total 1.0",
        "occ_wallboard_dropped_clients_total 0.0",
        "occ_wallboard_feed_up 1.0",
    ):
        assert line in lines
