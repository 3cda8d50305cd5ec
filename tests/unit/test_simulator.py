"""A simulated room has to be one room: whatever it reports of itself has to agree."""

import re
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from schemas import events as ev
from schemas.codec import Arrival, decode, encode
from schemas.events import Event
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import QUEUE_SNAPSHOT_EVERY, Simulation
from telephony.truth import OUTCOMES, Truth

STARTS_AT = datetime(2026, 11, 24, tzinfo=UTC)
A_DAY = SimulationConfig(starts_at=STARTS_AT, sick=0.35, test_calls=0.02)
PHONE_NUMBER = re.compile(rb"(?<![0-9a-f])(?:\+|00)?(?:44|0)[1-9][0-9]{8,9}(?![0-9a-f])")


def made(config: SimulationConfig, seed: int = 1) -> list[Event]:
    return list(Simulation(config, seed).events())


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return Simulation(A_DAY, seed=2)


@pytest.fixture(scope="module")
def day(simulation: Simulation) -> list[Event]:
    """A day with a third of the staff missing, in which everything happens."""
    return list(simulation.events())


@pytest.fixture(scope="module")
def truth(simulation: Simulation, day: list[Event]) -> Truth:
    """What `day` was by the room's own books; they are right once the day is over."""
    return simulation.truth


def of_type(day: list[Event], cls: type[Any]) -> list[Any]:
    return [event for event in day if isinstance(event, cls)]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_day():
    config = SimulationConfig(starts_at=STARTS_AT, hours=2)
    first = [encode(event) for event in made(config)]
    assert [encode(event) for event in made(config)] == first
    assert not {event.id for event in made(config, seed=2)} & {event.id for event in made(config)}


def test_a_room_that_starts_later_reuses_no_id():
    config = SimulationConfig(starts_at=STARTS_AT, hours=1)
    later = SimulationConfig(starts_at=STARTS_AT + timedelta(days=1), hours=1)
    assert not {event.id for event in made(config)} & {event.id for event in made(later)}


def test_every_event_is_one_the_worker_accepts(day):
    for event in day:
        arrival = decode(encode(event))
        assert isinstance(arrival, Arrival), arrival
        assert arrival.event == event


def test_events_come_in_the_order_of_time_with_ids_of_their_own(day):
    assert all(before.time <= after.time for before, after in pairwise(day))
    assert len({(event.source, event.id) for event in day}) == len(day)


def test_everything_a_control_room_sees_happens_within_a_day(day):
    offered = [event.data for event in of_type(day, ev.CallOffered)]
    queued = [event.data for event in of_type(day, ev.VisitQueued)]
    ended = [event.data for event in of_type(day, ev.VisitEnded)]
    assert {event.data.reason for event in of_type(day, ev.VisitLeft)} == {
        "abandoned",
        "timed_out",
        "exited_by_key",
        "callback_requested",
        "transferred_out",
        "withdrawn",
    }
    assert {event.data.reason for event in of_type(day, ev.CallRefused)} == {"full", "closed", "unstaffed"}
    assert {call.origin for call in offered} == {
        "public",
        "diverted_mobile",
        "internal",
        "station_phone",
        "other_agency",
        "unknown",
    }
    assert {call.channel for call in offered} == {"voice", "digital", "text_relay"}
    assert {call.caller_state for call in offered} == {"ok", "withheld", "shared", "absent"}
    assert {call.language for call in offered} == {"en", "cy", None}
    assert all(call.site for call in offered if call.origin == "station_phone")
    assert all(call.department for call in offered if call.origin == "diverted_mobile")
    assert {visit.queue for visit in queued} == set(A_DAY.queues)
    assert any(visit.kind == "callback" and visit.original_queued_at and visit.callback_of for visit in queued)
    assert {visit.to_queue for visit in ended} == {None, "101-secondary"}
    assert {event.data.result for event in of_type(day, ev.CallRungBack)} == {"reached", "no_answer"}
    for cls in (ev.VisitPriority, ev.VisitHeld, ev.VisitResumed, ev.VisitRingNoAnswer, ev.CallEnded, ev.Note):
        assert of_type(day, cls), cls
    for cls in (ev.VisitWrappedUp, ev.RosterPlanned, ev.RosterAbsence, ev.SourceHeartbeat, ev.HandlerSnapshot):
        assert of_type(day, cls), cls
    assert {event.source for event in of_type(day, ev.VisitWrappedUp)} == {"//west-mercia/safe"}


def test_the_truth_is_what_a_naive_count_of_the_events_finds(day, truth):
    tests = {event.data.call for event in of_type(day, ev.CallOffered) if event.data.test}
    visits: dict[str, ev.VisitQueued] = {}
    visits_of: Counter[str] = Counter()
    counted: Counter[tuple[str, str, str]] = Counter()
    for event in day:
        match event:
            case ev.VisitQueued():
                visits[event.data.visit] = event
                visits_of[event.data.call] += 1
                outcome, queued = "queued", event
                first = {event.data.visit: visits_of[event.data.call] == 1}
            case ev.VisitAnswered():
                outcome, queued = "answered", visits[event.data.visit]
            case ev.VisitLeft():
                outcome, queued = event.data.reason, visits[event.data.visit]
                limit = 0 if queued.data.queue in ("999", "digital") else 5
                first = queued.data.queue != "101-secondary" and queued.data.kind is None
                if outcome == "abandoned" and first and event.time - queued.time < timedelta(seconds=limit):
                    outcome = "abandoned_short"
            case _:
                continue
        part = "tests" if queued.data.call in tests else "callbacks" if queued.data.kind else "counted"
        counted[part, queued.data.queue, outcome] += 1
    assert truth.visits == counted
    assert truth.events.total() == len(day)
    assert truth.calls["offered"] == len(of_type(day, ev.CallOffered))
    assert truth.calls["refused"] == len(of_type(day, ev.CallRefused))
    assert truth.calls["ended_before_queue"] == len(of_type(day, ev.CallEnded))
    assert truth.calls["with_visit"] == len(visits_of)


def test_every_visit_ends_once_and_every_conversation_after_it_began(day, truth):
    ways_out = [event.data.visit for event in day if isinstance(event, ev.VisitAnswered | ev.VisitLeft)]
    assert Counter(ways_out) == Counter(event.data.visit for event in of_type(day, ev.VisitQueued))
    answered = {event.data.visit: event.time for event in of_type(day, ev.VisitAnswered)}
    ended = {event.data.visit: event.time for event in of_type(day, ev.VisitEnded)}
    wrapped_up = {event.data.visit: event.time for event in of_type(day, ev.VisitWrappedUp)}
    assert answered.keys() == ended.keys()
    assert all(answered[visit] < ended[visit] for visit in ended)
    assert all(ended[visit] < wrapped_up[visit] for visit in wrapped_up)
    for queue in truth.queues:
        counts = truth.of_queue(queue)
        assert counts["waiting"] == 0
        assert counts["queued"] == sum(counts[outcome] for outcome in OUTCOMES)
    last = of_type(day, ev.SourceHeartbeat)[-1].data
    assert (last.calls_up, last.callers_queued) == (0, 0)
    after = timedelta(microseconds=QUEUE_SNAPSHOT_EVERY)
    last_snapshots = {
        event.data.queue: event.data.waiting for event in day[-200:] if isinstance(event, ev.QueueSnapshot)
    }
    assert last_snapshots == dict.fromkeys(A_DAY.queues, ())
    assert max(ended.values()) + after <= day[-1].time


def test_conservation_holds_in_the_middle_of_the_day():
    simulation = Simulation(A_DAY, seed=2)
    waited = 0
    while simulation.due_at is not None and simulation.truth.events.total() < 40_000:
        simulation.take()
        for queue in simulation.truth.queues:
            waiting = simulation.truth.waiting("counted", queue)
            assert waiting >= 0
            waited = max(waited, waiting)
    assert waited > 5


def test_emergency_calls_are_answered_before_all_others(day):
    queue_of = {event.data.visit: event.data.queue for event in of_type(day, ev.VisitQueued)}
    serves: dict[str, tuple[str, ...]] = {}
    unattended: set[str] = set()
    others_rung_by_emergency_staff = 0
    for event in day:
        match event:
            case ev.HandlerState():
                serves[event.data.handler] = event.data.queues or ()
            case ev.VisitQueued(data=data) if data.queue == "999":
                unattended.add(data.visit)
            case ev.VisitRinging(data=data):
                unattended.discard(data.visit)
                if queue_of[data.visit] != "999" and "999" in serves[data.handler]:
                    others_rung_by_emergency_staff += 1
                    assert not unattended
            case ev.VisitRingNoAnswer(data=data) if queue_of[data.visit] == "999":
                unattended.add(data.visit)
            case ev.VisitLeft(data=data):
                unattended.discard(data.visit)
            case _:
                pass
    assert others_rung_by_emergency_staff > 500


def test_positions_and_snapshots_tell_of_the_same_line(day):
    lines: dict[str, dict[str, tuple[int, datetime, str]]] = {queue: {} for queue in A_DAY.queues}
    queue_of: dict[str, str] = {}
    listed = 0
    for event in day:
        match event:
            case ev.VisitQueued(data=data):
                since = data.original_queued_at or event.time
                queue_of[data.visit] = data.queue
                line = lines[data.queue]
                line[data.visit] = (-(data.priority or 0), since, data.visit)
                assert data.position == sorted(line, key=line.__getitem__).index(data.visit) + 1
            case ev.VisitPriority(data=data):
                line = lines[queue_of[data.visit]]
                line[data.visit] = (-data.priority, *line[data.visit][1:])
            case ev.VisitAnswered(data=data) | ev.VisitLeft(data=data):
                del lines[queue_of[data.visit]][data.visit]
            case ev.QueueSnapshot(data=data):
                line = lines[data.queue]
                assert [now.visit for now in data.waiting] == sorted(line, key=line.__getitem__)
                assert [now.position for now in data.waiting] == list(range(1, len(line) + 1))
                listed += len(line)
            case _:
                pass
    assert listed > 1_000


def test_heartbeats_and_handler_snapshots_say_what_the_events_said(day):
    states: dict[str, str] = {}
    tests = {event.data.call for event in of_type(day, ev.CallOffered) if event.data.test}
    counted: set[str] = set()
    waiting: set[str] = set()
    seen = 0
    for event in day:
        match event:
            case ev.HandlerState(data=data):
                states[data.handler] = data.state
            case ev.HandlerSnapshot(data=data):
                assert {now.handler: now.state for now in data.handlers} == {
                    handler: state for handler, state in states.items() if state != "logged_out"
                }
            case ev.VisitQueued(data=data):
                waiting.add(data.visit)
                if data.kind is None and data.call not in tests:
                    counted.add(data.visit)
            case ev.VisitAnswered(data=data) | ev.VisitLeft(data=data):
                waiting.discard(data.visit)
            case ev.SourceHeartbeat(data=data):
                assert data.callers_queued == len(waiting & counted)
                assert data.events_seen == seen
            case _:
                pass
        seen += event.source.endswith("/pbx1") and not isinstance(event, ev.SourceHeartbeat)


def test_nobody_talks_to_two_callers_at_once(day):
    talking: dict[str, str] = {}
    handler_of: dict[str, str] = {}
    for event in day:
        match event:
            case ev.VisitAnswered(data=data):
                assert data.handler not in talking
                talking[data.handler] = data.visit
                handler_of[data.visit] = data.handler
            case ev.VisitEnded(data=data):
                del talking[handler_of[data.visit]]
            case _:
                pass


def test_contact_logging_takes_two_minutes_more_than_a_call_without_it(day):
    queue_of = {event.data.visit: event.data.queue for event in of_type(day, ev.VisitQueued)}
    ended = {event.data.visit: event.time for event in of_type(day, ev.VisitEnded)}
    taken: dict[str, list[float]] = {queue: [] for queue in A_DAY.queues}
    for event in of_type(day, ev.VisitWrappedUp):
        visit = event.data.visit
        taken[queue_of[visit]].append((event.time - ended[visit]).total_seconds())
    mean = {queue: sum(seconds) / len(seconds) for queue, seconds in taken.items()}
    for queue, model in A_DAY.queues.items():
        assert mean[queue] == pytest.approx(model.wrap_up.mean + model.contact_log, rel=0.15), queue
    assert mean["101"] > 120 > mean["internal"]


def test_who_gives_up_on_101_rings_again_under_the_same_pseudonym(day):
    call_of = {event.data.visit: event.data.call for event in of_type(day, ev.VisitQueued)}
    gave_up: dict[str, datetime] = {}
    token_of = {
        event.data.call: token
        for event in of_type(day, ev.CallOffered)
        for token in event.data.caller_tokens or ()
        if event.data.origin == "public"
    }
    redialled: Counter[str] = Counter()
    for event in day:
        if isinstance(event, ev.VisitLeft) and event.data.reason == "abandoned":
            token = token_of.get(call_of[event.data.visit])
            if token is not None:
                gave_up[token.token] = event.time
        elif isinstance(event, ev.CallOffered) and event.data.call in token_of:
            left_at = gave_up.pop(token_of[event.data.call].token, None)
            if left_at is not None and event.time - left_at < timedelta(minutes=30):
                redialled[event.data.service] += 1
    assert redialled["101"] > redialled["999"] > 0


def test_no_telephone_number_leaves_the_room(day):
    assert PHONE_NUMBER.search(b'"07700900123"')
    assert not [event for event in day if PHONE_NUMBER.search(encode(event))]


def test_only_callers_who_can_be_told_apart_have_pseudonyms(day):
    for event in of_type(day, ev.CallOffered):
        assert (event.data.caller_tokens is not None) == (event.data.caller_state == "ok")


def test_between_four_and_ten_past_five_callers_have_the_pseudonyms_of_two_days(day):
    for event in of_type(day, ev.CallOffered):
        tokens = event.data.caller_tokens
        if tokens is not None:
            both = (4, 0) <= (event.time.hour, event.time.minute) < (5, 10)
            assert len({token.key_day for token in tokens}) == (2 if both else 1)


def test_demand_follows_the_hours_and_the_surge():
    config = SimulationConfig(starts_at=STARTS_AT, hours=24, scale=3, surge_hour=15, heartbeats=False)
    by_hour = Counter(
        event.time.hour for event in Simulation(config, 1).events() if isinstance(event, ev.CallOffered)
    )
    assert by_hour[11] > 2.5 * by_hour[4]
    assert by_hour[15] > 1.3 * by_hour[14]


def test_hours_are_local_hours():
    summer = SimulationConfig(starts_at=datetime(2026, 7, 3, tzinfo=UTC), hours=20, heartbeats=False, surge_hour=19)
    assert [event.time.hour for event in made(summer) if isinstance(event, ev.Note)] == [18]


def test_a_larger_room_has_more_callers_and_more_people():
    small, large = (
        made(always_busy(SimulationConfig(starts_at=STARTS_AT, hours=0.5, scale=scale, heartbeats=False)))
        for scale in (1, 10)
    )
    assert 6 < len(of_type(large, ev.CallOffered)) / len(of_type(small, ev.CallOffered)) < 15
    people = [len({event.data.handler for event in of_type(events, ev.HandlerState)}) for events in (small, large)]
    assert 6 < people[1] / people[0] < 10


def test_a_room_that_is_always_busy_has_a_queue_at_night():
    config = always_busy(SimulationConfig(starts_at=STARTS_AT, hours=1, scale=12))
    waiting = [
        len(event.data.waiting)
        for event in made(config)
        if isinstance(event, ev.QueueSnapshot) and event.data.queue == "101"
    ]
    assert max(waiting) > 10


def test_without_heartbeats_there_is_none():
    assert not of_type(made(SimulationConfig(starts_at=STARTS_AT, hours=0.5, heartbeats=False)), ev.SourceHeartbeat)


@pytest.mark.parametrize("wrong", [{"scale": 0}, {"scale": 101}, {"hours": 0}, {"starts_at": datetime(2026, 11, 24)}])  # noqa: DTZ001
def test_an_impossible_room_is_refused(wrong):
    with pytest.raises(ValueError, match=r"starts_at|scale"):
        SimulationConfig(**{"starts_at": STARTS_AT, **wrong})


def test_memory_holds_the_room_and_not_the_day():
    simulation = Simulation(SimulationConfig(starts_at=STARTS_AT, hours=24), seed=1)
    events = simulation.events()
    for _ in range(5_000):
        next(events)
    tracemalloc.start()
    try:
        for _ in range(30_000):
            next(events)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000  # thirty thousand events themselves are over twenty times that
