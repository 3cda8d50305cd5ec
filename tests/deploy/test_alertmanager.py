"""Who is told what: the shipped configuration in a real Alertmanager, which is sent alerts directly."""

import json
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from email.message import Message
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.deploy.alerting import (
    ALERTMANAGER,
    PROMETHEUS,
    Received,
    Server,
    alert,
    alertmanager_config,
    eventually,
    load,
    mail_server,
    names,
    over,
    running_alertmanager,
    webhook,
)
from tests.deploy.tools import ROOT, run

CONFIG = ALERTMANAGER / "alertmanager.yml"
DAY_MINUTES = 24 * 60

Start = Callable[..., tuple[Server, Received]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(night=True)` starts an Alertmanager and all it may tell."""
    with ExitStack() as stack:

        def starter(*, night: bool = False) -> tuple[Server, Received]:
            received = Received()
            ports = stack.enter_context(webhook(received)), stack.enter_context(mail_server(received))
            config = alertmanager_config(*ports, night=night)
            return stack.enter_context(running_alertmanager(tmp_path, config)), received

        yield starter


def send(server: Server, *alerts: object) -> None:
    server.post("/api/v2/alerts", alerts)


def test_the_configuration_is_accepted():
    run("amtool", "check-config", CONFIG)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "page"}, "page"),
        ({"severity": "duty_manager"}, "duty-manager,duty-manager-by-night"),
        ({"severity": "ticket"}, "ticket,ticket-by-day"),
        ({"alertname": "Watchdog", "severity": "none"}, "dead-man"),
        ({"severity": "of a kind nobody thought of"}, "page"),
    ],
)
def test_an_alert_goes_where_its_severity_says(labels: dict[str, str], receivers: str):
    words = [f"{name}={value}" for name, value in labels.items()]
    run("amtool", "config", "routes", "test", f"--config.file={CONFIG}", f"--verify.receivers={receivers}", *words)


def test_day_and_night_are_the_whole_day_and_overlap_nowhere():
    half: dict[str, set[int]] = {}
    for interval in load(CONFIG)["time_intervals"]:
        minutes: list[int] = []
        for part in interval["time_intervals"]:
            assert part.keys() == {"times", "location"}
            assert ZoneInfo(part["location"]).key == "Europe/London"
            for times in part["times"]:
                start, end = (60 * int(text[:2]) + int(text[3:]) for text in (times["start_time"], times["end_time"]))
                minutes += range(start, end)
        half[interval["name"]] = set(minutes)
        assert len(minutes) == len(half[interval["name"]])
    assert half["day"] | half["night"] == set(range(DAY_MINUTES))
    assert not half["day"] & half["night"]


def test_an_emergency_caller_is_known_of_within_45_seconds():
    timing = load(PROMETHEUS / "prometheus.yml")["global"]
    route = load(CONFIG)["route"]
    [page] = [child for child in route["routes"] if child["matchers"] == ["severity = page"]]
    assert page.keys() == {"matchers"}  # so the times are those of the root
    grouping = max(seconds(route["group_wait"]), seconds(route["group_interval"]))
    assert seconds(timing["scrape_interval"]) + seconds(timing["evaluation_interval"]) + grouping <= 45


def seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def test_a_page_says_what_happens_where_and_what_to_do(start: Start):
    server, received = start()
    fired = alert("EmergencyCallerWaiting", severity="page", centre="north", queue="999")
    send(server, fired)
    told = received.next("/page")
    assert told["groupLabels"] == {"centre": "north"}
    assert told["alerts"][0]["annotations"] == fired["annotations"]
    send(server, over(fired))
    assert received.next("/page")["status"] == "resolved"
    assert received.places == set()


def test_what_fires_in_one_control_room_is_one_message(start: Start):
    server, received = start()
    send(
        server,
        alert("EmergencyCallerWaiting", severity="page", centre="north"),
        alert("EmergencyBurningFast", severity="page", centre="north"),
        alert("EmergencyCallerWaiting", severity="page", centre="south"),
    )
    told = {
        message["groupLabels"]["centre"]: names(message) for message in [received.next("/page") for _ in range(2)]
    }
    assert told == {"north": ["EmergencyBurningFast", "EmergencyCallerWaiting"], "south": ["EmergencyCallerWaiting"]}


@pytest.mark.parametrize(
    ("severity", "night", "places"),
    [
        ("duty_manager", False, {"/duty-manager", "duty-manager@control-room.example"}),
        ("duty_manager", True, {"/duty-manager-by-night"}),
        ("ticket", False, {"/ticket", "tickets@control-room.example"}),
        ("ticket", True, {"/ticket"}),
        ("page", False, {"/page"}),
        ("page", True, {"/page"}),
    ],
)
def test_the_hour_decides_who_is_told_and_how(start: Start, severity: str, night: bool, places: set[str]):
    server, received = start(night=night)
    fired = alert("Something", severity=severity, centre="north")
    send(server, fired)
    for place in places:
        received.next(place)
    send(server, over(fired))
    for place in places:
        received.next(place)
    assert received.places == set()


def test_a_mail_says_in_its_subject_what_happens_and_in_its_text_what_to_do(start: Start):
    server, received = start()
    fired = alert("NonEmergencyWaiting", severity="duty_manager", centre="north", queue="101")
    send(server, fired)
    subject, text = mail(received.next("duty-manager@control-room.example"))
    assert subject == "[duty_manager] NonEmergencyWaiting in words"
    assert "NonEmergencyWaiting in more words." in text
    assert "https://occ.example/runbooks/NonEmergencyWaiting.md" in text

    send(server, over(fired))
    subject, text = mail(received.next("duty-manager@control-room.example"))
    assert subject == "[over] NonEmergencyWaiting in words"
    assert "- NonEmergencyWaiting in queue 101, since" in text


def test_a_mail_about_several_alerts_counts_them(start: Start):
    server, received = start()
    send(server, *(alert(name, severity="duty_manager", centre="north") for name in ("RingBacksDue", "Other")))
    subject, text = mail(received.next("duty-manager@control-room.example"))
    assert subject == "[duty_manager] north: 2 firing, 0 over"
    assert "RingBacksDue in more words." in text
    assert "Other in more words." in text


def mail(message: Message) -> tuple[str, str]:
    """Subject and text, which is all a mail holds."""
    [part] = message.get_payload()
    assert part.get_content_type() == "text/plain"
    return message["Subject"], part.get_payload(decode=True).decode()


@pytest.mark.parametrize(
    ("cause", "symptom", "elsewhere"),
    [
        pytest.param(
            {"alertname": "DataOld", "about": "blind", "centre": "north"},
            {"alertname": "EmergencyCallerWaiting", "about": "callers", "queue": "999"},
            {"centre": "south"},
            id="when blind, figures do not page",
        ),
        pytest.param(
            {"alertname": "EventsRefused", "about": "blind"},
            {"alertname": "EmergencyCallerWaiting", "about": "callers", "queue": "999"},
            None,
            id="when blind everywhere, no figure pages",
        ),
        pytest.param(
            {"alertname": "DataOld", "about": "blind", "centre": "north"},
            {"alertname": "HeartbeatsMissing", "about": "blind", "source": "//north/pbx1"},
            {"centre": "south"},
            id="old data is the whole story",
        ),
        pytest.param(
            {"alertname": "EmergencyBurningFast", "about": "callers", "centre": "north", "queue": "999"},
            {"alertname": "EmergencyBurning", "about": "callers", "queue": "999"},
            {"centre": "north", "queue": "999-overflow"},
            id="the faster fire is also the slower one",
        ),
        pytest.param(
            {"alertname": "EmergencyBurning", "about": "callers", "centre": "north", "queue": "999"},
            {"alertname": "EmergencyBurningSlowly", "about": "callers", "queue": "999"},
            {"centre": "south"},
            id="the slower fire is also the slowest one",
        ),
    ],
)
def test_one_cause_tells_once(
    start: Start, cause: dict[str, str], symptom: dict[str, str], elsewhere: dict[str, str] | None
):
    server, received = start()
    send(server, alert(**name(cause), severity="page"))
    assert names(received.next("/page")) == [cause["alertname"]]

    hidden = name({"centre": "north", **symptom})
    send(server, alert(**hidden, severity="page"))
    eventually(lambda: is_suppressed(server, symptom["alertname"]), "the symptom is inhibited")
    if elsewhere is not None:
        send(server, alert(**{**hidden, **elsewhere}, severity="page"))
        told = received.next("/page")
        shown = [sent["labels"] for sent in told["alerts"] if sent["labels"]["alertname"] == symptom["alertname"]]
        assert [{**labels, **elsewhere} for labels in shown] == shown
    assert received.places == set()


def name(labels: dict[str, str]) -> dict[str, str]:
    """Labels as arguments of `alert`."""
    return {"name": labels["alertname"], **{key: value for key, value in labels.items() if key != "alertname"}}


def is_suppressed(server: Server, alertname: str) -> bool:
    """Whether some alert of that name is there, and each is suppressed."""
    states = {
        held["status"]["state"] for held in server.get("/api/v2/alerts") if held["labels"]["alertname"] == alertname
    }
    return states == {"suppressed"}


def test_planned_work_is_silenced_as_documented(start: Start):
    server, received = start()
    document = (ROOT / "docs" / "on-call.md").read_text()
    [command] = re.findall(r"^amtool silence add (.+(?:\\\n.+)*)$", document, re.MULTILINE)
    words = [f"--alertmanager.url={server.url}", *shlex.split(command.replace("\\\n", " "))]
    run("amtool", "silence", "add", *words)
    [centre] = [word.removeprefix("centre=") for word in words if word.startswith("centre=")]
    send(
        server,
        alert("DataOld", severity="page", about="blind", centre=centre),
        alert("DataOld", severity="page", about="blind", centre="elsewhere"),
    )
    assert received.next("/page")["groupLabels"] == {"centre": "elsewhere"}
    eventually(lambda: any(held["status"]["silencedBy"] for held in server.get("/api/v2/alerts")), "it is silenced")
    assert received.places == set()


def test_the_example_of_a_paging_service_is_accepted_in_place_of_the_webhook(tmp_path: Path):
    config = load(CONFIG)
    example = load(ALERTMANAGER / "paging-service.example.yml")
    config["receivers"] = [example if receiver["name"] == "page" else receiver for receiver in config["receivers"]]
    config["templates"] = [str(ALERTMANAGER / "templates" / "*.tmpl")]
    (tmp_path / "alertmanager.yml").write_text(json.dumps(config))
    run("amtool", "check-config", tmp_path / "alertmanager.yml")
    assert example in config["receivers"]


@pytest.mark.parametrize("template", ["occ.subject", "occ.where"])
def test_what_a_paging_service_is_told_can_be_rendered(template: str):
    text = f'{{{{ template "{template}" . }}}}'
    files = ALERTMANAGER / "templates" / "*.tmpl"
    assert run("amtool", "template", "render", f"--template.glob={files}", f"--template.text={text}").strip()
