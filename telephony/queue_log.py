"""Asterisk's queue_log into canonical events: a pure state machine, one line in, some events out.

The log knows visits and no more: who joined a queue, who answered, why somebody left. A visit has the id that the
bridge gives it, `<Uniqueid>#<n>` for the channel's n-th join of any queue, so where both tell of a visit it is one
visit, and the bridge's exact times go before the whole seconds of the log (events.md, rule 1). The source is another,
`//<centre>/<system>-queue-log`: a log that is read must not make a dead bridge look alive, and what the bridge's
snapshots do not list must not be lost by them.

ABANDON is written for whoever is moved out of the queue by hand and for whoever waits when the switch stops, too.
Such a caller is told to have abandoned, and then, when the channel joins again or the log begins anew, to have been
transferred or withdrawn at that very moment: of these the processor takes the latter.

Not told, since it does not stand there: calls that never join, ends of calls, priorities, ringing, holds, and what
handlers do (their logins name a telephone, their answers a person, and neither knows who is at the desk). Nor that a
call was offered by whoever rings from a mere extension: it may be a handler who waits for a caller of theirs, and
the log does not link the two.

Always: no clock, no randomness, no exception for any input.
"""

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Literal, get_args
from zoneinfo import ZoneInfo

from schemas.events import EndedReason, Event, LeftReason, RefusedReason
from schemas.moments import SECOND
from telephony.asterisk_ami import WAIT_SECONDS_MAX, call_id
from telephony.origins import NOWHERE
from telephony.pseudonyms import Pseudonyms, caller_state, e164
from telephony.queue_log_rows import Fault, Row, Rows
from telephony.reading import usable_id
from telephony.switch_channels import Channel, Visit, When
from telephony.switch_events import Events, Incoming

CHANNELS_MAX = 20_000
FAULTS_MAX = 10
STOPPING_TAKES = 2 * SECOND  # a switch that stops hangs up on everybody at once

Skipped = Literal[
    "not_used",  # a row of a kind nothing here depends on
    "unknown_verb",
    "unknown_visit",
    "malformed",
    "undecided_time",
    "unresolved",  # a visit whose end is not in the log
]

_LEFT: Mapping[str, LeftReason] = {
    "ABANDON": "abandoned",
    "EXITEMPTY": "timed_out",
    "EXITWITHKEY": "exited_by_key",
    "EXITWITHTIMEOUT": "timed_out",
    "SYSCOMPAT": "withdrawn",
    "WITHDRAW": "withdrawn",
}
_WAIT = 2  # which figure is the wait, where it is not another
_WAIT_OF: Mapping[str, int] = {"EXITWITHKEY": 3, "CONNECT": 0}
_ENDED: Mapping[str, EndedReason] = {
    "COMPLETECALLER": "caller",
    "COMPLETEAGENT": "handler",
    "ATTENDEDTRANSFER": "transfer",
    "BLINDTRANSFER": "transfer",
    "TRANSFER": "transfer",
}
# Written by a dialplan's QueueLog(): Asterisk itself writes nothing of whom it turns away.
_REFUSED: Mapping[str, RefusedReason] = {
    "CLOSED": "closed",
    "FULL": "full",
    "JOINEMPTY": "unstaffed",
    "JOINUNAVAIL": "unstaffed",
}
_NOT_USED = frozenset(
    (
        *("ADDMEMBER", "REMOVEMEMBER", "PAUSE", "UNPAUSE", "PAUSEALL", "UNPAUSEALL", "PENALTY", "UPDATEMEMBER"),
        *("AGENTLOGIN", "AGENTLOGOFF", "AGENTCALLBACKLOGIN", "AGENTCALLBACKLOGOFF", "AGENTDUMP", "RINGCANCELED"),
        *("CONFIGRELOAD", "DID", "INFO"),
    )
)
# What a switch still writes when it stops; any other row shows that it went on.
_WRITTEN_LAST = frozenset(("ABANDON", "COMPLETEAGENT", "COMPLETECALLER", "RINGCANCELED", "RINGNOANSWER"))


class _UnrelatedError(Exception):
    """A row that says nothing here; `kind` says why."""

    def __init__(self, kind: Skipped) -> None:
        self.kind = kind


class _FaultyError(Exception):
    """The message says what a row lacks."""


class Translator:
    """One switch's log; `feed` it line by line, `finish` at its end.

    `zone` is that of rows with a local time. `skipped` counts the rows that said nothing, by closed kinds; `faults`
    are the first of those that are no rows, or rows without a moment.
    """

    def __init__(self, centre: str, system: str, pseudonyms: Pseudonyms, *, zone: ZoneInfo | None = None) -> None:
        self._system = system
        self._events = Events(centre, f"{system}-queue-log", pseudonyms, NOWHERE)
        self._rows = Rows(zone)
        self._channels: dict[str, Channel] = {}
        """By the time of their last row, the latest last."""
        self._talking: dict[tuple[str, str], tuple[Channel, Visit]] = {}
        """By queue and handler."""
        self._abandoned: list[Visit] = []
        """The last ones, as long as the switch may have stopped."""
        self.skipped: dict[Skipped, int] = dict.fromkeys(get_args(Skipped), 0)
        self.faults: list[Fault] = []

    def feed(self, line: bytes) -> list[Event]:
        """What can be told now that `line` is known; nothing when it says nothing."""
        return [event for row in self._rows.push(line) for event in self._tell(row)]

    def finish(self) -> list[Event]:
        """What was held for want of the rows that would have followed."""
        return [event for row in self._rows.end() for event in self._tell(row)]

    def _tell(self, row: Row | Fault) -> list[Event]:
        if isinstance(row, Fault):
            self._refuse(row)
            return []
        if row.verb != "QUEUESTART":
            since = row.at - STOPPING_TAKES if row.verb in _WRITTEN_LAST else row.at + 1
            self._abandoned = [visit for visit in self._abandoned if visit.left and visit.left.at >= since]
        translate = _TRANSLATE.get(row.verb)
        if translate is None:
            self._skip("not_used" if row.verb in _NOT_USED else "unknown_verb")
            return []
        try:
            return list(translate(self, row))
        except _UnrelatedError as unrelated:
            self._skip(unrelated.kind)
        except _FaultyError as error:
            self._refuse(Fault(row.line, str(error)))
        return []

    # Rows

    def _joined(self, row: Row) -> Iterator[Event]:
        channel, queue, when = self._channel(row), _name(row.queue, "queue"), _when(row)
        for visit in channel.undecided():
            channel.visits.remove(visit)
            yield self._events.left(visit, "transferred_out")
        for visit in channel.answered():
            yield self._end(channel, visit, when, "transfer")
        self._unresolve(channel)
        yield from self._offered(channel, row)
        visit = self._open_visit(channel, row, queue, when)
        yield self._events.queued(visit, _position(row.figure(2)))

    def _connected(self, row: Row) -> Iterator[Event]:
        name = _name(row.handler, "handler")
        channel, visit = yield from self._waiting(row)
        visit.answered = True
        self._talking[visit.queue, name] = (channel, visit)
        yield self._events.answered(visit, name, _when(row))

    def _left(self, row: Row) -> Iterator[Event]:
        channel, visit = yield from self._waiting(row)
        visit.left = _when(row)
        yield self._events.left(visit, _LEFT[row.verb])
        if row.verb == "ABANDON":
            self._abandoned.append(visit)
        else:
            channel.visits.remove(visit)

    def _rang_out(self, row: Row) -> Iterator[Event]:
        name = _name(row.handler, "handler")
        visit = self._channel(row).visit(row.queue, lambda visit: visit.waiting)
        if visit is None:
            raise _UnrelatedError("unknown_visit")
        yield self._events.rang_out(visit, name, _when(row))

    def _ended(self, row: Row) -> Iterator[Event]:
        channel, queue, name = self._channel(row), _name(row.queue, "queue"), _name(row.handler, "handler")
        visit = channel.visit(queue, lambda visit: visit.answered)
        if visit is None and (talking := self._talking.get((queue, name))):
            channel, visit = talking  # the caller's channel was replaced by another in the meantime
        if visit is None:
            visit = yield from self._answered_before(channel, row, queue, name)
        yield self._end(channel, visit, _when(row), _ENDED[row.verb])

    def _refused(self, row: Row) -> Iterator[Event]:
        channel, queue = self._channel(row), _name(row.queue, "queue")
        yield from self._offered(channel, row)
        yield self._events.refused(channel.id, queue, _REFUSED[row.verb], _when(row))

    def _started(self, row: Row) -> Iterator[Event]:
        """The switch has started: nobody of before waits or talks any more.

        Whoever abandoned just before, when nobody was left waiting, was hung up on: a switch that stops does that.
        """
        if not any(channel.waiting() for channel in self._channels.values()):
            for visit in self._abandoned:
                yield self._events.left(visit, "withdrawn")
        for channel in self._channels.values():
            self._unresolve(channel)
        self._channels.clear()
        self._talking.clear()
        self._abandoned.clear()

    # Leaves

    def _waiting(self, row: Row) -> Generator[Event, None, tuple[Channel, Visit]]:
        """The visit that a row ends, told of where the log begins in its middle: the row knows how long it waited."""
        channel, queue = self._channel(row), _name(row.queue, "queue")
        visit = channel.visit(queue, lambda visit: visit.waiting)
        if visit is None:
            wait = _seconds(channel, row.figure(_WAIT_OF.get(row.verb, _WAIT)))
            visit = self._open_visit(channel, row, queue, When(row.at - wait, "second"))
            visit.listed = True
            yield self._events.queued(visit, None)
        return channel, visit

    def _answered_before(self, channel: Channel, row: Row, queue: str, name: str) -> Generator[Event, None, Visit]:
        """A conversation that the log begins in the middle of."""
        if not row.verb.startswith("COMPLETE"):
            raise _UnrelatedError("unknown_visit")
        answered_at = row.at - _seconds(channel, row.figure(1))
        queued = When(answered_at - _seconds(channel, row.figure(0)), "second")
        visit = self._open_visit(channel, row, queue, queued)
        visit.listed = visit.answered = True
        yield self._events.queued(visit, None)
        yield self._events.answered(visit, name, When(answered_at, "second"))
        return visit

    def _offered(self, channel: Channel, row: Row) -> Iterator[Event]:
        """The call had arrived by its first row; when it did is not in the log."""
        number = row.figure(1)
        if channel.offered or channel.joins or (e164(number) is None and caller_state(number) == "shared"):
            return
        channel.arrived = When(row.at, "arrival")
        yield self._events.offered(
            channel.id, "offered-before", channel.arrived, Incoming(number, trunk="", dialled="", queue=row.queue)
        )

    def _channel(self, row: Row) -> Channel:
        uniqueid = call_id(self._system, _name(row.channel, "channel"))
        channel = self._channels.pop(uniqueid, None) or Channel(uniqueid, None)
        if len(self._channels) >= CHANNELS_MAX:
            self._unresolve(self._channels.pop(next(iter(self._channels))))
        self._channels[uniqueid] = channel
        return channel

    def _open_visit(self, channel: Channel, row: Row, queue: str, queued: When) -> Visit:
        channel.joins += 1
        visit = Visit(f"{channel.id}#{channel.joins}", channel.id, queue, row.channel, queued)
        channel.visits.append(visit)
        return visit

    def _end(self, channel: Channel, visit: Visit, when: When, reason: EndedReason) -> Event:
        channel.visits.remove(visit)
        self._talking = {key: talk for key, talk in self._talking.items() if talk[1] is not visit}
        return self._events.ended(visit, when, reason)

    def _unresolve(self, channel: Channel) -> None:
        for visit in channel.waiting():
            channel.visits.remove(visit)
            self._skip("unresolved")

    def _refuse(self, fault: Fault) -> None:
        self._skip("undecided_time" if fault.undecided else "malformed")
        if len(self.faults) < FAULTS_MAX:
            self.faults.append(fault)

    def _skip(self, kind: Skipped) -> None:
        self.skipped[kind] += 1


def _when(row: Row) -> When:
    return When(row.at, row.quality)


def _name(value: str, what: str) -> str:
    if not usable_id(value):
        raise _FaultyError(f"names no {what}")
    return value


def _seconds(channel: Channel, figure: str) -> int:
    """A figure in seconds as microseconds, of a channel that the log has not told of before."""
    if channel.joins:
        raise _UnrelatedError("unknown_visit")
    if not figure.isdecimal() or len(figure) > 9 or int(figure) > WAIT_SECONDS_MAX:
        raise _FaultyError("does not say for how long")
    return int(figure) * SECOND


def _position(figure: str) -> int | None:
    return int(figure) if _POSITION.fullmatch(figure) else None


_POSITION = re.compile(r"[1-9][0-9]{0,4}")

_TRANSLATE: Mapping[str, Callable[[Translator, Row], Iterable[Event]]] = {
    "ENTERQUEUE": Translator._joined,
    "CONNECT": Translator._connected,
    "RINGNOANSWER": Translator._rang_out,
    "QUEUESTART": Translator._started,
    **dict.fromkeys(_LEFT, Translator._left),
    **dict.fromkeys(_ENDED, Translator._ended),
    **dict.fromkeys(_REFUSED, Translator._refused),
}
