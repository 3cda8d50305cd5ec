"""One call: a caller's contact, with the visits it made.

Demand is counted in calls, at `offered_at`. Every offered call is in exactly one state: it made a visit, was refused,
ended before any queue, or is still open (definitions.md §1).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream import facts as f
from stream import tally as t
from stream.facts import Fact
from stream.tally import Atom
from stream.visits import Visit

if TYPE_CHECKING:
    from stream.callers import CallMade

NEVER = 1 << 62


@dataclass(slots=True)
class Offer:
    """What is known of a call's arrival."""

    at: int
    service: str
    channel: str
    origin: str
    site: str | None
    department: str | None
    dialled: str | None
    language: str | None
    caller_state: str | None
    caller_tokens: tuple[tuple[str, str], ...]
    """(key day, token) under one or two keys"""
    transferred_at: int | None
    test: bool


class Call:
    """The facts of one call, and what of it is counted at present."""

    __slots__ = ("atoms", "facts", "first_at", "id", "last_at", "made", "offer", "visits", "wait_shown")

    def __init__(self, ident: str) -> None:
        self.id = ident
        self.facts: list[Fact] = []
        self.visits: list[Visit] = []
        self.first_at = NEVER
        self.last_at = 0
        self.offer: Offer | None = None
        self.atoms: tuple[Atom, ...] = ()
        self.made: CallMade | None = None
        """As what it is counted among the callers of its day."""
        self.wait_shown: tuple[str, Atom] | None = None
        """The queue that shows this call's whole wait, and the atom it adds there."""

    def least(self, kind: int) -> Fact | None:
        """The fact of `kind` that wins, or None."""
        found = [fact for fact in self.facts if fact[f.KIND] == kind]
        return found[0] if len(found) == 1 else f.least(found)


def offer_of(call: Call) -> Offer | None:
    """What the facts say of the call's arrival; None until an `offered` event is known."""
    fact = call.least(f.OFFERED)
    if fact is None:
        return None
    (service, channel, origin, site, department, dialled, language, tokens, caller_state, transferred_at, test) = (
        fact[f.PAYLOAD]
    )
    return Offer(
        at=fact[f.AT],
        service=service,
        channel=channel or "voice",
        origin=origin or "unknown",
        site=site,
        department=department,
        dialled=dialled,
        language=language,
        caller_state=caller_state,
        caller_tokens=tokens or (),
        transferred_at=transferred_at,
        test=bool(test),
    )


def state_of(call: Call) -> int:
    """One of the four states of an offered call."""
    if call.visits:
        return t.WITH_VISIT
    if call.least(f.REFUSED) is not None:
        return t.CALL_REFUSED
    if call.least(f.CALL_ENDED) is not None:
        return t.ENDED_BEFORE_QUEUE
    return t.OPEN


def contribution(call: Call, offer: Offer, services: tuple[str, ...]) -> tuple[Atom, ...]:
    """The atoms of a call in its control room's tally; a service not in `services` is its last, "other"."""
    state = state_of(call)
    service = services.index(offer.service) if offer.service in services else len(services) - 1
    atom: tuple[int, ...] = (
        offer.at,
        t.CALLS_OFFERED,
        1,
        t.CALL_STATE + state,
        1,
        t.CALL_CHANNEL + t.CHANNELS.index(offer.channel),
        1,
        t.CALL_ORIGIN + t.ORIGINS.index(offer.origin),
        1,
        t.CALL_SERVICE + service,
        1,
    )
    if state == t.CALL_REFUSED:
        refused = call.least(f.REFUSED)
        assert refused is not None
        atom += (t.CALL_REFUSED_REASON + t.REFUSED_REASONS.index(refused[f.PAYLOAD][1]), 1)
    return (atom,)
