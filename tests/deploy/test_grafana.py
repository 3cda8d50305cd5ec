"""`occ grafana`, against a stand-in that keeps Grafana's documented contract, or a real one named in GRAFANA_URL."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from tests.deploy.grafana_stand_in import TOKEN, StandIn, stand_in

Occ = Callable[..., Result]


@pytest.fixture
def grafana() -> Iterator[StandIn]:
    with stand_in() as running:
        yield running


@pytest.fixture
def occ(grafana: StandIn, tmp_path: Path) -> Occ:
    """Runs `occ grafana …` against the stand-in."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    environment = {"OCC_GRAFANA__URL": grafana.url, "OCC_GRAFANA__TOKEN_FILE": str(tmp_path / "token")}
    return lambda *words, **other: CliRunner().invoke(main, ["grafana", *words], env={**environment, **other})


def test_apply_creates_everything_and_a_second_time_changes_nothing(occ: Occ, grafana: StandIn) -> None:
    assert occ("apply").exit_code == 0
    assert set(grafana.folders) == {"occ-stream"}
    assert grafana.data_sources["occ-prometheus"]["url"] == "http://127.0.0.1:9090"
    assert len(grafana.dashboards) == 6
    writes, before = grafana.writes, json.dumps(grafana.dashboards)
    again = occ("apply")
    assert (again.exit_code, again.output) == (0, "0 of 8 changed.\n")
    assert grafana.writes == writes
    assert json.dumps(grafana.dashboards) == before


def test_diff_changes_nothing_and_says_what_would_be(occ: Occ, grafana: StandIn) -> None:
    shown = occ("apply", "--diff")
    assert shown.exit_code == 1
    assert '+  "title": "Control room now"' in shown.output
    assert grafana.writes == 0
    occ("apply")
    grafana.dashboards["occ-demand"]["dashboard"]["panels"][0]["title"] = "Edited by hand"
    shown = occ("apply", "--diff")
    assert shown.exit_code == 1
    assert '-      "title": "Edited by hand"' in shown.output
    assert shown.output.endswith("1 of 8 would change.\n")
    assert occ("apply").output == "update dashboard occ-demand: Demand by origin\n1 of 8 changed.\n"
    assert occ("apply", "--diff").exit_code == 0


def test_what_grafana_adds_of_its_own_is_no_difference(occ: Occ, grafana: StandIn) -> None:
    occ("apply")
    for there in grafana.dashboards.values():
        there["dashboard"] |= {"weekStart": "", "fiscalYearStartMonth": 0}
        there["dashboard"]["panels"][0]["pluginVersion"] = "9.3.2"
    grafana.data_sources["occ-prometheus"]["jsonData"]["prometheusType"] = "Prometheus"
    assert occ("apply", "--diff").output == "0 of 8 would change.\n"


def test_what_somebody_else_made_is_not_touched_and_nothing_else_either(occ: Occ, grafana: StandIn) -> None:
    theirs = {"dashboard": {"uid": "occ-demand", "title": "Mine", "tags": []}, "meta": {"folderUid": "other"}}
    grafana.dashboards["occ-demand"] = theirs
    refused = occ("apply")
    assert refused.exit_code == 1
    assert "The dashboard occ-demand (“Mine”) was not made by this project" in refused.output
    assert grafana.writes == 0
    assert grafana.dashboards == {"occ-demand": theirs}


def test_a_data_source_of_another_owner_is_not_touched(occ: Occ, grafana: StandIn) -> None:
    grafana.data_sources["occ-prometheus"] = {"uid": "occ-prometheus", "name": "Theirs", "jsonData": {}}
    assert "The data source occ-prometheus (“Theirs”) was not made by this project" in occ("apply").output
    assert grafana.writes == 0


def test_prune_deletes_our_own_left_over_dashboards_and_no_others(occ: Occ, grafana: StandIn) -> None:
    occ("apply")
    for uid, tags, folder in (
        ("occ-old", ["occ-stream"], "occ-stream"),
        ("copied-elsewhere", ["occ-stream"], "team"),
        ("put-in-our-folder", ["team"], "occ-stream"),
    ):
        content = {"uid": uid, "title": uid, "tags": tags, "version": 1}
        grafana.dashboards[uid] = {"dashboard": content, "meta": {"folderUid": folder}}
    assert occ("apply").output == "0 of 8 changed.\n"
    assert "- dashboard occ-old" in occ("apply", "--prune", "--diff").output
    assert "occ-old" in grafana.dashboards
    assert occ("apply", "--prune").output == "delete dashboard occ-old: occ-old\n1 of 9 changed.\n"
    assert {"copied-elsewhere", "put-in-our-folder"} <= grafana.dashboards.keys()


def test_a_moved_dashboard_comes_back_into_its_folder(occ: Occ, grafana: StandIn) -> None:
    occ("apply")
    grafana.dashboards["occ-demand"]["meta"]["folderUid"] = "team"
    assert occ("apply").output == "update dashboard occ-demand: Demand by origin\n1 of 8 changed.\n"
    assert grafana.dashboards["occ-demand"]["meta"]["folderUid"] == "occ-stream"


def test_json_says_what_was_done(occ: Occ) -> None:
    said = json.loads(occ("apply", "--json").output)
    assert said["applied"] is True
    assert {step["action"] for step in said["steps"]} == {"create"}
    said = json.loads(occ("apply", "--json").output)
    assert {step["action"] for step in said["steps"]} == {"unchanged"}


def test_a_mark_is_set_once_and_its_end_and_words_can_be_changed(occ: Occ, grafana: StandIn) -> None:
    began = ("--at", "2026-11-25T08:00:00Z")
    assert occ("mark", "surge", "Storm & flood", *began).output == "Marked.\n"
    assert occ("mark", "surge", "Storm & flood", *began).output == "It is marked already.\n"
    assert occ("mark", "surge", "Storm, over", *began, "--until", "2026-11-25T09:30:00Z").output == (
        "The mark is updated.\n"
    )
    [mark] = grafana.annotations
    assert mark["tags"][:2] == ["occ-stream", "surge"]
    assert mark["text"] == "Storm, over"
    assert mark["timeEnd"] - mark["time"] == 90 * 60 * 1_000
    assert occ("mark", "deploy", "1.2", "--at", "2026-11-25T08:00:00Z").output == "Marked.\n"
    assert len(grafana.annotations) == 2


def test_each_fault_is_said_with_what_to_do(occ: Occ, grafana: StandIn, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert "cannot be reached" in occ("apply", OCC_GRAFANA__URL=nobody).output
    (tmp_path / "wrong").write_text("wrong")
    assert "does not accept the credentials" in occ("apply", OCC_GRAFANA__TOKEN_FILE=str(tmp_path / "wrong")).output
    assert "cannot be read" in occ("apply", OCC_GRAFANA__TOKEN_FILE=str(tmp_path / "none")).output
    grafana.forbidden = True
    assert "needs the role Admin" in occ("apply").output
    grafana.forbidden = False
    grafana.login_page = True
    assert "a login page before it?" in occ("apply").output
    grafana.login_page = False
    grafana.version = "8.5.27"
    assert "is Grafana 8.5.27; 9.0 or newer is needed" in occ("apply").output
    assert grafana.writes == 0


def test_a_name_that_is_taken_is_said_in_grafanas_words(occ: Occ, grafana: StandIn) -> None:
    grafana.data_sources["theirs"] = {"uid": "theirs", "name": "Call queues (Prometheus)", "jsonData": {}}
    assert "with 409: data source with the same name already exists" in occ("apply").output


def test_no_secret_is_ever_printed(occ: Occ, grafana: StandIn) -> None:
    for words in (("apply",), ("apply", "--diff"), ("apply", "--json")):
        assert TOKEN not in occ(*words).output
    grafana.forbidden = True
    assert TOKEN not in occ("apply").output


if "GRAFANA_URL" in os.environ:

    def test_a_real_grafana_takes_everything_and_the_second_time_nothing() -> None:
        environment = {
            "OCC_GRAFANA__URL": os.environ["GRAFANA_URL"],
            "OCC_GRAFANA__TOKEN_FILE": os.environ["GRAFANA_TOKEN_FILE"],
        }
        assert CliRunner().invoke(main, ["grafana", "apply", "--prune"], env=environment).exit_code == 0
        again = CliRunner().invoke(main, ["grafana", "apply"], env=environment)
        assert again.output.startswith("0 of ")
