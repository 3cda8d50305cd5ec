"""Hears one Asterisk and hands on what it says as canonical events, whenever it is there.

After each login it asks who is waiting and which channels there are, before anything else, and then again and again:
the switch repeats nothing, and what was not heard can only be seen by what is there afterwards. A heartbeat is sent
when the switch has answered, and says what the switch counts at that moment, not what was heard of it.

It does not know what an event means (`asterisk_ami.py`), nor where events go.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from time import time_ns

from schemas.events import Event
from telephony.ami_client import ANSWER_SECONDS, Connection, NoAnswerError, RefusedError, connected
from telephony.asterisk_ami import Translator
from telephony.hearing import HandOn, Remember

HEARTBEAT_SECONDS = 3
SNAPSHOT_EVERY = 2  # heartbeats: two snapshots must be 5 s apart to prove anything
BOOT_SECONDS = 60
RECONNECT_SECONDS = (0.5, 1, 2, 5)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Account:
    """Where the manager interface is, and who may listen there."""

    host: str
    port: int
    user: str
    secret: str


class LoginRefusedError(Exception):
    """The switch does not know the user or the password."""


class Bridge:
    """`run` it; `hand_on` gets events as they come, `remember` all that is known of calls when that has changed."""

    def __init__(
        self,
        account: Account,
        translator: Translator,
        hand_on: HandOn,
        remember: Remember,
    ) -> None:
        self._account = account
        self._translator = translator
        self._hand_on = hand_on
        self._remember = remember
        self._logged_in = False
        self._welcome = False  # at any time: a switch that is just starting may know nobody yet
        self._booted = asyncio.Event()
        self._listed: dict[str, asyncio.Future[None]] = {}
        self._callers: list[int] = []
        self._stamped = True
        self.answered_at: int | None = None

    async def run(self) -> None:
        """Until cancelled. Raises LoginRefusedError when not even the first login succeeds."""
        failures = 0
        while True:
            try:
                await self._session()
            except NoAnswerError as error:
                if self._logged_in:
                    failures = 0
                if failures == 0:
                    log.warning("%s; trying again", error)
                self._logged_in = False
            await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
            failures += 1

    async def _session(self) -> None:
        """One connection, to its end: it ends in NoAnswerError, or in what is wrong with us."""
        self._booted.clear()
        self._listed.clear()
        async with connected(self._account.host, self._account.port) as connection:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._listen(connection))
                    await self._log_in(connection)
                    log.info("listening to the switch at %s:%d", self._account.host, self._account.port)
                    await self._ask_on(connection)
            except ExceptionGroup as ended:
                raise min(ended.exceptions, key=lambda error: isinstance(error, NoAnswerError)) from None

    async def _log_in(self, connection: Connection) -> None:
        try:
            await connection.ask("Login", Username=self._account.user, Secret=self._account.secret, Events="on")
        except RefusedError as error:
            if self._welcome:
                raise
            raise LoginRefusedError(f"{error}: is it the right user and secret file?") from None
        self._welcome = self._logged_in = True

    async def _listen(self, connection: Connection) -> None:
        async for blocks, received_at in connection.heard():
            events: list[Event] = []
            for block in blocks:
                events += self._translator.feed(block, received_at)
                self._note(block)
            if events:
                self._hand_on(events)
            self._remember(self._translator.memory)  # after the events: what is remembered is not said again
        raise NoAnswerError("the switch closed the connection")

    def _note(self, block: Mapping[str, str]) -> None:
        """What the bridge itself wants to know of an event."""
        event = block.get("Event", "")
        if event == "FullyBooted":
            self._booted.set()
        elif event == "QueueSummary":
            self._callers.append(int(block["Callers"]))
        elif (listed := self._listed.get(event)) and not listed.done():
            listed.set_result(None)
        elif self._stamped and event == "Newchannel" and "Timestamp" not in block:
            self._stamped = False
            log.warning("the switch does not say when things happen: set timestampevents = yes in manager.conf")

    async def _ask_on(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(BOOT_SECONDS):
                await self._booted.wait()  # until then it does not know its queues
        except TimeoutError:
            raise NoAnswerError("the switch does not say that it has started: may its user read `system`?") from None
        beats = 0
        loop = asyncio.get_running_loop()
        while True:
            next_at = loop.time() + HEARTBEAT_SECONDS
            if beats % SNAPSHOT_EVERY == 0:
                await self._list(connection, "QueueStatus", "QueueStatusComplete")
                await self._list(connection, "CoreShowChannels", "CoreShowChannelsComplete")
            self._callers.clear()
            await self._list(connection, "QueueSummary", "QueueSummaryComplete")
            self.answered_at = time_ns() // 1_000
            self._hand_on([self._translator.heartbeat(sum(self._callers), self.answered_at)])
            beats += 1
            await asyncio.sleep(next_at - loop.time())

    async def _list(self, connection: Connection, action: str, complete: str) -> None:
        """Returns when the listing has been heard to its end."""
        listed = self._listed[complete] = asyncio.get_running_loop().create_future()
        await connection.ask(action)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await listed
        except TimeoutError:
            raise NoAnswerError(f"the switch does not answer to {action}") from None
