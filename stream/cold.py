"""Calls nobody has spoken of for an hour, packed small.

A control room holds two days of calls, of which a few hundred are moving. The rest are kept as bytes, a fifth of the
size, and unpacked when something is said of them after all. Packing keeps every fact, so it changes no figure.
"""

import marshal
from typing import Any, NamedTuple

from schemas.moments import HOUR
from stream.calls import Call, offer_of
from stream.visits import Counting, Visit

COLD_AFTER = HOUR
_WITHOUT_REFERENCES = 2


class Cold(NamedTuple):
    """A packed call: until when it is kept, when the first of its facts happened, and all of it."""

    kept_until: int
    first_at: int
    packed: bytes


def pack(call: Call) -> bytes:
    """The call and its visits as bytes; the format lives no longer than this process."""
    visits = [
        (
            visit.id,
            visit.facts,
            visit.holds,
            visit.priorities,
            visit.ringing,
            visit.seen,
            visit.last_at,
            tuple(visit.counting) if visit.counting is not None else None,
            visit.atoms,
            visit.concluded,
            visit.published,
        )
        for visit in call.visits
    ]
    members = (call.id, call.facts, call.first_at, call.last_at, call.atoms, call.wait_shown, visits)
    return marshal.dumps(members, _WITHOUT_REFERENCES)


def unpack(packed: bytes) -> Call:
    """The call that was packed, with its visits."""
    ident, facts, first_at, last_at, atoms, wait_shown, visits = marshal.loads(packed)  # noqa: S302 - our own bytes
    call = Call(ident)
    call.facts = facts
    call.first_at = first_at
    call.last_at = last_at
    call.atoms = atoms
    call.wait_shown = wait_shown
    call.offer = offer_of(call)
    call.visits = [_visit(call, *members) for members in visits]
    return call


def _visit(
    call: Call,
    ident: str,
    facts: list[Any],
    holds: list[Any] | None,
    priorities: list[Any] | None,
    ringing: tuple[int, int, str] | None,
    seen: tuple[tuple[str, int], ...],
    last_at: int,
    counting: tuple[Any, ...] | None,
    atoms: tuple[Any, ...],
    concluded: int | None,
    published: int | None,
) -> Visit:
    visit = Visit(ident)
    visit.call = call
    visit.facts = facts
    visit.holds = holds
    visit.priorities = priorities
    visit.ringing = ringing
    visit.seen = seen
    visit.last_at = last_at
    visit.counting = None if counting is None else Counting(*counting)
    visit.atoms = atoms
    visit.concluded = concluded
    visit.published = published
    visit.counters_know = True
    return visit
