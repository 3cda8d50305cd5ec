"""Programs of the system that the demo and the tests need: installed where that is possible."""

import os
import shutil
import subprocess


class UnobtainableError(Exception):
    """This machine can have no such thing; the message says why, and what to do."""


def obtain(program: str, package: str) -> None:
    """Install Debian's `package` where `program` is missing and that is possible. Raises UnobtainableError."""
    if shutil.which(program):
        return
    if os.getuid() or not shutil.which("apt-get"):
        raise UnobtainableError(f"{program} is missing: install Debian's package {package}.")
    for command in (["update"], ["install", "--no-install-recommends", package]):
        subprocess.run(  # noqa: S603
            ["apt-get", "-qq", *command],  # noqa: S607
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            capture_output=True,
        )
    if not shutil.which(program):
        raise UnobtainableError(f"{program} cannot be had: Debian's package {package} could not be installed.")
