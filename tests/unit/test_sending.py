"""When events are sent, by a clock that only moves when somebody waits."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import click
import pytest
from aiokafka.errors import KafkaTimeoutError

from agents.live import run_live
from agents.sending import TOGETHER_MAX, Record, send_when_due
from schemas.codec import Arrival, decode
from schemas.moments import SECOND, micros
from telephony.room import SimulationConfig
from telephony.simulator import Simulation

NOON = micros(datetime(2026, 11, 24, 12, tzinfo=UTC))


@dataclass
class Clock:
    at: int = NOON

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += round(seconds * SECOND)


@dataclass
class Feed:
    """Records that are due so many seconds after noon."""

    seconds: list[float]

    @property
    def due_at(self) -> int | None:
        return NOON + round(self.seconds[0] * SECOND) if self.seconds else None

    def take(self) -> list[Record]:
        return [("west-mercia", str(self.seconds.pop(0)).encode())]


@dataclass
class Kafka:
    """Stands in for a producer: keeps what it was sent and when; `gate` holds acknowledgements back."""

    clock: Clock = field(default_factory=Clock)
    gate: asyncio.Event | None = None
    failure: Exception | None = None
    sent: list[tuple[float, bytes, bytes]] = field(default_factory=list)

    async def send(self, topic: str, value: bytes, *, key: bytes) -> "asyncio.Future[Any]":
        if self.gate is not None:
            await self.gate.wait()
        self.sent.append(((self.clock.at - NOON) / SECOND, key, value))
        acknowledged: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self.failure is None:
            acknowledged.set_result(None)
        else:
            acknowledged.set_exception(self.failure)
        return acknowledged


async def send(kafka: Kafka, feed: Feed, **more: Any) -> None:
    await send_when_due(feed, kafka, now=kafka.clock.now, sleep=kafka.clock.sleep, **more)  # type: ignore[arg-type]


async def test_each_record_is_sent_when_it_is_due_and_keyed_by_its_control_room():
    kafka = Kafka()
    await send(kafka, Feed([0, 1.5, 1.5, 60]))
    assert kafka.sent == [
        (0, b"west-mercia", b"0"),
        (1.5, b"west-mercia", b"1.5"),
        (1.5, b"west-mercia", b"1.5"),
        (60, b"west-mercia", b"60"),
    ]


async def test_what_was_due_before_is_sent_at_once_in_its_order():
    kafka = Kafka()
    await send(kafka, Feed([-3600, -30, -60, 0, 5]))
    assert [(at, value) for at, _, value in kafka.sent] == [
        (0, b"-3600"),
        (0, b"-30"),
        (0, b"-60"),
        (0, b"0"),
        (5, b"5"),
    ]


async def test_progress_is_told_of_what_kafka_acknowledged():
    told: list[int] = []
    await send(Kafka(), Feed([0] * (TOGETHER_MAX + 5)), sent=told.append)
    assert told == [TOGETHER_MAX, TOGETHER_MAX + 5]


async def test_a_failing_kafka_ends_it_with_words_for_a_person():
    with pytest.raises(click.ClickException, match="Kafka did not take the events"):
        await send(Kafka(failure=KafkaTimeoutError()), Feed([0, 1]))


async def test_when_stopped_in_the_middle_what_was_taken_is_still_sent_and_the_truth_is_of_just_that():
    kafka = Kafka(gate=asyncio.Event())
    assert kafka.gate is not None
    starts_at = datetime(2026, 11, 24, 11, 59, tzinfo=UTC)
    simulation = Simulation(SimulationConfig(starts_at=starts_at, scale=10), seed=1)
    running = asyncio.ensure_future(run_live(simulation, kafka, kafka.clock.now))  # type: ignore[arg-type]
    while not simulation.truth.events:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    kafka.gate.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    arrivals = [decode(value) for _, _, value in kafka.sent]
    assert len(arrivals) == simulation.truth.events.total() > 50
    assert all(isinstance(arrival, Arrival) and arrival.at <= NOON for arrival in arrivals)
