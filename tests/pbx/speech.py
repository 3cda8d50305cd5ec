"""An announcer as a site runs it, on the real switch, and callers with ears."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from agents.phones import Phones
from agents.switch import Switch
from schemas.codec import Arrival, decode, encode
from schemas.events import AnnouncementOutcome
from schemas.outputs import Cancellation, Command
from schemas.topics import ANNOUNCEMENTS, EVENTS
from telephony.ami_client import Connection, connected
from tests.pbx.ears import Ear, Ears

OCC = str(Path(sys.executable).with_name("occ"))
CENTRE = "west-mercia"
PATIENCE_SECONDS = 20
LISTENED_SECONDS = 2


@dataclass
class Caller:
    number: str
    channel: str
    ear: Ear


@dataclass
class Speech:
    """`outcomes` is what became of each command so far, by its id; `told` what the switch told of calls."""

    switch: Switch
    phones: Phones
    servers: str
    outcomes: dict[str, str] = field(default_factory=dict)
    told: list[Mapping[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._closing = AsyncExitStack()
        self._producer = AIOKafkaProducer(bootstrap_servers=self.servers)
        consumer = AIOKafkaConsumer(EVENTS.name, bootstrap_servers=self.servers)
        for client in (self._producer, consumer):
            await client.start()
            self._closing.push_async_callback(client.stop)
        await consumer.seek_to_end()
        await asyncio.gather(*(consumer.position(each) for each in consumer.assignment()))
        self._admin = await self._closing.enter_async_context(connected("127.0.0.1", self.switch.ami))
        self._tasks = [asyncio.create_task(self._read(consumer)), asyncio.create_task(self._hear(self._admin))]
        await self._admin.ask("Login", Username="tests", Secret="tests", Events="agent")
        self._process: asyncio.subprocess.Process | None = None
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None:
            await self.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        await self._closing.aclose()

    async def start(self, driver: str = "ari", *, http: int | None = None) -> None:
        """Start an announcer; returns when it takes commands."""
        self._process = await asyncio.create_subprocess_exec(
            *(OCC, "announcer", "--driver", driver, "--secret-file", str(self.switch.announcers_secret_file)),
            *("--ari", f"http://127.0.0.1:{http or self.switch.http}", "--ami", f"127.0.0.1:{self.switch.ami}"),
            *(("--sounds", self.switch.sounds) if driver == "ami" else ()),
            env={**os.environ, "OCC_KAFKA__BOOTSTRAP_SERVERS": self.servers},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._tasks.append(asyncio.create_task(self._take_down(self._process)))
        await self.until(lambda: any("speaking through" in line for line in self.said), "the switch is reached")
        tries = 0
        while not any(ident.startswith("probe") for ident in self.outcomes):
            tries += 1
            await self.command(f"probe-{time.time_ns()}", "nobody", expires_in=-1)
            await asyncio.sleep(0.1)
            assert tries < PATIENCE_SECONDS * 10, "\n".join(self.said)

    async def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        assert await self._process.wait() == 0, "\n".join(self.said)
        self._process = None

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()
        self._process = None
        self.said.clear()
        self.outcomes = {ident: end for ident, end in self.outcomes.items() if not ident.startswith("probe")}

    async def callers(self, ears: Ears, exten: str = "101", *, music: bool = True) -> Sequence[Caller]:
        """As many callers as ears, when all wait."""
        numbers = [f"077009001{n:02}" for n in range(len(ears.ears))]
        await self.phones.listeners(exten, [(n, ear.port) for n, ear in zip(numbers, ears.ears, strict=True)])
        joined: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(joined) < len(numbers):
                await asyncio.sleep(0.05)
                joined = {
                    event["CallerIDNum"]: event["Uniqueid"]
                    for event in self.told
                    if event["Event"] == "QueueCallerJoin" and event["CallerIDNum"] in numbers
                }
            while music and not all(ear.packets for ear in ears.ears):
                await asyncio.sleep(0.05)
        return [Caller(n, joined[n], ear) for n, ear in zip(numbers, ears.ears, strict=True)]

    async def command(
        self,
        ident: str,
        channel: str,
        pieces: Sequence[str] = ("position-3",),
        *,
        language: str = "en",
        expires_in: float = 5,
        source: str = f"//{CENTRE}/pbx1",
        queue: str = "101",
    ) -> float:
        """Have it speak; when that was asked for (epoch seconds, before it was written)."""
        now = datetime.now(UTC)
        command = Command(
            id=ident,
            centre=CENTRE,
            visit=ident,
            call=channel,
            queue=queue,
            source=source,
            channel_ref=channel,
            epoch=7,
            kind="position",
            language=language,
            text="You are number three in the queue.",
            pieces=tuple(pieces),
            issued_at=now,
            expires_at=now + timedelta(seconds=expires_in),
        )
        await self._write(command)
        return now.timestamp()

    async def cancel(self, ident: str) -> None:
        await self._write(
            Cancellation(
                cancels=ident, centre=CENTRE, visit=ident, reason="stale", issued_at=datetime.now(UTC), epoch=7
            )
        )

    async def failure(self, ident: str) -> str:
        """Why it failed, as the announcer says it."""
        assert await self.outcome(ident) == "failed"
        await self.until(lambda: self._reasons(), "it says why")
        (reason,) = self._reasons()
        self.said = [line for line in self.said if " failed (" not in line]
        return reason

    def _reasons(self) -> list[str]:
        return [line.partition(" failed (")[2].removesuffix(")") for line in self.said if " failed (" in line]

    def has_said(self, *words: str) -> bool:
        return any(word in line for line in self.said for word in words)

    async def answered(self, channel: str) -> float:
        """When the switch says that this caller was answered (epoch seconds); returns when they have listened on."""
        told = (each for each in self.told if each["Event"] == "AgentConnect" and each["Uniqueid"] == channel)
        answered_at = float(next(told)["Timestamp"])
        await asyncio.sleep(answered_at + LISTENED_SECONDS - time.time())
        return answered_at

    async def plays(self, ident: str) -> None:
        """Returns when it was played."""
        assert await self.outcome(ident) == "played", "\n".join(self.said)

    async def nothing_is_left(self) -> None:
        """Returns when no channel of an announcer is there any more."""
        await self.until(lambda: not self.left_behind(), "its channels are gone")

    async def outcome(self, ident: str) -> str:
        await self.until(lambda: ident in self.outcomes, f"the outcome of {ident}")
        return self.outcomes[ident]

    async def log_in(self, name: str, queue: str = "101") -> None:
        await self._admin.ask("QueueAdd", Queue=queue, Interface=f"PJSIP/{name}", MemberName=name.title())

    async def until(self, is_so: Callable[[], object], what: str) -> None:
        """Returns when `is_so()`; fails when it does not come true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"{what}, within {PATIENCE_SECONDS} s; it said:\n" + "\n".join(
                self.said
            )
            await asyncio.sleep(0.02)

    def left_behind(self) -> list[str]:
        """Channels that an announcer made and that are still there."""
        return [name for name in self.switch.channel_names() if name.startswith(("Snoop/", "Local/"))]

    async def _write(self, record: Command | Cancellation) -> None:
        await self._producer.send_and_wait(ANNOUNCEMENTS.name, encode(record), key=CENTRE.encode())

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        async for record in consumer:
            arrival = decode(record.value)
            if isinstance(arrival, Arrival) and isinstance(arrival.event, AnnouncementOutcome):
                data = arrival.event.data
                assert data.announcement not in self.outcomes, "an outcome is said once"
                self.outcomes[data.announcement] = data.outcome

    async def _hear(self, connection: Connection) -> None:
        async for events, _ in connection.heard():
            self.told += events

    async def _take_down(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.said.append(line.decode().rstrip())


class Line:
    """A line to the switch's ARI that can break in two ways."""

    def __init__(self, http: int) -> None:
        self._http = http
        self._websockets: list[asyncio.StreamWriter] = []
        self._ends: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut_off()

    async def cut_behind(self) -> None:
        """The switch loses the websocket; the announcer does not notice."""
        for writer in self._websockets:
            writer.transport.abort()
        await asyncio.sleep(0.1)

    async def cut_off(self) -> None:
        """Nothing gets through any more."""
        self._server.close()
        for writer in self._ends:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        switch_reader, switch_writer = await asyncio.open_connection("127.0.0.1", self._http)
        self._ends += [writer, switch_writer]
        switch_writer.write(head)
        is_websocket = b"websocket" in head.lower()
        if is_websocket:
            self._websockets.append(switch_writer)
        await asyncio.gather(_pass_on(reader, switch_writer), _pass_on(switch_reader, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(65_536):
            writer.write(piece)
            await writer.drain()
