"""A crowd that rings three control rooms now, at any pace: the load under which workers and brokers are killed.

Its visits end in every way, some of their events come twice, late or before what they follow, and each is at the
time it is sent at, so that callers are really announced to. The same seed gives the same callers.
"""

import random
from collections.abc import Iterator
from heapq import heappop, heappush

from schemas import events as ev
from schemas.codec import new_event
from schemas.events import Event
from schemas.moments import SECOND, moment

CENTRES = ("avon", "mercia", "essex")
"""Two of them share a partition of two."""
QUEUES = ("999",) * 26 + ("101",) * 3 + ("internal",)
HEARTBEAT_EVERY = 3 * SECOND
ENDS = ("abandoned", "abandoned", "timed_out", "exited_by_key", "callback_requested", "withdrawn")


class Crowd:
    """`per_second` events a second from `start` (µs) on, on average."""

    def __init__(self, seed: int, start: int, per_second: int) -> None:
        self._random = random.Random(seed)
        self._due: list[tuple[int, int, Event]] = []
        self._made = 0
        self._next_call_at = start
        self._next_heartbeat_at = start
        self._between_calls = 4.4 * SECOND / per_second

    def until(self, now: int) -> Iterator[Event]:
        """The events that are sent up to `now`."""
        while self._next_heartbeat_at <= now:
            self._heartbeats(self._next_heartbeat_at)
            self._next_heartbeat_at += HEARTBEAT_EVERY
        while self._next_call_at <= now:
            self._call(self._next_call_at)
            self._next_call_at += max(1, round(self._random.expovariate(1 / self._between_calls)))
        while self._due and self._due[0][0] <= now:
            yield heappop(self._due)[2]

    def _heartbeats(self, at: int) -> None:
        for centre in CENTRES:
            data = ev.SourceHeartbeatData(centre=centre, events_seen=self._made, calls_up=1, callers_queued=1)
            self._send(ev.SourceHeartbeat, data, at, f"heartbeat-{at}")

    def _call(self, at: int) -> None:
        pick = self._random
        centre, queue = pick.choice(CENTRES), pick.choice(QUEUES)
        self._made += 1
        call, visit = f"call-{self._made}", f"visit-{self._made}"
        service = {"999": "999", "internal": "internal"}.get(queue, "101")
        # A few wait long enough to be told their place.
        wait = pick.uniform(28, 50) if pick.random() < 0.02 else pick.expovariate(1 / 2)
        end = at + round(wait * SECOND)
        self._send(
            ev.CallOffered, ev.CallOfferedData(centre=centre, call=call, service=service), at, f"{call}-offered"
        )
        queued = ev.VisitQueuedData(centre=centre, call=call, visit=visit, queue=queue)
        self._send(ev.VisitQueued, queued, at + 1_000, f"{visit}-queued")
        if pick.random() < 0.9:
            answered = ev.VisitAnsweredData(centre=centre, visit=visit, handler=f"handler-{pick.randrange(40)}")
            self._send(ev.VisitAnswered, answered, end, f"{visit}-answered")
            over = end + round(pick.uniform(0.5, 20) * SECOND)
            self._send(ev.VisitEnded, ev.VisitEndedData(centre=centre, visit=visit), over, f"{visit}-ended")
            wrapped_up = ev.VisitWrappedUpData(centre=centre, visit=visit, outcome_class="police")
            self._send(ev.VisitWrappedUp, wrapped_up, over + SECOND, f"{visit}-wrapped-up")
        else:
            left = ev.VisitLeftData(centre=centre, visit=visit, reason=pick.choice(ENDS))
            self._send(ev.VisitLeft, left, end, f"{visit}-left")

    def _send(self, cls: type[Event], data: ev.Data, at: int, ident: str) -> None:
        event = new_event(cls, data, id=ident, source=f"//{data.centre}/pbx1", time=moment(at))
        late = round(self._random.expovariate(1 / 0.2) * SECOND) if self._random.random() < 0.05 else 0
        for delay in (late, late + SECOND) if self._random.random() < 0.02 else (late,):
            heappush(self._due, (at + delay, len(self._due) + self._made * 100, event))
