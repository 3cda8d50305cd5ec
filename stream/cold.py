"""Calls nobody has spoken of for an hour, packed small.

A control room holds two days of calls, of which a few hundred are moving. The rest are kept as bytes, a tenth of the
size, and unpacked when something is said of them after all. Packing keeps every fact, so it changes no figure.
"""

from typing import NamedTuple

import msgspec

from schemas.moments import HOUR
from stream.calls import Call, offer_of
from stream.tally import Atom
from stream.visits import Counting, Visit

COLD_AFTER = HOUR

_Value = str | int | bool | None | tuple[tuple[str, str], ...]
"""What a fact's payload holds; the pairs are a caller's tokens."""
_PackedFact = tuple[int, int, int, str, str, int, tuple[_Value, ...]]
_Timeline = list[tuple[int, int]] | None


class _PackedVisit(msgspec.Struct, array_like=True, frozen=True):
    id: str
    facts: list[_PackedFact]
    holds: _Timeline
    priorities: _Timeline
    ringing: tuple[int, int, str] | None
    seen: tuple[tuple[str, int], ...]
    last_at: int
    counting: Counting | None
    atoms: tuple[Atom, ...]
    concluded: int | None
    published: int | None


class _PackedCall(msgspec.Struct, array_like=True, frozen=True):
    id: str
    facts: list[_PackedFact]
    first_at: int
    last_at: int
    atoms: tuple[Atom, ...]
    wait_shown: tuple[str, Atom] | None
    visits: list[_PackedVisit]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_PackedCall).decode


class Cold(NamedTuple):
    """A packed call: until when it is kept, when the first of its facts happened, and all of it."""

    kept_until: int
    first_at: int
    packed: bytes


def pack(call: Call) -> bytes:
    """The call and its visits as bytes; the format lives no longer than this process."""
    visits = [
        _PackedVisit(
            visit.id,
            visit.facts,
            visit.holds,
            visit.priorities,
            visit.ringing,
            visit.seen,
            visit.last_at,
            visit.counting,
            visit.atoms,
            visit.concluded,
            visit.published,
        )
        for visit in call.visits
    ]
    return _encode(_PackedCall(call.id, call.facts, call.first_at, call.last_at, call.atoms, call.wait_shown, visits))


def unpack(packed: bytes) -> Call:
    """The call that was packed, with its visits."""
    known = _decode(packed)
    call = Call(known.id)
    call.facts = known.facts
    call.first_at = known.first_at
    call.last_at = known.last_at
    call.atoms = known.atoms
    call.wait_shown = known.wait_shown
    call.offer = offer_of(call)
    call.visits = [_visit(call, visit) for visit in known.visits]
    return call


def _visit(call: Call, known: _PackedVisit) -> Visit:
    visit = Visit(known.id)
    visit.call = call
    visit.facts = known.facts
    visit.holds = known.holds
    visit.priorities = known.priorities
    visit.ringing = known.ringing
    visit.seen = known.seen
    visit.last_at = known.last_at
    visit.counting = known.counting
    visit.atoms = known.atoms
    visit.concluded = known.concluded
    visit.published = known.published
    visit.counters_know = True
    return visit
