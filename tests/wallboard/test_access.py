"""Who gets in, by which door, and what each may see."""

import subprocess
from pathlib import Path

import pytest

from tests.wallboard.served import a_board
from wallboard import passwords, sessions
from wallboard.attempts import LIMIT, REMEMBERED_MAX, SPAN_SECONDS, Attempts
from wallboard.door import Door, UnsafeDoorError
from wallboard.users import FaultyUsersError, UsersFile

PASSWORD = "correct horse battery"
HASH = passwords.hashed(PASSWORD)
OTHER_HASH = passwords.hashed("something else entirely")


def users(**roles: str) -> str:
    return "".join(f'[users.{name}]\npassword = "{HASH}"\nrole = "{role}"\n' for name, role in roles.items())


@pytest.fixture
def door(tmp_path: Path) -> Door:
    """A door with the users anna, who supervises, and ben, who looks."""
    (tmp_path / "users.toml").write_text(users(anna="supervise", ben="view"))
    (tmp_path / "users.toml").chmod(0o600)
    secret = tmp_path / "secret"
    secret.write_text("s" * 64)
    secret.chmod(0o600)
    return Door(port=0, users_file=tmp_path / "users.toml", session_secret_file=secret)


async def log_in(server, user: str = "anna", password: str = PASSWORD, **headers: str):
    return await server.ask("POST", "/api/login", json={"user": user, "password": password}, headers=headers)


# On the loopback ---------------------------------------------------------------------------------------------------


async def test_on_the_loopback_nobody_logs_in(served):
    server = await served()
    assert (await server.get("/api/session")).json == {"user": None, "role": "supervise", "login": False}
    assert (await log_in(server)).status == 404


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.0.0.1:8080", "", "[", "@localhost"])
async def test_a_name_that_is_not_ours_is_refused_whatever_it_resolves_to(served, host):
    server = await served()
    server.hub.take(a_board())
    answer = await server.get("/api/centres", headers={"Host": host})
    assert answer.status in {400, 421}
    assert b"west" not in answer.body


async def test_a_load_balancer_may_ask_for_health_by_any_address(served):
    server = await served()
    assert (await server.get("/health", headers={"Host": "10.20.0.7:8080"})).status == 200


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "board.example"])
async def test_the_names_of_this_machine_and_those_set_are_ours(served, host):
    server = await served(Door(port=0, hosts=("board.example",)))
    assert (await server.get("/api/centres", headers={"Host": host})).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_site_gets_nothing_and_leaves_no_trace_in_the_audit(served, headers):
    server = await served()
    server.hub.take(a_board())
    for path in ("/api/centres", "/api/centres/west/board", "/api/stream?centre=west&view=supervisor"):
        assert (await server.get(path, headers=headers)).status == 403
    assert server.audited == []


# What keeps it from starting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("door", "says"),
    [
        (Door(host="0.0.0.0"), "hash-password"),
        (Door(host="::"), "trusted_proxies"),
        (Door(host="board.example"), "127.0.0.1"),
        (Door(host="0.0.0.0", users_file=Path("users.toml")), "TLS"),
        (Door(tls_cert=Path("cert.pem")), "tls_key"),
        (Door(host="0.0.0.0", trusted_proxies=("0.0.0.0/0",)), "every address"),
        (Door(host="0.0.0.0", trusted_proxies=("proxy.example",)), "trusted_proxies"),
    ],
)
def test_a_door_that_is_open_to_strangers_is_not_opened(door, says):
    with pytest.raises(UnsafeDoorError, match=says):
        door.check()


@pytest.mark.parametrize(
    "door",
    [
        Door(),
        Door(host="::1"),
        Door(host="127.5.0.1"),
        Door(host="0.0.0.0", trusted_proxies=("10.0.0.0/8",)),
        Door(host="0.0.0.0", users_file=Path("u"), tls_cert=Path("c"), tls_key=Path("k")),
        Door(host="0.0.0.0", users_file=Path("u"), trusted_proxies=("10.0.0.1",)),
    ],
)
def test_a_door_with_a_lock_is_opened(door):
    door.check()


# Users -------------------------------------------------------------------------------------------------------------


async def test_without_a_login_there_is_the_page_and_nothing_else(served, door):
    server = await served(door)
    server.hub.take(a_board())
    assert (await server.get("/api/session")).json == {"user": None, "role": "view", "login": True}
    assert (await server.get("/")).status == 200
    for path in (
        "/api/centres",
        "/api/centres/west/board",
        "/api/centres/nowhere/board",
        "/api/centres/west/history",
        "/api/centres/west/announcements",
        "/api/stream?centre=west&view=room",
        "/api/definitions",
    ):
        answer = await server.get(path)
        assert (answer.status, answer.json) == (401, {"error": "Log in first."})


async def test_a_login_lasts_by_a_cookie_no_script_and_no_other_site_can_use(served, door):
    server = await served(door)
    answer = await log_in(server)
    assert answer.status == 200
    [cookie] = answer.cookies.values()
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Strict", "/")
    assert int(cookie["max-age"]) == 12 * 3600
    assert (await server.get("/api/session")).json == {"user": "anna", "role": "supervise", "login": False}
    assert (await server.ask("POST", "/api/logout")).status == 200
    assert (await server.get("/api/centres")).status == 401


async def test_who_may_only_look_sees_no_single_visits(served, door):
    server = await served(door)
    server.hub.take(a_board())
    await log_in(server, "ben")
    assert "visits" not in (await server.get("/api/centres/west/board")).json["queues"][0]
    assert (await server.get("/api/centres/west/board?view=supervisor")).status == 403
    assert (await server.get("/api/stream?centre=west&view=supervisor")).status == 403
    assert (await server.get("/api/centres/west/announcements")).status == 403
    assert server.audited == []


async def test_another_instance_with_the_same_secret_knows_the_session_and_one_without_does_not(served, door):
    first, second = await served(door), await served(door)
    stranger = await served(Door(port=0, users_file=door.users_file))
    [cookie] = (await log_in(first)).cookies.values()
    headers = {"Cookie": f"{cookie.key}={cookie.value}"}
    assert (await second.get("/api/session", headers=headers)).json["user"] == "anna"
    assert (await stranger.get("/api/session", headers=headers)).json["user"] is None


async def test_a_session_ends_when_its_time_is_over(served, door):
    server = await served(Door(port=0, users_file=door.users_file, session_hours=1e-7))
    [cookie] = (await log_in(server)).cookies.values()
    answer = await server.get("/api/session", headers={"Cookie": f"{cookie.key}={cookie.value}"})
    assert answer.json["login"] is True


def test_a_note_holds_for_its_user_password_secret_and_time_only():
    note = sessions.issue(b"s" * 32, "anna", HASH, 1000.0)
    session = sessions.verify(b"s" * 32, note, HASH, 999.9)
    assert session is not None
    assert session.user == sessions.named(note) == "anna"
    assert sessions.verify(b"s" * 32, note, HASH, 1000.0) is None
    assert sessions.verify(b"t" * 32, note, HASH, 999.9) is None
    assert sessions.verify(b"s" * 32, note, OTHER_HASH, 999.9) is None
    content, _, signature = sessions.issue(b"s" * 32, "ben", HASH, 1000.0).partition(".")
    assert sessions.verify(b"s" * 32, f"{content}.{note.partition('.')[2]}", HASH, 999.9) is None
    for forged in ("", ".", content, f".{signature}", note[:-1], "é.é", "A" * 5000, f"{note}="):
        assert sessions.verify(b"s" * 32, forged, HASH, 999.9) is None or forged == f"{note}="


async def test_a_user_who_is_taken_out_is_out_at_once_and_their_screen_goes_dark(served, door):
    server = await served(door)
    server.hub.take(a_board())
    await log_in(server)
    stream = await server.stream("centre=west&view=supervisor")
    await stream.next_of("board")
    door.users_file.write_text(users(ben="view"))
    assert await stream.ended()
    assert (await server.get("/api/centres")).status == 401


async def test_a_fault_in_the_file_of_users_locks_nobody_out(served, door):
    server = await served(door)
    await log_in(server)
    door.users_file.write_text("[users")
    assert (await log_in(server)).status == 200
    door.users_file.unlink()
    assert (await log_in(server)).status == 200
    door.users_file.write_text(users(ben="view"))
    assert (await log_in(server)).status == 401


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[users", "is not TOML"),
        ("", "a table"),
        ("[users]\n", "a table"),
        ("[users.anna]\nrole = 'view'\n", "a password and a role"),
        ("[users.anna]\nrole = 'view'\npassword = 'hunter2hunter2'\n", "hash-password"),
        (users(anna="admin"), "view, supervise"),
        (users(anna="view").replace("$32768$", "$1073741824$"), "hash-password"),
    ],
)
def test_a_faulty_file_of_users_is_refused_without_a_word_of_its_secrets(tmp_path, content, says):
    (tmp_path / "users.toml").write_text(content)
    with pytest.raises(FaultyUsersError, match=says) as error:
        UsersFile(tmp_path / "users.toml")
    assert "hunter2" not in str(error.value)


def test_files_that_others_may_change_or_read_are_refused(tmp_path):
    (tmp_path / "users.toml").write_text(users(anna="view"))
    (tmp_path / "users.toml").chmod(0o666)
    with pytest.raises(FaultyUsersError, match="chmod"):
        UsersFile(tmp_path / "users.toml")
    (tmp_path / "secret").write_text("s" * 64)
    (tmp_path / "secret").chmod(0o644)
    with pytest.raises(sessions.FaultySecretError, match="chmod"):
        sessions.read_secret(tmp_path / "secret")
    (tmp_path / "secret").write_text("s" * 31)
    (tmp_path / "secret").chmod(0o600)
    with pytest.raises(sessions.FaultySecretError, match="fewer than 32"):
        sessions.read_secret(tmp_path / "secret")


# Guessing ----------------------------------------------------------------------------------------------------------


async def test_guessing_a_password_ends_after_ten_tries_even_with_the_right_one(served, door):
    server = await served(door)
    for _ in range(LIMIT):
        answer = await log_in(server, password="wrong horse battery")
        assert (answer.status, answer.json) == (401, {"error": "The name or the password is wrong."})
    answer = await log_in(server)
    assert answer.status == 429
    assert 0 < int(answer.headers["Retry-After"]) <= SPAN_SECONDS + 1


async def test_a_name_nobody_has_is_answered_like_a_wrong_password(served, door):
    server = await served(door)
    assert (await log_in(server, "nobody")).json == (await log_in(server, "anna", "wrong")).json
    assert (await log_in(server, "n" * 300)).status == 401


def test_failures_are_counted_by_name_and_by_address_and_forgotten_in_time():
    attempts = Attempts()
    for number in range(LIMIT):
        attempts.failed(f"user-{number}", "203.0.113.7", 100.0 + number)
    assert attempts.wait_seconds("anybody", "203.0.113.7", 110.0) == 100.0 + SPAN_SECONDS - 110.0
    assert attempts.wait_seconds("anybody", "203.0.113.8", 110.0) == 0
    assert attempts.wait_seconds("anybody", "203.0.113.7", 100.0 + SPAN_SECONDS) == 0
    for number in range(LIMIT):
        attempts.failed("anna", f"2001:db8:{number}::1", 100.0)
    assert attempts.wait_seconds("anna", "203.0.113.9", 110.0) > 0
    attempts.succeeded("anna", "2001:db8::1")
    assert attempts.wait_seconds("anna", "203.0.113.9", 110.0) == 0


def test_all_addresses_of_one_network_of_ipv6_are_one():
    attempts = Attempts()
    for number in range(LIMIT):
        attempts.failed(f"user-{number}", f"2001:db8::{number}", 100.0)
    assert attempts.wait_seconds("anybody", "2001:db8::ffff", 101.0) > 0
    assert attempts.wait_seconds("anybody", "2001:db8:0:1::1", 101.0) == 0


def test_what_is_remembered_of_failures_is_bounded():
    attempts = Attempts()
    for number in range(REMEMBERED_MAX):
        attempts.failed(f"user-{number}", f"address-{number}", 100.0)
    assert len(attempts._failed) == REMEMBERED_MAX


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"user": 1, "password": "x"}', 400),
        (b'{"user": "anna"}', 400),
        (b'{"user": "anna", "password": "' + b"x" * 5000 + b'"}', 413),
    ],
)
async def test_a_login_that_is_none_is_answered_clearly(served, door, body, status):
    server = await served(door)
    answer = await server.ask("POST", "/api/login", data=body, headers={"Content-Type": "application/json"})
    assert answer.status == status
    assert set(answer.json) == {"error"}


async def test_a_form_cannot_log_in(served, door):
    server = await served(door)
    assert (await server.ask("POST", "/api/login", data={"user": "anna", "password": PASSWORD})).status == 415


# TLS and proxies ---------------------------------------------------------------------------------------------------


async def test_over_tls_the_cookie_never_leaves_tls(served, door, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    subprocess.run(["openssl", *made, "-keyout", key, "-out", cert], check=True, capture_output=True)
    server = await served(Door(port=0, users_file=door.users_file, tls_cert=cert, tls_key=key))
    assert server.url.startswith("https://")
    answer = await log_in(server)
    assert answer.status == 200
    [cookie] = answer.cookies.values()
    assert cookie.key == "__Host-occ_session"
    assert cookie["secure"] is True
    assert answer.headers["Strict-Transport-Security"]
    assert (await server.get("/api/session")).json["user"] == "anna"


def test_a_certificate_that_cannot_be_used_keeps_it_from_starting(tmp_path):
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(UnsafeDoorError, match="cannot be used"):
        Door(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "cert.pem").tls()


async def test_a_trusted_proxy_says_who_it_is_and_what_they_may_see(served):
    server = await served(Door(port=0, trusted_proxies=("127.0.0.0/8",)))
    server.hub.take(a_board())
    viewer = {"X-Forwarded-User": "ben"}
    supervisor = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "staff, occ-supervise"}
    assert (await server.get("/api/session", headers=viewer)).json["role"] == "view"
    assert (await server.get("/api/session", headers=supervisor)).json == {
        "user": "anna",
        "role": "supervise",
        "login": False,
    }
    assert (await server.get("/api/centres/west/board", headers=supervisor)).json["queues"][0]["visits"]
    assert [record.who for record in server.audited] == ["anna"]
    assert (await server.get("/api/centres")).status == 401
    for headers in ({"X-Forwarded-User": "x" * 300}, {"X-Forwarded-User": ""}):
        assert (await server.get("/api/centres", headers=headers)).status == 401


async def test_who_comes_past_the_proxy_is_not_believed(served):
    server = await served(Door(port=0, trusted_proxies=("10.0.0.1",)))
    headers = {"X-Forwarded-User": "anna", "X-Forwarded-Groups": "occ-supervise"}
    assert (await server.get("/api/centres", headers=headers)).status == 403


async def test_behind_a_proxy_failures_count_for_the_address_it_names(served, door):
    server = await served(Door(port=0, users_file=door.users_file, trusted_proxies=("127.0.0.1",)))
    for number in range(LIMIT):
        forwarded = {"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7, 127.0.0.1"}
        assert (await log_in(server, f"user-{number}", "wrong", **forwarded)).status == 401
    assert (await log_in(server, **{"X-Forwarded-For": "203.0.113.7"})).status == 429
    answer = await log_in(server, **{"X-Forwarded-For": "203.0.113.8", "X-Forwarded-Proto": "https"})
    assert answer.status == 200
    assert answer.cookies["__Host-occ_session"]["secure"] is True


async def test_the_word_of_a_stranger_on_its_address_is_not_believed(served, door):
    server = await served(door)
    for number in range(LIMIT):
        await log_in(server, f"user-{number}", "wrong", **{"X-Forwarded-For": f"198.51.100.{number}"})
    assert (await log_in(server, **{"X-Forwarded-For": "203.0.113.8"})).status == 429


# The audit ---------------------------------------------------------------------------------------------------------


async def test_each_opening_of_single_visits_is_recorded_once_a_room_with_who_and_where(served, door):
    server = await served(door)
    for centre in ("west", "north"):
        server.hub.take(a_board(centre))
    await log_in(server)
    stream = await server.stream("centre=west&centre=north&view=supervisor")
    for _ in range(2):
        await stream.next_of("board")
    server.hub.take(a_board(at=2 * 10**15))
    await stream.next_of("board")
    assert [(record.centre, record.who, record.action) for record in server.audited] == [
        ("west", "anna", "consultation"),
        ("north", "anna", "consultation"),
    ]
    assert {record.address for record in server.audited} == {"127.0.0.1"}
    assert len({record.session for record in server.audited}) == 1
    await server.get("/api/centres/west/board?view=room")
    assert len(server.audited) == 2


async def test_what_cannot_be_recorded_is_not_shown(served):
    server = await served()
    server.hub.take(a_board())
    server.audit_works = False
    for path in ("/api/centres/west/board", "/api/stream?centre=west&view=supervisor"):
        answer = await server.get(path)
        assert answer.status == 503
        assert b"visits" not in answer.body.replace(b"single visits", b"")
    assert (await server.get("/api/centres/west/board?view=room")).status == 200
