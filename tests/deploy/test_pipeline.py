"""From an event to the pager, and from an event to every panel: Kafka, a worker, Prometheus, Alertmanager, all real.

Three control rooms share the worker. In `west-mercia` calls come and are answered by the clock, as on a good day,
until one 999 caller is left waiting. `north` has had a bad hour, and is quiet now. `demo` is the room of the demo,
for the panels. Scrapes, rules and routes are as shipped, so the times measured are those of the product.
"""

import asyncio
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

import pytest
from aiokafka import AIOKafkaProducer

from agents import topics
from agents.alerts import FILE_NAME, render
from agents.broker import Broker
from agents.clients import producer
from agents.live import run_live
from agents.ports import free_ports
from agents.sending import Record, send_when_due, wall_clock
from agents.worker_process import WorkerProcess
from schemas import events as ev
from schemas.codec import encode, new_event
from schemas.moments import MINUTE, SECOND, moment
from stream.profile import Profile
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import Simulation
from tests.deploy.alerting import (
    PROMETHEUS,
    Received,
    Server,
    alertmanager_config,
    eventually,
    mail_server,
    running_alertmanager,
    running_prometheus,
    webhook,
)
from tests.deploy.test_dashboards import RENDERED

ROOM = "west-mercia"
SOURCE = f"//{ROOM}/pbx1"
DEMO = "demo"
NORTH = "north"
CENTRES = {centre: {"sources": [f"//{centre}/pbx1"]} for centre in (ROOM, NORTH, DEMO)}
OPEN_FOR = 20 * MINUTE
NOTIFIED_WITHIN_SECONDS = 45
THRESHOLD_SECONDS = 30
PATIENCE_SECONDS = 90

NOT_YET = {"occ_promise_kept_ratio", "occ_promises_total", "occ_announcements_total", "occ_snapshot_drift"}
"""What a room that has just opened may have no value of: nobody was promised anything yet."""


@dataclass(slots=True)
class GoodDay:
    """A room in which every call is answered: 999 every 10 s after 3 s, 101 every 5 s after 8 s."""

    started_at: int
    _due: list[tuple[int, int, ev.Event]] = field(default_factory=list)
    _beat_at: int = 0
    _made: int = 0
    _waiting: int = 0
    left_waiting: str | None = None
    stopped: bool = False

    def __post_init__(self) -> None:
        self._beat_at = self.started_at
        for service, between, wait in (("999", 10, 3), ("101", 5, 8)):
            self._call(service, self.started_at, between, wait)

    @property
    def due_at(self) -> int | None:
        """When the next event is due; None when the day was stopped."""
        return None if self.stopped else min(self._beat_at, self._due[0][0] if self._due else self._beat_at)

    def take(self) -> list[Record]:
        """The next event."""
        at = self._beat_at
        if self._due and self._due[0][0] < at:
            at, _, event = heappop(self._due)
            if isinstance(event, ev.VisitQueued):
                self._waiting += 1
                if not event.data.visit.startswith("left"):
                    self._next(event, at)
            elif isinstance(event, ev.VisitAnswered):
                self._waiting -= 1
        else:
            self._beat_at += 3 * SECOND
            data = ev.SourceHeartbeatData(
                centre=ROOM, events_seen=self._made, calls_up=self._waiting, callers_queued=self._waiting
            )
            event = new_event(ev.SourceHeartbeat, data, id=f"beat-{at}", source=SOURCE, time=moment(at))
        return [(ROOM, encode(event))]

    def leave_waiting(self, at: int) -> None:
        """Somebody dials 999 at `at`, and nobody answers."""
        self.left_waiting = f"left-{at}"
        self._put(ev.CallOffered, ev.CallOfferedData(centre=ROOM, call=f"c-{at}", service="999"), at)
        data = ev.VisitQueuedData(centre=ROOM, call=f"c-{at}", visit=self.left_waiting, queue="999")
        self._put(ev.VisitQueued, data, at)

    def answer_at_last(self, at: int) -> None:
        """The caller who waits is answered."""
        assert self.left_waiting is not None
        self._put(ev.VisitAnswered, ev.VisitAnsweredData(centre=ROOM, visit=self.left_waiting, handler="h9"), at)

    def _next(self, event: ev.VisitQueued, at: int) -> None:
        service = "999" if event.data.queue == "999" else "101"
        between, wait = {"999": (10, 3), "101": (5, 8)}[service]
        answered = ev.VisitAnsweredData(centre=ROOM, visit=event.data.visit, handler=f"h{self._made % 9}")
        self._put(ev.VisitAnswered, answered, at + wait * SECOND)
        ended = ev.VisitEndedData(centre=ROOM, visit=event.data.visit)
        self._put(ev.VisitEnded, ended, at + (wait + 20) * SECOND)
        self._call(service, at + between * SECOND, between, wait)

    def _call(self, service: str, at: int, between: int, wait: int) -> None:
        name = f"{service}-{at}"
        self._put(ev.CallOffered, ev.CallOfferedData(centre=ROOM, call=f"c-{name}", service=service), at)
        data = ev.VisitQueuedData(centre=ROOM, call=f"c-{name}", visit=f"v-{name}", queue=service)
        self._put(ev.VisitQueued, data, at)

    def _put(self, cls: type[ev.Event], data: ev.Data, at: int) -> None:
        self._made += 1
        event = new_event(cls, data, id=f"e{self._made}", source=SOURCE, time=moment(at))
        heappush(self._due, (at, self._made, event))


@dataclass(slots=True)
class BadHour:
    """A room in which every minute of the last hour one 999 caller waited 40 s, and two on 101 for 50 and 100 s.

    The first of these gave up. Since then nobody has rung, and the switch says so every 3 s.
    """

    _due: list[tuple[int, Record]] = field(default_factory=list)
    _beat_at: int = field(default_factory=wall_clock)
    stopped: bool = False

    def __post_init__(self) -> None:
        for minute in range(3, 63):
            at = self._beat_at - minute * MINUTE
            self._visit(f"e{minute}", "999", at, at + 40 * SECOND, answered=True)
            self._visit(f"a{minute}", "101", at, at + 50 * SECOND, answered=False)
            self._visit(f"n{minute}", "101", at, at + 100 * SECOND, answered=True)
        self._due.sort(key=lambda due: due[0], reverse=True)

    @property
    def due_at(self) -> int | None:
        """When the next event is due; None when the room was closed."""
        return None if self.stopped else self._due[-1][0] if self._due else self._beat_at

    def take(self) -> list[Record]:
        """The next event."""
        if self._due:
            return [self._due.pop()[1]]
        at, self._beat_at = self._beat_at, self._beat_at + 3 * SECOND
        data = ev.SourceHeartbeatData(centre=NORTH, events_seen=1, calls_up=0, callers_queued=0)
        return [self._record(ev.SourceHeartbeat, data, f"beat-{at}", at)]

    def _visit(self, name: str, queue: str, at: int, end: int, *, answered: bool) -> None:
        self._put(ev.CallOffered, ev.CallOfferedData(centre=NORTH, call=name, service=queue), f"{name}o", at)
        joined = ev.VisitQueuedData(centre=NORTH, call=name, visit=name, queue=queue)
        self._put(ev.VisitQueued, joined, f"{name}q", at)
        if answered:
            self._put(ev.VisitAnswered, ev.VisitAnsweredData(centre=NORTH, visit=name, handler="h1"), f"{name}a", end)
        else:
            self._put(ev.VisitLeft, ev.VisitLeftData(centre=NORTH, visit=name, reason="abandoned"), f"{name}l", end)

    def _put(self, cls: type[ev.Event], data: ev.Data, ident: str, at: int) -> None:
        self._due.append((at, self._record(cls, data, ident, at)))

    def _record(self, cls: type[ev.Event], data: ev.Data, ident: str, at: int) -> Record:
        return NORTH, encode(new_event(cls, data, id=ident, source=f"//{NORTH}/pbx1", time=moment(at)))


@dataclass(slots=True)
class Pipeline:
    day: GoodDay
    prometheus: Server
    received: Received
    told: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    """By place: (control room, alert, status) of everything that was told so far."""

    def hear(self) -> None:
        """Take what was told by webhook meanwhile."""
        for place in {place for place in self.received.places if place.startswith("/")}:
            for sent in self.received.next(place)["alerts"]:
                labels = sent["labels"]
                entry = (labels.get("centre", ""), labels["alertname"], sent["status"])
                self.told.setdefault(place, []).append(entry)

    def told_of(self, centre: str) -> dict[str, list[tuple[str, str]]]:
        """By webhook: (alert, status) of everything told of a room."""
        self.hear()
        told = {
            place: sorted(entry[1:] for entry in entries if entry[0] == centre)
            for place, entries in self.told.items()
        }
        return {place: entries for place, entries in told.items() if entries}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    folder = tmp_path_factory.mktemp("pipeline")
    rules = folder / "rules"
    shutil.copytree(PROMETHEUS / "rules", rules)
    sources = {centre: frozenset(told["sources"]) for centre, told in CENTRES.items()}
    (rules / FILE_NAME).write_text(render(Profile(centres=frozenset(CENTRES), expected_sources=sources)))
    received, [port] = Received(), free_ports(1)
    with Broker(folder / "kafka") as broker:
        asyncio.run(topics.create(broker.bootstrap, 2, 1))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OCC_")} | {
            "OCC_CACHE": str(folder / "cache"),
            "OCC_CENTRES": json.dumps(CENTRES),
            "OCC_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
            "OCC_KAFKA__PARTITIONS": "2",
            "OCC_WEB__PORT": str(port),
        }
        day = GoodDay(wall_clock() - OPEN_FOR)
        with (
            WorkerProcess(environment, folder / "worker.log"),
            feeding(broker.bootstrap, day),
            webhook(received) as hook,
            mail_server(received) as mails,
        ):
            worker = Server(f"http://127.0.0.1:{port}")
            eventually(lambda: has_begun(worker), "the worker shows the room")
            config = alertmanager_config(hook, mails, as_shipped=True)
            with (
                running_alertmanager(folder, config) as alertmanager,
                running_prometheus(folder, port, alertmanager, rules, as_shipped=True) as prometheus,
            ):
                yield Pipeline(day, prometheus, received)


class feeding:  # noqa: N801 - a context, used as one
    """Both rooms live in a thread of its own while the context lasts."""

    def __init__(self, servers: str, day: GoodDay) -> None:
        self._servers, self._day, self._bad = servers, day, BadHour()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._feed()))
        self._stopped = threading.Event()

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._day.stopped = self._bad.stopped = True
        self._stopped.set()
        self._thread.join()

    async def _feed(self) -> None:
        starts_at = datetime.now(UTC) - timedelta(minutes=10)
        demo = Simulation(always_busy(SimulationConfig(centre=DEMO, starts_at=starts_at, scale=12)), seed=1)
        async with producer(self._servers) as sender:
            lively = asyncio.create_task(run_live(demo, sender))
            await self._live(sender)
            lively.cancel()
            await asyncio.wait([lively])

    async def _live(self, sender: AIOKafkaProducer) -> None:
        rooms = [asyncio.create_task(send_when_due(feed, sender)) for feed in (self._day, self._bad)]
        await asyncio.to_thread(self._stopped.wait)
        await asyncio.gather(*rooms)


def has_begun(worker: Server) -> bool:
    try:
        return worker.get("/health")["status"] == "ok"
    except OSError:
        return False


def within(seconds: float, is_so: Callable[[], bool], pipeline: Pipeline) -> None:
    """Wait until `is_so()`, and fail with all that was told when it does not come true."""
    give_up_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up_at, pipeline.told
        time.sleep(0.05)


@pytest.mark.long
def test_one_emergency_caller_left_waiting_is_all_that_is_told_and_in_time(pipeline: Pipeline) -> None:
    eventually(lambda: bool(pipeline.prometheus.query(f'occ_visits_waiting{{centre="{ROOM}"}}')), "it is scraped")
    assert pipeline.told_of(ROOM) == {}
    queued_at = wall_clock()
    pipeline.day.leave_waiting(queued_at)
    within(PATIENCE_SECONDS, lambda: bool(pipeline.told_of(ROOM)), pipeline)
    after = (wall_clock() - queued_at) / SECOND
    pipeline.day.answer_at_last(wall_clock())
    assert pipeline.told_of(ROOM) == {"/page": [("EmergencyCallerWaiting", "firing")]}
    assert THRESHOLD_SECONDS <= after < THRESHOLD_SECONDS + NOTIFIED_WITHIN_SECONDS


def test_a_bad_hour_is_told_once_to_whom_it_concerns(pipeline: Pipeline) -> None:
    expected = {
        "/page": [("EmergencyBurningFast", "firing")],
        "/duty-manager": [("NonEmergencyAbandoning", "firing"), ("NonEmergencyBurning", "firing")],
    }
    within(PATIENCE_SECONDS, lambda: pipeline.told_of(NORTH).keys() >= expected.keys(), pipeline)
    assert pipeline.told_of(NORTH) == expected


def panel_queries() -> Iterator[tuple[str, str]]:
    """(where, the query as Grafana sends it)"""
    for uid, content in RENDERED.items():
        for panel in content["panels"]:
            for target in panel.get("targets", ()):
                expr = (
                    target["expr"].replace("$centre", DEMO).replace("$queue", ".+").replace("$__rate_interval", "1m")
                )
                yield f"{uid}: {panel['title']}", expr


def test_every_panel_has_data(pipeline: Pipeline) -> None:
    left = dict(panel_queries())
    assert len(left) > 30

    def look() -> bool:
        for where, expr in list(left.items()):
            if pipeline.prometheus.query(expr):
                del left[where]
        return not {where for where, expr in left.items() if not NOT_YET & set(re.findall(r"occ_\w+", expr))}

    try:
        eventually(look, "every panel has data")
    except AssertionError:
        raise AssertionError(left) from None


def test_a_scrape_is_small_and_quick(pipeline: Pipeline) -> None:
    """Of three control rooms: fewer than 2,000 series each, less than 1 MB, and 50 ms for each."""
    [series] = pipeline.prometheus.query('scrape_samples_scraped{job="occ-worker"}')
    assert float(series["value"][1]) < 3 * 2_000
    [quickest] = pipeline.prometheus.query('min_over_time(scrape_duration_seconds{job="occ-worker"}[5m])')
    assert float(quickest["value"][1]) < 3 * 0.050
