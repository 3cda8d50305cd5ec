"""The board: everything a control room looks at, as of one moment, ready to be written as JSON.

Figures are by name and window; moments are RFC 3339, durations seconds, and what is not known is null. `retained` is
the window of all that lies within the horizon: it equals `occ figures --window whole` at the same moment.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.moments import SECOND, rfc3339
from stream import figures
from stream.queues import Queue
from stream.room import Room
from stream.visits import COUNTED, RINGING
from stream.windows import WINDOW_NAMES, RollingWindows

VISITS_SHOWN_MAX = 200


Board = dict[str, Any]


def board_in_parts(room: Room, now: int, epoch: int) -> Iterator[Board | None]:
    """None after each queue, so that others may have their turn, and at last the whole board of `room` at `now`.

    This also moves the windows of `room` there; it must not change meanwhile.
    """
    calls = _rolling(room.call_windows, now)
    handlers: dict[str, dict[str, int]] = {}
    for (name, state), count in sorted(room.handlers.counts(now).items()):
        handlers.setdefault(name, {})[state] = count
    queues = []
    for name, queue in sorted(room.queues.items()):
        queues.append(_queue(room, queue, handlers.get(name, {}), now))
        yield None
    yield {
        "centre": room.centre,
        "as_of": rfc3339(now),
        "epoch": epoch,
        "feed": _feed(room, now),
        "queues": queues,
        "calls": calls.shown(figures.call_table(room.services).values),
        "callers": _callers(room, now),
        "coverage": {name: _coverage(room, calls.start_of(name), now) for name in WINDOW_NAMES},
        "headless": len(room.headless),
        "ring_backs_due": _ring_backs(room, now),
        "conservation": {
            "ok": not any(queue.conservation_error for queue in room.queues.values()),
            "errors": {name: queue.conservation_error for name, queue in sorted(room.queues.items())},
        },
    }


def _rolling(windows: object, now: int) -> RollingWindows:
    assert isinstance(windows, RollingWindows)
    windows.advance(now)
    return windows


def _coverage(room: Room, start: int, now: int) -> float | None:
    alive = room.liveness.coverage(start, now)
    return None if alive is None else figures.rounded(alive, now - start)


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / SECOND


def _feed(room: Room, now: int) -> dict[str, Any]:
    liveness = room.liveness
    return {
        "state": liveness.state(now),
        "catching_up": liveness.catching_up(now),
        "data_age_seconds": _seconds(liveness.data_age(now)),
        "sources": [
            {
                "source": name,
                "age_seconds": _seconds(max(0, now - life.heard_appended_at)),
                "heartbeat_age_seconds": _seconds(
                    None if life.heartbeat_appended_at is None else max(0, now - life.heartbeat_appended_at)
                ),
                "clock_skew_seconds": _seconds(life.clock_skew),
                "callers_queued": life.callers_queued,
            }
            for name, life in sorted(liveness.sources.items())
        ],
    }


def _callers(room: Room, now: int) -> dict[str, Any]:
    room.callers.advance(now)
    day, counted = room.callers.today()
    return {"from": rfc3339(day.start), **{value.figure: value.value for value in counted.values()}}


def _ring_backs(room: Room, now: int) -> dict[str, Any]:
    due = room.ring_backs_due(now)
    return {
        "count": len(due),
        "oldest_age_seconds": _seconds(due[0][0]) if due else None,
        "attempts": sum(attempts for _, attempts in due),
    }


def _queue(room: Room, queue: Queue, handlers: Mapping[str, int], now: int) -> dict[str, Any]:
    windows = _rolling(queue.windows, now)
    target = queue.target
    since = queue.line.oldest_since
    return {
        "queue": queue.name,
        "service": target.service,
        "waiting": queue.line.waiting,
        "callbacks_waiting": queue.callbacks,
        "oldest_wait_seconds": None if since is None else _seconds(max(0, now - since)),
        "drift": sum(queue.drift.values()),
        "target": {
            "threshold_seconds": _seconds(target.threshold),
            "service_level": target.service_level_target,
            "short_limit_seconds": _seconds(target.short_limit),
            "abandonment_warn": target.abandonment_warn,
            "abandonment_bad": target.abandonment_bad,
            "oldest_wait_amber_seconds": _seconds(target.oldest_wait_amber),
            "oldest_wait_red_seconds": _seconds(target.oldest_wait_red),
            "announce": target.announce,
        },
        "windows": windows.shown(figures.shown_of_queue),
        "handlers": handlers,
        "announcements": {
            f"{kind}_{outcome}": count for (kind, outcome), count in sorted(queue.counters.announcements.items())
        },
        "promises": {
            "kept": queue.promises.kept,
            "broken": queue.promises.broken,
            "left_early": queue.promises.left_early,
            "ratio": queue.promises.ratio,
            "position_only": queue.promises.position_only,
        },
        "visits": _visits(room, queue, now),
    }


def _visits(room: Room, queue: Queue, now: int) -> list[dict[str, Any]]:
    """The head of the line; a place and an age, no identity beyond the visit's own id."""
    shown = []
    for position, ident in enumerate(queue.line.visits(VISITS_SHOWN_MAX), start=1):
        visit = room.visits[ident]
        counting, ringing = visit.counting, visit.ringing
        assert counting is not None
        waited = now - counting.queued_at
        shown.append(
            {
                "visit": ident,
                "position": position,
                "waited_seconds": waited / SECOND if waited > 0 else 0.0,
                "priority": -counting.line_key[0],
                "ringing": ringing is not None and ringing[1] == RINGING,
                "counted": counting.part == COUNTED,
            }
        )
    return shown
