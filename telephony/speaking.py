"""The way to a caller's ear: what every driver can do, and what it tells.

A driver speaks through one telephone system and hears who still waits there. Another telephone system is another file
that does what `Driver` says, and nothing else changes. What is to be spoken, and what becomes of it, is decided in
`announcer.py`.
"""

import asyncio
from typing import Protocol

from schemas.events import AnnouncementOutcomeName
from schemas.outputs import Command

CHARACTERS_A_SECOND = 14
"""The pace of recorded English speech: some 165 words a minute."""


class NotPlayedError(Exception):
    """The caller hears nothing of it; the message says why, to a person who can change it."""


class CallerGoneError(Exception):
    """The caller is not there any more."""


class Listener(Protocol):
    """Whom a driver tells, at once, what happens."""

    def over(self, ident: str, outcome: AnnouncementOutcomeName, why: str = "") -> None:
        """What played under `ident` came to its end by itself."""

    def left_queue(self, channel: str) -> None:
        """A caller is no longer in the queue."""

    def say_why(self, channel: str, outcome: AnnouncementOutcomeName) -> None:
        """It is known why they left."""

    def in_doubt(self, why: str) -> None:
        """The driver no longer knows what plays or who waits."""


class Driver(Protocol):
    """Speaks through one telephone system."""

    async def run(self, listener: Listener) -> None:
        """Keep the way open until cancelled; then nothing plays any more, and nothing is left of what it made."""

    def obstacle(self) -> str:
        """Why nothing may be played just now; empty when all is well."""

    def waits(self, command: Command) -> bool:
        """Whether the caller it is for still waits in its queue."""

    async def play(self, command: Command) -> None:
        """Begin to play; the end is told. Raises NotPlayedError and CallerGoneError."""

    async def stop(self, ident: str) -> None:
        """Let it be silent at once, whether it plays, is about to, or is over."""


class LogDriver:
    """Takes as long as saying it would, and says nothing: what happens to callers is not known."""

    def __init__(self) -> None:
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self._listener: Listener | None = None

    async def run(self, listener: Listener) -> None:
        self._listener = listener
        try:
            await asyncio.Event().wait()
        finally:
            self._listener = None
            for end in self._ends.values():
                end.cancel()

    def obstacle(self) -> str:
        return "" if self._listener else "not started yet"

    def waits(self, command: Command) -> bool:
        return True

    async def play(self, command: Command) -> None:
        loop = asyncio.get_running_loop()
        self._ends[command.id] = loop.call_later(speaking_seconds(command.text), self._over, command.id)

    async def stop(self, ident: str) -> None:
        if end := self._ends.pop(ident, None):
            end.cancel()

    def _over(self, ident: str) -> None:
        del self._ends[ident]
        if self._listener:
            self._listener.over(ident, "played")


def speaking_seconds(text: str) -> float:
    """How long `text` takes to say, estimated."""
    return len(text) / CHARACTERS_A_SECOND
