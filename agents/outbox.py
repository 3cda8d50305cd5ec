"""Sends what is in a spool to Kafka: in order, waiting for it as long as it is away."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from agents.producer import Producer
from schemas.codec import encode
from schemas.events import Event
from schemas.topics import EVENTS
from telephony.spool import Spool

AWAY_AFTER_SECONDS = 5
RETRY_SECONDS = 1
CLOSE_SECONDS = 2

log = logging.getLogger(__name__)


class Outbox:
    """`put` events of one control room; `run` sends them."""

    def __init__(self, servers: str, spool: Spool, centre: str, *, topic: str = EVENTS.name) -> None:
        self._producer = Producer(servers)
        self._spool = spool
        self._key = centre.encode()
        self._topic = topic
        self._more = asyncio.Event()
        self._unsynced = asyncio.Event()
        self._empty = asyncio.Event()
        self._away = False
        self.lost = 0
        """Events lost since the spool was full; 0 when it has room."""
        self.taken_total = 0
        self.lost_total = 0

    @property
    def away(self) -> bool:
        """Whether Kafka takes nothing at present."""
        return self._away

    def put(self, events: Sequence[Event]) -> None:
        """Have `events` sent. When the spool is full they are lost, which is said."""
        if not self._spool.append([encode(event) for event in events]):
            if not self.lost:
                log.error("the spool is full: events are lost until Kafka takes some")
            self.lost += len(events)
            self.lost_total += len(events)
            return
        self.taken_total += len(events)
        if self.lost:
            log.error("the spool has room again: %d events were lost", self.lost)
            self.lost = 0
        self._empty.clear()
        self._more.set()
        self._unsynced.set()

    async def run(self) -> None:
        """Send until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sync())
                while True:
                    await self._send()
        finally:
            await self._close()

    async def emptied(self) -> None:
        """Returns when all that was put has arrived."""
        await self._empty.wait()

    async def _send(self) -> None:
        records = self._spool.unsent()
        if not records:
            self._empty.set()
            self._more.clear()
            await self._more.wait()
            return
        try:
            producer = await self._producer.get()
            acknowledged = [await producer.send(self._topic, record, key=self._key) for record in records]
            _, late = await asyncio.wait(acknowledged, timeout=AWAY_AFTER_SECONDS)
            if late:
                self._say_away("it does not answer")
            await asyncio.gather(*acknowledged)
        except (KafkaError, OSError) as error:
            self._say_away(str(error))
            await self._close()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            self._spool.sent(records)
            if self._away:
                self._away = False
                log.warning("Kafka takes events again; %d bytes to send", self._spool.waiting_bytes)

    async def _close(self) -> None:
        """Give up what is in flight if need be: it is in the spool."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._producer.close()

    def _say_away(self, why: str) -> None:
        if not self._away:
            self._away = True
            log.warning("Kafka takes no events (%s): they wait on disk", why)

    async def _sync(self) -> None:
        while True:
            await self._unsynced.wait()
            self._unsynced.clear()
            await asyncio.to_thread(self._spool.sync)
