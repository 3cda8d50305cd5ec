"""Programs of the product as processes: what they are told, and what still runs."""

import os
from pathlib import Path

from agents.ports import free_ports


def of_a_demo() -> dict[str, str]:
    """The environment of a demo that meets neither the settings of this machine nor another demo."""
    web, wallboard = free_ports(2)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OCC_")}
    return clean | {"OCC_WEB__PORT": str(web), "OCC_WALLBOARD__PORT": str(wallboard)}


def processes_of(folder: Path) -> list[str]:
    """The command lines of the processes that name `folder` or work in it."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and int(process.name) != os.getpid():
            try:
                command = (process / "cmdline").read_bytes().decode(errors="replace")
                if str(folder) in command or (process / "cwd").resolve() == folder:
                    found.append(command)
            except (PermissionError, FileNotFoundError, ProcessLookupError):
                continue
    return found
