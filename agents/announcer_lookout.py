"""What is to be seen of an announcer: can it speak, what became of what it spoke, and does it stop in time."""

from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaProducer
from prometheus_client import CollectorRegistry, Counter, Histogram

from agents.health import kafka
from agents.lookout import Lookout
from schemas.events import AnnouncementOutcomeName
from schemas.health import Check
from telephony.speaking import Driver

STOP_BUCKETS_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""Nothing may be heard 0.25 s after the answer."""


class Counted:
    """What one announcer counts of itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        about = "Announcements ended, by outcome."
        self.outcomes = Counter("occ_announcer_outcomes", about, ["outcome"], registry=registry)
        for outcome in AnnouncementOutcomeName.__args__:  # type: ignore[attr-defined]
            self.outcomes.labels(outcome)
        about = "Time from hearing that a caller left the queue until what played to them had stopped."
        self.stops = Histogram("occ_announcer_stop_seconds", about, buckets=STOP_BUCKETS_SECONDS, registry=registry)


def look_at(lookout: Lookout, driver: Driver, connect: Callable[[], Awaitable[AIOKafkaProducer]]) -> None:
    """Let `lookout` show this announcer."""

    async def speech() -> Check:
        obstacle = driver.obstacle()
        return Check("failing", obstacle) if obstacle else Check("ok", "it can speak")

    lookout.checks |= {"speech": speech, "kafka": lambda: kafka(connect)}
