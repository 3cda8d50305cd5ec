"""The targets that the shipped alerts compare with are those of the shipped settings."""

from pathlib import Path

import pytest

from agents import config
from agents.alerts import FILE_NAME, render

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_targets_of_the_rules_are_those_of_the_settings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OCC_CONFIG", str(DEPLOY / "occ.toml"))
    committed = (DEPLOY / "prometheus" / "rules" / FILE_NAME).read_text()
    assert committed == render(config.load().profile()), (
        "run `OCC_CONFIG=deploy/occ.toml occ alerts render` and commit the file"
    )
