import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from agents.cli.config import command
from agents.config import ConfigError, Settings, explain, load
from schemas.moments import SECOND
from stream.profile import Profile


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in os.environ:
        if name.startswith("OCC_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_targets_of_the_default_profile_are_the_settings_without_file_or_environment():
    assert load().profile(any_centre=True) == Profile()


def test_environment_wins_over_the_file_and_the_file_over_the_defaults(folder, monkeypatch):
    (folder / "occ.toml").write_text("[queues.101]\nthreshold_seconds = 45\nshort_limit_seconds = 7.5\n")
    monkeypatch.setenv("OCC_QUEUES__101__THRESHOLD_SECONDS", "20")
    settings, explained = explain()
    target = settings.profile(any_centre=True).target("101")
    assert (target.threshold, target.short_limit) == (20 * SECOND, 7_500_000)
    assert target.service_level_target == 0.8
    origins = {setting.name: setting.origin for setting in explained}
    assert origins["queues.101.threshold_seconds"] == "env"
    assert origins["queues.101.short_limit_seconds"] == "file"
    assert origins["queues.101.service_level_target"] == "default"


def test_a_file_elsewhere_is_named_in_the_environment(folder, monkeypatch):
    (folder / "elsewhere.toml").write_text("watchdog_seconds = 77\n")
    monkeypatch.setenv("OCC_CONFIG", str(folder / "elsewhere.toml"))
    assert load().watchdog_seconds == 77


def test_a_named_file_that_is_missing_is_a_fault(monkeypatch):
    monkeypatch.setenv("OCC_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load()


def test_the_secret_of_pseudonyms_is_no_setting(monkeypatch):
    monkeypatch.setenv("OCC_PSEUDONYM_SECRET", "a secret for tests")
    assert "a secret for tests" not in str(explain())


def test_every_fault_is_listed_at_once_with_its_origin_and_never_its_value(folder, monkeypatch):
    (folder / "occ.toml").write_text(
        "watchdog_seconds = 1\nsecret_thing = 'hunter2'\n"
        "[queues.101]\nshort_limit_seconds = 50\n"
        "[queues.overflow]\nservice = '999'\nannounce = 'position'\n"
    )
    monkeypatch.setenv("OCC_WEB__HOST", "0.0.0.0")
    monkeypatch.setenv("OCC_WEB__PORT", "hunter2")
    monkeypatch.setenv("OCC_KAFKA", "hunter2")
    monkeypatch.setenv("OCC_BOOTSTRAP", "hunter2")
    with pytest.raises(ConfigError) as error:
        load()
    faults = [line.strip() for line in error.value.message.splitlines()[1:]]
    assert faults == [
        "OCC_BOOTSTRAP: no such setting",
        "OCC_KAFKA: should be a valid dictionary or instance of KafkaSettings",
        "OCC_WEB__HOST: should be '127.0.0.1', '::1' or 'localhost'",
        "OCC_WEB__PORT: should be a valid integer, unable to parse string as an integer",
        "occ.toml, queues.101: short_limit must lie between 0 and threshold",
        "occ.toml, queues.overflow: a queue of service 999 announces nothing and has no short limit",
        "occ.toml, secret_thing: no such setting",
        "occ.toml, watchdog_seconds: should be greater than or equal to 5",
    ]


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    monkeypatch.setenv("OCC_WEB__PORT", "")
    assert load().web.port == Settings().web.port


def test_a_queue_of_its_own_name_takes_the_row_of_its_service_and_stays_silent(folder):
    (folder / "occ.toml").write_text(
        "[queues.front-desk]\nservice = '101'\nabandonment_warn = 'none'\n[queues.relay]\nservice = '999'\n"
    )
    profile = load().profile(any_centre=True)
    front_desk, relay = profile.target("front-desk"), profile.target("relay")
    assert (front_desk.threshold, front_desk.announce, front_desk.abandonment_warn) == (30 * SECOND, "never", None)
    assert (relay.threshold, relay.short_limit) == (10 * SECOND, 0)


def test_a_live_worker_needs_to_be_told_its_control_rooms(monkeypatch):
    with pytest.raises(ConfigError, match="No control room is configured"):
        load().profile()
    monkeypatch.setenv("OCC_CENTRES", json.dumps({"west-mercia": {"sources": ["//west-mercia/pbx1"]}}))
    profile = load().profile()
    assert profile.centres == {"west-mercia"}
    assert profile.expected_sources == {"west-mercia": {"//west-mercia/pbx1"}}


def test_any_control_room_is_accepted_only_where_that_is_set(monkeypatch):
    monkeypatch.setenv("OCC_ACCEPT_ANY_CENTRE", "true")
    assert load().profile().centres == frozenset()


def test_without_any_kafka_the_message_says_how_to_get_one():
    with pytest.raises(ConfigError, match="occ broker up"):
        _ = load().bootstrap_servers


def test_the_command_prints_value_and_origin_of_every_setting(monkeypatch):
    monkeypatch.setenv("OCC_WEB__PORT", "7001")
    printed = json.loads(CliRunner().invoke(command, ["--json"]).stdout)
    assert {"name": "web.port", "value": 7001, "origin": "env"} in printed
    assert {"name": "watchdog_seconds", "value": 30.0, "origin": "default"} in printed
