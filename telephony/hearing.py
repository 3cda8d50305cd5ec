"""The way to a telephone system's word: what the bridge to every switch can do, and what it keeps for its next run.

A bridge hears one switch, asks it for what it does not say by itself, and hands on canonical events. Another
telephone system is another file that does what `Bridge` says, with a translator of its own, and nothing else changes.
"""

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from schemas.events import Event
from telephony.switch_channels import Memory

HandOn = Callable[[Sequence[Event]], None]
Remember = Callable[[Memory], None]

log = logging.getLogger(__name__)


class Bridge(Protocol):
    """Hears one telephone system."""

    @property
    def answered_at(self) -> int | None:
        """When the switch last answered whatever it was asked, in µs."""

    async def run(self) -> None:
        """Hear it until cancelled, and again whenever it was lost.

        Events are handed on as they come, in order; then what is known of calls is remembered, so that what is
        remembered is not said again. A heartbeat only follows an answer of the switch.
        """


class MemoryFile:
    """What is known of calls, kept in a file for the next run.

    It is written in place by one call, which a killed process makes wholly or not at all, padded to its last length.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._kept = path.read_bytes()

    def load(self) -> Memory:
        """What was kept; nothing, when there is nothing that can be read."""
        if not self._kept:
            return Memory()
        try:
            return msgspec.json.decode(self._kept, type=Memory)
        except msgspec.MsgspecError:
            log.warning("%s cannot be read: calls that are up are learnt anew", self._path)
            return Memory()

    def save(self, memory: Memory) -> None:
        """Keep `memory`."""
        content = msgspec.json.encode(memory).ljust(len(self._kept))
        if content != self._kept:
            os.pwrite(self._file, content, 0)
            self._kept = content
