"""What an announcer plays, what it leaves unplayed, and what becomes of each command.

Playing is at most once and in doubt there is silence: a command is started only after its record was committed, its
id is remembered until a minute after it expired, and a caller hears one announcement at a time. What plays stops when
the caller is answered or has left. A record of a worker that was replaced (a lower epoch than seen in its partition)
is as if it had never been written.

Time comes in as a value, in microseconds. How the words reach the caller, and Kafka, are not known here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from schemas.codec import new_event
from schemas.events import AnnouncementOutcome, AnnouncementOutcomeData, AnnouncementOutcomeName
from schemas.moments import MINUTE, SECOND, micros, moment
from schemas.outputs import Cancellation, Command

REMEMBERED_AFTER_EXPIRY = MINUTE
CHARACTERS_A_SECOND = 14
"""The pace of recorded English speech: some 165 words a minute."""

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
    was_playing: bool = False

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
class _Playing:
    command: Command
    until: int


def read(value: bytes) -> Command | Cancellation | None:
    """A record of the announcements topic; None when it is neither a command nor a cancellation."""
    try:
        if "cancels" in msgspec.json.decode(value):
            return msgspec.json.decode(value, type=Cancellation)
        return msgspec.json.decode(value, type=Command)
    except (msgspec.MsgspecError, TypeError):
        return None


def speaking_time(text: str) -> int:
    """How long `text` takes to say, estimated, in µs."""
    return len(text) * SECOND // CHARACTERS_A_SECOND


class Announcer:
    """The decisions of one announcer. Commands are heard, started after their commit, and end in one outcome."""

    def __init__(self) -> None:
        self._epochs: dict[int, int] = {}
        self._remembered: dict[str, int] = {}
        self._heard: dict[str, Command] = {}
        self._playing: dict[tuple[str, str], _Playing] = {}

    @property
    def next_end(self) -> int | None:
        """When the first of what plays now will be over."""
        return min((playing.until for playing in self._playing.values()), default=None)

    def hear(self, partition: int, record: Command | Cancellation, now: int) -> Iterator[Ended]:
        """Take a record of `partition`; gives what ended by it."""
        if record.epoch < self._epochs.get(partition, 0):
            return
        self._epochs[partition] = record.epoch
        if isinstance(record, Cancellation):
            yield from self._cancel(record, now)
        elif record.id not in self._remembered:
            yield from self._take(record, now)

    def start(self, now: int) -> Iterator[Command | Ended]:
        """What is to be played from now on of what was heard; call it when the records heard are committed."""
        heard, self._heard = self._heard, {}
        for command in heard.values():
            if now >= micros(command.expires_at):
                yield Ended(command, "expired", now)
            elif (command.centre, command.call) in self._playing:
                yield Ended(command, "failed", now)
            else:
                until = now + speaking_time(command.text)
                self._playing[command.centre, command.call] = _Playing(command, until)
                yield command

    def finish(self, now: int) -> Iterator[Ended]:
        """What has been played to its end by now."""
        for caller, playing in list(self._playing.items()):
            if playing.until <= now:
                del self._playing[caller]
                yield Ended(playing.command, "played", playing.until, was_playing=True)
        for ident in [ident for ident, until in self._remembered.items() if until <= now]:
            del self._remembered[ident]

    def fall_silent(self, now: int) -> Iterator[Ended]:
        """Everything heard or playing fails: the announcer stops, or cannot tell whether it may play."""
        for command in self._heard.values():
            yield Ended(command, "failed", now)
        for playing in self._playing.values():
            yield Ended(playing.command, "failed", now, was_playing=True)
        self._heard, self._playing = {}, {}

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
        outcome = _OUTCOME_OF[cancellation.reason]
        if command := self._heard.pop(cancellation.cancels, None):
            yield Ended(command, outcome, now)
        for caller, playing in list(self._playing.items()):
            if playing.command.id == cancellation.cancels:
                del self._playing[caller]
                yield Ended(playing.command, outcome, now, was_playing=True)
