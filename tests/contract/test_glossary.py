"""The glossary says what the code does: names, formulas, thresholds, windows, limits; none missing, none more."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import Metric

from schemas import prompts
from schemas.codec import CLOCK_TOLERANCE, DEPTH_MAX, RECORD_BYTES_MAX, Arrival
from schemas.events import AnnouncementOutcomeData
from schemas.moments import HOUR, MINUTE, SECOND
from schemas.outputs import COMMAND_KINDS, REFUSAL_REASONS
from stream import (
    expected_wait,
    facts,
    figures,
    flow,
    habits,
    handlers,
    liveness,
    promises,
    queues,
    room,
    visits,
    windows,
)
from stream import tally as t
from stream.announcements import QUIETER_FROM, Policy
from stream.counters import ANOMALIES, WAIT_BUCKETS_SECONDS
from stream.engine import Engine
from stream.figures import FORMULAS, Formula
from stream.history import WINDOWS, History, Period
from stream.profile import Profile, QueueTarget
from stream.tally import Atom, Tally
from stream.voice import OUTCOME_OVERDUE_AFTER
from tests.feed import CENTRE, answered, call_ended, ended, heartbeat, in_order, left, offered, queued, us, wrapped_up
from tests.scrape import collector
from wallboard import streams
from wallboard.hub import Hub
from wallboard.metrics import WallboardCollector

PAGE = (Path(__file__).parents[2] / "docs/glossary.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
NAME = re.compile(r"`([^`]+)`")


def rows(section: str) -> list[list[str]]:
    """The cells of the table rows of a section, without the heads."""
    lines = re.findall(r"^\|(.*)\|$", SECTIONS[section], re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")] for line in lines]
    rules = {index for index, row in enumerate(cells) if set("".join(row)) == {"-"}}
    return [row for index, row in enumerate(cells) if not {index, index + 1} & rules]


def names(section: str) -> list[str]:
    """The names in the first column of a section."""
    return [name for row in rows(section) for name in NAME.findall(row[0])]


def text(section: str) -> str:
    """A section as one line."""
    return " ".join(SECTIONS[section].split())


COUNTS = {row[0].strip("`"): row for row in rows("Counts of a queue")}
RATIOS = {row[0].strip("`"): row for row in rows("Ratios and averages of a queue")}
FIGURES = ("Counts of a queue", "Ratios and averages of a queue", "Percentiles of waits", "Right now")


#  A day in which everything happens, in seconds. T is 30 s, and each call was
#  handed over 15 s and offered 10 s before it joined.
#
#  50      one joins of whom nobody speaks again: lost after 8 hours
#  1000 …  these join, and wait as long as this:
ANSWERED = {1000: 8, 2000: 20, 3000: 70}
LEFT = {
    4000: ("abandoned", 3),
    5000: ("abandoned", 20),
    6000: ("abandoned", 40),
    7000: ("timed_out", 25),
    8000: ("exited_by_key", 25),
    9000: ("callback_requested", 25),
    10_000: ("transferred_out", 25),
    11_000: ("withdrawn", 25),
}
WAITS = ANSWERED | {start: wait for start, (_, wait) in LEFT.items()}
#  30070   one joins the digital queue, T 900 s, and still waits
NOW = us(30_100)


def a_day() -> list[Arrival]:
    day = [offered("call-lost", 40), queued("lost", 50)]
    for start, wait in WAITS.items():
        visit, end = f"visit-{start}", start + wait
        day += [offered(f"call-{visit}", start - 10, transferred_at=start - 15), queued(visit, start)]
        if start in ANSWERED:
            day += [answered(visit, end), ended(visit, start + 200), wrapped_up(visit, start + 230)]
        else:
            day += [left(visit, end, LEFT[start][0]), call_ended(f"call-{visit}", end)]
    return [*day, offered("call-waits", 30_060, "digital"), queued("waits", 30_070, "digital")]


class Kept:
    """Windows that keep each atom as it is."""

    def __init__(self) -> None:
        self.clock = 0
        self.atoms: list[Atom] = []

    def add(self, atom: Atom) -> None:
        self.atoms.append(atom)

    def remove(self, atom: Atom) -> None:
        self.atoms.remove(atom)

    def advance(self, now: int) -> None:
        self.clock = now


def moments() -> dict[int, set[float]]:
    """By field of a queue's tally: at which seconds it grew that day."""
    kept: list[Kept] = []

    def make() -> Kept:
        kept.append(Kept())
        return kept[-1]

    engine = Engine(Profile(), make_windows=make)
    engine.apply(a_day(), NOW)
    engine.tick(NOW)
    of_calls = engine.rooms[CENTRE].call_windows
    grown: dict[int, set[float]] = {}
    for atom in (atom for of_queue in kept if of_queue is not of_calls for atom in of_queue.atoms):
        for field in atom[1::2]:
            grown.setdefault(field, set()).add((atom[0] - us(0)) / SECOND)
    return grown


MOMENTS = moments()

PLACES: dict[str, set[float]] = {
    "joining": {50, 30_070, *WAITS},
    "end of wait": {50, *(start + wait for start, wait in WAITS.items())},
    "target event": {50, 30_070 + 900, *(start + min(wait, 30) for start, wait in WAITS.items())},
    "transfer event": {start - 15 + min(wait + 15, 30) for start, wait in WAITS.items()},
    "settling": {start + 230 for start in ANSWERED},
    "offering": {40, *(start - 10 for start in WAITS)},
}


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_a_figure_is_placed_in_windows_by_the_moment_the_page_says(formula: Formula):
    placed_by = (COUNTS.get(formula.name) or RATIOS[formula.name])[3]
    grown = [MOMENTS.get(field, set()) for field in (*formula.numerator, *formula.denominator)]
    assert set().union(*grown), "the day shows nothing of this figure"
    allowed = PLACES["joining"] | PLACES["end of wait"] if placed_by == "each by its own" else PLACES[placed_by]
    assert set().union(*grown) <= allowed


IN_WORDS = {
    **{formula.numerator[0]: f"`{formula.name}`" for formula in FORMULAS if formula.unit == "count"},
    **{
        t.SERVICE_LEVEL_FROM_TRANSFER + result: f"`service_level_{name}`"
        for result, name in enumerate(t.SERVICE_LEVEL_RESULTS)
    },
    t.COHORT_ABANDONED_AFTER_30S: "abandoned with wait > 30 s",
    t.ANSWERED_WITHIN: "answered with wait < T",
    t.ANSWERED_UNDER_10S: "answered with wait < 10 s",
    t.ANSWERED_10S_TO_60S: "answered with 10 s ≤ wait < 60 s",
    t.ANSWERED_FROM_60S: "answered with wait ≥ 60 s",
    t.WAIT + t.ANSWERED: "sum of waits of `answered`",
    t.WAIT + t.ABANDONED: "sum of waits of `abandoned`",
    t.CALL_WAIT: "sum of all waits of the calls",
    t.CALL_WAIT_KNOWN: "calls",
    t.HANDLE: "sum of talk, hold and wrap-up",
    t.HANDLE_KNOWN: "visits with all three known",
    t.TALK: "sum of talk",
    t.TALK_KNOWN: "visits with talk known",
    t.HOLD: "sum of hold",
    t.HOLD_KNOWN: "visits with hold known",
    t.WRAP_UP: "sum of wrap-up",
    t.WRAP_UP_KNOWN: "visits with wrap-up known",
}


def in_words(fields: Iterable[int]) -> str:
    words = [IN_WORDS[field] for field in fields]
    return words[0] if len(words) == 1 else f"({' + '.join(words)})"


def threshold(formula: Formula) -> str:
    match formula.threshold:
        case None:
            return "–"
        case "target":
            return "T"
        case "short_limit":
            return "short limit"
        case seconds:
            return f"{seconds} s"


def test_every_figure_that_is_printed_is_on_the_page_and_no_other():
    history = History(Profile(), Period())
    list(history.take(in_order(a_day())))
    printed = history.rows()
    of_callers, of_calls = names("Callers of a day"), names("Calls of a control room")
    on_page = [name for section in FIGURES for name in names(section)] + of_calls + of_callers
    assert len(on_page) == len(set(on_page))
    assert {row["figure"] for row in printed} == set(on_page)
    of_room = {row["figure"] for row in printed if row["queue"] is None}
    assert of_room == {*of_calls, *of_callers, "feed_coverage", "ring_backs_due"}


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.name)
def test_a_figure_has_the_formula_and_threshold_the_page_says(formula: Formula):
    if formula.unit == "count":
        assert COUNTS[formula.name][2] == threshold(formula)
    else:
        assert RATIOS[formula.name][1] == f"{in_words(formula.numerator)} / {in_words(formula.denominator)}"
        assert RATIOS[formula.name][2] == threshold(formula)


def test_percentiles_leave_out_what_the_page_says():
    over_all, over_answered = ([*NAME.findall(row[0])] for row in rows("Percentiles of waits"))
    tally: Tally = {t.WAIT_BUCKET_ANSWERED + 1: 1, t.WAIT_BUCKET_UNANSWERED + 2: 1}
    waits = {name: total for name, _, total in figures.percentiles(tally)}
    assert waits == {**dict.fromkeys(over_all, 2), **dict.fromkeys(over_answered, 1)}


def test_outcomes_and_states_are_those_of_the_page():
    assert names("Outcomes") == list(t.OUTCOMES)
    assert tuple(NAME.findall(SECTIONS["State of a handler"])) == (*handlers.STATES, handlers.UNKNOWN)
    life = liveness.Liveness(frozenset())
    seen = [life.state(0)]
    life.heard("//mercia/pbx1", us(0))
    seen += [life.state(us(age)) for age in (31, 30, 16, 15, 0)]
    assert list(dict.fromkeys(reversed(seen))) == names("State of the feed")
    assert seen[1:] == ["dead", "late", "late", "live", "live"]


def test_refusals_and_anomalies_are_those_of_the_page():
    assert names("Refused events") == list(REFUSAL_REASONS)
    assert names("Anomalies") == list(ANOMALIES)


def test_announcements_are_those_of_the_page():
    section = text("Announcements")
    assert set(names("Announcements")) == set(COMMAND_KINDS)
    outcomes = get_args(AnnouncementOutcomeData.__annotations__["outcome"])
    assert NAME.findall(section.partition("in one outcome:")[2].partition(". ")[0])[: len(outcomes)] == list(outcomes)
    policy = Policy()
    for said, duration in (
        ("within {} s of joining", policy.welcome_within),
        ("not before {} s", policy.first_number_after),
        ("after {} s of silence", policy.silence_max),
        ("at least {} s apart", policy.gap),
        ("expires {} s after it was decided", policy.expires_after),
        ("Without one {} s after it expired", OUTCOME_OVERDUE_AFTER),
    ):
        assert said.format(duration // SECOND) in section


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("Announcements", f"waits {QUIETER_FROM} minutes or more"),
        ("Announcements", f"the next {habits.QUIETER_WITHIN // HOUR} hours"),
        ("Announcements", f"at least {habits.WEEKS_MIN} of the same weekdays"),
        ("Expected wait", f"in the last {flow.ANSWERS_COUNT_FOR // MINUTE} minutes"),
        ("Expected wait", f"in the last {flow.ARRIVALS_COUNT_FOR // MINUTE} minutes"),
        ("Expected wait", f"in the last {flow.ABANDONS_COUNT_FOR // MINUTE} minutes"),
        ("Expected wait", f"1 in {expected_wait.ABANDON_AFTER // SECOND} s"),
        ("Expected wait", f"Under {expected_wait.HANDLED_ENOUGH} handled"),
        ("Expected wait", f"fewer than {expected_wait.ANSWERS_MIN} answers"),
        ("Expected wait", f"within {handlers.STAFF_LOOK_BACK // SECOND} s"),
        ("Expected wait", f"{', '.join(map(str, prompts.WAIT_MINUTES[:-1]))} or {prompts.WAIT_MINUTES[-1]} minutes"),
        ("Expected wait", f"over the last {promises.LAST}, of at most {promises.REMEMBERED // HOUR} hours"),
        ("Expected wait", f"Under 0.{promises.FALLS_BELOW_PERCENT} over {promises.LAST}"),
        ("Expected wait", f"0.{promises.ENDS_AT_PERCENT} over {promises.LAST} ends it"),
    ],
)
def test_what_is_said_of_waits_is_what_the_code_does(section: str, said: str):
    assert said in text(section)


def test_windows_are_those_of_the_page():
    live, whole = names("When a visit counts")[:-5][-7:], names("When a visit counts")[-5:]
    assert tuple(live) == windows.WINDOW_NAMES
    assert tuple(whole) == WINDOWS


def collected() -> list[Metric]:
    """What a worker with that day behind it shows to Prometheus."""
    engine = Engine(Profile())
    engine.apply([*a_day(), heartbeat(30_090)], NOW)
    engine.rooms[CENTRE].queues["101"].promises.score(promises.Judged(NOW, NOW, "kept"))
    return list(collector(engine, NOW).collect())


@pytest.mark.parametrize(
    ("section", "collect"),
    [
        ("Metrics", collected),
        ("Metrics of the wallboard", lambda: WallboardCollector(Hub(lambda: NOW)).collect()),
    ],
)
def test_metrics_and_their_labels_are_those_of_the_page(section: str, collect: Callable[[], Iterable[Metric]]):
    shown = {}
    for family in collect():
        labels = {label: None for sample in family.samples for label in sample.labels if label != "le"}
        shown[family.name + ("_total" if family.type == "counter" else "")] = ", ".join(labels) or "–"
    assert {row[0].strip("`"): row[1] for row in rows(section)} == shown


def test_the_closed_values_of_labels_are_on_the_page():
    closed = {"window", "formula", "result", "part", "state", "outcome", "kind", "reason", "from", "to"}
    on_page = set(NAME.findall(PAGE))
    used = {
        value
        for family in collected()
        for sample in family.samples
        for label, value in sample.labels.items()
        if label in closed
    }
    assert used - on_page == set()


def test_the_buckets_of_waits_are_those_of_the_page():
    assert f"in seconds: {', '.join(map(str, WAIT_BUCKETS_SECONDS))}." in text("Metrics")


def share(value: float | None) -> str:
    return "–" if value is None else f"{round(value * 100)} %"


def seconds(value: int | None) -> str:
    return "–" if value is None else f"{value // SECOND} s"


def target_row(name: str, target: QueueTarget) -> list[str]:
    return [
        f"`{name}`",
        f"{seconds(target.threshold)}, {share(target.service_level_target)}",
        seconds(target.short_limit),
        f"{share(target.abandonment_warn)} / {share(target.abandonment_bad)}",
        f"{seconds(target.oldest_wait_amber)} / {seconds(target.oldest_wait_red)}",
        target.announce,
    ]


def test_targets_are_those_of_the_page():
    assert rows("Targets") == [target_row(name, target) for name, target in Profile().targets.items()]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("Outcomes", f"{queues.LOST_AFTER_SNAPSHOTS_APART // SECOND} s apart"),
        ("Outcomes", f"for {QueueTarget(service='101').lost_after // HOUR} hours"),
        ("When a visit counts", f"{windows.HORIZON // HOUR} hours of event time"),
        ("When a visit counts", f"`retained` | {windows.RETAINED_SECONDS // 3600} hours ago"),
        ("When a visit counts", f"{visits.SETTLES_AFTER // MINUTE} minutes after the conversation ended"),
        ("When a visit counts", f"{visits.UNKNOWN_TALK_AFTER // HOUR} hours after the answer"),
        ("State of the feed", f"`live` | at most {liveness.LIVE_UP_TO // SECOND} s ago"),
        ("State of the feed", f"`late` | at most {liveness.LATE_UP_TO // SECOND} s ago"),
        ("State of the feed", f"more than {liveness.CATCHING_UP_AFTER // SECOND} s ago"),
        ("Metrics of the wallboard", f"took nothing for {streams.SLOW_SECONDS:.0f} s"),
        ("State of a handler", f"for {handlers.SILENT_AFTER // SECOND} s"),
        ("Refused events", f"more than {DEPTH_MAX} deep"),
        ("Refused events", f"over {RECORD_BYTES_MAX // 1024} kB"),
        ("Refused events", f"more than {CLOCK_TOLERANCE // MINUTE} minutes after it was appended"),
        ("Refused events", f"older than {windows.HORIZON // HOUR} hours"),
        ("Refused events", f"a {room.QUEUES_MAX + 1}rd queue"),
        ("Anomalies", f"more than {facts.FACTS_PER_SUBJECT_MAX} events"),
        ("Anomalies", f"the {handlers.HANDLERS_MAX}th of a control room"),
        ("Anomalies", f"for {room.HEADLESS_ANOMALY_AFTER // SECOND} s"),
    ],
)
def test_a_limit_on_the_page_is_the_one_in_the_code(section: str, said: str):
    assert said in text(section)
