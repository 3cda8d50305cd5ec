"""Who waits in the queues of one Asterisk, as its manager interface tells it, for whoever speaks to them.

A caller left when the switch says so, not when a worker has heard of it: between the two an announcement would talk
over the handler. Leaving comes before its reason (an answer follows within a millisecond, giving up precedes it).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from schemas.events import AnnouncementOutcomeName
from telephony.ami_client import ANSWER_SECONDS, Connection, NoAnswerError, RefusedError, connected
from telephony.asterisk_bridge import Account, LoginRefusedError
from telephony.speaking import Listener

RECONNECT_SECONDS = (0.5, 1, 2, 5)
PING_SECONDS = 3
EVENTS = "agent,call"

_LOST = "the switch's manager interface was lost"

log = logging.getLogger(__name__)

_REASONS: Mapping[str, AnnouncementOutcomeName] = {
    "AgentConnect": "cut_by_answer",
    "Hangup": "caller_left",
}


async def _nothing() -> None:
    pass


class Waiting:
    """The callers in the queues of one switch: feed it every event, in order."""

    def __init__(self) -> None:
        self._queues: dict[str, str] = {}

    def feed(self, event: Mapping[str, str], listener: Listener) -> None:
        """Take an event, and tell the listener what it means for speech."""
        channel, name = event.get("Uniqueid", ""), event.get("Event", "")
        match name:
            case "QueueCallerJoin" | "QueueEntry":
                self._queues[channel] = event.get("Queue", "")
            case "QueueCallerLeave" if channel in self._queues:
                del self._queues[channel]
                listener.left_queue(channel)
            case "AgentConnect" | "Hangup":
                if channel in self._queues:
                    del self._queues[channel]
                    listener.left_queue(channel)
                listener.say_why(channel, _REASONS[name])

    def is_in(self, channel: str | None, queue: str) -> bool:
        """Whether the caller on `channel` waits in `queue`."""
        return channel is not None and self._queues.get(channel) == queue


class Watch:
    """Keeps a connection to the manager interface and knows by it who waits."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._waiting: Waiting | None = None
        self._welcome = False

    @property
    def hears(self) -> bool:
        """Whether it is known who waits."""
        return self._waiting is not None

    def is_waiting(self, channel: str | None, queue: str) -> bool:
        return self._waiting is not None and self._waiting.is_in(channel, queue)

    async def run(
        self,
        listener: Listener,
        heard: Callable[[Mapping[str, str]], None] = lambda event: None,
        opened: Callable[[Connection | None], None] = lambda connection: None,
        leave: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """Until cancelled; `heard` gets every event, `opened` the connection, and None when it is gone.

        `leave` is awaited when it ends and the connection is still there.

        Raises LoginRefusedError when not even the first login succeeds.
        """
        failures = 0
        while True:
            try:
                await self._session(listener, heard, opened, leave)
            except NoAnswerError as error:
                if self.hears:
                    failures = 0
                if failures == 0:
                    log.warning("%s; trying again", error)
            finally:
                opened(None)
                if self.hears:
                    self._waiting = None
                    listener.in_doubt(_LOST)
            await asyncio.sleep(RECONNECT_SECONDS[min(failures, len(RECONNECT_SECONDS) - 1)])
            failures += 1

    async def _session(
        self,
        listener: Listener,
        heard: Callable[[Mapping[str, str]], None],
        opened: Callable[[Connection | None], None],
        leave: Callable[[], Awaitable[None]],
    ) -> None:
        """One connection, to its end: it ends in NoAnswerError, or in what is wrong with us."""
        waiting = Waiting()
        listed = asyncio.Event()

        async def listen() -> None:
            async for events, _ in connection.heard():
                for event in events:
                    waiting.feed(event, listener)
                    heard(event)
                    if event.get("Event") == "QueueStatusComplete":
                        listed.set()
            raise NoAnswerError("the switch closed the connection")

        async with connected(self._account.host, self._account.port) as connection:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(listen())
                    await self._log_in(connection)
                    await self._list(connection, listed)
                    self._waiting = waiting
                    opened(connection)
                    try:
                        while True:
                            await asyncio.sleep(PING_SECONDS)
                            await connection.ask("Ping")
                    finally:
                        await leave()
            except ExceptionGroup as ended:
                raise min(ended.exceptions, key=lambda error: isinstance(error, NoAnswerError)) from None

    async def _list(self, connection: Connection, listed: asyncio.Event) -> None:
        await connection.ask("QueueStatus")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await listed.wait()
        except TimeoutError:
            raise NoAnswerError("the switch does not answer to QueueStatus") from None

    async def _log_in(self, connection: Connection) -> None:
        try:
            await connection.ask("Login", Username=self._account.user, Secret=self._account.secret, Events=EVENTS)
        except RefusedError as error:
            if self._welcome:
                raise
            raise LoginRefusedError(f"{error}: is it the right user and secret file?") from None
        self._welcome = True
