"""A real Alertmanager and Prometheus with the shipped configuration, and who they talk to, all on the loopback.

Only what belongs to a place and an hour is changed: addresses, what is day and what is night, and how often things
are looked at, which would make a test wait.
"""

import copy
import json
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from socketserver import StreamRequestHandler, TCPServer, ThreadingTCPServer
from typing import Any

from ruamel.yaml import YAML

from agents.ports import free_ports
from tests.deploy.tools import ROOT, tool

PROMETHEUS = ROOT / "deploy" / "prometheus"
ALERTMANAGER = ROOT / "deploy" / "alertmanager"
WAIT_SECONDS = 20
"""Far longer than anything here takes: only a fault waits so long."""

ALWAYS = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
NEVER = [{"years": ["1999"]}]

Config = dict[str, Any]


def load(path: Path) -> Any:
    """A YAML file as plain values, with nothing shared between them."""
    return json.loads(json.dumps(YAML(typ="safe").load(path)))


def eventually(look: Callable[[], bool], what: str) -> None:
    """Returns when `look` is true."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while not look():
        assert time.monotonic() < give_up_at, f"never: {what}"
        time.sleep(0.02)


class Received:
    """What came, by the path or the mailbox it was sent to."""

    def __init__(self) -> None:
        self._queues: defaultdict[str, Queue[Any]] = defaultdict(Queue)

    def put(self, place: str, content: Any) -> None:
        self._queues[place].put(content)

    def next(self, place: str) -> Any:
        """The next that comes to `place`."""
        try:
            return self._queues[place].get(timeout=WAIT_SECONDS)
        except Empty:
            raise AssertionError(f"nothing came to {place}") from None

    @property
    def places(self) -> set[str]:
        """Where something came that nobody has taken."""
        return {place for place, queue in self._queues.items() if not queue.empty()}


@contextmanager
def _serving(server: TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def webhook(received: Received) -> Iterator[int]:
    """Takes notifications; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.put(self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


@contextmanager
def mail_server(received: Received) -> Iterator[int]:
    """Takes mails; gives its port."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.answer("220 ready")
            to = ""
            while line := self.rfile.readline():
                match line.split()[0].upper():
                    case b"RCPT":
                        to = line.decode().partition("<")[2].partition(">")[0]
                        self.answer("250 ok")
                    case b"DATA":
                        self.answer("354 go on")
                        received.put(to, message_from_bytes(b"".join(iter(self.rfile.readline, b".\r\n"))))
                        self.answer("250 ok")
                    case b"QUIT":
                        self.answer("221 bye")
                        return
                    case _:
                        self.answer("250 ok")

        def answer(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with _serving(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


class Page:
    """A page of metrics that can be changed: what a scrape finds."""

    def __init__(self, samples: dict[str, float]) -> None:
        self.samples = dict(samples)

    @property
    def text(self) -> str:
        return "".join(f"{series} {value}\n" for series, value in self.samples.items())


@contextmanager
def exporter(page: Page) -> Iterator[int]:
    """Serves `page`; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(page.text.encode())

        def log_message(self, *_: object) -> None: ...

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


class Server:
    """A running Prometheus or Alertmanager."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        """The JSON at `path`."""
        with urllib.request.urlopen(self.url + path, timeout=WAIT_SECONDS) as answer:
            return json.load(answer)

    def post(self, path: str, content: Any) -> None:
        """Send `content` as JSON."""
        request = urllib.request.Request(
            self.url + path, json.dumps(content).encode(), {"Content-Type": "application/json"}
        )
        urllib.request.urlopen(request, timeout=WAIT_SECONDS).close()

    def query(self, promql: str) -> list[Any]:
        """What Prometheus answers now."""
        result: list[Any] = self.get(f"/api/v1/query?query={urllib.parse.quote(promql)}")["data"]["result"]
        return result

    @property
    def is_ready(self) -> bool:
        """Whether it says so."""
        try:
            urllib.request.urlopen(f"{self.url}/-/ready", timeout=WAIT_SECONDS).close()
        except OSError:
            return False
        return True


@contextmanager
def _running(program: str, port: int, folder: Path, *arguments: str) -> Iterator[Server]:
    log = folder / f"{program}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [tool(program), f"--web.listen-address=127.0.0.1:{port}", *arguments],
            cwd=folder,
            stdout=output,
            stderr=output,
        )
    try:
        server = Server(f"http://127.0.0.1:{port}")
        eventually(lambda: server.is_ready or process.poll() is not None, f"{program} is ready")
        assert process.poll() is None, log.read_text()
        yield server
    except AssertionError as error:
        error.add_note(log.read_text()[-4000:])
        raise
    finally:
        process.terminate()
        process.wait()


def _routes(route: Config) -> Iterator[Config]:
    yield route
    for child in route.get("routes", ()):
        yield from _routes(child)


def alertmanager_config(
    webhook_port: int, mail_port: int, *, night: bool = False, as_shipped: bool = False
) -> Config:
    """The shipped configuration for a test; `night` says which half of the day it is.

    `as_shipped` waits as long as the shipped configuration does.
    """
    config: Config = load(ALERTMANAGER / "alertmanager.yml")
    config["global"]["smtp_smarthost"] = f"127.0.0.1:{mail_port}"
    config["templates"] = [str(ALERTMANAGER / "templates" / "*.tmpl")]
    for interval in config["time_intervals"]:
        interval["time_intervals"] = ALWAYS if (interval["name"] == "night") == night else NEVER
    for receiver in config["receivers"]:
        for hook in receiver.get("webhook_configs", ()):
            hook["url"] = f"http://127.0.0.1:{webhook_port}{urllib.parse.urlsplit(hook['url']).path}"
    for route in _routes(config["route"]):
        quicker = {"group_wait": "200ms", "group_interval": "200ms", "repeat_interval": "1h"}
        route.update({name: value for name, value in quicker.items() if name in route and not as_shipped})
    return config


@contextmanager
def running_alertmanager(folder: Path, config: Config) -> Iterator[Server]:
    """An Alertmanager with `config`."""
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(config))
    arguments = (f"--config.file={path}", f"--storage.path={folder}", "--cluster.listen-address=")
    with _running("alertmanager", free_ports(1)[0], folder, *arguments) as server:
        yield server


@contextmanager
def running_prometheus(
    folder: Path, scraped_port: int, alertmanager: Server, rules: Path | None = None, *, as_shipped: bool = False
) -> Iterator[Server]:
    """A Prometheus with the shipped rules that asks 127.0.0.1:`scraped_port` for metrics five times a second.

    `rules` replaces the shipped rules/ folder; `as_shipped` looks no more often than the shipped configuration does.
    """
    [port] = free_ports(1)
    config = load(PROMETHEUS / "prometheus.yml")
    if not as_shipped:
        config["global"] |= {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"}
    folders = {"rules": rules or PROMETHEUS / "rules", "alerts": PROMETHEUS / "alerts"}
    config["rule_files"] = [str(folders[Path(name).parent.name] / Path(name).name) for name in config["rule_files"]]
    [manager] = config["alerting"]["alertmanagers"]
    address = urllib.parse.urlsplit(alertmanager.url).netloc
    manager["static_configs"] = [{"targets": [address]}]
    targets = {"occ-worker": f"127.0.0.1:{scraped_port}", "prometheus": f"127.0.0.1:{port}", "alertmanager": address}
    for job in config["scrape_configs"]:
        # The wallboard and whoever else is scraped besides are not part of the chain.
        job["static_configs"] = [{"targets": [targets[name]]}] if (name := job["job_name"]) in targets else []
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))
    arguments = (
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        # What is sent before Alertmanager is known is lost until it is sent again.
        "--rules.alert.resend-delay=1s",
    )
    with _running("prometheus", port, folder, *arguments) as server:
        yield server


def alert(name: str, **labels: str) -> Config:
    """An alert as Prometheus would send it, firing."""
    return {
        "labels": {"alertname": name, **labels},
        "annotations": {
            "summary": f"{name} in words",
            "description": f"{name} in more words.",
            "runbook_url": f"https://occ.example/runbooks/{name}.md",
        },
        "startsAt": datetime.now(UTC).isoformat(),
    }


def over(fired: Config) -> Config:
    """The same alert, resolved."""
    return {**copy.deepcopy(fired), "endsAt": datetime.now(UTC).isoformat()}


def names(notification: Config) -> Sequence[str]:
    """The alerts of a notification, in alphabetical order."""
    return sorted(sent["labels"]["alertname"] for sent in notification["alerts"])
