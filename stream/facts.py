"""Facts about calls and visits, and how two reports of the same thing merge.

What is known of a call or visit is a set of facts, one an event. Adding a fact is commutative and idempotent, so the
set, and everything derived from it, is the same in whatever order and however often events arrive. Two events of the
same source and id with different content are two versions of one fact: the one whose canonical bytes are smaller
stays. Where several facts claim the same single value, the least wins: by time quality, then event time, rank,
source, id (events.md, rule 1).

A fact is a plain tuple in exactly that order, so that `min` is the rule.
"""

from collections.abc import Callable, Iterable
from operator import attrgetter
from sys import intern
from typing import Any, Final

import orjson

from schemas import events
from schemas.moments import micros

TIME_QUALITY = {"exact": 0, "second": 1, "arrival": 2}
QUALITY_NAMES = tuple(TIME_QUALITY)

FACTS_PER_SUBJECT_MAX = 64
TIMELINE_MAX = 64

Fact = tuple[int, int, int, str, str, int, tuple[Any, ...]]
"""(time quality, at, rank, source, id, kind, payload)"""

QUALITY: Final = 0
AT: Final = 1
RANK: Final = 2
SOURCE: Final = 3
ID: Final = 4
KIND: Final = 5
PAYLOAD: Final = 6

(
    QUEUED,
    LISTED,
    ANSWERED,
    LEFT,
    ENDED,
    WRAPPED_UP,
    OFFERED,
    REFUSED,
    CALL_ENDED,
    RUNG_BACK,
) = range(10)

# Facts of one slot claim the same value: answered and left both say how the wait ended, and every ring-back is its
# own (slot None).
_SLOT = (0, None, 1, 1, 2, 3, 4, 5, 6, None)

# The rank of an outcome among facts of the same quality and time: the least wins.
OUTCOME_RANK = {
    "answered": 0,
    "exited_by_key": 1,
    "transferred_out": 2,
    "callback_requested": 3,
    "timed_out": 4,
    "withdrawn": 5,
    "abandoned": 6,
}

_MEMBERS = {
    QUEUED: (
        "call",
        "queue",
        "priority",
        "position",
        "channel_ref",
        "queued_at",
        "kind",
        "original_queued_at",
        "callback_of",
    ),
    ANSWERED: ("handler", "queue"),
    LEFT: ("reason",),
    ENDED: ("reason", "to_queue"),
    WRAPPED_UP: ("outcome_class", "agency"),
    OFFERED: (
        "service",
        "channel",
        "origin",
        "site",
        "department",
        "dialled",
        "language",
        "caller_tokens",
        "caller_state",
        "transferred_at",
        "test",
    ),
    REFUSED: ("queue", "reason"),
    CALL_ENDED: ("reason",),
    RUNG_BACK: ("call", "result", "handler"),
}
_MEMBERS[LISTED] = _MEMBERS[QUEUED]
QUEUED_AT: Final = _MEMBERS[QUEUED].index("queued_at")


def _payload_of(kind: int) -> Callable[[Any], tuple[Any, ...]]:
    members = _MEMBERS[kind]
    if len(members) > 1:
        return attrgetter(*members)
    get = attrgetter(members[0])
    return lambda data: (get(data),)


payload_of = {kind: _payload_of(kind) for kind in _MEMBERS if kind not in (QUEUED, OFFERED)}
"""The payload of an event's data by kind: plain values in the order of the kind's members."""


def queued_payload(data: events.VisitQueuedData, call: str, queue: str) -> tuple[Any, ...]:
    """The payload of a `queued` event; moments in µs, and the names as the room already holds them."""
    return (
        call,
        queue,
        data.priority,
        data.position,
        data.channel_ref,
        None if data.queued_at is None else micros(data.queued_at),
        data.kind,
        None if data.original_queued_at is None else micros(data.original_queued_at),
        data.callback_of,
    )


def listed_payload(waiting: events.WaitingNow, call: str, queue: str) -> tuple[Any, ...]:
    """The payload of a visit that a snapshot lists: what a `queued` event would have said of it."""
    queued_at = micros(waiting.queued_at)
    return (call, queue, waiting.priority, waiting.position, None, queued_at, None, None, None)


def offered_payload(data: events.CallOfferedData) -> tuple[Any, ...]:
    """The payload of an `offered` event; tokens as (key day, token)."""
    tokens = data.caller_tokens
    return (
        intern(data.service),
        data.channel,
        data.origin,
        data.site,
        data.department,
        data.dialled,
        data.language,
        None if tokens is None else tuple([(intern(token.key_day.isoformat()), token.token) for token in tokens]),
        data.caller_state,
        None if data.transferred_at is None else micros(data.transferred_at),
        data.test,
    )


_TYPE_NAMES = {
    QUEUED: events.VisitQueued,
    LISTED: events.QueueSnapshot,
    ANSWERED: events.VisitAnswered,
    LEFT: events.VisitLeft,
    ENDED: events.VisitEnded,
    WRAPPED_UP: events.VisitWrappedUp,
    OFFERED: events.CallOffered,
    REFUSED: events.CallRefused,
    CALL_ENDED: events.CallEnded,
    RUNG_BACK: events.CallRungBack,
}


def canonical(fact: Fact) -> bytes:
    """What decides between two versions of one fact: the event's known members, keys sorted, moments in µs.

    Orders versions as the codec's canonical bytes do, so a `time_quality` of `exact`, the default, is left out.
    """
    kind = fact[KIND]
    members = _MEMBERS[kind]
    data: dict[str, Any] = {
        name: value for name, value in zip(members, fact[PAYLOAD], strict=True) if value is not None
    }
    if fact[QUALITY]:
        data["time_quality"] = QUALITY_NAMES[fact[QUALITY]]
    return orjson.dumps(
        {"data": data, "time": fact[AT], "type": str(_TYPE_NAMES[kind].__struct_config__.tag)},
        option=orjson.OPT_SORT_KEYS,
    )


REPEATED = "repeated"
OTHER_CONTENT = "same_id_other_content"
LOSING = "losing_fact"
TOO_MANY = "too_many_facts"


def merge(facts: list[Fact], fact: Fact) -> str | None:
    """Add `fact` to the set `facts` in place; returns what was odd about it, or None.

    At most `FACTS_PER_SUBJECT_MAX` facts are kept, the least ones. A listing is a version of no other fact.
    """
    ident = fact[ID]
    slot = _SLOT[fact[KIND]]
    odd = None
    for known in facts:
        if known[ID] == ident and known[SOURCE] == fact[SOURCE] and known[KIND] != LISTED:
            return _merge_versions(facts, known, fact)
        if slot is not None and _SLOT[known[KIND]] == slot:
            odd = LOSING
    facts.append(fact)
    if len(facts) > FACTS_PER_SUBJECT_MAX:
        facts.remove(max(facts, key=order))
        return TOO_MANY
    return odd


def _merge_versions(facts: list[Fact], known: Fact, fact: Fact) -> str:
    if known == fact:
        return REPEATED
    if canonical(fact) < canonical(known):
        facts[facts.index(known)] = fact
    return OTHER_CONTENT


def listing_place(facts: list[Fact], listing: tuple[int, int, int, str, str]) -> int | None:
    """Where a snapshot's listing goes that is of the order `listing`, or None: of all, only the least is kept."""
    for index, known in enumerate(facts):
        if known[KIND] == LISTED:
            return index if listing <= order(known) else None
    return len(facts)


def order(fact: Fact) -> tuple[int, int, int, str, str]:
    """What decides between facts of different ids: the least wins."""
    return fact[:5]


def order_and_content(fact: Fact) -> tuple[tuple[int, int, int, str, str], bytes]:
    """What decides between facts that may be two versions of one: of versions, the smaller canonical bytes win."""
    return order(fact), canonical(fact)


def least(facts: Iterable[Fact]) -> Fact | None:
    """The fact that wins among `facts`, or None."""
    return min(facts, key=order, default=None)
