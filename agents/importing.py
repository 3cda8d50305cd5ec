"""History for the worker: what another system has written down, checked whole before any of it is sent.

The worker refuses what is older than its horizon, visit by visit or event by event, and would show a visit of which
only the beginning was sent as waiting, for hours. So a visit goes whole or not at all, and one whose end is not in
the file stays where it is: either the caller still waits, and the bridge or a later import tells the rest, or
nobody will ever know.
"""

from dataclasses import dataclass

import click

from agents.sending import Record
from schemas.codec import CLOCK_TOLERANCE, encode
from schemas.events import CallRefused, Event, VisitAnswered, VisitLeft, VisitQueued
from schemas.moments import HOUR, MINUTE, micros, rfc3339
from stream.windows import HORIZON

TAKEN_WITHIN = HORIZON - 10 * MINUTE
"""How old an event may be when sending begins, which takes a while."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The events that the worker can take, and how much it cannot."""

    events: list[Event]
    too_old: int
    """Visits, and calls that were turned away, from before the horizon."""
    without_end: int
    """Visits of which the file does not say how the wait ended."""
    oldest: int
    """µs; of all there is."""

    @property
    def records(self) -> list[Record]:
        return [(event.data.centre, encode(event)) for event in self.events]


class Selector:
    """Takes the events of a file in their order, and gives the `selection` as of `now`."""

    def __init__(self, now: int) -> None:
        self._since = now - TAKEN_WITHIN
        self._kept: list[Event] = []
        self._old: set[str] = set()
        self._ended: set[str] = set()
        self._oldest = self._newest = now
        self._now = now

    @property
    def is_empty(self) -> bool:
        return not self._kept and not self._old

    def take(self, event: Event) -> None:
        at = micros(event.time)
        self._oldest, self._newest = min(self._oldest, at), max(self._newest, at)
        visit = _visit(event)
        if visit is None:
            if at >= self._since:
                self._kept.append(event)
            elif isinstance(event, CallRefused):
                self._old.add(event.data.call)
        elif visit in self._old or (isinstance(event, VisitQueued) and at < self._since):
            self._old.add(visit)
        else:
            if isinstance(event, VisitAnswered | VisitLeft):
                self._ended.add(visit)
            self._kept.append(event)

    def selection(self) -> Selection:
        """Raises ClickException where the file tells of the future."""
        if self._newest > self._now + CLOCK_TOLERANCE:
            raise click.ClickException(
                f"Nothing was sent: the newest event is of {rfc3339(self._newest)}, which is to come. "
                "Is it the right time zone?"
            )
        queued = [event for event in self._kept if isinstance(event, VisitQueued)]
        calls = {event.data.call for event in queued if event.data.visit in self._ended}
        calls |= {event.data.call for event in self._kept if isinstance(event, CallRefused)}
        told = self._ended | calls
        kept = [event for event in self._kept if (_visit(event) or event.subject) in told]
        without_end = sum(event.data.visit not in self._ended for event in queued)
        return Selection(kept, len(self._old), without_end, self._oldest)


def require_recent(selection: Selection) -> None:
    """Raises ClickException where part of the history is beyond the worker's horizon."""
    if selection.too_old:
        raise click.ClickException(
            f"Nothing was sent: {selection.too_old:,} of its visits began more than {HORIZON // HOUR} hours ago, the "
            f"first at {rfc3339(selection.oldest)}, and the worker takes nothing that old. --recent leaves them out. "
            "For figures of all of it: occ translate queue-log FILE > events.jsonl, then occ figures events.jsonl."
        )


def _visit(event: Event) -> str | None:
    visit = getattr(event.data, "visit", None)
    assert visit is None or isinstance(visit, str)
    return visit
