"""The targets of the settings in force, as recording rules that alerts and dashboards join.

Rules and dashboards say what is compared; every number a control room may set comes from here, so it stands nowhere
twice. Which control rooms and sources have to be heard is told in the same way. It does not know any alert.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.config import ConfigError
from schemas.moments import SECOND
from stream.profile import Profile, QueueTarget

FILE_NAME = "targets.yml"
HEADER = "# Made by `occ alerts render` from the settings in force: change those, not this.\n"

FASTEST_BURN = {"999": 5, "101": 2.5}
"""The fastest burn rate an alert on each service asks for. A target allows at most 1 / (1 - target)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One recording rule."""

    record: str
    expr: str
    labels: dict[str, str] = field(default_factory=dict)

    def yaml(self) -> str:
        """The rule as an item of a list; JSON's strings are YAML's."""
        labels = ", ".join(f"{name}: {_quoted(value)}" for name, value in self.labels.items())
        expr = self.expr.replace("'", "''")
        return f"      - record: {self.record}\n        expr: '{expr}'\n        labels: {{{labels}}}\n"


def render(profile: Profile) -> str:
    """The rule file of `profile`. Raises ConfigError when a target leaves an alert that could never fire."""
    faults = list(_faults(profile))
    if faults:
        raise ConfigError("Alerts cannot keep these targets:\n" + "\n".join(f"  {fault}" for fault in faults))
    groups = {"targets": _targets(profile), "expected": _expected(profile)}
    return f"{HEADER}groups:\n" + "".join(
        f"  - name: {name}\n    rules:\n" + "".join(rule.yaml() for rule in rules)
        for name, rules in groups.items()
        if rules
    )


def _faults(profile: Profile) -> Iterator[str]:
    for name, target in _named(profile):
        if target.service == "999" and target.oldest_wait_red is None:
            yield f"{name}: without oldest_wait_red_seconds nobody is woken when an emergency caller waits"
        burn = FASTEST_BURN.get(target.service)
        if burn is not None and target.service_level_target <= 1 - 1 / burn:
            yield (
                f"{name}: with a service_level_target of {target.service_level_target:g} the alert at {burn:g} times "
                f"the allowed failures can never fire; set it above {1 - 1 / burn:g}"
            )


def _named(profile: Profile) -> list[tuple[str, QueueTarget]]:
    return [*sorted(profile.targets.items()), ("any other queue", profile.other_queue)]


def _targets(profile: Profile) -> list[Rule]:
    rules = []
    others = "|".join(re.escape(name) for name in sorted(profile.targets))
    for name, target in sorted(profile.targets.items()):
        labels = {"queue": name, "service": target.service}
        rules += [Rule(record, f"vector({value:.12g})", labels) for record, value in _values(target)]
    rules += [
        Rule(
            record,
            f"{value:.12g} * group by (queue) (occ_visits_waiting{{queue!~{_quoted(others)}}})",
            {"service": profile.other_queue.service},
        )
        for record, value in _values(profile.other_queue)
    ]
    return rules


def _values(target: QueueTarget) -> Iterator[tuple[str, float]]:
    yield "occ:target_threshold_seconds", target.threshold / SECOND
    yield "occ:target_service_level_ratio", target.service_level_target
    limits = {
        "occ:target_abandonment_warn_ratio": target.abandonment_warn,
        "occ:target_abandonment_bad_ratio": target.abandonment_bad,
        "occ:target_oldest_wait_amber_seconds": _seconds(target.oldest_wait_amber),
        "occ:target_oldest_wait_red_seconds": _seconds(target.oldest_wait_red),
    }
    yield from ((record, limit) for record, limit in limits.items() if limit is not None)


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / SECOND


def _expected(profile: Profile) -> list[Rule]:
    centres = [Rule("occ:expected_centre", "vector(1)", {"centre": centre}) for centre in sorted(profile.centres)]
    sources = [
        Rule("occ:expected_source", "vector(1)", {"centre": centre, "source": source})
        for centre, names in sorted(profile.expected_sources.items())
        for source in sorted(names)
    ]
    return centres + sources


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
