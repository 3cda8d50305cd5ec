"""One connection to Asterisk's manager interface: log in, ask, and hear everything in the order in which it came.

Of the libraries for this, panoramisk is the one that is kept up. It takes the blocks of a listing out of the stream
of events and hands them over when the listing is complete, so that nobody can tell any more what happened before a
snapshot and what after it; it closes the connection at `Shutdown` before it says so; and a switch that has stopped
answering looks to it like a quiet one. What is left to write is this file, on the parser that recordings need.

It does not know what an event means, and does not connect again by itself.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from time import time_ns

from telephony.ami_text import Block, Parser

CONNECT_SECONDS = 5
ANSWER_SECONDS = 3
PIECE_BYTES = 65_536


class NoAnswerError(Exception):
    """The switch is not there, says no, or says nothing; the message says which."""


class RefusedError(NoAnswerError):
    """The switch says no."""


class Connection:
    """`heard` must be read all the time: what is asked is answered while it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._asked: dict[str, asyncio.Future[Mapping[str, str]]] = {}
        self._number = 0

    async def heard(self) -> AsyncIterator[tuple[Sequence[Mapping[str, str]], int]]:
        """Events as they come, those of one packet together, and when that was (µs); ends with the connection."""
        parser = Parser()
        while piece := await self._read():
            received_at = time_ns() // 1_000
            if events := [block.fields for block in parser.push(piece) if not self._is_answer(block)]:
                yield events, received_at
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(NoAnswerError("the switch closed the connection"))

    async def ask(self, action: str, **members: str) -> Mapping[str, str]:
        """Ask for `action`; the first answer to it. Raises NoAnswerError."""
        self._number += 1
        number = str(self._number)
        lines = {"Action": action, "ActionID": number, **members}
        answer: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._writer.write("".join(f"{key}: {value}\r\n" for key, value in lines.items()).encode() + b"\r\n")
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._writer.drain()
                said = await answer
        except TimeoutError:
            raise NoAnswerError(f"the switch does not answer to {action}") from None
        except OSError as error:
            raise NoAnswerError(f"the connection to the switch broke ({error})") from None
        finally:
            del self._asked[number]
        if said.get("Response") not in ("Success", "Goodbye"):
            raise RefusedError(f"the switch refuses {action}: {said.get('Message', 'it does not say why')}")
        return said

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(PIECE_BYTES)
        except OSError:
            return b""

    def _is_answer(self, block: Block) -> bool:
        if "Response" not in block.fields:
            return False
        answer = self._asked.get(block.fields.get("ActionID", ""))
        if answer is not None and not answer.done():
            answer.set_result(block.fields)
        return True


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[Connection]:
    """A connection, closed at the end; nobody is logged in yet. Raises NoAnswerError."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        raise NoAnswerError(f"no switch answers at {host}:{port}") from None
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
