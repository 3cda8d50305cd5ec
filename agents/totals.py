"""What went through Kafka since a moment: produced, applied, refused, announced.

Counted from the topics and the worker group's own record of progress, so that the restart of a worker loses none.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from agents.app import GROUP
from agents.clients import admin, consumer
from agents.reader import Reader
from schemas.boards import Board
from schemas.outputs import Command
from schemas.topics import ANNOUNCEMENTS, DEAD, EVENTS
from stream.tally import OUTCOMES
from telephony.announcer import read

SHOWN_OUTCOMES = ("answered", "abandoned", "abandoned_short")

Ends = dict[TopicPartition, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """The sum of a demo. `queues` is by queue, then by name of a count."""

    events_produced: int
    events_applied: int
    dead_letters: int
    lag_at_end: int
    queues: dict[str, dict[str, int]]
    conservation_ok: bool
    announcements_issued: int


class Meter:
    """Counts from where the topics ended when it was made."""

    def __init__(self, servers: str, client: AIOKafkaConsumer, manager: AIOKafkaAdminClient, start: Ends) -> None:
        self._servers = servers
        self._client = client
        self._manager = manager
        self._start = start

    async def totals(self, board: Board) -> Totals:
        """Everything so far; `board` is the final one of the control room."""
        ends = await _ends(self._client)
        produced, dead = self._since_start(EVENTS.name, ends), self._since_start(DEAD.name, ends)
        lag = await self._lag(ends)
        return Totals(
            events_produced=produced,
            events_applied=produced - lag - dead,
            dead_letters=dead,
            lag_at_end=lag,
            queues={queue["queue"]: _counts(queue) for queue in board["queues"]},
            conservation_ok=board["conservation"]["ok"],
            announcements_issued=await self._announced(ends),
        )

    async def lag(self) -> int:
        """Events that are not applied yet."""
        return await self._lag(await _ends(self._client))

    async def _lag(self, ends: Ends) -> int:
        applied = await self._manager.list_consumer_group_offsets(GROUP)
        return sum(
            end - (applied[partition].offset if partition in applied else self._start[partition])
            for partition, end in ends.items()
            if partition.topic == EVENTS.name
        )

    async def _announced(self, ends: Ends) -> int:
        """Commands, each once: a worker that takes over may publish one again."""
        reader, issued = Reader(self._servers), set()
        for (topic, number), end in ends.items():
            if topic == ANNOUNCEMENTS.name:
                async for batch in reader.records(topic, number, self._start[TopicPartition(topic, number)], end):
                    orders = (read(record.value or b"") for record in batch)
                    issued |= {order.id for order in orders if isinstance(order, Command)}
        return len(issued)

    def _since_start(self, topic: str, ends: Ends) -> int:
        return sum(end - self._start[partition] for partition, end in ends.items() if partition.topic == topic)


@asynccontextmanager
async def meter(servers: str) -> AsyncIterator[Meter]:
    """Counts from now on. Raises ClickException."""
    async with consumer(servers, EVENTS.name, DEAD.name, ANNOUNCEMENTS.name) as client, admin(servers) as manager:
        client.pause(*client.assignment())
        yield Meter(servers, client, manager, await _ends(client))


async def _ends(client: AIOKafkaConsumer) -> Ends:
    ends: Ends = await client.end_offsets(client.assignment())
    return ends


def _counts(queue: Board) -> dict[str, int]:
    retained = queue["windows"]["retained"]
    return {
        "queued": retained["queued"],
        **{name: retained[name] for name in SHOWN_OUTCOMES},
        "waiting": queue["waiting"],
        "other_outcomes": sum(retained[name] for name in OUTCOMES if name not in SHOWN_OUTCOMES),
    }
