"""From a page of metrics to a notification: real Prometheus and Alertmanager with the shipped rules and routes."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.deploy.alerting import (
    Page,
    Received,
    Server,
    alertmanager_config,
    eventually,
    exporter,
    mail_server,
    names,
    running_alertmanager,
    running_prometheus,
    webhook,
)

OLDEST_999 = 'occ_oldest_wait_seconds{centre="west-mercia",queue="999"}'
UNBALANCED_101 = 'occ_conservation_error{centre="west-mercia",queue="101"}'
QUIET_NIGHT = {
    'occ_build_info{version="0.1.0"}': 1,
    'occ_visits_headless{centre="west-mercia"}': 0,
    'occ_visits_waiting{centre="west-mercia",queue="999"}': 0,
    'occ_visits_waiting{centre="west-mercia",queue="101"}': 0,
    'occ_data_age_seconds{centre="west-mercia"}': 2,
    'occ_source_heartbeat_age_seconds{centre="west-mercia",source="//west-mercia/pbx1"}': 2,
    'occ_source_callers_queued{centre="west-mercia",source="//west-mercia/pbx1"}': 0,
    OLDEST_999: 0,
    UNBALANCED_101: 0,
}


@dataclass(slots=True)
class Chain:
    page: Page
    alertmanager: Server
    prometheus: Server
    received: Received


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One Prometheus for all: its first scrape comes 5 s after its start, whatever the interval."""
    received, page = Received(), Page(QUIET_NIGHT)
    folder = tmp_path_factory.mktemp("chain")
    with (
        webhook(received) as hook,
        mail_server(received) as mails,
        exporter(page) as port,
        running_alertmanager(folder, alertmanager_config(hook, mails)) as alertmanager,
        running_prometheus(folder, port, alertmanager) as prometheus,
    ):
        eventually(lambda: len(prometheus.query("up == 1")) == 3, "everything is scraped")
        yield Chain(page, alertmanager, prometheus, received)


def test_every_rule_can_be_evaluated(chain: Chain):
    def rules() -> list[dict[str, str]]:
        groups = chain.prometheus.get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    eventually(lambda: all(rule["health"] != "unknown" for rule in rules()), "every rule was evaluated")
    assert [rule for rule in rules() if rule["health"] != "ok"] == []


def test_the_dead_mans_switch_is_heard_while_all_is_well(chain: Chain):
    assert names(chain.received.next("/dead-man")) == ["Watchdog"]
    assert chain.received.places == set()


def test_an_emergency_caller_who_waits_reaches_the_pager_in_words(chain: Chain):
    chain.page.samples[OLDEST_999] = 45
    told = chain.received.next("/page")
    chain.page.samples[OLDEST_999] = 0
    [fired] = told["alerts"]
    assert fired["labels"]["alertname"] == "EmergencyCallerWaiting"
    assert not {"runbooks", "dashboards"} & fired["labels"].keys()
    assert fired["annotations"] == {
        "summary": "west-mercia: an emergency caller has waited 45s",
        "description": "The longest-waiting caller of queue 999 has waited 45s, beyond the limit of this queue.",
        "runbook_url": "https://occ.example/runbooks/EmergencyCallerWaiting.md",
        "dashboard_url": "https://grafana.example/d/occ-control-room?var-centre=west-mercia&viewPanel=2",
    }


def test_when_blind_the_blindness_pages_and_no_figure_does_until_sight_is_back(chain: Chain):
    north = {series.replace("west-mercia", "north"): value for series, value in QUIET_NIGHT.items()}
    chain.page.samples = {**chain.page.samples, **north}
    unbalanced, oldest = (series.replace("west-mercia", "north") for series in (UNBALANCED_101, OLDEST_999))

    chain.page.samples[unbalanced] = 1
    assert names(chain.received.next("/page")) == ["ConservationBroken"]
    chain.page.samples[oldest] = 300
    eventually(
        lambda: [*states(chain.alertmanager, centre="north", alertname="EmergencyCallerWaiting")] == ["suppressed"],
        "the figure is inhibited",
    )
    assert chain.received.places == set()

    chain.page.samples[unbalanced] = 0
    told: set[tuple[str, str]] = set()
    while ("EmergencyCallerWaiting", "firing") not in told:
        told |= {(sent["labels"]["alertname"], sent["status"]) for sent in chain.received.next("/page")["alerts"]}
    assert ("ConservationBroken", "resolved") in told


def states(alertmanager: Server, **labels: str) -> Iterator[str]:
    """What Alertmanager makes of the alerts with these labels."""
    for held in alertmanager.get("/api/v2/alerts"):
        if labels.items() <= held["labels"].items():
            yield held["status"]["state"]
