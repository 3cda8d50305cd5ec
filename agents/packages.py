"""Programs of the system that the demo and the tests need: installed where that is possible."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DPKG = Path("/var/lib/dpkg")
PATIENCE_SECONDS = 120
"""How long others may use dpkg."""


class UnobtainableError(Exception):
    """This machine can have no such thing; the message says why, and what to do."""


def obtain(program: str, package: str) -> None:
    """Install Debian's `package` where `program` is missing and that is possible. Raises UnobtainableError."""
    with packages_to_ourselves():
        if shutil.which(program):
            return
        if os.getuid() or not shutil.which("apt-get"):
            raise UnobtainableError(f"{program} is missing: install Debian's package {package}.")
        install = ("install", "--no-install-recommends", package)
        for command in (install, ("update",), install):
            if not shutil.which(program):
                subprocess.run(  # noqa: S603
                    ["apt-get", "-qq", "-o", f"DPkg::Lock::Timeout={PATIENCE_SECONDS}", *command],  # noqa: S607
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                    capture_output=True,
                )
        if not shutil.which(program):
            raise UnobtainableError(f"{program} cannot be had: Debian's package {package} could not be installed.")


@contextmanager
def packages_to_ourselves() -> Iterator[None]:
    """Until this ends no other process of this project installs anything, deploy/asterisk/build included.

    Who looks for a program meanwhile does not find it half installed.
    """
    if not DPKG.exists():
        yield
        return
    folder = os.open(DPKG, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
