"""A worker in a process of its own, started again when it dies."""

import asyncio
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import click

from agents.exits import Exit

RESTARTS_MAX = 5
RESTART_AFTER_SECONDS = 1.0
STOP_SECONDS_MAX = 15.0
LOOK_EVERY_SECONDS = 0.2
FOR_A_PERSON = {Exit.USAGE, Exit.EVENTS_GONE, Exit.TOPICS_WRONG}


class WorkerProcess:
    """`occ worker`, out of reach of the terminal's Ctrl-C; stopped when the context ends."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.log = log
        self._environment = environment

    @property
    def pid(self) -> int:
        """The process that runs at present."""
        return self._process.pid

    def __enter__(self) -> Self:
        self._process = self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    async def keep_running(self) -> None:
        """Start it again whenever it ends; ClickException when that is of no use."""
        for restarts in range(RESTARTS_MAX + 1):
            if restarts:
                await asyncio.sleep(RESTART_AFTER_SECONDS)
                self._process = self._start()
            while (code := self._process.poll()) is None:
                await asyncio.sleep(LOOK_EVERY_SECONDS)
            if code in FOR_A_PERSON:
                break
        raise click.ClickException(f"The worker ended with code {code}; its log is {self.log}.")

    def _start(self) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "agents.cli", "worker"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
