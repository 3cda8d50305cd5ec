"""The alert rules, one a file: each has its page and its tests, and real Prometheus tools run them."""

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from agents.announcer_lookout import Counted
from agents.config import Settings
from stream.engine import Engine
from stream.profile import Profile
from stream.promises import Judged
from tests.deploy.alerting import PROMETHEUS, load
from tests.deploy.test_dashboards import RENDERED
from tests.deploy.tools import ROOT, run, tool
from tests.feed import CENTRE, answered, ended, heartbeat, left, offered, queued, us, wrapped_up
from tests.scrape import collector

ALERTS = {path.stem: path for path in sorted((PROMETHEUS / "alerts").iterdir())}
RULES = sorted((PROMETHEUS / "rules").iterdir())
CASES = {path.stem: path for path in sorted((ROOT / "tests" / "deploy" / "alerts").iterdir())}
RUNBOOKS = {path.stem: path for path in sorted((ROOT / "docs" / "runbooks").glob("[A-Z]*[a-z].md"))}
ALWAYS_FIRES = "Watchdog"
SECTIONS = ["## Meaning", "## First look", "## Likely causes", "## Actions", "## Hand over"]


def rule(name: str) -> dict[str, Any]:
    """The one rule of a file."""
    [group] = load(ALERTS[name])["groups"]
    [only] = group["rules"]
    assert (group["name"], only["alert"]) == (name, name)
    return dict(only)


def test_each_alert_has_its_page_and_its_tests_and_none_is_left_over():
    assert ALERTS.keys() == RUNBOOKS.keys()
    assert ALERTS.keys() == CASES.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_happens_whom_it_is_for_and_where_help_is(name: str):
    alert = rule(name)
    assert alert["labels"].keys() == {"severity", "owner", "about"}
    assert alert["labels"]["severity"] in {"page", "duty_manager", "ticket"} or name == ALWAYS_FIRES
    assert alert["labels"]["owner"] in {"control-room", "platform"}
    assert alert["labels"]["about"] in {"callers", "blind", "system"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url", "dashboard_url"}
    assert alert["annotations"]["runbook_url"] == f"{{{{ $externalLabels.runbooks }}}}/{name}.md"
    link = re.fullmatch(r".*\.dashboards \}\}/d/([\w-]+)\?.*viewPanel=(\d+)", alert["annotations"]["dashboard_url"])
    assert link is not None
    assert int(link[2]) in {panel["id"] for panel in RENDERED[link[1]]["panels"]}
    told = alert["annotations"]["summary"] + alert["annotations"]["description"]
    assert "$value" in told or name in {ALWAYS_FIRES, "MetricsAbsent"}


@pytest.mark.parametrize("name", RUNBOOKS)
def test_a_runbook_has_the_same_sections_as_all(name: str):
    lines = RUNBOOKS[name].read_text().splitlines()
    assert lines[0] == f"# {name}"
    assert [line for line in lines if line.startswith("## ")] == SECTIONS
    assert len(lines) <= 60


@pytest.mark.parametrize("name", CASES)
def test_an_alert_is_silent_then_fires_then_is_over_and_a_look_alike_never_fires(name: str):
    cases = load(CASES[name])["tests"]
    fires = [[bool(at.get("exp_alerts")) for at in case["alert_rule_test"]] for case in cases]
    assert {at["alertname"] for case in cases for at in case["alert_rule_test"]} == {name}
    if name == ALWAYS_FIRES:
        assert fires == [[True, True]]
        return
    assert fires[0] == [False, True, False] or fires[0] == [False, True, True, False]
    look_alikes = [any(firing) for case, firing in zip(cases, fires, strict=True) if "look-alike" in case["name"]]
    assert look_alikes
    assert not any(look_alikes)
    run("promtool", "test", "rules", CASES[name])


def test_the_rules_are_accepted_and_without_lint():
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES, *ALERTS.values())


def test_the_configuration_is_accepted_and_finds_every_rule():
    printed = run("promtool", "check", "config", PROMETHEUS / "prometheus.yml")
    assert len(re.findall(r"SUCCESS: \d+ rules? found", printed)) == len(RULES) + len(ALERTS)


def test_everything_is_scraped_where_it_serves():
    jobs = {job["job_name"]: job["static_configs"] for job in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]}
    settings = Settings()
    served = {
        "occ-worker": settings.web,
        "occ-bridge": settings.bridge,
        "occ-announcer": settings.announcer,
        "occ-wallboard": settings.wallboard,
    }
    for job, place in served.items():
        assert jobs[job] == [{"targets": [f"{place.host}:{place.port}"]}]


def test_what_the_rules_ask_for_is_what_the_worker_exports():
    exported = samples()
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for rule in rules() for name in re.findall(r"(?<![:\w])occ_\w+(?![\w:])", rule["expr"])}
    assert asked - exported.keys() == set()
    assert {name for rule in rules() for name in re.findall(r"\w+:\w+(?::\w+)?", rule["expr"])} - recorded == set()


def test_what_the_rules_select_exists():
    exported = samples()
    selected = {
        (name, *matcher)
        for rule in rules()
        for name, matchers in re.findall(r"(?<![:\w])(occ_\w+){(.*?)}", rule["expr"])
        for matcher in re.findall(r'(\w+)(=~|!~|=|!=)"((?:[^"\\]|\\.)*)"', matchers)
    }
    assert selected
    for name, label, operator, value in selected:
        values = {labels[label] for labels in exported[name]}
        matched = {found for found in values if re.fullmatch(value.replace(r"\\", "\\"), found)}
        assert matched, (name, label, operator, value)
        if operator == "=~":
            assert len(matched) == len(value.split("|")), (name, label)


def test_every_metric_is_well_formed():
    page = generate_latest(registry())
    done = subprocess.run([tool("promtool"), "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    for path in [*RULES, *ALERTS.values()]:
        for group in load(path)["groups"]:
            yield from group["rules"]


def registry() -> CollectorRegistry:
    """What a worker serves after a minute in which every figure got a value, and an announcer."""
    engine = Engine(Profile(centres=frozenset({CENTRE})))
    now = us(60)
    arrivals = [offered("call-e", 0, service="999"), queued("e", 0, queue="999"), answered("e", 12)]
    arrivals += [offered("call-n", 1), queued("n", 1), answered("n", 3), ended("n", 30), wrapped_up("n", 40)]
    engine.apply([*arrivals, left("gone", 9), queued("gone", 2), heartbeat(58)], now)
    engine.rooms[CENTRE].queues["101"].promises.score(Judged(now, now, "kept"))
    registry = CollectorRegistry()
    registry.register(collector(engine, now))
    Counted(registry)
    return registry


def samples() -> dict[str, list[dict[str, str]]]:
    """The labels of every sample, by the sample's name."""
    found: dict[str, list[dict[str, str]]] = {}
    for family in registry().collect():
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found
