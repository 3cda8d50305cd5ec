import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from jgo.maven import MavenContext

from agents.jars import Jar, JarsError, _fetch_one, kafka_version, locked

CONTENT = b"the whole jar"
JAR = Jar("org.example", "queue", "1.0", hashlib.sha256(CONTENT).hexdigest())


class Repository(ThreadingHTTPServer):
    """Serves `bodies` one after the other for the jar, the last one again and again; no checksums."""

    def __init__(self, bodies: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.bodies = bodies


class Answer(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        bodies = self.server.bodies
        if not self.path.endswith("/org/example/queue/1.0/queue-1.0.jar") or not bodies:
            self.send_error(404)
            return
        body = bodies.pop(0) if len(bodies) > 1 else bodies[0]
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository() -> Iterator[Repository]:
    with Repository([CONTENT]) as server:
        Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


def fetch(repository: Repository, folder: Path) -> None:
    address = f"http://127.0.0.1:{repository.server_port}"
    _fetch_one(MavenContext(repo_cache=folder / "landing", remote_repos={"test": address}), JAR, folder)


def test_a_jar_lands_whole(repository: Repository, tmp_path: Path) -> None:
    fetch(repository, tmp_path)
    assert (tmp_path / "queue-1.0.jar").read_bytes() == CONTENT


def test_a_download_that_breaks_off_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    repository.bodies[:] = [CONTENT[:5], CONTENT]
    fetch(repository, tmp_path)
    assert (tmp_path / "queue-1.0.jar").read_bytes() == CONTENT


def test_a_jar_that_differs_from_the_lock_is_refused(repository: Repository, tmp_path: Path) -> None:
    repository.bodies[:] = [CONTENT.upper()]
    with pytest.raises(JarsError, match=r"queue-1\.0\.jar as fetched is not the one of kafka\.lock"):
        fetch(repository, tmp_path)
    assert not (tmp_path / "queue-1.0.jar").exists()


def test_a_missing_jar_is_named_and_no_address_is_told(repository: Repository, tmp_path: Path) -> None:
    repository.bodies.clear()
    with pytest.raises(JarsError, match=r"Cannot fetch queue-1\.0\.jar") as raised:
        fetch(repository, tmp_path)
    assert "127.0.0.1" not in raised.value.message


def test_every_jar_of_the_lock_is_pinned_by_hash_and_has_a_file_name_of_its_own() -> None:
    jars = locked()
    assert all(len(jar.sha256) == 64 for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars) > 40
    assert kafka_version() >= "4.1"
