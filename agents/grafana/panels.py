"""Describes a dashboard in the words of this project and turns it into the JSON that Grafana keeps.

Every panel says what it shows, in which unit, and by which queries; every query goes to the data source and the
control room that the person chose. Panels flow into rows of 24 columns, as Grafana lays them out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

OWNED = "occ-stream"
"""The tag of every dashboard and mark of this project: what has it not is never touched."""

COLUMNS = 24
SCHEMA_VERSION = 37
DATA_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

Unit = Literal["short", "s", "percentunit", "ops", "reqps", "bytes"]
Kind = Literal["timeseries", "stat", "bargauge", "heatmap", "text"]
Steps = tuple[tuple[float | None, str], ...]
"""(from this value on, colour); the first has no value."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel; `legend` names its series."""

    expr: str
    legend: str = "{{queue}}"
    is_limit: bool = False
    """Drawn as a dashed line: a target or a limit, not a measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel. `about` says what is shown, for whoever opens its description."""

    title: str
    about: str
    unit: Unit = "short"
    queries: tuple[Query, ...] = ()
    kind: Kind = "timeseries"
    width: int = 12
    height: int = 8
    steps: Mapping[str, Steps] | Steps = ()
    """Colours from values on, for all series or by the name of each."""
    runbook: str | None = None
    """The alert whose runbook says what to do about it."""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard; `by_queue` lets a person choose queues."""

    uid: str
    title: str
    about: str
    panels: tuple[Panel, ...]
    by_queue: bool = True
    period: str = "now-6h"

    def json(self, runbooks: str) -> dict[str, Any]:
        """What Grafana keeps; `runbooks` is where the pages of docs/runbooks are to be read."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": [OWNED],
            "schemaVersion": SCHEMA_VERSION,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "10s",
            "timezone": "browser",
            "time": {"from": self.period, "to": "now"},
            "templating": {"list": list(self._variables())},
            "annotations": {"list": annotations()},
            "links": [
                {
                    "type": "dashboards",
                    "title": "Other dashboards",
                    "tags": [OWNED],
                    "asDropdown": True,
                    "includeVars": True,
                    "keepTime": True,
                }
            ],
            "panels": [
                _panel(number, panel, place, runbooks)
                for number, (panel, place) in enumerate(zip(self.panels, _places(self.panels), strict=True), 1)
            ],
        }

    def _variables(self) -> Iterator[dict[str, Any]]:
        yield {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
        yield _variable("centre", "Control room", "label_values(occ_data_age_seconds, centre)")
        if self.by_queue:
            queues = 'label_values(occ_visits_waiting{centre="$centre"}, queue)'
            yield _variable("queue", "Queue", queues) | {"multi": True, "includeAll": True, "allValue": ".+"}


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATA_SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
    }


def annotations() -> list[dict[str, Any]]:
    """What is marked in every graph: surges, the feed lost, new versions, and what somebody noted by hand."""
    return [
        _alerts("Surge", "callers", "red"),
        _alerts("Feed lost", "blind", "orange"),
        {
            "name": "Deploy",
            "datasource": DATA_SOURCE,
            "enable": True,
            "iconColor": "blue",
            "expr": "count by (version) (occ_build_info) unless on (version) occ_build_info offset 2m",
            "step": "60s",
            "titleFormat": "Worker {{version}}",
        },
        {
            "name": "Marks",
            "datasource": {"type": "grafana", "uid": "-- Grafana --"},
            "enable": True,
            "iconColor": "purple",
            "target": {"type": "tags", "tags": [OWNED], "matchAny": False, "limit": 100},
        },
    ]


def _alerts(name: str, about: str, colour: str) -> dict[str, Any]:
    return {
        "name": name,
        "datasource": DATA_SOURCE,
        "enable": True,
        "iconColor": colour,
        "expr": f'ALERTS{{alertstate="firing",about="{about}",centre=~"$centre|"}}',
        "step": "15s",
        "titleFormat": "{{alertname}}",
        "textFormat": "{{queue}}",
        "tagKeys": "severity",
    }


def _places(panels: Sequence[Panel]) -> Iterator[dict[str, int]]:
    x = y = row = 0
    for panel in panels:
        if x + panel.width > COLUMNS:
            x, y, row = 0, y + row, 0
        yield {"x": x, "y": y, "w": panel.width, "h": panel.height}
        x, row = x + panel.width, max(row, panel.height)


def _panel(number: int, panel: Panel, place: dict[str, int], runbooks: str) -> dict[str, Any]:
    common: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "gridPos": place,
    }
    if panel.runbook is not None:
        url = f"{runbooks}/{panel.runbook}.md"
        common["links"] = [{"title": "What to do", "url": url, "targetBlank": True}]
    if panel.kind == "text":
        return common | {"options": {"mode": "markdown", "content": panel.text}}
    return common | {
        "datasource": DATA_SOURCE,
        "targets": [_target(index, query, panel.kind) for index, query in enumerate(panel.queries)],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_overrides(panel))},
        "options": _OPTIONS[panel.kind],
    }


_REDUCED = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "right", "calcs": ["lastNotNull", "max"], "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {**_REDUCED, "colorMode": "background_solid", "graphMode": "area", "textMode": "value_and_name"},
    "bargauge": {**_REDUCED, "displayMode": "basic", "orientation": "horizontal"},
    "heatmap": {
        "calculate": False,
        "yAxis": {"unit": "s"},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
        "cellGap": 1,
    },
}


def _target(index: int, query: Query, kind: Kind) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + index),
        "datasource": DATA_SOURCE,
        "expr": query.expr,
        "legendFormat": query.legend,
        "instant": kind in ("stat", "bargauge"),
        "range": kind not in ("stat", "bargauge"),
        "format": "heatmap" if kind == "heatmap" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps = panel.steps if isinstance(panel.steps, tuple) else ()
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "noValue": "no data",
        "color": {"mode": "thresholds" if panel.steps and panel.kind != "timeseries" else "palette-classic"},
        "thresholds": _thresholds(steps or ((None, "text"),)),
    }
    if panel.unit == "percentunit":
        defaults |= {"min": 0, "max": 1}
    if panel.kind == "timeseries":
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 2, "fillOpacity": 5, "showPoints": "never"}
    return defaults


def _overrides(panel: Panel) -> Iterator[dict[str, Any]]:
    if isinstance(panel.steps, Mapping):
        for name, steps in panel.steps.items():
            yield {
                "matcher": {"id": "byName", "options": name},
                "properties": [{"id": "thresholds", "value": _thresholds(steps)}],
            }
    for index, query in enumerate(panel.queries):
        if query.is_limit:
            yield {
                "matcher": {"id": "byFrameRefID", "options": chr(ord("A") + index)},
                "properties": [
                    {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}},
                    {"id": "custom.lineWidth", "value": 1},
                    {"id": "custom.fillOpacity", "value": 0},
                ],
            }


def _thresholds(steps: Steps) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"value": value, "color": colour} for value, colour in steps]}
