from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from agents.alerts import FILE_NAME, render
from agents.cli import main
from agents.config import ConfigError
from schemas.moments import SECOND
from stream.profile import Profile, QueueTarget


def rules(profile: Profile) -> dict[tuple[str, str], str]:
    """The expressions of the targets in the rule file of `profile`, by what is recorded and its queue, or `other`."""
    targets = YAML(typ="safe").load(render(profile))["groups"][0]["rules"]
    return {(rule["record"], rule["labels"].get("queue", "other")): rule["expr"] for rule in targets}


def test_each_target_of_a_queue_is_recorded_under_its_name():
    found = rules(Profile())
    assert found["occ:target_threshold_seconds", "999"] == "vector(10)"
    assert found["occ:target_service_level_ratio", "999"] == "vector(0.9)"
    assert found["occ:target_oldest_wait_red_seconds", "999"] == "vector(30)"
    assert found["occ:target_oldest_wait_amber_seconds", "101-secondary"] == "vector(300)"
    assert found["occ:target_abandonment_warn_ratio", "101"] == "vector(0.05)"
    assert found["occ:target_abandonment_bad_ratio", "101-secondary"] == "vector(0.15)"


def test_a_limit_that_is_switched_off_is_not_recorded():
    found = rules(Profile())
    assert ("occ:target_abandonment_bad_ratio", "internal") not in found
    assert ("occ:target_oldest_wait_red_seconds", "internal") not in found


def test_a_target_that_is_set_is_the_one_recorded():
    profile = Profile()
    later = profile.with_target("101", replace(profile.target("101"), oldest_wait_red=900 * SECOND + 500_000))
    assert rules(later)["occ:target_oldest_wait_red_seconds", "101"] == "vector(900.5)"


def test_a_queue_without_a_target_of_its_own_gets_that_of_other_queues():
    profile = Profile(targets={"a.b": QueueTarget(service="101"), 'say "hi"': QueueTarget(service="101")})
    expr = rules(profile)["occ:target_service_level_ratio", "other"]
    assert expr == r'0.8 * group by (queue) (occ_visits_waiting{queue!~"a\\.b|say\\ \"hi\""})'


def test_control_rooms_and_sources_that_have_to_be_heard_are_recorded():
    profile = Profile(centres=frozenset({"north", "south"}), expected_sources={"north": frozenset({"//north/pbx1"})})
    groups = {group["name"]: group["rules"] for group in YAML(typ="safe").load(render(profile))["groups"]}
    assert [(rule["record"], rule["labels"]) for rule in groups["expected"]] == [
        ("occ:expected_centre", {"centre": "north"}),
        ("occ:expected_centre", {"centre": "south"}),
        ("occ:expected_source", {"centre": "north", "source": "//north/pbx1"}),
    ]


def test_every_target_that_would_silence_an_alert_is_listed():
    profile = Profile()
    for queue, change in (
        ("999", {"oldest_wait_red": None, "service_level_target": 0.8}),
        ("101", {"service_level_target": 0.6}),
        ("internal", {"service_level_target": 0.1}),
    ):
        profile = profile.with_target(queue, replace(profile.target(queue), **change))
    with pytest.raises(ConfigError) as caught:
        render(profile)
    assert caught.value.message.splitlines() == [
        "Alerts cannot keep these targets:",
        "  101: with a service_level_target of 0.6 the alert at 2.5 times the allowed failures can never fire; "
        "set it above 0.6",
        "  999: without oldest_wait_red_seconds nobody is woken when an emergency caller waits",
        "  999: with a service_level_target of 0.8 the alert at 5 times the allowed failures can never fire; "
        "set it above 0.8",
    ]


def test_render_writes_the_file_and_check_tells_when_settings_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCC_ACCEPT_ANY_CENTRE", "true")
    run = CliRunner().invoke
    args = ["alerts", "render", "--out", str(tmp_path)]

    absent = run(main, [*args, "--check"])
    assert (absent.exit_code, (tmp_path / FILE_NAME).exists()) == (1, False)
    assert run(main, args).exit_code == 0
    assert run(main, [*args, "--check"]).exit_code == 0

    monkeypatch.setenv("OCC_QUEUES", '{"101": {"threshold_seconds": 45}}')
    before = (tmp_path / FILE_NAME).read_text()
    changed = run(main, [*args, "--check"])
    assert changed.exit_code == 1
    assert "run `occ alerts render" in changed.output
    assert (tmp_path / FILE_NAME).read_text() == before
    assert run(main, args).exit_code == 0
    assert "vector(45)" in (tmp_path / FILE_NAME).read_text()


def test_render_without_its_folder_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OCC_ACCEPT_ANY_CENTRE", "true")
    result = CliRunner().invoke(main, ["alerts", "render"])
    assert result.exit_code == 2
    assert "does not exist" in result.output
