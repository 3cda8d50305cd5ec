"""Calls nobody has spoken of for an hour, packed small.

A control room holds two days of calls, of which a few hundred are moving. The rest are kept as bytes, some calls
together since they are alike: a fortieth of the size. They are unpacked when something is said of one of them after
all. Packing keeps every fact, so it changes no figure.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
from cramjam import zstd

from schemas.moments import HOUR
from stream.callers import call_made
from stream.calls import Call, offer_of
from stream.tally import Atom
from stream.visits import Counting, Visit

COLD_AFTER = HOUR
PACKED_TOGETHER: Final = 16
"""Calls; twice as many would take 4 % less memory, and twice the time to reach one of them."""

_Value = str | int | bool | None | tuple[tuple[str, str], ...]
"""What a fact's payload holds; the pairs are a caller's tokens."""
_PackedFact = tuple[int, int, int, str, str, int, tuple[_Value, ...]]
_Timeline = list[tuple[int, int]] | None
_Counting = tuple[str, int, int | None, int, tuple[int, int, int, str], str]
"""Of visits.Counting, whose own annotations say less once it is compiled."""


class _PackedVisit(msgspec.Struct, array_like=True, frozen=True):
    id: str
    facts: list[_PackedFact]
    holds: _Timeline
    priorities: _Timeline
    ringing: tuple[int, int, str] | None
    seen: tuple[tuple[str, int], ...]
    last_at: int
    counting: _Counting | None
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
_decode = msgspec.msgpack.Decoder(list[_PackedCall]).decode
_FAST = 1


class Cold:
    """Calls packed together: until when the first of them is kept, when the first of their facts happened, and all.

    The format lives no longer than this process.
    """

    __slots__ = ("_packed", "first_at", "kept_until")

    def __init__(self, calls: Iterable[Call], kept_until: int) -> None:
        packed = [_pack(call) for call in calls]
        self.kept_until = kept_until
        self.first_at = min(call.first_at for call in packed)
        self._packed = bytes(zstd.compress(_encode(packed), _FAST))

    def unpack(self) -> list[Call]:
        """The calls with their visits."""
        return [_unpack(known) for known in _decode(zstd.decompress(self._packed))]


def _pack(call: Call) -> _PackedCall:
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
    return _PackedCall(call.id, call.facts, call.first_at, call.last_at, call.atoms, call.wait_shown, visits)


def _unpack(known: _PackedCall) -> Call:
    call = Call(known.id)
    call.facts = known.facts
    call.first_at = known.first_at
    call.last_at = known.last_at
    call.atoms = known.atoms
    call.wait_shown = known.wait_shown
    call.offer = offer_of(call)
    call.made = None if call.offer is None else call_made(call.offer)
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
    visit.counting = None if known.counting is None else Counting(*known.counting)
    visit.atoms = known.atoms
    visit.concluded = known.concluded
    visit.published = known.published
    visit.counters_know = True
    return visit
