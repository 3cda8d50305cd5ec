"""Makes what a Grafana holds equal to what is wanted, and touches nothing else.

First everything is looked at and compared, then it is said what would be done, then it is done: so a fault half way
leaves nothing that the next run does not mend, and a second run finds nothing to do. Ours are the folder of our uid,
the data source that bears our mark, and the dashboards that bear our tag; what stands in their place without it
belongs to somebody else, and then nothing at all is changed.

A thing counts as equal when it holds all that is wanted: what Grafana adds of its own does not matter.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import unified_diff
from typing import Any, Literal

from agents.grafana.panels import OWNED
from agents.grafana.server import Grafana, GrafanaError, Json

FOLDER = {"uid": "occ-stream", "title": "Call queues"}
DATA_SOURCE_UID = "occ-prometheus"

Action = Literal["create", "update", "delete", "unchanged"]


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done with one thing; `difference` is empty where nothing is."""

    kind: Literal["folder", "data source", "dashboard"]
    uid: str
    title: str
    action: Action
    difference: str
    do: Callable[[], None]


def data_source(prometheus_url: str) -> Json:
    """The Prometheus that the dashboards read unless somebody chooses another."""
    return {
        "uid": DATA_SOURCE_UID,
        "name": "Call queues (Prometheus)",
        "type": "prometheus",
        "access": "proxy",
        "url": prometheus_url,
        "jsonData": {"httpMethod": "POST", "timeInterval": "5s", "ownedBy": OWNED},
    }


def plan(grafana: Grafana, source: Json, dashboards: Mapping[str, Json], *, prune: bool) -> list[Step]:
    """What has to be done, in order. GrafanaError when something of another owner is in the way."""
    steps = [_folder(grafana), _source(grafana, source)]
    steps += [_dashboard(grafana, uid, content) for uid, content in dashboards.items()]
    if prune:
        steps += _left_over(grafana, dashboards)
    return steps


def _folder(grafana: Grafana) -> Step:
    found = grafana.folder(FOLDER["uid"])
    return _step("folder", FOLDER, found, lambda: grafana.put_folder(**FOLDER, exists=found is not None))


def _source(grafana: Grafana, wanted: Json) -> Step:
    found = grafana.data_source(wanted["uid"])
    if found is not None and (found.get("jsonData") or {}).get("ownedBy") != OWNED:
        raise _not_ours("data source", wanted["uid"], str(found.get("name")))
    return _step("data source", wanted, found, lambda: grafana.put_data_source(wanted, exists=found is not None))


def _dashboard(grafana: Grafana, uid: str, wanted: Json) -> Step:
    found = grafana.dashboard(uid)
    now = None if found is None else found["dashboard"]
    if now is not None and OWNED not in (now.get("tags") or ()):
        raise _not_ours("dashboard", uid, str(now.get("title")))
    placed = {**wanted, "folder": FOLDER["uid"]}
    if now is not None and found is not None:
        now = {**now, "folder": found["meta"].get("folderUid")}
    return _step(
        "dashboard", placed, now, lambda: grafana.put_dashboard(wanted, FOLDER["uid"], "Applied by occ grafana")
    )


def _left_over(grafana: Grafana, wanted: Mapping[str, Json]) -> Iterator[Step]:
    for found in grafana.dashboards_tagged(OWNED):
        uid = str(found["uid"])
        if uid not in wanted and found.get("folderUid") == FOLDER["uid"]:
            difference = f"- dashboard {uid}: {found['title']}\n"
            yield Step("dashboard", uid, str(found["title"]), "delete", difference, _deletion(grafana, uid))


def _deletion(grafana: Grafana, uid: str) -> Callable[[], None]:
    return lambda: grafana.delete_dashboard(uid)


def _step(
    kind: Literal["folder", "data source", "dashboard"], wanted: Json, found: Json | None, do: Callable[[], None]
) -> Step:
    action: Action = "create" if found is None else "unchanged" if holds(found, wanted) else "update"
    difference = "" if action == "unchanged" else _difference(kind, wanted, common(found, wanted))
    title = str(wanted.get("title") or wanted.get("name"))
    return Step(kind, str(wanted["uid"]), title, action, difference, do)


def _not_ours(kind: str, uid: str, title: str) -> GrafanaError:
    return GrafanaError(
        f"The {kind} {uid} (“{title}”) was not made by this project, so nothing was changed: give it another uid, or "
        "delete it."
    )


def holds(found: Any, wanted: Any) -> bool:
    """Whether `found` is `wanted`, or that and members that Grafana added."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(name in found and holds(found[name], value) for name, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list):
        return len(found) == len(wanted) and all(map(holds, found, wanted))
    return bool(found == wanted)


def common(found: Any, wanted: Any) -> Any:
    """`found` without what Grafana added."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return {name: common(found[name], value) for name, value in wanted.items() if name in found}
    if isinstance(wanted, list) and isinstance(found, list):
        rest = found[len(wanted) :]
        return [common(one, other) for one, other in zip(found, wanted, strict=False)] + rest
    return found


def _difference(kind: str, wanted: Json, found: Json | None) -> str:
    name = f"{kind} {wanted['uid']}"
    return "".join(unified_diff(_lines(found), _lines(wanted), f"{name} there", f"{name} wanted", n=2))


def _lines(content: Json | None) -> list[str]:
    return [] if content is None else (json.dumps(content, indent=2, sort_keys=True) + "\n").splitlines(True)
