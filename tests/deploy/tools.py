"""Prometheus and Alertmanager with their checkers: those of this machine, else Debian's, unpacked beside the project.

They are not installed, since the packages start both daemons, and on every address.
"""

import os
import shutil
import subprocess
from pathlib import Path

from agents.packages import UnobtainableError, packages_to_ourselves
from tests.packages import do_without

ROOT = Path(__file__).parents[2]
PACKAGES = ("prometheus", "prometheus-alertmanager")
UNPACKED = ROOT / ".cache" / "prometheus"
NAMES = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("alertmanager", "prometheus-alertmanager"),
    "amtool": ("amtool",),
}
"""What each program may be called; Debian renamed one."""

TEMPLATES = Path("/usr/share/prometheus/alertmanager")
"""Debian's Alertmanager does not start without its own templates in this very place."""


def tool(name: str) -> str:
    """The path of a program. Where it cannot be had the test is skipped, or fails where everything has to run."""
    try:
        return _obtain(name)
    except UnobtainableError as error:
        do_without(f"{name} is missing: install Debian's {' and '.join(PACKAGES)}, or put it on PATH. {error}")


def run(name: str, *arguments: str | Path) -> str:
    """What a checker prints; the test fails when the checker does."""
    done = subprocess.run([tool(name), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _obtain(name: str) -> str:
    if found := _find(name, None):
        return found
    with packages_to_ourselves():
        _unpack()
        if name == "alertmanager" and not TEMPLATES.exists():
            _put_templates()
    if found := _find(name, str(UNPACKED / "usr" / "bin")):
        return found
    raise UnobtainableError(f"Debian's packages hold no {name}.")


def _find(name: str, path: str | None) -> str | None:
    return next(filter(None, (shutil.which(called, path=path) for called in NAMES[name])), None)


def _unpack() -> None:
    """Fetch and unpack Debian's packages unless they are there. Raises UnobtainableError."""
    if UNPACKED.exists():
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise UnobtainableError("They can be fetched on Debian only.")
    fresh = UNPACKED.with_suffix(f".{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        _fetch(fresh)
        fresh.rename(UNPACKED)
    except subprocess.CalledProcessError as error:
        raise UnobtainableError(error.stderr.decode(errors="replace").strip()) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _put_templates() -> None:
    try:
        shutil.copytree(UNPACKED / TEMPLATES.relative_to("/"), TEMPLATES, dirs_exist_ok=True)
    except OSError:
        raise UnobtainableError(f"Only root can fill {TEMPLATES}, without which Debian's does not start.") from None


def _fetch(folder: Path) -> None:
    """Unpack the packages into `folder`; with lists of packages of its own where the machine's do not help."""
    lists, archives = folder / "lists", folder / "archives"
    for made in (lists / "partial", archives / "archives" / "partial"):
        made.mkdir(parents=True)
    own = ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={archives}")
    download = ("download", *PACKAGES)
    if subprocess.run(["apt-get", *download], cwd=folder, capture_output=True, check=False).returncode:
        subprocess.run(["apt-get", *own, "--quiet", "update"], cwd=folder, capture_output=True, check=True)
        subprocess.run(["apt-get", *own, *download], cwd=folder, capture_output=True, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "--extract", package, folder], capture_output=True, check=True)
        package.unlink()
    shutil.rmtree(lists)
    shutil.rmtree(archives)
