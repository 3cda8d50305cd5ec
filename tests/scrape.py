"""What a worker with one partition shows to Prometheus, without the worker."""

from types import SimpleNamespace
from typing import Any

from agents.gate import Refusals
from agents.metrics import WorkerCollector
from stream.engine import Engine


def collector(engine: Engine, now: int) -> WorkerCollector:
    """Of a worker that owns `engine` and has one record left, the last one applied having been appended at `now`."""
    partition = SimpleNamespace(engine=engine, newest_appended_at=now)
    tools = SimpleNamespace(refusals=Refusals(), anomalies=engine.anomalies)
    shell: Any = SimpleNamespace(partitions={0: partition}, restore_seconds=0.0, tools=tools)
    return WorkerCollector(shell, lambda: now, lambda _: 1)
