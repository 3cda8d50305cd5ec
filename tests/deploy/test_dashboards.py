"""The dashboards are as they should be before any Grafana sees them: Grafana itself would take anything."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from agents import config
from agents.cli import main
from agents.grafana import applying
from agents.grafana.dashboards import dashboards, render
from schemas.moments import SECOND
from stream.profile import Profile

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FOLDER = DEPLOY / "grafana" / "dashboards"
COLUMNS = 24
RATES = ("rate(", "increase(")

RENDERED = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{uid}-{panel['id']}") for uid, content in RENDERED.items() for panel in content["panels"]
]
QUERIES = [
    pytest.param(target["expr"], id=f"{uid}-{panel['id']}{target['refId']}")
    for uid, content in RENDERED.items()
    for panel in content["panels"]
    for target in panel.get("targets", ())
]


def filled_in(expr: str, centre: str = "west-mercia") -> str:
    """A query as Grafana would send it."""
    values = {"$centre": centre, "$queue": ".+", "$__rate_interval": "1m"}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def recorded() -> set[str]:
    """The names of all recording rules."""
    files = [YAML(typ="safe").load(path) for path in (DEPLOY / "prometheus" / "rules").glob("*.yml")]
    return {rule["record"] for file in files for group in file["groups"] for rule in group["rules"]}


def exported() -> set[str]:
    """The names of all metrics of the worker."""
    return set(re.findall(r'"(occ_[a-z0-9_]+)"', (ROOT / "agents" / "metrics.py").read_text(encoding="utf-8")))


def test_the_files_are_those_of_the_shipped_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCC_CONFIG", str(DEPLOY / "occ.toml"))
    checked = CliRunner().invoke(main, ["grafana", "render", "--check", "--out", str(FOLDER)])
    assert checked.exit_code == 0, checked.output


def test_a_changed_target_moves_the_limit_of_a_panel() -> None:
    usual = Profile()
    stricter = usual.with_target("101", replace(usual.target("101"), oldest_wait_red=300 * SECOND))
    differ = [
        (one, other)
        for one, other in zip(
            render(usual, "https://x")["occ-control-room"]["panels"],
            render(stricter, "https://x")["occ-control-room"]["panels"],
            strict=True,
        )
        if one != other
    ]
    assert [one["title"] for one, _ in differ] == ["Oldest wait"]
    assert '"value": 300.0' in json.dumps(differ[0][1])


def test_render_says_which_files_are_old_and_removes_what_is_gone(tmp_path: Path) -> None:
    render_to = ["grafana", "render", "--out", str(tmp_path)]
    assert CliRunner().invoke(main, render_to).exit_code == 0
    (tmp_path / "occ-gone.json").write_text("{}")
    (tmp_path / "occ-demand.json").write_text("{}")
    checked = CliRunner().invoke(main, [*render_to, "--check"])
    assert checked.exit_code == 1
    assert "occ-demand.json, occ-gone.json" in checked.output
    (tmp_path / "theirs.json").write_text("{}")
    CliRunner().invoke(main, render_to)
    assert CliRunner().invoke(main, [*render_to, "--check"]).exit_code == 0
    assert not (tmp_path / "occ-gone.json").exists()
    assert (tmp_path / "theirs.json").exists()


@pytest.mark.parametrize("uid", RENDERED)
def test_a_dashboard_can_be_told_apart_and_stays_as_it_is(uid: str) -> None:
    content = RENDERED[uid]
    assert content["uid"] == uid
    assert content["description"]
    assert content["editable"] is False
    assert content["title"] != applying.FOLDER["title"]
    assert "id" not in content
    numbers = [panel["id"] for panel in content["panels"]]
    assert len(numbers) == len(set(numbers))


def test_no_two_dashboards_share_a_title() -> None:
    titles = [dashboard.title for dashboard in dashboards(Profile())]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("uid", RENDERED)
def test_panels_lie_side_by_side_within_the_page(uid: str) -> None:
    places = [panel["gridPos"] for panel in RENDERED[uid]["panels"]]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows_in_which_unit_and_from_where(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    if panel["type"] == "text":
        assert panel["options"]["content"]
        return
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    references = [target["refId"] for target in panel["targets"]]
    assert references
    assert all(references)
    assert len(references) == len(set(references))
    assert all(target["datasource"]["uid"] == "${datasource}" for target in panel["targets"])
    assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("uid", RENDERED)
def test_every_variable_that_is_used_is_defined_and_the_other_way_round(uid: str) -> None:
    content = RENDERED[uid]
    defined = {variable["name"] for variable in content["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z]+)\}?", json.dumps(content)))
    assert used == defined


@pytest.mark.parametrize("expr", QUERIES)
def test_a_query_is_right_and_names_what_there_is(expr: str) -> None:
    query = filled_in(expr)
    promql_parser.parse(query)
    names = set(re.findall(r"\b((?:[a-z]+:)?occ[_:][a-z0-9_:]+)", query))
    known = exported() | recorded()
    assert names
    assert {name.removesuffix("_bucket") for name in names} <= known


@pytest.mark.parametrize("expr", QUERIES)
def test_counters_are_only_ever_read_as_rates(expr: str) -> None:
    for counter in re.finditer(r"occ_[a-z_]+(?:_total|_bucket)\b", expr):
        assert expr[: counter.start()].endswith(RATES)


def links() -> Iterator[str]:
    for content in RENDERED.values():
        for panel in content["panels"]:
            yield from (link["url"] for link in panel.get("links", ()))


def test_panels_lead_to_runbooks_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCC_CONFIG", str(DEPLOY / "occ.toml"))
    base = config.load().grafana.runbooks_url
    pages = {url.removeprefix(f"{base}/") for url in links()}
    assert pages
    assert pages <= {page.name for page in (ROOT / "docs" / "runbooks").glob("*.md")}


def test_provisioning_by_file_gives_what_apply_gives() -> None:
    def load(kind: str) -> Any:
        return YAML(typ="safe").load(DEPLOY / "grafana" / "provisioning" / kind / "occ.yml")

    [source] = load("datasources")["datasources"]
    assert source.pop("editable") is False
    assert source == applying.data_source(config.Settings().grafana.prometheus_url)
    [provider] = load("dashboards")["providers"]
    assert (provider["folderUid"], provider["folder"]) == (applying.FOLDER["uid"], applying.FOLDER["title"])
