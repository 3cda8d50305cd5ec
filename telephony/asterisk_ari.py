"""Speaks to waiting callers through Asterisk's REST interface (ARI): whispers, while they keep their place.

A snoop channel on the caller whispers over the music; the queue does not notice. Asterisk's answers prove little.
It accepts a snoop for an application that is not connected (and the channel dies at once: the play that follows
finds none), it calls a recording played that it does not have, and it plays to callers to whom no audio flows. So
nothing is played while the websocket is down, every recording is looked up first, a play must be accepted and end as
done, and the caller must have been sent audio meanwhile.

What was made is deleted when it was played or must stop; what a killed announcer left behind, at the next start.
"""

import asyncio
import contextlib
import hashlib
import json
import logging
import time
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import aiohttp
from yarl import URL

from schemas.outputs import Command
from telephony.asterisk_bridge import LoginRefusedError
from telephony.asterisk_waiting import RECONNECT_SECONDS, Watch
from telephony.prompts import recordings
from telephony.speaking import CallerGoneError, Listener, NotPlayedError

APPLICATION = "occ-announcer"
PREFIX = "occ-announcer-"
"""How the id of every channel and playback of ours begins, so that they can be told from others'."""
ANSWER_SECONDS = 3
PARALLEL = 8
"""Commands begun at the same time; a switch serves some hundred connections, and stopping needs one at once."""
SOUNDS_AGE_SECONDS = 10
HEARTBEAT_SECONDS = 4
KEPT_SECONDS = 10
"""Less than the 15 after which Asterisk closes an idle connection."""

_REFUSED = "the switch's ARI refuses the login: is it the right user and secret file?"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Interface:
    """Where ARI is (`http://127.0.0.1:8088`), and who may speak there."""

    url: str
    user: str
    secret: str


class ReplacedError(Exception):
    """Another announcer speaks through this switch now."""


@dataclass(slots=True)
class _Whisper:
    ident: str
    caller: str
    channel: str
    started: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int | None = None
    """How many packets of audio the switch had sent to the caller when the whisper began."""


class AriDriver:
    """The driver for one Asterisk with ARI; `watch` knows who waits."""

    def __init__(self, interface: Interface, watch: Watch) -> None:
        self._interface = interface
        self._base = URL(interface.url) / "ari"
        self._watch = watch
        self._whispers: dict[str, _Whisper] = {}
        self._sounds: Mapping[str, Container[str]] = {}
        self._sounds_at = 0.0
        self._connected = False
        self._welcome = False
        self._beginning = asyncio.Semaphore(PARALLEL)
        self._ending: set[asyncio.Task[None]] = set()

    async def run(self, listener: Listener) -> None:
        """Until cancelled. Raises LoginRefusedError at first, and ReplacedError."""
        async with aiohttp.ClientSession(
            headers={"Authorization": aiohttp.encode_basic_auth(self._interface.user, self._interface.secret)},
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_SECONDS),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
        ) as self._http:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._watch.run(listener))
                    group.create_task(self._keep_connected(listener))
            except ExceptionGroup as ended:
                raise ended.exceptions[0] from None
            finally:
                self._connected = False
                for ident in list(self._whispers):
                    await self.stop(ident)
                for _ in range(PARALLEL):
                    await self._beginning.acquire()  # whatever was just about to begin has been deleted as well

    def obstacle(self) -> str:
        """Without the websocket a whisper would reach nobody; without the watch it would reach a handler's ear."""
        if not self._connected:
            return "the switch's ARI is not connected"
        return "" if self._watch.hears else "it is not known who waits at the switch"

    def waits(self, command: Command) -> bool:
        return self._watch.is_waiting(command.channel_ref, command.queue)

    async def play(self, command: Command) -> None:
        channel = PREFIX + hashlib.sha256(command.id.encode()).hexdigest()[:32]
        whisper = _Whisper(command.id, command.channel_ref or "", channel)
        self._whispers[command.id] = whisper
        try:
            async with self._beginning:
                if self._is_wanted(whisper):
                    await self._begin(command, whisper)
                if not self._is_wanted(whisper):
                    await self._delete(channel)  # told to stop before there was anything to be stopped
        except (aiohttp.ClientError, TimeoutError) as error:
            await self.stop(command.id)
            raise NotPlayedError(f"the switch's ARI does not answer ({type(error).__name__})") from None
        except (NotPlayedError, CallerGoneError):
            await self.stop(command.id)
            raise

    async def stop(self, ident: str) -> None:
        if whisper := self._whispers.pop(ident, None):
            await self._delete(whisper.channel)

    async def _begin(self, command: Command, whisper: _Whisper) -> None:
        names = await self._recordings(command)
        options = {"spy": "none", "whisper": "out", "app": APPLICATION, "snoopId": whisper.channel}
        status, said = await self._ask("POST", "channels", whisper.caller, "snoop", **options)
        if status == HTTPStatus.NOT_FOUND:
            raise CallerGoneError
        if status != HTTPStatus.OK:
            raise NotPlayedError(f"the switch refuses to whisper: {status} {said}")
        media = ",".join(f"sound:{name}" for name in names)
        play = ("channels", whisper.channel, "play", whisper.channel)
        status, said = await self._ask("POST", *play, media=media, lang=command.language)
        if status == HTTPStatus.CONFLICT:  # the whisper is not with the application yet
            async with asyncio.timeout(ANSWER_SECONDS):
                await whisper.started.wait()
            status, said = await self._ask("POST", *play, media=media, lang=command.language)
        if status == HTTPStatus.NOT_FOUND:
            raise NotPlayedError("the whisper died at once: the switch does not know the announcer's application")
        if status != HTTPStatus.CREATED:
            raise NotPlayedError(f"the switch refuses to play: {status} {said}")
        whisper.sent = await self._sent(whisper)

    async def _recordings(self, command: Command) -> tuple[str, ...]:
        try:
            return recordings(command, self._sounds)
        except NotPlayedError:
            if time.monotonic() < self._sounds_at + SOUNDS_AGE_SECONDS:
                raise
        await self._learn_sounds()
        return recordings(command, self._sounds)

    async def _learn_sounds(self) -> None:
        sounds: dict[str, set[str]] = {}
        status, listed = await self._ask("GET", "sounds")
        if status != HTTPStatus.OK:
            log.warning("the switch's ARI does not say which recordings it has: is res_ari_sounds loaded?")
            listed = ()
        for sound in listed:
            for form in sound["formats"]:
                sounds.setdefault(form["language"], set()).add(sound["id"])
        self._sounds, self._sounds_at = sounds, time.monotonic()

    async def _sent(self, whisper: _Whisper) -> int | None:
        """How many packets of audio the caller has been sent; None where the switch cannot tell."""
        status, statistics = await self._ask("GET", "channels", whisper.caller, "rtp_statistics")
        return statistics.get("txcount") if status == HTTPStatus.OK else None

    async def _keep_connected(self, listener: Listener) -> None:
        failures = 0
        while True:
            try:
                await self._session(listener)
            except (aiohttp.ClientError, TimeoutError) as error:
                if _is_refusal(error) and not self._welcome:
                    raise LoginRefusedError(_REFUSED) from None
                failures = 0 if self._connected else failures
                if failures == 0:
                    log.warning("the switch's ARI is not there (%s); trying again", type(error).__name__)
            finally:
                if self._connected:
                    self._connected = False
                    listener.in_doubt("the switch's ARI was lost")
            await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
            failures += 1

    async def _session(self, listener: Listener) -> None:
        """One websocket, to its end, which raises."""
        url = self._base / "events"
        async with self._http.ws_connect(url, params={"app": APPLICATION}, heartbeat=HEARTBEAT_SECONDS) as socket:
            self._welcome = True
            await self._sweep()
            await self._learn_sounds()
            self._connected = True
            log.info("speaking through the switch at %s", self._base.authority)
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    self._hear(json.loads(message.data), listener)
        raise aiohttp.ClientConnectionError

    def _hear(self, event: Mapping[str, Any], listener: Listener) -> None:
        match event:
            case {"type": "ApplicationReplaced"}:
                raise ReplacedError("Another announcer speaks through this switch now, so this one ends.")
            case {"type": "StasisStart", "channel": {"id": channel}} if whisper := self._on(channel):
                whisper.started.set()
            case {"type": "PlaybackFinished", "playback": {"id": channel, "state": state}} if whisper := self._on(
                channel
            ):
                task = asyncio.create_task(self._end(whisper, state, listener))
                self._ending.add(task)
                task.add_done_callback(self._ending.discard)

    async def _end(self, whisper: _Whisper, state: str, listener: Listener) -> None:
        sent = None
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            sent = await self._sent(whisper)
        if not self._is_wanted(whisper):
            return  # stopped meanwhile
        await self.stop(whisper.ident)
        if state != "done":
            listener.over(whisper.ident, "failed", f"the switch could not play it to its end ({state})")
        elif sent is not None and sent == whisper.sent:
            listener.over(whisper.ident, "failed", "no audio flows to the caller: is transmit_silence = yes set?")
        else:
            listener.over(whisper.ident, "played")

    async def _sweep(self) -> None:
        """Delete what an announcer that was killed has left behind."""
        _, channels = await self._ask("GET", "channels")
        for channel in channels:
            if channel["id"].startswith(PREFIX):
                await self._delete(channel["id"])

    async def _delete(self, channel: str) -> None:
        try:
            await self._ask("DELETE", "channels", channel)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("a whisper may go on: the switch's ARI does not answer (%s)", type(error).__name__)

    async def _ask(self, method: str, *path: str, **options: str) -> tuple[int, Any]:
        async with self._http.request(method, self._base.joinpath(*path), params=options) as answer:
            return answer.status, await answer.json() if answer.status != HTTPStatus.NO_CONTENT else None

    def _on(self, channel: str) -> _Whisper | None:
        return next((whisper for whisper in self._whispers.values() if whisper.channel == channel), None)

    def _is_wanted(self, whisper: _Whisper) -> bool:
        return self._whispers.get(whisper.ident) is whisper


def _is_refusal(error: Exception) -> bool:
    return isinstance(error, aiohttp.WSServerHandshakeError) and error.status == HTTPStatus.UNAUTHORIZED
