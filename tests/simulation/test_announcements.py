"""Ten days under audit break no rule of speech and no figure; and each rule, deliberately broken, is noticed."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from msgspec import structs

from schemas.codec import Arrival
from schemas.events import CallOffered
from schemas.moments import SECOND
from schemas.outputs import COMMAND_KINDS, Command
from stream.profile import Profile
from telephony.simulator import Simulation
from tests.simulation.broken import RULES, Broken, rush_hour, rush_hour_with_outages, with_target
from tests.simulation.day import Day, Second, busy_room, describe, differences, run, seconds, starts_on


@pytest.mark.parametrize("seed", range(10))
def test_a_simulated_day_breaks_no_rule_and_its_figures_are_those_of_the_room(seed: int) -> None:
    simulation = Simulation(busy_room(starts_on(seed)), seed)
    outage = (14 * 3600 * SECOND, (14 * 3600 + 200) * SECOND)
    told_what_is_usual = seed % 5 > 0
    day = run(seconds(simulation, [outage]), Profile(), usual_week=told_what_is_usual)
    assert [describe(fault) for fault in day.faults] == []
    assert differences(day, simulation.truth) == []
    assert {kind for kind in COMMAND_KINDS if day.commands[kind] < 5} == set(
        () if told_what_is_usual else ("quieter_times",)
    )
    assert share_kept(day) >= 0.85


def share_kept(day: Day) -> float:
    """The share of all promises of a day that were kept."""
    results: Counter[str] = Counter()
    for room in day.engine.rooms.values():
        for queue in room.queues.values():
            results.update(queue.counters.promises)
    return results["kept"] / (results["kept"] + results["broken"])


@pytest.mark.parametrize("time", [rush_hour, rush_hour_with_outages])
def test_the_rush_hour_itself_breaks_no_rule(time: Callable[[], tuple[Second, ...]]) -> None:
    day = run(time(), Profile())
    assert [describe(fault) for fault in day.faults] == []
    assert day.commands["position"] > 100


def test_no_configuration_makes_it_speak_to_emergencies_or_without_a_voice() -> None:
    day = run(rush_hour(), with_target("999", announce="position_with_way_out"))
    assert [describe(fault) for fault in day.faults] == []
    day = run(rush_hour(), with_target("digital", announce="position"))
    assert [describe(fault) for fault in day.faults] == []


@pytest.mark.parametrize(("rule", "broken"), RULES)
def test_each_rule_broken_is_noticed(rule: str, broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"time": rush_hour(), "profile": Profile(), **broken(monkeypatch)}
    day: Day = run(given["time"], given["profile"], given.get("policy"), until_fault=rule, usual_week=True)
    assert rule in {fault.rule for fault in day.faults}


def test_welsh_callers_hear_the_same_content_as_often() -> None:
    english, welsh = (run(in_language(language), Profile(), usual_week=True) for language in ("en", "cy"))
    assert [contents(command) for command in welsh.said] == [contents(command) for command in english.said]
    assert {command.language for command in welsh.said} == {"cy"}
    assert not {command.text for command in welsh.said} & {command.text for command in english.said}


def in_language(language: str) -> Iterator[Second]:
    """The rush hour with every caller speaking `language`."""
    for now, arrivals in rush_hour():
        yield now, [_speaking(arrival, language) for arrival in arrivals]


def _speaking(arrival: Arrival, language: str) -> Arrival:
    event = arrival.event
    if not isinstance(event, CallOffered):
        return arrival
    return structs.replace(arrival, event=structs.replace(event, data=structs.replace(event.data, language=language)))


def contents(command: Command) -> Command:
    """A command but for its language."""
    return structs.replace(command, language="", text="")
