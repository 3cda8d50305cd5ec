"""The bridge against a switch that says what a real one once said, and against one that says nothing."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from schemas.events import CallEnded, CallOffered, Event, QueueSnapshot, SourceHeartbeat, VisitAnswered, VisitLeft
from telephony import asterisk_bridge
from telephony.asterisk_ami import Translator
from telephony.asterisk_bridge import Account, Bridge, LoginRefusedError
from telephony.hearing import MemoryFile
from telephony.pseudonyms import KeyRing
from telephony.switch_channels import Channel, Memory

RECORDED = Path(__file__).parents[1] / "data" / "asterisk" / "ami-events.txt"
ANSWERS = {
    "QueueStatus": "Event: QueueParams\r\nQueue: 101\r\n\r\nEvent: QueueStatusComplete\r\nListItems: 1\r\n\r\n",
    "CoreShowChannels": "Event: CoreShowChannelsComplete\r\nListItems: 0\r\n\r\n",
    "QueueSummary": "Event: QueueSummary\r\nQueue: 101\r\nCallers: 3\r\n\r\n"
    "Event: QueueSummary\r\nQueue: 999\r\nCallers: 1\r\n\r\nEvent: QueueSummaryComplete\r\nListItems: 2\r\n\r\n",
}


@asynccontextmanager
async def a_switch(*, secret: str = "right", says: bytes = b"", connections: int = 1) -> AsyncIterator[int]:
    """The port of a switch that lets in who knows `secret`, answers, says something, and hangs up on too many."""
    count = itertools.count(1)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines: dict[str, str] = {}
        said = False
        writer.write(b"Asterisk Call Manager/5.0.4\r\n")
        number = next(count)
        while line := (await reader.readline()).decode():
            key, _, value = line.strip().partition(": ")
            if key:
                lines[key] = value
                continue
            action, lines_of, lines = lines.get("Action", ""), lines, {}
            allowed = action != "Login" or lines_of["Secret"] == secret
            writer.write(
                f"Response: {'Success' if allowed else 'Error'}\r\nActionID: {lines_of['ActionID']}\r\n"
                f"Message: {'' if allowed else 'Authentication failed'}\r\n\r\n".encode()
            )
            if action == "Login" and allowed:
                writer.write(b"Event: FullyBooted\r\nUptime: 100\r\n\r\n")
            writer.write(ANSWERS.get(action, "").encode())
            if action == "QueueSummary" and not said:
                said = True
                writer.write(says)
                if number < connections:
                    writer.write_eof()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def heard(port: int, until: int, secret: str = "right") -> list[Event]:
    """What a bridge says, up to the heartbeat of this number."""
    events: list[Event] = []
    enough = asyncio.Event()

    def hand_on(said: Sequence[Event]) -> None:
        events.extend(said)
        if sum(isinstance(event, SourceHeartbeat) for event in events) >= until:
            enough.set()

    translator = Translator("west-mercia", "pbx1", KeyRing(b"a secret for tests"))
    bridge = Bridge(Account("127.0.0.1", port, "occ-bridge", secret), translator, hand_on, lambda _: None)
    running = asyncio.create_task(bridge.run())
    waiting = asyncio.create_task(enough.wait())
    async with asyncio.timeout(20):
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    waiting.cancel()
    if not enough.is_set():
        await running
    return events


def of(events: list[Event], cls: type[Event]) -> int:
    return sum(isinstance(event, cls) for event in events)


async def test_recorded_run_comes_out_as_what_truly_happened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asterisk_bridge, "HEARTBEAT_SECONDS", 0.2)
    async with a_switch(says=RECORDED.read_bytes()) as port:
        events = await heard(port, until=2)
    assert isinstance(events[0], QueueSnapshot)
    assert (of(events, CallOffered), of(events, CallEnded)) == (20, 20)
    assert (of(events, VisitAnswered), of(events, VisitLeft)) == (8, 11)
    beats = [event for event in events if isinstance(event, SourceHeartbeat)]
    assert [beat.data.callers_queued for beat in beats] == [4, 4]


async def test_connection_that_ends_is_made_again_and_begins_with_a_snapshot() -> None:
    async with a_switch(connections=2) as port:
        events = await heard(port, until=2)
    told = [type(event) for event in events if isinstance(event, SourceHeartbeat | QueueSnapshot)]
    assert told[:4] == [QueueSnapshot, SourceHeartbeat, QueueSnapshot, SourceHeartbeat]


async def test_wrong_password_is_an_error_and_not_an_outage() -> None:
    async with a_switch() as port:
        with pytest.raises(LoginRefusedError, match="Authentication failed"):
            await heard(port, until=1, secret="wrong")


def test_memory_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "calls.json"
    memory = Memory(channels={"a.1": Channel("a.1", None, joins=2)})
    file = MemoryFile(path)
    assert file.load() == Memory()
    file.save(memory)
    file.save(Memory())
    assert MemoryFile(path).load() == Memory()
    file.save(memory)
    assert MemoryFile(path).load() == memory
    path.write_text("{")
    assert MemoryFile(path).load() == Memory()
    assert path.stat().st_mode & 0o777 == 0o600
