"""Ten days under audit break no rule of speech and no figure; and each rule, deliberately broken, is noticed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from schemas.moments import SECOND
from stream import announcements, voice
from stream.announcements import Policy, Say, Situation
from stream.line import Line
from stream.profile import Profile, QueueTarget
from stream.voice import Voice
from telephony.simulator import Simulation
from tests.simulation.day import Day, Second, busy_room, describe, differences, run, seconds, starts_on

Broken = Callable[[pytest.MonkeyPatch], dict[str, Any]]
"""Breaks the policy, and returns what `run` is to be given."""


@pytest.mark.parametrize("seed", range(10))
def test_a_simulated_day_breaks_no_rule_and_its_figures_are_those_of_the_room(seed: int) -> None:
    simulation = Simulation(busy_room(starts_on(seed)), seed)
    outage = (14 * 3600 * SECOND, (14 * 3600 + 200) * SECOND)
    day = run(seconds(simulation, [outage]), Profile())
    assert [describe(fault) for fault in day.faults] == []
    assert differences(day, simulation.truth) == []
    assert min(day.commands[kind] for kind in ("welcome", "position", "reassurance")) > 50


# --- each rule broken --------------------------------------------------------------------------------------------


def _rush_hour() -> Simulation:
    """An hour and a half in which half of the staff are missing."""
    config = busy_room(
        datetime.fromisoformat("2026-11-24T10:00:00Z"), hours=1.5, sick=0.5, test_calls=0.1, ring_no_answer=0.1
    )
    return Simulation(config, 5)


@cache
def rush_hour() -> tuple[Second, ...]:
    return tuple(seconds(_rush_hour()))


@cache
def rush_hour_with_outages() -> tuple[Second, ...]:
    outages = [(start * SECOND, (start + 120) * SECOND) for start in range(600, 5400, 600)]
    return tuple(seconds(_rush_hour(), outages))


@pytest.mark.parametrize("time", [rush_hour, rush_hour_with_outages])
def test_the_rush_hour_itself_breaks_no_rule(time: Callable[[], tuple[Second, ...]]) -> None:
    day = run(time(), Profile())
    assert [describe(fault) for fault in day.faults] == []
    assert day.commands["position"] > 100


def with_policy(**values: int) -> Broken:
    return lambda _: {"policy": Policy(**values)}


def with_target(queue: str, **changes: Any) -> Profile:
    """The default profile but for one queue; values that a target refuses are put in all the same."""
    target = QueueTarget(service="101")
    for name, value in {**_members(Profile().target(queue)), **changes}.items():
        object.__setattr__(target, name, value)
    return Profile().with_target(queue, target)


def _members(target: QueueTarget) -> dict[str, Any]:
    return {name: getattr(target, name) for name in QueueTarget.__slots__}


def test_no_configuration_makes_it_speak_to_emergencies_or_without_a_voice() -> None:
    day = run(rush_hour(), with_target("999", announce="position_with_way_out"))
    assert [describe(fault) for fault in day.faults] == []
    day = run(rush_hour(), with_target("digital", announce="position"))
    assert [describe(fault) for fault in day.faults] == []


def speak_on_999(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "may_speak", lambda _: True)
    return {"profile": with_target("999", announce="position")}


def speak_without_voice(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "may_speak", lambda situation: situation.announce != "never")
    return {"profile": with_target("digital", announce="position")}


def speak_to_tests(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    class AnyPart:
        def __ne__(self, _: object) -> bool:
            return False

        __hash__ = None

    patch.setattr(voice, "COUNTED", AnyPart())
    return {}


def speak_late(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was decided is only issued two seconds later, whatever has happened since."""
    decided: list[Any] = []
    consider = Voice.consider

    def consider_late(self: Voice, now: int, epoch: int) -> Any:
        commands, _ = consider(self, now, epoch)
        decided.extend((now, command) for command in commands)
        ripe = [command for at, command in decided if at <= now - 2 * SECOND]
        decided[:] = [(at, command) for at, command in decided if at > now - 2 * SECOND]
        return ripe, []

    patch.setattr(Voice, "consider", consider_late)
    return {}


def cancel_nothing(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(Voice, "_cancellations", lambda *_: [])
    return {}


def trust_stale_data(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    def only_heed_the_head(situation: Situation) -> bool:
        return situation.position == 1 and situation.head_is_ringing

    patch.setattr(announcements, "must_be_silent", only_heed_the_head)
    return {"time": rush_hour_with_outages()}


def ignore_the_ringing(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "must_be_silent", lambda situation: not situation.fresh)
    return {}


def say_worse_numbers(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "is_better", lambda number, spoken: number != spoken)
    return {}


def say_the_same_number(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "is_better", lambda number, spoken: spoken is None or number <= spoken)
    return {}


def count_from_nought(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    position = Line.position
    patch.setattr(Line, "position", lambda self, key: max(1, position(self, key) - 1))
    return {}


def forget_the_way_out(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    pieces_of = announcements.pieces_of
    patch.setattr(voice, "pieces_of", lambda say: pieces_of(replace(say, with_way_out=False)))
    return {}


def way_out_for_colleagues(_: pytest.MonkeyPatch) -> dict[str, Any]:
    return {"profile": with_target("internal", announce="position_with_way_out")}


def use_an_id_twice(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    command = Voice._command

    def first_again(self: Voice, visit: Any, counting: Any, spoken: Any, say: Say, now: int, epoch: int) -> Any:
        spoken.sequence = 0
        return command(self, visit, counting, spoken, say, now, epoch)

    patch.setattr(Voice, "_command", first_again)
    return {}


def speak_english_only(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(voice, "language_for", lambda _: "en")
    return {}


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("nothing is spoken to emergencies, tests, call-backs or where there is no voice", speak_on_999),
        ("nothing is spoken to emergencies, tests, call-backs or where there is no voice", speak_without_voice),
        ("nothing is spoken to emergencies, tests, call-backs or where there is no voice", speak_to_tests),
        ("nothing is spoken to one who was answered or left", speak_late),
        ("a command is issued at the time of the clock", speak_late),
        ("what is left unsaid is cancelled", cancel_nothing),
        ("nothing is spoken on stale data", trust_stale_data),
        ("nothing is spoken at the head with a handler ringing", ignore_the_ringing),
        ("spoken positions fall", say_worse_numbers),
        ("spoken positions fall", say_the_same_number),
        ("the position spoken is the true one", count_from_nought),
        ("starts are at least 45 seconds apart", with_policy(gap=44 * SECOND)),
        ("no number in the first 30 seconds", with_policy(first_number_after=29 * SECOND)),
        ("nobody hears nothing for 125 seconds", with_policy(silence_max=130 * SECOND)),
        ("a command expires after five seconds", with_policy(expires_after=6 * SECOND)),
        ("the public is acknowledged within five seconds", with_policy(welcome_within=-1)),
        ("what is spoken first begins with the way out, for the public only", forget_the_way_out),
        ("what is spoken first begins with the way out, for the public only", way_out_for_colleagues),
        ("every id is used once", use_an_id_twice),
        ("the caller's language is spoken", speak_english_only),
    ],
)
def test_each_rule_broken_is_noticed(rule: str, broken: Broken, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"time": rush_hour(), "profile": Profile(), **broken(monkeypatch)}
    day: Day = run(given["time"], given["profile"], given.get("policy"), until_fault=rule)
    assert rule in {fault.rule for fault in day.faults}
