"""What still runs."""

import os
from pathlib import Path


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
