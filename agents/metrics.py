"""What Prometheus reads: every metric is taken from the engines and the shell at the moment of the scrape.

Names, labels and units are a contract with the alert rules and dashboards. Label values that can be known exist from
the start, so that a counter's first step is seen. Gauges are exact and may be corrected; counters count first
conclusions and never fall while a worker lives.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate, permutations, product
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from agents.health import lag_seconds
from agents.shell import Shell
from schemas.events import EVENT_TYPES, AnnouncementOutcomeName
from schemas.moments import SECOND
from schemas.outputs import COMMAND_KINDS
from stream import counters, figures, handlers
from stream import tally as t
from stream.promises import RESULTS
from stream.queues import Queue
from stream.room import Room
from stream.windows import ROLLING, RollingWindows

WINDOWS = (*ROLLING, "today")
ANNOUNCEMENT_OUTCOMES = ("issued", *AnnouncementOutcomeName.__args__)  # type: ignore[attr-defined]
HANDLER_STATES = (*handlers.STATES, handlers.UNKNOWN)

_FORMULAS = {formula.name: formula for formula in figures.FORMULAS}
SERVICE_LEVEL_FORMULAS = {
    "headline": _FORMULAS["service_level"],
    "published": _FORMULAS["service_level_published"],
    "negative": _FORMULAS["service_level_negative"],
    "ignore": _FORMULAS["service_level_ignore"],
    "positive": _FORMULAS["service_level_positive"],
    "from_transfer": _FORMULAS["service_level_from_transfer"],
}
ABANDONMENT_FORMULAS = {
    "headline": _FORMULAS["abandonment_rate"],
    "including_short": _FORMULAS["abandonment_rate_including_short"],
    "after_30s": _FORMULAS["abandonment_rate_30s"],
}
HANDLE_PARTS = {
    "total": _FORMULAS["average_handle_time"],
    "talk": _FORMULAS["average_talk_time"],
    "hold": _FORMULAS["average_hold_time"],
    "wrap_up": _FORMULAS["average_wrap_up_time"],
}


class Page:
    """The families of one scrape, filled room by room."""

    def __init__(self) -> None:
        self.families: dict[str, Metric] = {}

    def gauge(self, name: str, about: str, labels: Mapping[str, str], value: float | None) -> None:
        """A gauge's sample; None is no data and gives no sample."""
        family = self._family(GaugeMetricFamily, name, about, labels)
        if value is not None:
            family.add_metric(list(labels.values()), value)

    def counter(self, name: str, about: str, labels: Mapping[str, str], value: float) -> None:
        """A counter's sample."""
        self._family(CounterMetricFamily, name, about, labels).add_metric(list(labels.values()), value)

    def histogram(self, name: str, about: str, labels: Mapping[str, str], counts: list[int], total: int) -> None:
        """A histogram of waits: `counts` by bucket, the last one beyond all bounds; `total` in µs."""
        bounds = [*map(str, map(float, counters.WAIT_BUCKETS_SECONDS)), "+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        family = self._family(HistogramMetricFamily, name, about, labels)
        family.add_metric(list(labels.values()), buckets, total / SECOND)

    def _family(self, kind: Callable[..., Any], name: str, about: str, labels: Mapping[str, str]) -> Any:
        family = self.families.get(name)
        if family is None:
            family = self.families[name] = kind(name, about, labels=list(labels))
        return family


class WorkerCollector(Collector):
    """Reads a worker's partitions; `clock` gives now in µs, `lag` a partition's records not applied yet."""

    def __init__(self, shell: Shell, clock: Callable[[], int], lag: Callable[[int], int]) -> None:
        self._shell = shell
        self._clock = clock
        self._lag = lag

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is depends on the control rooms."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything as of now."""
        page = Page()
        now = self._clock()
        self._worker(page)
        for number, partition in self._shell.partitions.items():
            about = "Records of the input that are not applied yet."
            lag = self._lag(number)
            page.gauge("occ_lag_events", about, {"partition": str(number)}, lag)
            about = "Age of the newest record that is applied while others wait; 0 when none do."
            page.gauge("occ_lag_seconds", about, {"partition": str(number)}, lag_seconds(partition, lag, now))
            for centre, room in partition.engine.rooms.items():
                _room(page, {"centre": centre}, room, now)
        yield from page.families.values()

    def _worker(self, page: Page) -> None:
        shell = self._shell
        page.gauge("occ_build_info", "Version of this worker.", {"version": version("occ-stream")}, 1)
        page.gauge("occ_restore_seconds", "How long the last restore of state took.", {}, shell.restore_seconds)
        refusals = shell.tools.refusals
        for reason, count in refusals.by_reason.items():
            page.counter("occ_events_refused_total", "Records refused, by reason.", {"reason": reason}, count)
        for kind, count in shell.tools.anomalies.items():
            about = "Things in the events that should not happen, by kind."
            page.counter("occ_event_anomalies_total", about, {"kind": kind}, count)
        page.gauge(
            "occ_events_refused_ratio", "Share of the last 1,000 records that was refused.", {}, refusals.share
        )


def _room(page: Page, centre: dict[str, str], room: Room, now: int) -> None:
    about = "Events applied, by type."
    for name, kind in EVENT_TYPES.items():
        page.counter("occ_events_total", about, {**centre, "type": name}, room.counters.events.get(kind, 0))
    _offered(page, centre, room)
    _liveness(page, centre, room, now)
    about = "Visits of which the queue or the time of joining is not known yet."
    page.gauge("occ_visits_headless", about, centre, len(room.headless))
    due = room.ring_backs_due(now)
    page.gauge("occ_ring_backs_due", "Abandoned 999 calls that have to be rung back.", centre, len(due))
    about = "How long ago the oldest 999 call that has to be rung back was abandoned."
    page.gauge("occ_ring_backs_due_oldest_seconds", about, centre, due[0][0] / SECOND if due else 0)
    staff = room.handlers.counts(now)
    for name, queue in room.queues.items():
        labels = {**centre, "queue": name}
        _queue(page, labels, queue, now)
        for state in HANDLER_STATES:
            count = staff.get((name, state), 0)
            page.gauge("occ_handlers", "Handlers by queue and state.", {**labels, "state": state}, count)


def _offered(page: Page, centre: dict[str, str], room: Room) -> None:
    about = "Calls offered, by service, origin and channel."
    for service, origin, channel in product(room.services, t.ORIGINS, t.CHANNELS):
        count = room.counters.calls_offered.get((service, origin, channel), 0)
        labels = {**centre, "service": service, "origin": origin, "channel": channel}
        page.counter("occ_calls_offered_total", about, labels, count)


def _liveness(page: Page, centre: dict[str, str], room: Room, now: int) -> None:
    liveness = room.liveness
    age = liveness.data_age(now)
    about = "Age of the oldest newest word of the sources that have to be alive, by append time."
    page.gauge("occ_data_age_seconds", about, centre, None if age is None else age / SECOND)
    for source, life in liveness.sources.items():
        labels = {**centre, "source": source}
        if life.heartbeat_appended_at is None:
            continue
        about = "Time since a source's last heartbeat was appended."
        heard = max(0, now - life.heartbeat_appended_at) / SECOND
        page.gauge("occ_source_heartbeat_age_seconds", about, labels, heard)
        about = "By how much a source's clock is ahead of Kafka's."
        page.gauge("occ_clock_skew_seconds", about, labels, life.clock_skew / SECOND)
        about = "Callers that a source says are queued."
        page.gauge("occ_source_callers_queued", about, labels, life.callers_queued)
        about = "Events that a source says its switch has seen."
        page.gauge("occ_source_events_seen", about, labels, life.events_seen)


def _queue(page: Page, labels: dict[str, str], queue: Queue, now: int) -> None:
    page.gauge("occ_visits_waiting", "Visits queued and not ended.", labels, queue.line.waiting)
    about = "Call-backs that keep a place in the line."
    page.gauge("occ_callbacks_waiting", about, labels, queue.callbacks)
    since = queue.line.oldest_since
    about = "How long the visit waits that waits longest; 0 when nobody does."
    page.gauge("occ_oldest_wait_seconds", about, labels, 0 if since is None else max(0, now - since) / SECOND)
    about = "Visits about which the last snapshot of the switch and this worker disagree."
    page.gauge("occ_snapshot_drift", about, labels, sum(queue.drift.values()))
    about = "By how much queued = outcomes + waiting fails; 0 unless something is broken."
    page.gauge("occ_conservation_error", about, labels, queue.conservation_error)
    _queue_counters(page, labels, queue)
    windows = queue.windows
    assert isinstance(windows, RollingWindows)
    windows.advance(now)
    tallies = windows.tallies()
    for window in WINDOWS:
        _window(page, {**labels, "window": window}, tallies[window])


def _queue_counters(page: Page, labels: dict[str, str], queue: Queue) -> None:
    counted = queue.counters
    page.counter("occ_visits_queued_total", "Visits that joined.", labels, counted.queued)
    for outcome, count in zip(t.OUTCOMES, counted.ended, strict=True):
        about = "Visits ended, by the outcome first concluded."
        page.counter("occ_visits_ended_total", about, {**labels, "outcome": outcome}, count)
    for group, counts, total in zip(counters.WAIT_GROUPS, counted.wait_buckets, counted.wait_sums, strict=True):
        about = "Waits in seconds, by the outcome first concluded."
        page.histogram("occ_wait_seconds", about, {**labels, "outcome": group}, counts, total)
    possible = set(range(len(t.OUTCOMES)))
    if not queue.target.short_limit:
        possible.remove(t.ABANDONED_SHORT)
    for before, after in permutations(possible, 2):
        about = "Outcomes that were concluded and turned out to be another."
        pair = {**labels, "from": t.OUTCOMES[before], "to": t.OUTCOMES[after]}
        page.counter("occ_visit_corrections_total", about, pair, counted.corrections.get((before, after), 0))
    if queue.target.announce != "never":
        for kind, outcome in product(COMMAND_KINDS, ANNOUNCEMENT_OUTCOMES):
            about = "Announcements issued, and what became of them."
            kinds = {**labels, "kind": kind, "outcome": outcome}
            page.counter("occ_announcements_total", about, kinds, counted.announcements.get((kind, outcome), 0))
    if queue.target.announce == "position_with_way_out":
        for result in RESULTS:
            about = "Promised waits, spoken or scored in silence, by what became of them."
            count = counted.promises.get(result, 0)
            page.counter("occ_promises_total", about, {**labels, "result": result}, count)
        about = "Share kept of the last promises of a wait."
        page.gauge("occ_promise_kept_ratio", about, labels, queue.promises.ratio)


def _window(page: Page, labels: dict[str, str], tally: t.Tally) -> None:
    for name, formula in SERVICE_LEVEL_FORMULAS.items():
        about = "Share of visits answered within the queue's target, by formula."
        page.gauge("occ_service_level_ratio", about, {**labels, "formula": name}, figures.value_of(formula, tally))
    for index, result in enumerate(t.SERVICE_LEVEL_RESULTS):
        about = "Service-level events in the window, by result: the counts behind the ratio."
        count = tally.get(t.SERVICE_LEVEL + index, 0)
        page.gauge("occ_service_level_events", about, {**labels, "result": result}, count)
    for name, formula in ABANDONMENT_FORMULAS.items():
        about = "Share of visits abandoned, by formula."
        page.gauge("occ_abandonment_ratio", about, {**labels, "formula": name}, figures.value_of(formula, tally))
    about = "Mean wait of the visits answered in the window."
    answer = figures.value_of(_FORMULAS["average_speed_of_answer"], tally)
    page.gauge("occ_average_speed_of_answer_seconds", about, labels, answer)
    for part, formula in HANDLE_PARTS.items():
        about = "Mean handling time of the visits settled in the window, by part; what nobody knows is left out."
        page.gauge("occ_handle_seconds", about, {**labels, "part": part}, figures.value_of(formula, tally))
