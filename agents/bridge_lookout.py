"""What is to be seen of a bridge: does the switch answer, does Kafka take events, was anything lost."""

from collections.abc import Iterable, Iterator
from time import time_ns

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from agents.lookout import Lookout
from agents.outbox import Outbox
from schemas.health import Check
from schemas.moments import SECOND
from telephony.hearing import Bridge
from telephony.spool import Spool

SILENT_SECONDS_MAX = 10
"""The switch is asked every 3 s."""


def look_at(lookout: Lookout, bridge: Bridge, outbox: Outbox, spool: Spool) -> None:
    """Let `lookout` show this bridge."""

    async def switch() -> Check:
        age = _age(bridge)
        if age is None:
            return Check("failing", "the switch has not answered yet")
        answers = age <= SILENT_SECONDS_MAX
        says = "the switch answers" if answers else f"the switch has not answered for {SILENT_SECONDS_MAX} s"
        return Check("ok" if answers else "failing", says, {"answer_age_seconds": age})

    async def kafka() -> Check:
        numbers = {"spool_bytes": spool.waiting_bytes, "events_lost": outbox.lost_total}
        if outbox.lost:
            return Check("failing", "the spool is full, and events are lost", numbers)
        if outbox.away:
            return Check("degraded", "Kafka takes no events: they wait on disk", numbers)
        return Check("ok", "Kafka takes events", numbers)

    lookout.checks |= {"switch": switch, "kafka": kafka}
    lookout.registry.register(_Collector(bridge, outbox, spool))


class _Collector(Collector):
    def __init__(self, bridge: Bridge, outbox: Outbox, spool: Spool) -> None:
        self._bridge, self._outbox, self._spool = bridge, outbox, spool

    def describe(self) -> Iterable[Metric]:
        """Nothing: all is taken at the scrape."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything as of now."""
        age = GaugeMetricFamily("occ_bridge_switch_answer_age_seconds", "Time since the switch last answered.")
        if (seconds := _age(self._bridge)) is not None:
            age.add_metric([], seconds)
        yield age
        about = "Events that wait on disk until Kafka takes them."
        yield GaugeMetricFamily("occ_bridge_spool_bytes", about, self._spool.waiting_bytes)
        yield CounterMetricFamily("occ_bridge_events", "Events taken from the switch.", self._outbox.taken_total)
        about = "Events lost because the spool was full."
        yield CounterMetricFamily("occ_bridge_events_lost", about, self._outbox.lost_total)


def _age(bridge: Bridge) -> float | None:
    return None if bridge.answered_at is None else max(0, time_ns() // 1_000 - bridge.answered_at) / SECOND
