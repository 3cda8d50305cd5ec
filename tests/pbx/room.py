"""A control room for a test: the switch, its telephones, a bridge, and everything that reached Kafka."""

import asyncio
import contextlib
from pathlib import Path
from typing import Self, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from click.testing import CliRunner, Result

from agents.bridge import hear_asterisk
from agents.cli.compare import command as compare_command
from agents.cli.translate import command as translate_command
from agents.phones import Phones
from agents.switch import EXAMPLE, Switch
from schemas.codec import Arrival, decode, encode
from schemas.events import (
    CallEnded,
    Event,
    HandlerSnapshot,
    HandlerState,
    QueueSnapshot,
    SourceHeartbeat,
    VisitAnswered,
    VisitEnded,
)
from stream.history import History, Period
from stream.profile import Profile
from telephony.ami_client import Connection, connected
from telephony.asterisk_bridge import Account
from telephony.origins import OriginsFile

PATIENCE_SECONDS = 30
SHOWN_MAX = 20
AnyEvent = TypeVar("AnyEvent", bound=Event)


class Room:
    """`arrivals` is what has been read from the topic so far, in its order."""

    def __init__(self, switch: Switch, phones: Phones, servers: str, topic: str, folder: Path) -> None:
        self.switch = switch
        self.phones = phones
        self.servers = servers
        self.topic = topic
        self.folder = folder
        self.arrivals: list[Arrival] = []
        self.logged_before = len(switch.queue_log)
        """Rows of the switch's log that are of earlier calls."""
        self._bridges: list[asyncio.Task[None]] = []
        self._closing = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self.servers, fetch_max_wait_ms=50)
        await self._consumer.start()
        self._closing.push_async_callback(self._consumer.stop)
        partition = TopicPartition(self.topic, 0)
        self._consumer.assign([partition])
        await self._consumer.seek_to_end(partition)
        await self._consumer.position(partition)
        self._admin = await self._closing.enter_async_context(connected("127.0.0.1", self.switch.ami))
        self._hearing = asyncio.create_task(_hear_nothing(self._admin))
        await self._admin.ask("Login", Username="tests", Secret="tests", Events="off")
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._bridges:
            await self.stop_bridge()
        self._hearing.cancel()
        await self._closing.aclose()

    async def start_bridge(self, folder: Path | None = None) -> None:
        """Returns when it has said what it found."""
        account = Account("127.0.0.1", self.switch.ami, "occ-bridge", self.switch.secret_file.read_text())
        hearing = hear_asterisk(
            account,
            self.servers,
            folder or self.folder,
            centre="west-mercia",
            system="pbx1",
            origins=OriginsFile(EXAMPLE / "origins.toml"),
            topic=self.topic,
        )
        self._bridges.append(asyncio.create_task(hearing))
        await self.next(SourceHeartbeat)

    async def stop_bridge(self) -> None:
        """Stop the last one as Ctrl-C does."""
        task = self._bridges.pop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def do(self, action: str, **members: str) -> None:
        """Have the switch do something."""
        await self._admin.ask(action, **members)

    async def log_in(self, name: str, *queues: str) -> None:
        """A handler logs in to queues."""
        for queue in queues:
            await self.do("QueueAdd", Queue=queue, Interface=f"PJSIP/{name}", MemberName=name.title())

    async def log_out(self, name: str, *queues: str) -> None:
        for queue in queues:
            await self.do("QueueRemove", Queue=queue, Interface=f"PJSIP/{name}")

    async def press(self, channel: str, keys: str) -> None:
        """Whoever is at the other end of `channel` presses keys."""
        for key in keys:
            await self.do("PlayDTMF", Channel=channel, Digit=key, Duration="80", Receive="true")

    def of(self, cls: type[AnyEvent], **members: object) -> list[AnyEvent]:
        """What has been read of one type, with these members."""
        return [
            arrival.event
            for arrival in self.arrivals
            if isinstance(arrival.event, cls)
            and all(getattr(arrival.event.data, name) == value for name, value in members.items())
        ]

    async def hears(self, cls: type[AnyEvent], count: int = 1, **members: object) -> list[AnyEvent]:
        """Read on until there are `count` events of one type with these members."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while len(self.of(cls, **members)) < count:
                    await self._read()
        except TimeoutError:
            raise AssertionError(f"{cls.__name__} {members} was not said; said was:\n{self.said()}") from None
        return self.of(cls, **members)

    async def hears_calls_end(self, count: int = 1) -> None:
        """Read on until `count` calls ended, and every conversation: the switch may tell its end after its call's."""
        await self.hears(CallEnded, count)
        await self.hears(VisitEnded, len(self.of(VisitAnswered)))

    async def next(self, cls: type[AnyEvent], count: int = 1) -> AnyEvent:
        """Read on until there are `count` more of one type; the last of them."""
        return (await self.hears(cls, len(self.of(cls)) + count))[-1]

    async def agrees_with_queue_log(self) -> None:
        """Read on until what was said is what the switch's own log says; fails with the differences."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (compared := self._compared()).exit_code == 1:
                    await self._read()
        except TimeoutError:
            raise AssertionError(compared.output) from None
        assert compared.exit_code == 0, compared.output

    def _compared(self) -> Result:
        """What `occ compare` says of the events that were heard and of those in the switch's log."""
        heard = self.folder / "heard.jsonl"
        heard.write_bytes(b"".join(encode(arrival.event) + b"\n" for arrival in self.arrivals))
        return CliRunner().invoke(compare_command, [str(heard), str(self._logged())], catch_exceptions=False)

    def _logged(self) -> Path:
        """What `occ translate` makes of the switch's log since this room began."""
        log, logged = self.folder / "queue_log", self.folder / "logged.jsonl"
        log.write_text("".join(f"{'|'.join(row)}\n" for row in self.switch.queue_log[self.logged_before :]))
        arguments = ["queue-log", str(log), "--keys", str(self.folder / "keys")]
        logged.write_bytes(CliRunner().invoke(translate_command, arguments, catch_exceptions=False).stdout_bytes)
        return logged

    def read_queue_log(self) -> None:
        """Take what the switch's log says, as after an import."""
        arrivals = [decode(line) for line in self._logged().read_bytes().splitlines()]
        self.arrivals += [arrival for arrival in arrivals if isinstance(arrival, Arrival)]

    def said(self) -> str:
        """What was said last of callers, for a failing test."""
        regular = (SourceHeartbeat, HandlerSnapshot, QueueSnapshot, HandlerState)
        told = [str(each.event) for each in self.arrivals if not isinstance(each.event, regular)]
        return "\n".join(told[-SHOWN_MAX:])

    def figures(self, queue: str | None = None, *, prefix: str = "") -> dict[str, object]:
        """The counts that are not 0 of what became of visits to a queue, or of calls, or those that begin so."""
        history = History(Profile(), Period())
        ordered = sorted(self.arrivals, key=lambda each: (each.at, each.event.source, each.event.id))
        for _ in history.take(ordered):
            pass
        return {
            row["figure"]: row["value"]
            for row in history.rows(queue)
            if row["queue"] == queue and row["value"]
            if (row["figure"].startswith(prefix) if prefix else row["figure"] in _COUNTS)
        }

    async def _read(self) -> None:
        for records in (await self._consumer.getmany(timeout_ms=200)).values():
            for record in records:
                assert record.key == b"west-mercia"
                arrival = decode(record.value, record.timestamp * 1000)
                assert isinstance(arrival, Arrival), arrival
                self.arrivals.append(arrival)


_OUTCOMES = (
    *(
        "answered",
        "abandoned",
        "abandoned_short",
        "timed_out",
        "exited_by_key",
        "transferred_out",
        "withdrawn",
        "lost",
    ),
)
_COUNTS = frozenset(
    (
        *("queued", "waiting", *_OUTCOMES),
        *("calls_offered", "calls_with_visit", "calls_refused", "calls_ended_before_queue", "calls_open"),
    )
)


async def _hear_nothing(connection: Connection) -> None:
    async for _ in connection.heard():
        pass
