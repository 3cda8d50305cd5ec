"""The same figures, the slow and obvious way.

Keeps every event and computes each figure from all of them anew, as docs say what it means: no sums that are kept, no
order of arrival, no timers. It shares with the core only the schemas, the targets and the names of the figures.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import orjson

from schemas import events as ev
from schemas.codec import Arrival, canonical
from schemas.moments import HOUR, MINUTE, SECOND, micros, moment
from stream.profile import Profile, QueueTarget

QUALITY = {"exact": 0, "second": 1, "arrival": 2}
OUTCOMES_BY_RANK = (
    "answered",
    "exited_by_key",
    "transferred_out",
    "callback_requested",
    "timed_out",
    "withdrawn",
    "abandoned",
)
OUTCOMES = (
    "answered",
    "abandoned",
    "abandoned_short",
    "callback_requested",
    "timed_out",
    "exited_by_key",
    "transferred_out",
    "withdrawn",
    "lost",
)
STATES = ("logged_out", "not_ready", "available", "ringing", "talking", "hold", "wrap_up")
ALIVE_FOR = 15 * SECOND
LONDON = ZoneInfo("Europe/London")

Figure = tuple[float | int | None, float | int | None, int | None]
"""(value, numerator, denominator)"""
Inside = Callable[[int], bool]


@dataclass
class Stay:
    """One visit as the oracle understands it; moments and durations in µs."""

    visit: str
    call: str
    queue: str
    queued_at: int
    source: str
    kind: str
    priority: int
    place_since: int
    position: int | None
    outcome: str | None = None
    wait_ends_at: int = 0
    wait: int = 0
    first: bool = False
    test: bool = False
    transferred_at: int | None = None
    settles_at: int | None = None
    talk: int | None = None
    hold: int | None = None
    wrap_up: int | None = None

    @property
    def counted(self) -> bool:
        return not self.test and self.kind == "call"


@dataclass
class CallMade:
    """One call as the oracle understands it."""

    call: str
    offered: ev.CallOffered | None
    stays: list[Stay] = field(default_factory=list)
    refused: ev.CallRefused | None = None
    ended: bool = False
    rung_back: list[ev.CallRungBack] = field(default_factory=list)


def _at(event: ev.Event) -> int:
    return micros(event.time)


def _claim(event: ev.Event) -> tuple[int, int, int, str, str]:
    """Of several claims to one value the least wins."""
    rank = 0
    if isinstance(event, ev.VisitLeft):
        rank = OUTCOMES_BY_RANK.index(event.data.reason)
    return QUALITY[event.data.time_quality], _at(event), rank, event.source, event.id


def _least(events: Iterable[Any]) -> Any:
    return min(events, key=_claim, default=None)


def ratio(numerator: int, denominator: int) -> Figure:
    value = float(round(Fraction(numerator, denominator), 9)) if denominator else None
    return value, numerator, denominator


def mean_seconds(durations: Iterable[int]) -> Figure:
    values = list(durations)
    total = sum(values)
    value = float(round(Fraction(total, len(values) * SECOND), 9)) if values else None
    return value, total / SECOND, len(values)


def count(events: Iterable[object]) -> Figure:
    number = sum(1 for _ in events)
    return number, number, None


class Oracle:
    """What all of `arrivals` say of one control room as of `now`."""

    def __init__(self, profile: Profile, arrivals: Iterable[Arrival], now: int) -> None:
        self.profile = profile
        self.now = now
        self.all_events = [arrival.event for arrival in arrivals]
        versions: dict[tuple[str, str], ev.Event] = {}
        for event in self.all_events:
            known = versions.get((event.source, event.id))
            if known is None or canonical(event) < canonical(known):
                versions[event.source, event.id] = event
        self.events = list(versions.values())

    def _of(self, *kinds: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]

    @cached_property
    def queues(self) -> set[str]:
        joined = {
            event.data.queue for event in self.all_events if isinstance(event, ev.VisitQueued | ev.QueueSnapshot)
        }
        refused = {event.data.queue for event in self.all_events if isinstance(event, ev.CallRefused)}
        return joined | (refused - {None})

    def target(self, queue: str) -> QueueTarget:
        return self.profile.target(queue)

    # --- snapshots -------------------------------------------------------------------------------------------

    @cached_property
    def _snapshots(self) -> list[ev.QueueSnapshot]:
        return [event for event in self.all_events if isinstance(event, ev.QueueSnapshot)]

    def _complete(self, source: str, queue: str) -> list[int]:
        """The moments at which `source` listed the whole of `queue`."""
        parts: dict[tuple[int, int], set[int]] = {}
        for event in self._snapshots:
            if event.source == source and event.data.queue == queue:
                parts.setdefault((micros(event.data.taken_at), event.data.parts), set()).add(event.data.part)
        return sorted({at for (at, whole), received in parts.items() if len(received) == whole})

    def _last_seen(self, source: str, visit: str) -> int:
        seen = [
            micros(event.data.taken_at)
            for event in self._snapshots
            if event.source == source and any(waiting.visit == visit for waiting in event.data.waiting)
        ]
        return max(seen, default=0)

    def _listings(self, visit: str) -> list[tuple[Any, ev.QueueSnapshot, ev.WaitingNow]]:
        found = []
        for event in self._snapshots:
            for waiting in event.data.waiting:
                if waiting.visit == visit:
                    content = orjson.dumps(msgspec.to_builtins(waiting), option=orjson.OPT_SORT_KEYS)
                    found.append(((*_claim(event), content), event, waiting))
        return found

    # --- visits ----------------------------------------------------------------------------------------------

    @cached_property
    def stays(self) -> list[Stay]:
        """Every visit whose queue and `queued_at` are known."""
        told: list[Stay] = []
        for visit in sorted(self._visit_ids()):
            stay = self._joined(visit)
            if stay is not None:
                told.append(stay)
        for made in self._group(told):
            firsts = [stay for stay in made.stays if stay.kind == "call"]
            if firsts:
                min(firsts, key=lambda stay: (stay.queued_at, stay.visit)).first = True
            for stay in made.stays:
                if made.offered is not None:
                    stay.test = bool(made.offered.data.test)
                    handed_over = made.offered.data.transferred_at
                    stay.transferred_at = None if handed_over is None else micros(handed_over)
                self._end_of_wait(stay)
        return told

    @property
    def headless(self) -> int:
        return len(self._visit_ids()) - len(self.stays)

    def _visit_ids(self) -> set[str]:
        listed = {waiting.visit for event in self._snapshots for waiting in event.data.waiting}
        return listed | {event.data.visit for event in self.all_events if type(event) in _OF_VISITS}

    def _about(self, visit: str, *kinds: type[Any]) -> list[Any]:
        return [event for event in self._of(*kinds) if event.data.visit == visit]

    def _joined(self, visit: str) -> Stay | None:
        queued = sorted(self._about(visit, ev.VisitQueued), key=_claim)
        listings = self._listings(visit)
        claims: list[dict[str, Any]] = [
            {"at": _at(event), "source": event.source, **msgspec.structs.asdict(event.data)} for event in queued
        ]
        if listings:
            _, snapshot, waiting = min(listings, key=lambda listing: listing[0])
            listed = {"source": snapshot.source, "queue": snapshot.data.queue, **msgspec.structs.asdict(waiting)}
            if queued:
                del listed["queued_at"]
            claims.append(listed)
        if not claims:
            return None

        def known(member: str) -> Any:
            return next((claim[member] for claim in claims if claim.get(member) is not None), None)

        queued_at, original = known("queued_at"), known("original_queued_at")
        since = claims[0]["at"] if queued_at is None else micros(queued_at)
        moved = [(_at(event), event.data.priority) for event in self._about(visit, ev.VisitPriority)]
        return Stay(
            visit=visit,
            call=known("call"),
            queue=known("queue"),
            queued_at=since,
            source=claims[0]["source"],
            kind=known("kind") or "call",
            priority=max(moved)[1] if moved else known("priority") or 0,
            place_since=since if original is None else micros(original),
            position=known("position"),
        )

    def _end_of_wait(self, stay: Stay) -> None:
        outcome = _least(self._about(stay.visit, ev.VisitAnswered, ev.VisitLeft))
        target = self.target(stay.queue)
        if outcome is None:
            known = max(
                [stay.queued_at, self._last_seen(stay.source, stay.visit)]
                + [_at(e) for e in self.all_events if type(e) in _OF_VISITS and e.data.visit == stay.visit]
            )
            after = [at for at in self._complete(stay.source, stay.queue) if at > known]
            if self.now >= known + target.lost_after or (after and after[-1] - after[0] >= 5 * SECOND):
                stay.outcome, stay.wait_ends_at, stay.wait = "lost", known, known - stay.queued_at
            return
        stay.wait_ends_at = _at(outcome)
        stay.wait = max(0, stay.wait_ends_at - stay.queued_at)
        if isinstance(outcome, ev.VisitAnswered):
            stay.outcome = "answered"
            self._conversation(stay, outcome)
        elif outcome.data.reason == "abandoned" and stay.first and stay.wait < target.short_limit:
            stay.outcome = "abandoned_short"
        else:
            stay.outcome = outcome.data.reason

    def _conversation(self, stay: Stay, answered: ev.VisitAnswered) -> None:
        ended = _least(self._about(stay.visit, ev.VisitEnded))
        wrapped_up = _least(self._about(stay.visit, ev.VisitWrappedUp))
        if ended is None:
            stay.settles_at = _at(answered) + 8 * HOUR
            return
        since, until = _at(answered), _at(ended)
        stay.hold = self._held(stay.visit, since, until)
        stay.talk = max(0, until - since - stay.hold)
        stay.settles_at = until + 30 * MINUTE
        if wrapped_up is not None:
            stay.wrap_up = max(0, _at(wrapped_up) - until)
            stay.settles_at = max(_at(wrapped_up), until)
        elif (interval := self._wrap_up_of(answered.data.handler, until)) is not None:
            start, stop = interval
            stay.wrap_up, stay.settles_at = stop - start, stop

    def _held(self, visit: str, since: int, until: int) -> int:
        """Time between `since` and `until` at which the last word was "held"."""
        kinds = {ev.VisitHeld: 0, ev.VisitResumed: 1}
        marks = sorted({(_at(event), kinds[type(event)]) for event in self._about(visit, *kinds)})[:64]
        moments = sorted({since, until, *(at for at, _ in marks if since < at < until)})
        held = 0
        for start, stop in pairwise(moments):
            before = [kind for at, kind in marks if at <= start]
            if before and before[-1] == 0:
                held += stop - start
        return held

    def _wrap_up_of(self, handler: str, ended_at: int) -> tuple[int, int] | None:
        """The handler's next wrap-up interval after a conversation, or None while that is not known."""
        holds: dict[int, int] = {}
        for event in self.all_events:
            if isinstance(event, ev.HandlerState) and event.data.handler == handler and _at(event) >= ended_at:
                rank = STATES.index(event.data.state)
                holds[_at(event)] = max(rank, holds.get(_at(event), 0))
        runs = [(at, STATES[rank]) for at, rank in sorted(holds.items())]
        starts = [at for at, state in runs if state == "wrap_up"]
        stops = [at for at, state in runs if state in ("talking", "logged_out")]
        if not starts or starts[0] > ended_at + 30 * MINUTE or (stops and stops[0] < starts[0]):
            return None
        over = [at for at, state in runs if at > starts[0] and state != "wrap_up"]
        return (starts[0], over[0]) if over else None

    # --- calls -----------------------------------------------------------------------------------------------

    def _group(self, stays: list[Stay]) -> list[CallMade]:
        made: dict[str, CallMade] = {}
        for event in self._of(ev.CallOffered, ev.CallRefused, ev.CallEnded):
            made.setdefault(event.data.call, CallMade(event.data.call, None))
        for event in self._of(ev.CallRungBack):
            made.setdefault(event.data.for_call, CallMade(event.data.for_call, None)).rung_back.append(event)
        for stay in stays:
            made.setdefault(stay.call, CallMade(stay.call, None)).stays.append(stay)
        for call in made.values():
            call.offered = _least(e for e in self._of(ev.CallOffered) if e.data.call == call.call)
            call.refused = _least(e for e in self._of(ev.CallRefused) if e.data.call == call.call)
            call.ended = any(e.data.call == call.call for e in self._of(ev.CallEnded))
        return list(made.values())

    @cached_property
    def calls(self) -> list[CallMade]:
        return self._group(self.stays)

    def ring_backs_due(self) -> int:
        """Abandoned 999 calls that were not reached, and whose caller had no later 999 call answered."""
        emergencies = [
            made
            for made in self.calls
            if made.offered is not None and made.offered.data.service == "999" and not made.offered.data.test
        ]
        answered = [made for made in emergencies if any(stay.outcome == "answered" for stay in made.stays)]
        due = 0
        for made in emergencies:
            abandoned = any(stay.outcome in ("abandoned", "abandoned_short") for stay in made.stays)
            reached = any(event.data.result == "reached" for event in made.rung_back)
            if made in answered or not abandoned or reached:
                continue
            assert made.offered is not None
            tokens = set(made.offered.data.caller_tokens or ())
            due += not any(
                other.offered is not None
                and _at(other.offered) > _at(made.offered)
                and tokens & set(other.offered.data.caller_tokens or ())
                for other in answered
            )
        return due

    # --- figures ---------------------------------------------------------------------------------------------

    def line(self, queue: str) -> list[str]:
        """The visits waiting in `queue`, in order."""
        waiting = [stay for stay in self.stays if stay.queue == queue and stay.outcome is None]
        waiting.sort(key=lambda s: (-s.priority, s.place_since, s.position or 1_000_001, s.visit))
        return [stay.visit for stay in waiting]

    def now_of(self, queue: str) -> dict[str, Figure]:
        """What is so at this moment."""
        waiting = [stay for stay in self.stays if stay.queue == queue and stay.outcome is None]
        counted = [stay.queued_at for stay in waiting if stay.counted]
        oldest = max(0, self.now - min(counted)) / SECOND if counted else None
        callbacks = count(stay for stay in waiting if not stay.test and stay.kind == "callback")
        return {"waiting": count(counted), "callbacks_waiting": callbacks, "oldest_wait": (oldest, None, None)}

    def figures_of(self, queue: str, inside: Inside) -> dict[str, Figure]:
        """Every figure of `queue` over a window but the percentiles; `inside` says whether a moment lies in it."""
        target = self.target(queue)
        stays = [stay for stay in self.stays if stay.queue == queue and stay.counted]
        joined = [stay for stay in stays if inside(stay.queued_at)]
        over = {
            name: [stay for stay in stays if stay.outcome == name and inside(stay.wait_ends_at)] for name in OUTCOMES
        }
        answered = [stay.wait for stay in over["answered"]]
        abandoned = [stay.wait for stay in over["abandoned"]]
        either = len(answered) + len(abandoned) + len(over["timed_out"])
        short = len(over["abandoned_short"])
        level = self._service_level(stays, target, inside)
        from_transfer = self._service_level(
            [stay for stay in stays if stay.transferred_at is not None], target, inside, by_transfer=True
        )
        met, missed, brief, long, out = (
            level[name] for name in ("met", "missed", "abandoned_short", "abandoned_long", "timed_out")
        )
        after_30s = [s for s in joined if s.outcome in ("abandoned", "abandoned_short") and s.wait > 30 * SECOND]
        settled = [s for s in stays if s.outcome == "answered" and s.settles_at is not None and inside(s.settles_at)]
        waits_of_calls = self._waits_of_calls(queue, inside)
        return {
            "queued": count(joined),
            **{name: count(over[name]) for name in OUTCOMES},
            **{f"service_level_{name}": (number, number, None) for name, number in level.items()},
            "service_level": ratio(met, met + missed + long + out),
            "service_level_negative": ratio(met, met + brief + long + missed + out),
            "service_level_ignore": ratio(met, met + missed + out),
            "service_level_positive": ratio(met + brief + long, met + brief + long + missed + out),
            "service_level_from_transfer": ratio(
                from_transfer["met"],
                sum(from_transfer[name] for name in ("met", "missed", "abandoned_long", "timed_out")),
            ),
            "service_level_published": ratio(sum(wait < target.threshold for wait in answered), len(answered)),
            "answered_under_10s": ratio(sum(wait < 10 * SECOND for wait in answered), len(answered)),
            "answered_10s_to_60s": ratio(sum(10 * SECOND <= w < 60 * SECOND for w in answered), len(answered)),
            "answered_from_60s": ratio(sum(wait >= 60 * SECOND for wait in answered), len(answered)),
            "average_speed_of_answer": mean_seconds(answered),
            "time_to_abandon": mean_seconds(abandoned),
            "abandonment_rate": ratio(len(abandoned), either),
            "abandonment_rate_including_short": ratio(len(abandoned) + short, either + short),
            "abandonment_rate_30s": ratio(len(after_30s), len(joined)),
            "abandonment_rate_30s_still_waiting": count(stay for stay in joined if stay.outcome is None),
            "unknown_outcome_share": ratio(len(over["lost"]), len(joined)),
            "call_wait_seconds": mean_seconds(waits_of_calls),
            **self._handling(settled),
        }

    def _service_level(
        self, stays: list[Stay], target: QueueTarget, inside: Inside, *, by_transfer: bool = False
    ) -> dict[str, int]:
        results = dict.fromkeys(("met", "missed", "abandoned_short", "abandoned_long", "timed_out", "excluded"), 0)
        within = {
            "answered": "met",
            "abandoned": "abandoned_long",
            "abandoned_short": "abandoned_short",
            "timed_out": "timed_out",
        }
        for stay in stays:
            since = stay.transferred_at if by_transfer and stay.transferred_at is not None else stay.queued_at
            missed_at = since + target.threshold
            if stay.outcome is None or stay.wait_ends_at >= missed_at:
                at, result = missed_at, "missed"
            else:
                at, result = stay.wait_ends_at, within.get(stay.outcome, "excluded")
            results[result] += at <= self.now and inside(at)
        return results

    def _waits_of_calls(self, queue: str, inside: Inside) -> list[int]:
        """The whole waits of the calls that joined `queue` first."""
        waits = []
        for made in self.calls:
            first = [stay for stay in made.stays if stay.first]
            over = [stay.wait for stay in made.stays if stay.counted and stay.outcome not in (None, "lost")]
            if made.offered is None or not first or first[0].queue != queue or not over:
                continue
            if inside(_at(made.offered)):
                waits.append(sum(over))
        return waits

    @staticmethod
    def _handling(settled: list[Stay]) -> dict[str, Figure]:
        parts = {
            "talk": [s.talk for s in settled if s.talk is not None],
            "hold": [s.hold for s in settled if s.hold is not None],
            "wrap_up": [s.wrap_up for s in settled if s.wrap_up is not None],
            "handle": [
                s.talk + s.hold + s.wrap_up
                for s in settled
                if s.talk is not None and s.hold is not None and s.wrap_up is not None
            ],
        }
        return {
            "settled": count(settled),
            **{f"average_{name}_time": mean_seconds(known) for name, known in parts.items()},
            **{f"{name}_time_coverage": ratio(len(known), len(settled)) for name, known in parts.items()},
        }

    def waits(self, queue: str, inside: Inside, *, answered: bool) -> list[int]:
        """The waits that ended in a window, in order: of the answered, or of all but the lost."""
        return sorted(
            stay.wait
            for stay in self.stays
            if stay.queue == queue
            and stay.counted
            and stay.outcome not in (None, "lost")
            and (stay.outcome == "answered" or not answered)
            and inside(stay.wait_ends_at)
        )

    def percentiles(self, queue: str, inside: Inside) -> dict[str, tuple[int | None, int]]:
        """(exact order statistic by nearest rank in µs, number of waits)."""
        result: dict[str, tuple[int | None, int]] = {}
        for name, answered in (("wait", False), ("wait_answered", True)):
            waits = self.waits(queue, inside, answered=answered)
            for percent in (50, 90, 95):
                rank = max(1, -(-percent * len(waits) // 100))
                result[f"{name}_p{percent}"] = (waits[rank - 1] if waits else None, len(waits))
        return result

    def call_figures(self, inside: Inside) -> dict[str, Figure]:
        """Every figure of the calls offered in a window."""
        services = sorted({target.service for target in self.profile.targets.values()})
        offered = [
            made
            for made in self.calls
            if made.offered is not None and not made.offered.data.test and inside(_at(made.offered))
        ]
        states = [_state_of(made) for made in offered]
        said = [made.offered.data for made in offered if made.offered is not None]
        turned_away = [m.refused.data.reason for m in offered if m.refused is not None and not m.stays]
        service = [data.service if data.service in services else "other" for data in said]
        found = {
            "calls_offered": count(offered),
            **{f"calls_{s}": count(x for x in states if x == s) for s in _CALL_STATES},
            **{
                f"calls_refused_{r}": count(x for x in turned_away if x == r) for r in ("full", "closed", "unstaffed")
            },
            **{f"calls_service_{name}": count(x for x in service if x == name) for name in (*services, "other")},
        }
        for member, names, default in _CALL_MEMBERS:
            values = [getattr(data, member) or default for data in said]
            found |= {f"calls_{member}_{name}": count(value for value in values if value == name) for name in names}
        return found

    def callers(self, start: int, inside: Inside) -> dict[str, Figure]:
        """The figures of the day of callers that begins at `start`, 04:00 in London."""
        key_day = moment(start).astimezone(LONDON).date()
        offered = [
            made.offered.data
            for made in self.calls
            if made.offered is not None
            and not made.offered.data.test
            and inside(_at(made.offered))
            and _key_day(_at(made.offered)) == key_day
        ]
        known = [
            {pair.token for pair in data.caller_tokens or () if pair.key_day == key_day}
            for data in offered
            if data.caller_state in (None, "ok") and data.origin not in ("station_phone", "internal", "other_agency")
        ]
        tokens = [min(found) for found in known if found]
        return {"unique_callers": count(set(tokens)), "unique_callers_coverage": ratio(len(tokens), len(offered))}

    def coverage(self, start: int, end: int) -> float | None:
        """The share of `[start, end)` in which every source that ever sent a heartbeat was alive."""
        beats: dict[str, list[int]] = {}
        for event in self.all_events:
            if isinstance(event, ev.SourceHeartbeat):
                beats.setdefault(event.source, []).append(_at(event))
        if not beats or end <= start:
            return None
        edges = sorted(
            {start, end, *(at + d for moments in beats.values() for at in moments for d in (0, ALIVE_FOR))}
        )
        alive = sum(
            stop - since
            for since, stop in pairwise(edges)
            if start <= since < end
            and all(any(at <= since < at + ALIVE_FOR for at in moments) for moments in beats.values())
        )
        return ratio(alive, end - start)[0]


def _key_day(at: int) -> date:
    """The day whose key names the callers at `at`: it changes at four o'clock on the wall."""
    on_the_wall = moment(at).astimezone(LONDON)
    return on_the_wall.date() if on_the_wall.hour >= 4 else on_the_wall.date() - timedelta(days=1)


_OF_VISITS = (
    ev.VisitQueued,
    ev.VisitPriority,
    ev.VisitRinging,
    ev.VisitRingNoAnswer,
    ev.VisitAnswered,
    ev.VisitLeft,
    ev.VisitHeld,
    ev.VisitResumed,
    ev.VisitEnded,
    ev.VisitWrappedUp,
)
_CALL_STATES = ("with_visit", "refused", "ended_before_queue", "open")
_CALL_MEMBERS = (
    ("channel", ("voice", "digital", "text_relay"), "voice"),
    ("origin", ("public", "diverted_mobile", "internal", "station_phone", "other_agency", "unknown"), "unknown"),
)


def _state_of(made: CallMade) -> str:
    if made.stays:
        return "with_visit"
    if made.refused is not None:
        return "refused"
    return "ended_before_queue" if made.ended else "open"
