"""What Prometheus reads of a worker: names and labels are a contract with the rules and dashboards of others."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations, product

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from schemas import events as ev
from schemas.codec import Arrival, new_event
from schemas.events import EVENT_TYPES, Event
from schemas.moments import SECOND, micros, moment
from schemas.outputs import REFUSAL_REASONS
from stream.engine import Engine
from stream.profile import Profile
from telephony.room import SimulationConfig, Team, always_busy
from telephony.simulator import Simulation
from tests.scrape import collector

CONTRACT = {
    "occ_visits_waiting": ("gauge", {"centre", "queue"}),
    "occ_callbacks_waiting": ("gauge", {"centre", "queue"}),
    "occ_visits_headless": ("gauge", {"centre"}),
    "occ_visit_corrections_total": ("counter", {"centre", "queue", "from", "to"}),
    "occ_snapshot_drift": ("gauge", {"centre", "queue"}),
    "occ_clock_skew_seconds": ("gauge", {"centre", "source"}),
    "occ_oldest_wait_seconds": ("gauge", {"centre", "queue"}),
    "occ_visits_queued_total": ("counter", {"centre", "queue"}),
    "occ_visits_ended_total": ("counter", {"centre", "queue", "outcome"}),
    "occ_wait_seconds": ("histogram", {"centre", "queue", "outcome"}),
    "occ_service_level_ratio": ("gauge", {"centre", "queue", "window", "formula"}),
    "occ_service_level_events": ("gauge", {"centre", "queue", "window", "result"}),
    "occ_abandonment_ratio": ("gauge", {"centre", "queue", "window", "formula"}),
    "occ_average_speed_of_answer_seconds": ("gauge", {"centre", "queue", "window"}),
    "occ_handle_seconds": ("gauge", {"centre", "queue", "window", "part"}),
    "occ_handlers": ("gauge", {"centre", "queue", "state"}),
    "occ_calls_offered_total": ("counter", {"centre", "service", "origin", "channel"}),
    "occ_announcements_total": ("counter", {"centre", "queue", "kind", "outcome"}),
    "occ_events_total": ("counter", {"centre", "type"}),
    "occ_events_refused_total": ("counter", {"reason"}),
    "occ_event_anomalies_total": ("counter", {"kind"}),
    "occ_data_age_seconds": ("gauge", {"centre"}),
    "occ_source_heartbeat_age_seconds": ("gauge", {"centre", "source"}),
    "occ_lag_events": ("gauge", {"partition"}),
    "occ_conservation_error": ("gauge", {"centre", "queue"}),
    "occ_restore_seconds": ("gauge", set()),
    "occ_build_info": ("gauge", {"version"}),
}

CENTRE = "mercia"
QUEUES = ("999", "101", "101-secondary", "internal", "digital", "desk")
ANNOUNCED = ("101", "101-secondary", "internal", "desk")
WITHOUT_SHORT_CALLS = ("999", "digital")
OUTCOMES = (
    "answered",
    "abandoned",
    "abandoned_short",
    "callback_requested",
    "timed_out",
    "exited_by_key",
    "transferred_out",
    "withdrawn",
    "lost",
)
CORRECTIONS = [
    {"queue": queue, "from": before, "to": after}
    for queue in QUEUES
    for before, after in permutations(OUTCOMES, 2)
    if queue not in WITHOUT_SHORT_CALLS or "abandoned_short" not in (before, after)
]


def every(**values: tuple[str, ...]) -> list[dict[str, str]]:
    """Each combination of the values of some labels."""
    return [dict(zip(values, combination, strict=True)) for combination in product(*values.values())]


FROM_THE_START = {
    "occ_visits_waiting": every(queue=QUEUES),
    "occ_callbacks_waiting": every(queue=QUEUES),
    "occ_oldest_wait_seconds": every(queue=QUEUES),
    "occ_snapshot_drift": every(queue=QUEUES),
    "occ_conservation_error": every(queue=QUEUES),
    "occ_visits_headless": [{}],
    "occ_visits_queued_total": every(queue=QUEUES),
    "occ_visits_ended_total": every(queue=QUEUES, outcome=OUTCOMES),
    "occ_visit_corrections_total": CORRECTIONS,
    "occ_wait_seconds_count": every(queue=QUEUES, outcome=("answered", "abandoned", "other")),
    "occ_service_level_events": every(
        queue=QUEUES,
        window=("5m", "15m", "30m", "60m", "6h", "today"),
        result=("met", "missed", "abandoned_short", "abandoned_long", "timed_out", "excluded"),
    ),
    "occ_handlers": every(
        queue=QUEUES,
        state=("available", "ringing", "talking", "hold", "wrap_up", "not_ready", "logged_out", "unknown"),
    ),
    "occ_calls_offered_total": every(
        service=("999", "101", "internal", "digital", "other"),
        origin=("public", "diverted_mobile", "internal", "station_phone", "other_agency", "unknown"),
        channel=("voice", "digital", "text_relay"),
    ),
    "occ_announcements_total": every(
        queue=ANNOUNCED,
        kind=(
            "welcome",
            "position",
            "position_and_wait",
            "reassurance",
            "emergency_first",
            "apology",
            "quieter_times",
        ),
        outcome=("issued", "played", "cut_by_answer", "caller_left", "expired", "failed"),
    ),
    "occ_events_total": every(type=tuple(EVENT_TYPES)),
    "occ_events_refused_total": every(reason=REFUSAL_REASONS),
    "occ_event_anomalies_total": every(
        kind=(
            "repeated",
            "same_id_other_content",
            "losing_fact",
            "negative_duration",
            "too_many_facts",
            "too_many_handlers",
            "too_many_sources",
            "headless_for_60s",
            "timed_out_snapshot_parts",
        )
    ),
    "occ_lag_events": every(partition=("0",)),
}
SERIES_MAX = 2_000
STARTS_AT = datetime(2026, 11, 24, 10, tzinfo=UTC)


def a_room() -> Engine:
    """One configured control room with six queues, of which nothing was heard yet."""
    profile = Profile(
        centres=frozenset({CENTRE}), expected_sources={CENTRE: frozenset({f"//{CENTRE}/pbx1", f"//{CENTRE}/safe"})}
    )
    return Engine(profile.with_target("desk", profile.targets["101"]), opens=[CENTRE])


def scraped(engine: Engine, now: int) -> list[Metric]:
    """What Prometheus understands of the page."""
    registry = CollectorRegistry()
    registry.register(collector(engine, now))
    return list(text_string_to_metric_families(generate_latest(registry).decode()))


def busy_hour() -> Iterator[Event]:
    """Every type of event, and more callers than six queues can serve."""
    usual = SimulationConfig(centre=CENTRE, starts_at=STARTS_AT, hours=1, scale=3, sick=0.4)
    full = replace(usual.queues["101"], capacity=6, moved_up=0.2)
    room = replace(
        usual,
        queues={**usual.queues, "101": full, "desk": usual.queues["101-secondary"]},
        demands={**usual.demands, "station": replace(usual.demands["101"], queue="desk")},
        teams=(*usual.teams, Team(name="desk", queues=("desk",), staff=(4, 4, 4))),
    )
    yield said(ev.Note, ev.NoteData(centre=CENTRE, at=STARTS_AT, scope="room", kind="pilot", text="a busy hour"), 0)
    profile = ev.ProfilePublishedData(centre=CENTRE, slots=(), month_to_date={}, computed_at=STARTS_AT)
    yield said(ev.ProfilePublished, profile, 0)
    ring_back = ev.CallRungBackData(centre=CENTRE, call="back-1", for_call="call-1", result="reached")
    yield said(ev.CallRungBack, ring_back, 0)
    yield from Simulation(always_busy(room), seed=1).events()


def said(cls: type[Event], data: ev.Data, at: int) -> Event:
    """An event at `at` (µs), or when the hour starts."""
    at = at or micros(STARTS_AT)
    ident = f"{cls.__name__}-{at}-{data}"[:200]
    return new_event(cls, data, id=ident, source=f"//{CENTRE}/announcer", time=moment(at))


@pytest.fixture(scope="module")
def after_a_busy_hour() -> tuple[Engine, int]:
    """(the engine, the time)"""
    engine, now = a_room(), 0
    for event in busy_hour():
        at = micros(event.time)
        commands = engine.apply([Arrival(event, at, at)], at).commands
        if at >= now + SECOND:
            commands += engine.tick(at).commands
            now = at
        for command in commands:
            data = ev.AnnouncementOutcomeData(
                centre=CENTRE, announcement=command.id, visit=command.visit, outcome="played"
            )
            engine.apply([Arrival(said(ev.AnnouncementOutcome, data, at), at, at)], at)
    return engine, now


def test_every_metric_is_there_with_its_type_and_labels(
    after_a_busy_hour: tuple[Engine, int],
) -> None:
    shown = {}
    for family in scraped(*after_a_busy_hour):
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        assert all(sample.labels.keys() - {"le"} == labels for sample in family.samples), family.name
        shown[family.name + ("_total" if family.type == "counter" else "")] = (family.type, labels)
    assert {name: shown.get(name) for name in CONTRACT} == CONTRACT


def in_order(labels: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(of_one.items()) for of_one in labels)


@pytest.mark.parametrize("name", FROM_THE_START)
def test_label_values_are_there_before_the_first_event_and_none_is_added(
    after_a_busy_hour: tuple[Engine, int], name: str
) -> None:
    for engine, now in ((a_room(), micros(STARTS_AT)), after_a_busy_hour):
        samples = [sample for family in scraped(engine, now) for sample in family.samples if sample.name == name]
        assert all(sample.labels.pop("centre", CENTRE) == CENTRE for sample in samples)
        assert in_order([sample.labels for sample in samples]) == in_order(FROM_THE_START[name])


def test_a_busy_room_with_six_queues_stays_under_2000_series(after_a_busy_hour: tuple[Engine, int]) -> None:
    engine, now = after_a_busy_hour
    room = engine.rooms[CENTRE]
    assert room.counters.events.keys() == set(EVENT_TYPES.values()), "the hour lacks a type of event"
    assert tuple(room.queues) == QUEUES
    assert all(queue.counters.queued > 20 for queue in room.queues.values())
    assert sum(count for (_, name), count in issued(engine) if name == "played") > 100
    assert sum(len(family.samples) for family in scraped(engine, now)) < SERIES_MAX


def issued(engine: Engine) -> list[tuple[tuple[str, str], int]]:
    """((kind, outcome), how many) of the announcements of all queues."""
    return [each for queue in engine.rooms[CENTRE].queues.values() for each in queue.counters.announcements.items()]


def test_anomalies_of_a_worker_do_not_fall_when_one_of_its_partitions_goes() -> None:
    #  two engines of one worker: one is let go, what it counted stays
    anomalies = a_room().anomalies
    engines = [Engine(Profile(), anomalies=anomalies) for _ in range(2)]
    beat = said(ev.VisitEnded, ev.VisitEndedData(centre=CENTRE, visit="nobody"), 0)
    at = micros(STARTS_AT)
    for engine in engines:
        engine.apply([Arrival(beat, at, at)], at)
        engine.tick(at + 61 * SECOND)
    [family] = [each for each in scraped(engines[0], at) if each.name == "occ_event_anomalies"]
    assert {sample.labels["kind"]: sample.value for sample in family.samples}["headless_for_60s"] == 2
