"""Where a benchmark takes place: a real Kafka of its own in a temporary folder, with the topics, gone at the end."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from agents import topics
from agents.broker import Broker
from agents.config import FILE_VARIABLE, PREFIX
from agents.ports import free_ports
from agents.worker_process import WorkerProcess
from schemas.topics import PARTITIONS_DEFAULT

LINES_SHOWN = 15
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Place:
    """A Kafka with the topics; `folder` is for logs."""

    servers: str
    folder: Path
    metrics_port: int
    core: Path | None = None
    """The compiled core, as the image has it, if there is one."""

    def worker(self) -> WorkerProcess:
        """`occ worker` as anybody runs it, with the settings' defaults, for any control room."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        environment |= {
            FILE_VARIABLE: os.devnull,
            "OCC_ACCEPT_ANY_CENTRE": "true",
            "OCC_CACHE": str(self.folder),
            "OCC_KAFKA__BOOTSTRAP_SERVERS": self.servers,
            "OCC_WEB__PORT": str(self.metrics_port),
        }
        if self.core is not None:
            environment |= {"PYTHONPATH": str(self.core), "PYTHONSAFEPATH": "1"}
        return WorkerProcess(environment, self.folder / "worker.log")

    def late(self, what: str) -> click.ClickException:
        """That the worker did not do `what` in time, with the end of its log, since that goes with the folder."""
        log = (self.folder / "worker.log").read_text(errors="replace").splitlines()
        return click.ClickException(
            "\n".join([f"The worker did not {what} in time. Its log ends:", *log[-LINES_SHOWN:]])
        )

    @property
    def metrics_url(self) -> str:
        return f"http://127.0.0.1:{self.metrics_port}/metrics"


def compiled_core() -> Path | None:
    """The core compiled for this Python; None where that cannot be done. It takes a minute, once."""
    core = Path(".cache/compiled").resolve()
    compiling = subprocess.run(["deploy/compile", core, sys.executable])
    return core if compiling.returncode == 0 else None


@contextmanager
def opened(core: Path | None = None) -> Iterator[Place]:
    """A place of its own, empty."""
    with (
        tempfile.TemporaryDirectory(prefix="occ-bench-") as folder,
        Broker(Path(folder) / "kafka") as broker,
    ):
        asyncio.run(topics.create(broker.bootstrap, PARTITIONS_DEFAULT, 1))
        yield Place(broker.bootstrap, Path(folder), free_ports(1)[0], core)


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, of all threads of a process so far; to 10 ms. Linux only."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / TICKS_PER_SECOND
