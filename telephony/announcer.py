"""What an announcer plays, what it leaves unplayed, and what becomes of each command.

Playing is at most once and in doubt there is silence: a command is started only after its record was committed, its
id is remembered until a minute after it expired, and a caller hears one announcement at a time. What plays stops when
the caller leaves the queue; why they left is often known only a moment later. A record of a worker that was replaced
(a lower epoch than seen in its partition) is as if it had never been written.

Time comes in as a value, in microseconds. How the words reach the caller, and Kafka, are not known here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas.codec import new_event
from schemas.events import AnnouncementOutcome, AnnouncementOutcomeData, AnnouncementOutcomeName
from schemas.moments import MINUTE, SECOND, micros, moment
from schemas.outputs import Cancellation, Command

REMEMBERED_AFTER_EXPIRY = MINUTE
REASON_WITHIN = SECOND
"""A switch says that a caller left the queue, and then why; what it has not said by then was no answer."""

_OUTCOME_OF: dict[Literal["answered", "left", "stale", "superseded"], AnnouncementOutcomeName] = {
    "answered": "cut_by_answer",
    "left": "caller_left",
    "stale": "expired",
    "superseded": "expired",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """A command and what became of it, `at` (µs)."""

    command: Command
    outcome: AnnouncementOutcomeName
    at: int
    why: str = ""
    """For a person who reads the log: what went wrong, if anything did."""

    @property
    def event(self) -> AnnouncementOutcome:
        """The outcome as an event; the same for the same announcement, however often it is reported."""
        command = self.command
        return new_event(
            AnnouncementOutcome,
            AnnouncementOutcomeData(
                centre=command.centre, announcement=command.id, visit=command.visit, outcome=self.outcome
            ),
            id=f"outcome:{command.id}",
            source=f"//{command.centre}/announcer",
            time=moment(self.at),
            subject=command.visit,
        )


@dataclass(frozen=True, slots=True)
class _Stopped:
    command: Command
    reason_until: int


def read(value: bytes) -> Command | Cancellation | None:
    """A record of the announcements topic; None when it is neither a command nor a cancellation."""
    try:
        if "cancels" in msgspec.json.decode(value):
            return msgspec.json.decode(value, type=Cancellation)
        return msgspec.json.decode(value, type=Command)
    except (msgspec.MsgspecError, TypeError):
        return None


class Announcer:
    """The decisions of one announcer. Commands are heard, started after their commit, and end in one outcome.

    With a `source` it is the announcer of that telephone system and leaves the commands for others alone.
    """

    def __init__(self, source: str | None = None) -> None:
        self._source = source
        self._epochs: dict[int, int] = {}
        self._remembered: dict[str, int] = {}
        self._heard: dict[str, Command] = {}
        self._playing: dict[str, Command] = {}
        self._stopped: dict[str, _Stopped] = {}

    def hear(self, partition: int, record: Command | Cancellation, now: int) -> Iterator[Ended]:
        """Take a record of `partition`; gives what ended by it."""
        if record.epoch < self._epochs.get(partition, 0):
            return
        self._epochs[partition] = record.epoch
        if isinstance(record, Cancellation):
            yield from self._cancel(record, now)
        elif record.id not in self._remembered and self._source in (None, record.source):
            yield from self._take(record, now)

    def start(self, now: int, waits: Callable[[Command], bool]) -> Iterator[Command | Ended]:
        """What is to be played from now on of what was heard; call it when the records heard are committed."""
        heard, self._heard = self._heard, {}
        for command in heard.values():
            if now >= micros(command.expires_at):
                yield Ended(command, "expired", now)
            elif not waits(command):
                yield Ended(command, "caller_left", now)
            elif self._is_spoken_to(command):
                yield Ended(command, "failed", now, "the caller hears another announcement")
            else:
                self._playing[command.id] = command
                yield command

    def is_playing(self, ident: str) -> bool:
        return ident in self._playing

    def end(self, ident: str, outcome: AnnouncementOutcomeName, now: int, why: str = "") -> Iterator[Ended]:
        """What plays under `ident` has come to this end; nothing when it is over already."""
        if command := self._playing.pop(ident, None):
            yield Ended(command, outcome, now, why)

    def left_queue(self, channel: str, now: int) -> list[str]:
        """A caller is no longer in the queue: what was played to them must stop now."""
        stopped = [command for command in self._playing.values() if command.channel_ref == channel]
        for command in stopped:
            del self._playing[command.id]
            self._stopped[command.id] = _Stopped(command, now + REASON_WITHIN)
        return [command.id for command in stopped]

    def say_why(self, channel: str, outcome: AnnouncementOutcomeName, now: int) -> Iterator[Ended]:
        """It is known why that caller left."""
        for ident, stopped in list(self._stopped.items()):
            if stopped.command.channel_ref == channel:
                del self._stopped[ident]
                yield Ended(stopped.command, outcome, now)

    def settle(self, now: int) -> Iterator[Ended]:
        """What can wait no longer for a reason; call it now and then."""
        for ident, stopped in list(self._stopped.items()):
            if stopped.reason_until <= now:
                del self._stopped[ident]
                yield Ended(stopped.command, "caller_left", now)
        for ident in [ident for ident, until in self._remembered.items() if until <= now]:
            del self._remembered[ident]

    def fall_silent(self, now: int, why: str) -> Iterator[Ended]:
        """Everything heard or playing fails: the announcer stops, or cannot tell whether it may play."""
        for command in (*self._heard.values(), *self._playing.values()):
            yield Ended(command, "failed", now, why)
        for stopped in self._stopped.values():
            yield Ended(stopped.command, "caller_left", now)
        self._heard, self._playing, self._stopped = {}, {}, {}

    def _is_spoken_to(self, command: Command) -> bool:
        caller = (command.centre, command.call)
        return any((playing.centre, playing.call) == caller for playing in self._playing.values())

    def _take(self, command: Command, now: int) -> Iterator[Ended]:
        expires_at = micros(command.expires_at)
        if now >= expires_at + REMEMBERED_AFTER_EXPIRY:
            return  # the worker has long recorded it as expired
        self._remembered[command.id] = expires_at + REMEMBERED_AFTER_EXPIRY
        if now >= expires_at:
            yield Ended(command, "expired", now)
        else:
            self._heard[command.id] = command

    def _cancel(self, cancellation: Cancellation, now: int) -> Iterator[Ended]:
        ident = cancellation.cancels
        stopped = self._stopped.pop(ident, None)
        command = self._heard.pop(ident, None) or self._playing.pop(ident, None) or (stopped and stopped.command)
        if command:
            yield Ended(command, _OUTCOME_OF[cancellation.reason], now)
