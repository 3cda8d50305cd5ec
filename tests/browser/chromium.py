"""The browser of these tests: Debian's Chromium, installed when it is missing and can be."""

import os
import shutil
import subprocess
from functools import cache

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")


@cache
def chromium() -> str:
    """Its path. Where it cannot be had the tests are skipped, or fail where everything has to run."""
    if found := _find():
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "-qq", "install", "--no-install-recommends", "chromium"]
        if subprocess.run(install, env=environment, capture_output=True, check=False).returncode:
            subprocess.run(["apt-get", "-qq", "update"], capture_output=True, check=False)
            subprocess.run(install, env=environment, capture_output=True, check=False)
        if found := _find():
            return found
    message = "Chromium is missing: apt-get install chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def _find() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)
