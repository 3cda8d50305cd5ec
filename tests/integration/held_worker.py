"""A worker that stops itself (SIGSTOP) at a named point when a file asks for it, and then removes the file.

python held_worker.py FOLDER        FOLDER/marked or FOLDER/appended is such a file
"""

import faulthandler
import os
import signal
import sys
from pathlib import Path

from agents import config, worker
from agents.app import create_app


class Holding:
    """Hooks that hold this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def marked(self, partition: int) -> None:
        self._hold("marked")

    def appended(self, partition: int, decided: int) -> None:
        if decided:
            self._hold("appended")

    def _hold(self, point: str) -> None:
        asked = self._folder / point
        if asked.exists():
            asked.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)


if __name__ == "__main__":
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    settings = config.load()
    app = create_app(settings, partitions=settings.kafka.partitions, hooks=Holding(Path(sys.argv[1])))
    worker.run(app, watchdog_seconds=settings.watchdog_seconds)
