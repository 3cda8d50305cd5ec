"""Feeds an announcer with the worker's commands, lets a driver speak, and tells the worker what became of it.

Offsets are committed before anything is played, so that a restart never repeats an announcement to a caller. When a
commit fails, another announcer may have the partition by now: then there is silence.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from time import time_ns
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents import clients
from agents.announcer_lookout import Counted, look_at
from agents.lookout import Lookout
from schemas.codec import encode
from schemas.events import AnnouncementOutcomeName
from schemas.outputs import Command
from schemas.topics import ANNOUNCEMENTS, EVENTS
from telephony.announcer import Announcer, Ended, read
from telephony.speaking import CallerGoneError, Driver, NotPlayedError

GROUP = "occ-announcer"
POLL_MS = 500

log = logging.getLogger(__name__)


def group_of(source: str | None) -> str:
    """The consumer group of the announcers of one telephone system: each system's own hears every command."""
    return f"{GROUP}{source.replace('/', '.')}" if source else GROUP


async def announce(
    servers: str,
    driver: Driver,
    say: Callable[[str], None],
    *,
    source: str | None = None,
    topic: str = ANNOUNCEMENTS.name,
    lookout: Lookout | None = None,
    begun: Callable[[], None] = lambda: None,
) -> None:
    """Speak every command for `source` (None: for any) through `driver`, until cancelled; `say` gets a line of each.

    `begun` is called once Kafka has answered.

    Raises KafkaUnreachable, and what the driver raises when it cannot go on.
    """
    lookout = lookout or Lookout()
    async with (
        clients.producer(servers) as producer,
        clients.member(servers, group_of(source), topic) as consumer,
        _Speaking(Announcer(source), driver, producer, say, Counted(lookout.registry)) as speaking,
    ):

        async def connection() -> AIOKafkaProducer:
            return producer

        look_at(lookout, driver, connection)
        begun()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(driver.run(speaking))
                group.create_task(speaking.report())
                group.create_task(speaking.hear(consumer))
        except ExceptionGroup as ended:
            raise ended.exceptions[0] from None


class _Speaking:
    """One announcer at work: what a driver tells is decided on at once; reports follow in their order."""

    def __init__(
        self,
        announcer: Announcer,
        driver: Driver,
        producer: AIOKafkaProducer,
        say: Callable[[str], None],
        counted: Counted,
    ) -> None:
        self._announcer = announcer
        self._driver = driver
        self._producer = producer
        self._say = say
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._under_way: set[asyncio.Task[None]] = set()
        self._counted = counted

    async def __aenter__(self) -> "_Speaking":
        return self

    async def __aexit__(self, *_: object) -> None:
        """What was left unsaid is reported before the end."""
        await asyncio.gather(*self._under_way, return_exceptions=True)
        self._end(self._announcer.fall_silent(_now(), "the announcer stops"))
        while not self._ended.empty():
            await self._send(self._ended.get_nowait())
        await self._producer.flush()

    async def hear(self, consumer: AIOKafkaConsumer) -> None:
        """Take commands as they come, and let them be spoken when they are committed."""
        while True:
            slices = await consumer.getmany(timeout_ms=POLL_MS)
            for partition, records in slices.items():
                for record in records:
                    if (order := read(record.value)) is None:
                        log.warning("offset %d of partition %d is no command", record.offset, partition.partition)
                    else:
                        self._end(self._announcer.hear(partition.partition, order, _now()))
            if slices and await _committed(consumer):
                self._start()
            elif slices:
                self.in_doubt("the command could not be marked as taken")
            self._end(self._announcer.settle(_now()))

    async def report(self) -> None:
        """Send what ended to the worker."""
        while True:
            await self._send(await self._ended.get())

    def over(self, ident: str, outcome: AnnouncementOutcomeName, why: str = "") -> None:
        self._end(self._announcer.end(ident, outcome, _now(), why))

    def left_queue(self, channel: str) -> None:
        for ident in self._announcer.left_queue(channel, _now()):
            self._do(self._stop_in_time(ident))

    def say_why(self, channel: str, outcome: AnnouncementOutcomeName) -> None:
        self._end(self._announcer.say_why(channel, outcome, _now()))

    def in_doubt(self, why: str) -> None:
        self._end(self._announcer.fall_silent(_now(), why))

    def _start(self) -> None:
        if obstacle := self._driver.obstacle():
            self.in_doubt(obstacle)
        for started in self._announcer.start(_now(), self._driver.waits):
            if isinstance(started, Command):
                self._say(f"{_about(started)} {started.kind}: {started.text}")
                self._do(self._play(started))
            else:
                self._end([started])

    async def _play(self, command: Command) -> None:
        try:
            await self._driver.play(command)
        except CallerGoneError:
            self.over(command.id, "caller_left")
        except NotPlayedError as error:
            self.over(command.id, "failed", str(error))
        else:
            if not self._announcer.is_playing(command.id):
                await self._driver.stop(command.id)  # the caller was answered, or left, while it began

    def _end(self, ended: Iterable[Ended]) -> None:
        for end in ended:
            self._do(self._driver.stop(end.command.id))
            self._ended.put_nowait(end)

    async def _stop_in_time(self, ident: str) -> None:
        with self._counted.stops.time():
            await self._driver.stop(ident)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, end: Ended) -> None:
        self._counted.outcomes.labels(end.outcome).inc()
        if end.outcome != "played":
            why = f" ({end.why})" if end.why else ""
            self._say(f"{_about(end.command)} {end.command.kind} {end.outcome}{why}")
        await self._producer.send(EVENTS.name, encode(end.event), key=end.command.centre.encode())


async def _committed(consumer: AIOKafkaConsumer) -> bool:
    try:
        await consumer.commit()
    except KafkaError as error:
        log.warning("not committed, so nothing is played: %s", error)
        return False
    return True


def _about(command: Command) -> str:
    """Where it is spoken. Not to whom: a log holds no trace of a caller."""
    return f"{command.centre} {command.queue} [{command.language}]"


def _now() -> int:
    return time_ns() // 1_000
