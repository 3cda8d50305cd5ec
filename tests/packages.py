"""Programs of the system that tests need: installed where that is possible."""

import os
import shutil
import subprocess
from typing import NoReturn

import pytest


class UnobtainableError(Exception):
    """This machine can have no such thing; the message says why."""


def obtain(program: str, package: str) -> None:
    """Install Debian's `package` where `program` is missing and that is possible. Raises UnobtainableError."""
    if shutil.which(program):
        return
    if os.getuid() or not shutil.which("apt-get"):
        raise UnobtainableError(f"{program} is missing: install Debian's package {package}.")
    for command in (["update"], ["install", "--no-install-recommends", package]):
        subprocess.run(
            ["apt-get", "-qq", *command], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, capture_output=True
        )
    if not shutil.which(program):
        raise UnobtainableError(f"{program} cannot be had: Debian's package {package} could not be installed.")


def require(program: str, package: str) -> str:
    """The path of `program`, installed if need be; the test does not go on without it."""
    try:
        obtain(program, package)
    except UnobtainableError as error:
        do_without(str(error))
    found = shutil.which(program)
    assert found is not None
    return found


def do_without(message: str) -> NoReturn:
    """Skip the test, or let it fail where everything has to run."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)
