"""Wrap-ups of a contact log as events, each of the conversation that it followed.

Asterisk knows of no wrap-up, and a contact log of no visits; what the topic of events says of the last two days
brings them together. The source is `//<centre>/contact-log`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from agents import clients
from agents.board_reader import offset_at
from agents.gate import Gate, partition_of
from agents.importing import TAKEN_WITHIN
from agents.reader import records_until
from agents.sending import Record
from schemas.codec import CLOCK_TOLERANCE, Arrival, encode, new_event
from schemas.events import (
    VisitAnswered,
    VisitEnded,
    VisitLeft,
    VisitQueued,
    VisitWrappedUp,
    VisitWrappedUpData,
)
from schemas.moments import moment
from schemas.topics import EVENTS
from stream.accounts import Account, Accounts, Key
from stream.profile import Profile
from stream.room import FORGET_AFTER
from telephony.contact_log import WrapUp

_TELLING = (VisitQueued, VisitAnswered, VisitEnded, VisitLeft)


@dataclass(frozen=True, slots=True)
class _Conversation:
    visit: str
    handler: str | None
    answered_at: int
    ended_at: int | None


class Conversations:
    """The conversations of one control room, by the visits and calls they belong to."""

    def __init__(self, centre: str, told: Mapping[Key, Account]) -> None:
        self._centre = centre
        self._known: dict[str, list[_Conversation]] = {}
        for (of, visit), account in told.items():
            if of == centre and account.outcome == "answered":
                answered_at = account.queued_at + account.wait
                ended_at = None if account.conversation is None else answered_at + account.conversation
                conversation = _Conversation(visit, account.handler, answered_at, ended_at)
                for name in (visit, account.call):
                    self._known.setdefault(name, []).append(conversation)

    def wrapped_up(self, row: WrapUp, now: int) -> VisitWrappedUp | str | None:
        """The event of a row; None where it is too old for the worker; or why there is none."""
        found = self._known.get(row.visit or row.call or "", [])
        if row.handler is not None and found:
            found = [each for each in found if each.handler == row.handler]
            if not found:
                return "names a handler who did not answer (is it the switch's name, under the bridge's keys?)"
        if len(found) > 1:
            return "names a call with several conversations: name the handler or the visit"
        if row.end is not None and row.end < now - TAKEN_WITHIN:
            return None
        if not found:
            return "names a visit or call of which no answer is known"
        (conversation,) = found
        end = row.end
        if end is None:
            if conversation.ended_at is None:
                return "has seconds only, and the end of the conversation is not known"
            end = conversation.ended_at + row.lasted
        if end < conversation.answered_at:
            return "was over before the call was answered (is it the right time zone?)"
        if end > now + CLOCK_TOLERANCE:
            return "is over in the future (is it the right time zone?)"
        return self._event(conversation.visit, row, end) if end >= now - TAKEN_WITHIN else None

    def _event(self, visit: str, row: WrapUp, end: int) -> VisitWrappedUp:
        data = VisitWrappedUpData(
            centre=self._centre,
            time_quality=row.quality,
            visit=visit,
            outcome_class=row.outcome_class,
            agency=row.agency,
        )
        return new_event(
            VisitWrappedUp,
            data,
            id=f"{visit}/wrapped-up/{end}",
            source=f"//{self._centre}/contact-log",
            time=moment(end),
            subject=visit,
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """What rows came to: events, or (line, why there is none), or too old for the worker."""

    events: list[VisitWrappedUp]
    faults: list[tuple[int, str]]
    too_old: int

    @property
    def records(self) -> list[Record]:
        return [(event.data.centre, encode(event)) for event in self.events]


def match(rows: Iterable[tuple[int, WrapUp | str]], known: Conversations, now: int) -> Matched:
    """Bring rows, each with the number of its line, together with the conversations that they followed."""
    events: dict[str, VisitWrappedUp] = {}
    lines: dict[str, int] = {}
    faults: list[tuple[int, str]] = []
    too_old = 0
    for line, row in rows:
        told = row if isinstance(row, str) else known.wrapped_up(row, now)
        if told is None:
            too_old += 1
        elif isinstance(told, str):
            faults.append((line, told))
        elif told.data.visit in events:
            faults.append((line, f"is of the same visit as line {lines[told.data.visit]}"))
        else:
            events[told.data.visit], lines[told.data.visit] = told, line
    return Matched(list(events.values()), faults, too_old)


async def conversations(servers: str, centre: str, now: int) -> Conversations:
    """What the topic of events says of one control room's conversations of the last days."""
    arrivals = await _heard(servers, centre, now)
    accounts = Accounts(Profile())
    for _ in accounts.take(sorted(arrivals, key=lambda each: (each.at, each.event.source, each.event.id))):
        pass
    return Conversations(centre, accounts.told(max(now, accounts.newest)))


async def _heard(servers: str, centre: str, now: int) -> list[Arrival]:
    """What was said of a control room's visits since any of them that may still be spoken of."""
    async with clients.consumer(servers, EVENTS.name) as client:
        places = client.assignment()
        gate = Gate(len(places))
        place = TopicPartition(EVENTS.name, partition_of(centre.encode(), len(places)))
        client.pause(*(places - {place}))
        end = (await client.end_offsets([place]))[place]
        start = await offset_at(client, place, now - FORGET_AFTER)
        heard: list[Arrival] = []
        client.seek(place, end if start is None else start)
        try:
            async for records in records_until(client, place, end):
                arrivals = gate.sift(records, place.partition).arrivals
                of_centre = (each for each in arrivals if each.event.data.centre == centre)
                heard += [each for each in of_centre if isinstance(each.event, _TELLING)]
        except KafkaTimeoutError:
            raise clients.KafkaUnreachable(servers) from None
        return heard
