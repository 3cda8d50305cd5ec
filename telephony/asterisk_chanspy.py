"""Speaks to waiting callers through Asterisk's manager interface alone, for a switch without ARI.

A call of the switch's own to the dialplan plays the recordings (`occ-announcer` in extensions.conf) and its other
end whispers to the caller with ChanSpy. The switch tells of the end by the cause of the hang-up: the dialplan ends
with another one when the recordings did not play.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Container, Coroutine, Mapping
from pathlib import Path
from typing import Any

from schemas.outputs import Command
from telephony.ami_client import Connection, NoAnswerError, RefusedError
from telephony.asterisk_waiting import Watch
from telephony.prompts import recordings, sounds_in
from telephony.speaking import Listener, NotPlayedError

SPEAKER = "Local/say@occ-announcer"
PREFIX = "occ-announcer-"
SPEAKING_END = "-2"
ALL_WAS_PLAYED = "16"
SOUNDS_AGE_SECONDS = 10

log = logging.getLogger(__name__)


class ChanSpyDriver:
    """The driver for one Asterisk without ARI; `sounds` is its folder of sounds or a copy of it."""

    def __init__(self, watch: Watch, sounds: Path) -> None:
        self._watch = watch
        self._folder = sounds
        self._sounds: Mapping[str, Container[str]] = {}
        self._sounds_at = 0.0
        self._connection: Connection | None = None
        self._swept = False
        self._channels: dict[str, str] = {}
        self._doing: set[asyncio.Task[None]] = set()

    async def run(self, listener: Listener) -> None:
        """Until cancelled. Raises LoginRefusedError when not even the first login succeeds."""
        try:
            await self._watch.run(listener, lambda event: self._hear(event, listener), self._opened, self._leave)
        finally:
            self._channels.clear()

    def obstacle(self) -> str:
        return "" if self._swept and self._watch.hears else "the switch's manager interface is not connected"

    def waits(self, command: Command) -> bool:
        return self._watch.is_waiting(command.channel_ref, command.queue)

    async def play(self, command: Command) -> None:
        names = self._recordings(command)
        channel = PREFIX + hashlib.sha256(command.id.encode()).hexdigest()[:32]
        if self._connection is None:
            raise NotPlayedError("the switch's manager interface was lost")
        self._channels[command.id] = channel
        try:
            await self._connection.ask(
                "Originate",
                Channel=f"{SPEAKER}/n",
                ChannelId=channel,
                OtherChannelId=channel + SPEAKING_END,
                Application="ChanSpy",
                Data=f"{command.channel_ref},uqwES",
                Variable=f"OCC_RECORDINGS={'&'.join(names)},OCC_LANGUAGE={command.language}",
                Async="true",
            )
        except NoAnswerError as error:
            await self.stop(command.id)
            raise NotPlayedError(str(error)) from None

    async def stop(self, ident: str) -> None:
        if channel := self._channels.pop(ident, None):
            await self._hang_up(channel)

    def _recordings(self, command: Command) -> tuple[str, ...]:
        try:
            return recordings(command, self._sounds)
        except NotPlayedError:
            if time.monotonic() < self._sounds_at + SOUNDS_AGE_SECONDS:
                raise
        self._sounds, self._sounds_at = sounds_in(self._folder), time.monotonic()
        return recordings(command, self._sounds)

    def _opened(self, connection: Connection | None) -> None:
        self._connection = connection
        self._swept = False
        if connection is not None:
            self._do(self._sweep(connection))

    async def _leave(self) -> None:
        """Nothing goes on when the announcer ends."""
        for ident in list(self._channels):
            await self.stop(ident)

    async def _sweep(self, connection: Connection) -> None:
        """Ask for all channels; what a killed announcer left behind is hung up as it is named."""
        try:
            await connection.ask("CoreShowChannels")
        except NoAnswerError as error:
            log.warning("%s", error)

    def _hear(self, event: Mapping[str, str], listener: Listener) -> None:
        channel = event.get("Uniqueid", "")
        match event.get("Event"):
            case "CoreShowChannelsComplete":
                self._swept = True
                log.info("speaking through the switch by its manager interface")
            case "CoreShowChannel" | "Newchannel" if self._is_stray(channel):
                self._do(self._hang_up(channel))
            case "Hangup" if channel.startswith(PREFIX) and channel.endswith(SPEAKING_END):
                self._end(channel.removesuffix(SPEAKING_END), event.get("Cause", ""), listener)
            case "OriginateResponse" if event.get("Response") == "Failure":
                self._end(channel, "", listener)

    def _is_stray(self, channel: str) -> bool:
        return channel.startswith(PREFIX) and channel.removesuffix(SPEAKING_END) not in self._channels.values()

    def _end(self, channel: str, cause: str, listener: Listener) -> None:
        for ident, known in list(self._channels.items()):
            if known == channel:
                del self._channels[ident]
                if cause == ALL_WAS_PLAYED:
                    listener.over(ident, "played")
                else:
                    listener.over(ident, "failed", "the switch could not play all of it")

    async def _hang_up(self, channel: str) -> None:
        try:
            if self._connection is not None:
                await self._connection.ask("Hangup", Channel=channel)
        except RefusedError:
            pass  # not there yet, or not any more: one that comes later is hung up when it is heard of
        except NoAnswerError as error:
            log.warning("a whisper may go on: %s", error)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
