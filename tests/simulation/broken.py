"""Each rule of speech deliberately broken: what the auditor must notice, and what a day is like without the rule."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import pytest

from schemas.moments import MINUTE, SECOND
from stream import announcements, expected_wait, habits, voice
from stream.announcements import MORE_THAN_THIRTY, Policy, Say, Situation
from stream.flow import Lately
from stream.line import Line
from stream.profile import Profile, QueueTarget
from stream.voice import Voice
from telephony.simulator import Simulation
from tests.simulation.day import Second, busy_room, seconds

Broken = Callable[[pytest.MonkeyPatch], dict[str, Any]]
"""Breaks the policy, and returns what `run` is to be given."""


def _rush_hour() -> Simulation:
    """An hour and a half in which half of the staff are missing."""
    config = busy_room(
        datetime.fromisoformat("2026-11-24T10:00:00Z"), hours=1.5, sick=0.5, test_calls=0.1, ring_no_answer=0.1
    )
    return Simulation(config, 5)


OUTAGES_OF_A_DAY = [(hour * 3600 * SECOND, (hour * 3600 + 200) * SECOND) for hour in range(8, 20, 2)]


@cache
def rush_hour() -> tuple[Second, ...]:
    return tuple(seconds(_rush_hour()))


@cache
def rush_hour_with_outages() -> tuple[Second, ...]:
    outages = [(start * SECOND, (start + 120) * SECOND) for start in range(600, 5400, 600)]
    return tuple(seconds(_rush_hour(), outages))


def with_policy(name: str, **values: int) -> Broken:
    """Other times of the policy; `name` says what that does."""

    def broken(_: pytest.MonkeyPatch) -> dict[str, Any]:
        return {"policy": Policy(**values)}

    broken.__name__ = name
    return broken


def with_target(queue: str, **changes: Any) -> Profile:
    """The default profile but for one queue; values that a target refuses are put in all the same."""
    target = QueueTarget(service="101")
    for name, value in {**_members(Profile().target(queue)), **changes}.items():
        object.__setattr__(target, name, value)
    return Profile().with_target(queue, target)


def _members(target: QueueTarget) -> dict[str, Any]:
    return {name: getattr(target, name) for name in QueueTarget.__slots__}


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
    return {"time": rush_hour_with_outages(), "outages": OUTAGES_OF_A_DAY}


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


def round_nothing_up(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The wait as reckoned, without a fifth on top."""
    minutes_for = announcements.minutes_for
    patch.setattr(announcements, "minutes_for", lambda wait: minutes_for(wait * 10 // 12))
    return {}


def ignore_emergencies(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    share = Lately.share
    patch.setattr(Lately, "share", lambda self, kind: (share(self, kind)[0], 0))
    patch.setattr(expected_wait, "_higher_waiting", lambda *_: 0)
    return {}


def ignore_who_gives_up(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(expected_wait, "WAITED_ENOUGH", 1 << 62)
    return {}


def guess_from_few_answers(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(expected_wait, "ANSWERS_MIN", 0)
    return {}


def say_longer_waits(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "may_be_said", lambda minutes, told, _: minutes != told.minutes)
    return {}


def move_the_deadline(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A shorter wait is said although it ends later than the one before."""
    patch.setattr(
        announcements, "may_be_said", lambda minutes, told, _: announcements.is_better(minutes, told.minutes)
    )
    return {}


def repeat_more_than_thirty(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """To everybody who waits longer than five minutes, since hardly anybody waits longer than thirty."""
    minutes_for = announcements.minutes_for
    patch.setattr(announcements, "minutes_for", lambda wait: 5 if minutes_for(wait) <= 5 else MORE_THAN_THIRTY)
    may_be_said = announcements.may_be_said
    patch.setattr(
        announcements,
        "may_be_said",
        lambda minutes, *told: minutes == MORE_THAN_THIRTY or may_be_said(minutes, *told),
    )
    return {}


def never_apologise(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "apology_is_due", lambda *_: False)
    return {}


def apologise_early(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    due = announcements.apology_is_due
    patch.setattr(announcements, "apology_is_due", lambda spoken, now: due(spoken, now + MINUTE))
    return {}


def apologise_again(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    due = announcements.apology_is_due
    patch.setattr(announcements, "apology_is_due", lambda spoken, now: due(replace(spoken, apologised=False), now))
    return {}


def promise_after_the_apology(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    news = announcements._better_news
    patch.setattr(
        announcements,
        "_better_news",
        lambda situation, spoken, way_out: news(situation, replace(spoken, apologised=False), way_out),
    )
    return {}


def times_for_colleagues(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(Situation, "is_public", property(lambda situation: situation.announce != "never"))
    return {}


def say_nothing_of_emergencies(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "was_pushed_back", lambda *_: False)
    return {}


def blame_emergencies(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "was_pushed_back", lambda _, spoken: spoken.number is not None)
    return {}


def name_a_quieter_time_again(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    remember = voice.remember

    def forgetful(spoken: Any, *said: Any) -> None:
        remember(spoken, *said)
        spoken.quieter_said = False

    patch.setattr(voice, "remember", forgetful)
    return {}


def call_any_time_quieter(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(habits, "QUIETER_SHARE", 1)
    return {}


def trust_three_weeks(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(habits, "WEEKS_MIN", 3)
    return {}


def name_quieter_times_to_all(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    patch.setattr(announcements, "QUIETER_FROM", 2)
    return {}


def say_pieces_backwards(patch: pytest.MonkeyPatch) -> dict[str, Any]:
    pieces_of = announcements.pieces_of
    patch.setattr(voice, "pieces_of", lambda say: pieces_of(say)[::-1])
    return {}


RULES: tuple[tuple[str, Broken], ...] = (
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
    ("starts are at least 45 seconds apart", with_policy("speak_too_often", gap=44 * SECOND)),
    ("no number in the first 30 seconds", with_policy("say_numbers_too_soon", first_number_after=29 * SECOND)),
    ("nobody hears nothing for 125 seconds", with_policy("leave_callers_in_silence", silence_max=130 * SECOND)),
    ("a command expires after five seconds", with_policy("let_commands_live_on", expires_after=6 * SECOND)),
    ("the public is acknowledged within five seconds", with_policy("welcome_nobody", welcome_within=-1)),
    ("what is spoken first begins with the way out, for the public only", forget_the_way_out),
    ("what is spoken first begins with the way out, for the public only", way_out_for_colleagues),
    ("every id is used once", use_an_id_twice),
    ("the caller's language is spoken", speak_english_only),
    ("the wait spoken is the expected one", round_nothing_up),
    ("the wait spoken is the expected one", ignore_emergencies),
    ("the wait spoken is the expected one", ignore_who_gives_up),
    ("the wait spoken is the expected one", guess_from_few_answers),
    ("spoken waits fall", say_longer_waits),
    ("a new time ends no later than the one given", move_the_deadline),
    ("more than 30 minutes is said once", repeat_more_than_thirty),
    ("a promised time that has passed is apologised for", never_apologise),
    ("an apology is made once, when a promised time has passed", apologise_early),
    ("an apology is made once, when a promised time has passed", apologise_again),
    ("no times after the apology", promise_after_the_apology),
    ("times are for the public", times_for_colleagues),
    ("who is pushed back hears that emergencies go first", say_nothing_of_emergencies),
    ("emergencies go first is said to those who were pushed back", blame_emergencies),
    ("a quieter time is named once, after something else", name_a_quieter_time_again),
    ("a quieter time is one that is usually quieter", call_any_time_quieter),
    ("a quieter time is one that is usually quieter", trust_three_weeks),
    ("a quieter time is one that is usually quieter", name_quieter_times_to_all),
    ("reassurance comes after two minutes of silence", with_policy("reassure_too_soon", silence_max=100 * SECOND)),
    ("its words are its pieces", say_pieces_backwards),
)
"""What the auditor notices, and what makes it."""

WITHOUT: dict[str, Broken] = {broken.__name__.replace("_", "-"): broken for _, broken in RULES}
"""Every way of breaking a rule by its name on the command line."""
