"""What `/health` says of one process: JSON for whoever supervises it, and a status a load balancer understands.

`{"status": "ok", "checks": {"kafka": {"status": "ok", "says": "Kafka answers"}, …}}`. A check may add numbers, named
with their unit. `ok`: all is as it should be. `degraded`: it works, but somebody may want to look. `failing`: what it
is for does not happen now. The whole is as bad as its worst check; only `failing` is answered with 503.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import orjson

Status = Literal["ok", "degraded", "failing"]
STATUSES: tuple[Status, ...] = Status.__args__  # type: ignore[attr-defined]
"""From good to bad."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `says` is a sentence without a caller's data, `numbers` are what it was judged by."""

    status: Status
    says: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Health:
    """All checks of one process, by name."""

    checks: Mapping[str, Check]

    @property
    def status(self) -> Status:
        """That of the worst check; `ok` without any."""
        return max((check.status for check in self.checks.values()), key=STATUSES.index, default="ok")

    @property
    def http_status(self) -> int:
        """503 when failing, else 200."""
        return 503 if self.status == "failing" else 200

    def as_json(self) -> bytes:
        """The body of the answer."""
        checks = {
            name: {"status": check.status, "says": check.says, **check.numbers} for name, check in self.checks.items()
        }
        return orjson.dumps({"status": self.status, "checks": checks})
