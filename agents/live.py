"""A simulated control room that happens now: each event is sent at its own time by the wall clock.

A simulation that started in the past catches up at once and goes on live.
"""

from collections.abc import Callable

from aiokafka import AIOKafkaProducer

from agents.sending import Record, send_when_due, wall_clock
from schemas.codec import encode
from telephony.simulator import Simulation


async def run_live(
    simulation: Simulation,
    producer: AIOKafkaProducer,
    clock: Callable[[], int] = wall_clock,
    *,
    sent: Callable[[int], None] = lambda _: None,
) -> None:
    """Send all of `simulation`, until its end or until cancelled; its `truth` is then of exactly what was sent."""
    await send_when_due(_Live(simulation), producer, now=clock, sent=sent)


class _Live:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    @property
    def due_at(self) -> int | None:
        return self._simulation.due_at

    def take(self) -> list[Record]:
        return [(event.data.centre, encode(event)) for event in self._simulation.take()]
