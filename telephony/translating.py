"""What the translator of any switch does: it is told one block after another, and says events.

Here is what does not depend on the switch: which calls and visits are known and how they come to an end, what was
said and what was skipped. What a block means is the switch's own (`asterisk_ami.py`, `freeswitch.py`).

Always: no clock, no randomness, no exception for any input; everything that grows has a bound.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, get_args

from schemas.events import EndedReason, Event, LeftReason
from schemas.moments import SECOND, micros
from telephony.origins import NOWHERE, Classifier
from telephony.pseudonyms import Pseudonyms
from telephony.reading import MalformedError
from telephony.switch_channels import Channel, Memory, Visit, When
from telephony.switch_events import Events

CHANNELS_MAX = 10_000
LISTED_TOLERANCE = 3 * SECOND  # listings count waits in whole seconds

Skipped = Literal[
    "not_used",  # an event of a kind nothing here depends on
    "malformed",
    "not_a_caller",
    "unknown_call",
    "unknown_visit",
    "repeated",
    "unresolved",  # a visit whose end nobody saw: the snapshots will show that it is gone
    "incomplete_listing",
    "no_room",
]


class UnrelatedError(Exception):
    """A block that is well-formed and changes nothing here; `kind` says why."""

    def __init__(self, kind: Skipped) -> None:
        self.kind = kind


class SwitchTranslator(ABC):
    """One switch's events; `feed` them in the order in which they came, `finish` at the end of a recording.

    `skipped` counts the blocks that said nothing, by closed kinds. `memory` is all that another one needs to go on.
    """

    def __init__(
        self,
        centre: str,
        system: str,
        pseudonyms: Pseudonyms,
        *,
        origins: Classifier = NOWHERE,
        memory: Memory | None = None,
    ) -> None:
        self._events = Events(centre, system, pseudonyms, origins)
        self._pseudonyms = pseudonyms
        self.memory = memory or Memory()
        self.events_seen = 0
        self.newest_event_at: int | None = None
        self.skipped: dict[Skipped, int] = dict.fromkeys(get_args(Skipped), 0)

    @property
    def _channels(self) -> dict[str, Channel]:
        return self.memory.channels

    @property
    def calls_up(self) -> int:
        return sum(channel.offered and channel.gone is None for channel in self._channels.values())

    @property
    def callers_queued(self) -> int:
        return sum(visit.waiting for channel in self._channels.values() for visit in channel.visits)

    def feed(self, block: Mapping[str, str], received_at: int) -> list[Event]:
        """What `block`, received at `received_at` microseconds, says; nothing when it says nothing."""
        events = list(self._overdue(received_at))
        try:
            events.extend(self._translate(block, received_at))
        except MalformedError:
            self._skip("malformed")
        except UnrelatedError as unrelated:
            self._skip(unrelated.kind)
        return self._counted(events)

    def finish(self) -> list[Event]:
        """What is still held when nothing more will come."""
        return self._counted(list(self._overdue(None)))

    @abstractmethod
    def _translate(self, block: Mapping[str, str], received_at: int) -> Iterable[Event]:
        """What the block says. Raises MalformedError and UnrelatedError, also after some events."""

    @abstractmethod
    def _conclude(self, channel: Channel) -> Iterator[Event]:
        """Settle what was held of a channel that is gone, and forget it."""

    def _counted(self, events: list[Event]) -> list[Event]:
        self.events_seen += len(events)
        for event in events:
            self.newest_event_at = max(self.newest_event_at or 0, micros(event.time))
        return events

    def _overdue(self, received_at: int | None) -> Iterator[Event]:
        held = self.memory.held
        while held and (received_at is None or held[0][0] <= received_at):
            _, channel_id = held.pop(0)
            if channel := self._channels.get(channel_id):
                yield from self._conclude(channel)

    def _open(self, channel_id: str, arrived: When | None) -> Channel:
        if len(self._channels) >= CHANNELS_MAX:
            del self._channels[next(iter(self._channels))]
            self._skip("no_room")
        channel = self._channels[channel_id] = Channel(channel_id, arrived)
        return channel

    def _left(self, channel: Channel, visit: Visit, reason: LeftReason) -> Event:
        channel.visits.remove(visit)
        return self._events.left(visit, reason)

    def _ended(self, channel: Channel, visit: Visit, when: When, reason: EndedReason | None) -> Event:
        channel.visits.remove(visit)
        return self._events.ended(visit, when, reason)

    def _unresolved(self, channel: Channel, visit: Visit) -> None:
        channel.visits.remove(visit)
        self._skip("unresolved")

    def _over(self, channel: Channel, when: When) -> Iterator[Event]:
        """A channel is no more whose end nobody heard: that its call is over is all that is known."""
        for visit in list(channel.visits):
            self._unresolved(channel, visit)
        if channel.offered and channel.gone is None:
            yield self._events.call_ended(channel.id, when)
        self._forget(channel)

    def _drop_unlisted(self, queue: str, listed: set[str]) -> None:
        """A listing runs ahead of the events by a moment, so only the second absence counts."""
        for channel in self._channels.values():
            for visit in channel.waiting():
                if visit.queue == queue and visit.id not in listed:
                    visit.unlisted += 1
                    if visit.unlisted > 1:
                        self._unresolved(channel, visit)

    def _over_unlisted(self, listed: set[str], when: When) -> Iterator[Event]:
        """As `_drop_unlisted`, of channels: a listing of all of them lacks some."""
        for channel in list(self._channels.values()):
            if channel.id in listed or channel.gone is not None:
                channel.unlisted = 0
                continue
            channel.unlisted += 1
            if channel.unlisted > 1:
                yield from self._over(channel, when)

    def _forget(self, channel: Channel) -> None:
        self._channels.pop(channel.id, None)

    def _skip(self, kind: Skipped) -> None:
        self.skipped[kind] += 1
