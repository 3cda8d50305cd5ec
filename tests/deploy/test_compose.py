import copy
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from agents import config
from agents.cli import COMMANDS, main
from agents.jars import kafka_version

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"

Compose = dict[str, Any]


@pytest.fixture
def compose() -> Compose:
    return copy.deepcopy(dict(YAML(typ="safe").load(COMPOSE)))


def faults(compose: Compose) -> Iterator[str]:
    """What a schema cannot see: names that lead nowhere, doors that stand open, images that change by themselves."""
    services = compose["services"]
    used = {"volumes": set[str](), "networks": set[str](), "secrets": set[str](), "configs": set[str]()}
    for name, service in services.items():
        for other in service.get("depends_on", ()):
            if other not in services:
                yield f"{name} depends on {other}, which is no service"
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0] if isinstance(volume, str) else volume["source"]
            if not source.startswith((".", "/")):
                used["volumes"].add(source)
            elif not (ROOT / source).exists():
                yield f"{name} mounts {source}, which does not exist"
        for kind in ("networks", "secrets", "configs"):
            used[kind].update(service.get(kind, ()))
        for port in service.get("ports", ()):
            if not (isinstance(port, str) and port.startswith("127.0.0.1:")):
                yield f"{name} opens {port} beyond the loopback"
        if not re.search(r":v?\d+\.\d+\.\d+", service.get("image", "")):
            yield f"{name} runs an image that is not pinned"
        if "build" in service and not (ROOT / service["build"]["dockerfile"]).exists():
            yield f"{name} is built from a file that does not exist"
    for kind, names in used.items():
        defined = set(compose.get(kind, ()))
        yield from (f"{name} of {kind} is not defined" for name in names - defined)
        yield from (f"{name} of {kind} is not used" for name in defined - names)


def test_compose_file_keeps_the_compose_specification() -> None:
    checked = subprocess.run(
        [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", COMPOSE],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_every_name_in_the_compose_file_leads_somewhere_and_no_door_is_open(compose: Compose) -> None:
    assert list(faults(compose)) == []


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda c: c["services"]["worker"]["depends_on"].update(kafak={}), "worker depends on kafak"),
        (lambda c: c["services"]["kafka"].update(volumes=["kafak:/data"]), "kafak of volumes is not defined"),
        (lambda c: c["volumes"].update(old=None), "old of volumes is not used"),
        (lambda c: c["services"]["kafka"].update(networks=["inner"]), "inner of networks is not defined"),
        (lambda c: c["services"]["worker"].update(volumes=["./gone.toml:/x"]), "./gone.toml, which does not exist"),
        (lambda c: c["services"]["kafka"].update(ports=["9092:9092"]), "beyond the loopback"),
        (lambda c: c["services"]["kafka"].update(ports=["0.0.0.0:9092:9092"]), "beyond the loopback"),
        (lambda c: c["services"]["kafka"].update(image="apache/kafka:latest"), "not pinned"),
        (lambda c: c["services"]["worker"]["build"].update(dockerfile="Dockerfile"), "file that does not exist"),
    ],
)
def test_a_spoilt_compose_file_is_found_out(compose: Compose, spoil: Callable[[Compose], None], fault: str) -> None:
    spoil(compose)
    assert any(fault in found for found in faults(compose))


def test_compose_runs_the_kafka_that_the_tests_ran_with(compose: Compose) -> None:
    assert compose["services"]["kafka"]["image"] == f"apache/kafka:{kafka_version()}"


def test_commands_of_the_compose_file_are_commands_of_occ(compose: Compose) -> None:
    commands = {name: service["command"] for name, service in compose["services"].items() if "build" in service}
    assert {command[0] for command in commands.values()} <= COMMANDS.keys()
    for command in commands.values():
        shown = CliRunner().invoke(main, [*command, "--help"])
        assert shown.exit_code == 0, shown.output


def test_whoever_shares_the_hosts_network_listens_on_the_loopback(compose: Compose) -> None:
    services = compose["services"]
    for name in ("prometheus", "alertmanager"):
        [address] = [word for word in services[name]["command"] if word.startswith("--web.listen-address=")]
        assert address.startswith("--web.listen-address=127.0.0.1:")
    assert "--cluster.listen-address=" in services["alertmanager"]["command"]
    assert services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"


def test_settings_of_the_compose_file_are_accepted(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in compose["services"]["worker"]["environment"].items():
        monkeypatch.setenv(name, value)
    [mount] = compose["services"]["worker"]["volumes"]
    source, target, _ = mount.split(":")
    assert compose["services"]["worker"]["environment"]["OCC_CONFIG"] == target
    monkeypatch.setenv("OCC_CONFIG", str(ROOT / source))
    settings = config.load()
    assert settings.bootstrap_servers == "127.0.0.1:9092"
    assert settings.profile().centres


def test_the_image_is_built_on_a_pinned_python_with_locked_packages() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if re.fullmatch(r"FROM python:3\.11\.\d+-slim-\w+ AS packages", line)]
    assert [line for line in lines if "pip install" in line and "--require-hashes" in line]
