"""The load of the benchmarks: simulated control rooms, and the way of their events into Kafka."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from heapq import merge

from aiokafka import AIOKafkaProducer

from agents.gate import Gate
from schemas.codec import encode
from schemas.events import Event
from schemas.topics import EVENTS, PARTITIONS_DEFAULT
from telephony.room import SimulationConfig, always_busy
from telephony.simulator import HANDLER_SNAPSHOT_EVERY, Simulation

ROOMS = (
    "avon", "cheshire", "cumbria", "dorset", "essex", "kent",
    "lancashire", "norfolk", "suffolk", "surrey", "sussex", "wiltshire",
)  # fmt: skip
DAY_ROOMS, DAY_SCALE = 6, 4.0
"""Together a million events a day: each room has 10,000 calls, four times those of a middle-sized force."""
LIVE_SCALE = 100
"""The most the simulator does: 45 events a second in the busiest hour."""
LIVE_SICK = 0.25
"""Of the staff: so many that callers wait in a line, and are spoken to."""
BATCHES_IN_FLIGHT_MAX = 500


def last_day(now: datetime) -> Iterator[Event]:
    """The last 24 hours of six rooms, by time."""
    start = now - timedelta(hours=24)
    rooms = [SimulationConfig(centre=centre, starts_at=start, scale=DAY_SCALE) for centre in ROOMS[:DAY_ROOMS]]
    simulations = [Simulation(room, seed).events() for seed, room in enumerate(rooms)]
    return (event for event in merge(*simulations, key=lambda event: event.time) if event.time < now)


def busy_rooms(started_at: datetime) -> list[Simulation]:
    """All rooms at their busiest hour, open since about `started_at`: together some 500 events a second.

    Their switches send what is large, each 30 seconds, one after the other, since no two were started at once.
    """
    rooms = [
        SimulationConfig(
            centre=centre,
            starts_at=started_at + number * timedelta(microseconds=HANDLER_SNAPSHOT_EVERY) / len(ROOMS),
            scale=LIVE_SCALE,
            sick=LIVE_SICK,
        )
        for number, centre in enumerate(ROOMS)
    ]
    return [Simulation(always_busy(room), seed) for seed, room in enumerate(rooms)]


async def write(
    producer: AIOKafkaProducer, events: Iterable[Event], written: Callable[[int], None]
) -> dict[int, int]:
    """Write `events` in batches of the client's usual size; returns how many are in each partition."""
    gate = Gate(PARTITIONS_DEFAULT)
    homes = {room: number for number in range(PARTITIONS_DEFAULT) for room in gate.centres_of(number, ROOMS)}
    counts = dict.fromkeys(range(PARTITIONS_DEFAULT), 0)
    open_batches = {number: producer.create_batch() for number in counts}
    in_flight = []
    for event in events:
        centre = event.data.centre
        number, key, value = homes[centre], centre.encode(), encode(event)
        if open_batches[number].append(key=key, value=value, timestamp=None) is None:
            in_flight.append(await producer.send_batch(open_batches[number], EVENTS.name, partition=number))
            open_batches[number] = producer.create_batch()
            open_batches[number].append(key=key, value=value, timestamp=None)
            if len(in_flight) == BATCHES_IN_FLIGHT_MAX:
                for sent in in_flight:
                    await sent
                in_flight.clear()
                written(sum(counts.values()))
        counts[number] += 1
    for number, batch in open_batches.items():
        if batch.record_count():
            in_flight.append(await producer.send_batch(batch, EVENTS.name, partition=number))
    for sent in in_flight:
        await sent
    return {number: count for number, count in counts.items() if count}
