"""Where two sets of events differ: in what they say of each visit, and in the figures for it.

Moments are compared as far as both sets are sure of them: two durations agree when they differ by no more than the
time qualities of their ends allow. Where a visit agrees in everything, its times are taken from the first set for
both, so that a figure differs only because a visit does, and not because one set counts in whole seconds.

What is compared of the conversation is its length, from the answer to its end: sources differ in what they know of
holds and of wrap-up, and so do figures of handling, which are not compared.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from schemas.moments import SECOND, rfc3339
from stream import figures
from stream import tally as t
from stream.accounts import Account, Key
from stream.profile import Profile
from stream.tally import Tally

_HANDLING_AND_CALLS = range(t.SETTLED, t.CALL_WAIT + 1)
FORMULAS = tuple(
    formula
    for formula in figures.FORMULAS
    if not any(field in _HANDLING_AND_CALLS for field in (*formula.numerator, *formula.denominator))
)
_ABANDONED = frozenset(("abandoned", "abandoned_short"))
_ENDLESS = frozenset((None, "lost"))

Shown = str | float | int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` differs: of a visit, or where `visit` is None of a queue. Durations are in seconds.

    Where `what` is `visit`, one of the two does not know the visit, and the other shows how it ended.
    """

    centre: str
    queue: str
    visit: str | None
    what: str
    first: Shown
    second: Shown
    allowed_seconds: float | None = None


class Comparison:
    """The differences of two sets of accounts as of `as_of`, of the visits that joined in `[start, end)`."""

    def __init__(
        self,
        first: Mapping[Key, Account],
        second: Mapping[Key, Account],
        profile: Profile,
        as_of: int,
        *,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        def within(account: Account | None) -> bool:
            return account is not None and (start or 0) <= account.queued_at < (as_of + 1 if end is None else end)

        self._first = first
        self._second = second
        self._profile = profile
        self._as_of = as_of
        self._keys = sorted(key for key in {*first, *second} if within(first.get(key)) or within(second.get(key)))
        handlers = [{account.handler for account in known.values()} - {None} for known in (first, second)]
        self.handlers_compared = not all(handlers) or not handlers[0].isdisjoint(handlers[1])
        """False where the two have no handler in common: their pseudonyms were made under different keys."""

    @property
    def visits(self) -> tuple[int, int, int]:
        """How many visits are in the first set, in the second, and in both."""
        first = sum(key in self._first for key in self._keys)
        second = sum(key in self._second for key in self._keys)
        return first, second, first + second - len(self._keys)

    def differences(self) -> list[Difference]:
        """All differences: those of visits by the time they joined, then those of figures by queue."""
        found: list[Difference] = []
        tallies: dict[Key, tuple[list[Account], list[Account]]] = {}
        for key in sorted(self._keys, key=self._joined):
            first, second = self._first.get(key), self._second.get(key)
            differing = list(self._of_visit(key, first, second))
            found += differing
            if first is not None:
                tallies.setdefault((key[0], first.queue), ([], []))[0].append(first)
            if second is not None:
                agreed = first if first is not None and not differing else second
                tallies.setdefault((key[0], agreed.queue), ([], []))[1].append(agreed)
        for (centre, queue), (ours, theirs) in sorted(tallies.items()):
            found += self._of_queue(centre, queue, ours, theirs)
        return found

    def _joined(self, key: Key) -> tuple[int, Key]:
        account = self._first.get(key) or self._second[key]
        return account.queued_at, key

    def _of_visit(self, key: Key, first: Account | None, second: Account | None) -> Iterator[Difference]:
        (centre, visit), known = key, first or second
        assert known is not None
        for what, ours, theirs, allowed in self._differing(first, second):
            allowed_seconds = None if allowed is None else allowed / SECOND
            yield Difference(centre, known.queue, visit, what, ours, theirs, allowed_seconds)

    def _differing(
        self, first: Account | None, second: Account | None
    ) -> Iterator[tuple[str, Shown, Shown, int | None]]:
        """(what differs, in the first, in the second, by how many µs it may)"""
        if first is None or second is None:
            yield "visit", _outcome(first), _outcome(second), None
            return
        if first.queue != second.queue:
            yield "queue", first.queue, second.queue, None
        allowed = first.joined_sure_to + second.joined_sure_to
        if abs(first.queued_at - second.queued_at) > allowed:
            yield "joined", rfc3339(first.queued_at), rfc3339(second.queued_at), allowed
        if not _same_outcome(first, second):
            yield "outcome", _outcome(first), _outcome(second), None
            return
        allowed = first.wait_sure_to + second.wait_sure_to
        if first.outcome not in _ENDLESS and abs(first.wait - second.wait) > allowed:
            yield "wait", first.wait / SECOND, second.wait / SECOND, allowed
        if first.handler != second.handler and self.handlers_compared:
            yield "handler", first.handler, second.handler, None
        allowed = first.conversation_sure_to + second.conversation_sure_to
        if not _alike(first.conversation, second.conversation, allowed):
            yield "conversation", _seconds(first.conversation), _seconds(second.conversation), allowed

    def _of_queue(
        self, centre: str, queue: str, first: Iterable[Account], second: Iterable[Account]
    ) -> Iterator[Difference]:
        ours, theirs = (self._figures(queue, accounts) for accounts in (first, second))
        for figure, value in ours.items():
            if value != theirs[figure]:
                yield Difference(centre, queue, None, figure, value, theirs[figure])

    def _figures(self, queue: str, accounts: Iterable[Account]) -> dict[str, Shown]:
        """The figures of all intervals together, and who waits."""
        accounts = list(accounts)
        atoms = (atom for account in accounts for atom in account.atoms if atom[0] <= self._as_of)
        tally: Tally = t.total(atoms)
        target = self._profile.target(queue)
        values: dict[str, Shown] = {
            formula.name: figures.evaluate(formula, tally, target).value for formula in FORMULAS
        }
        values |= {name: None if wait is None else wait / SECOND for name, wait, _ in figures.percentiles(tally)}
        return values | {"waiting": sum(account.outcome is None for account in accounts)}


def _same_outcome(first: Account, second: Account) -> bool:
    """Whether both say the same, but for a short limit that lies between two waits that agree."""
    if first.outcome == second.outcome:
        return True
    if {first.outcome, second.outcome} != _ABANDONED:
        return False
    shorter, longer = sorted((first.wait, second.wait))
    return shorter < first.short_limit <= longer <= shorter + first.wait_sure_to + second.wait_sure_to


def _alike(first: int | None, second: int | None, allowed: int) -> bool:
    if first is None or second is None:
        return first is second
    return abs(first - second) <= allowed


def _outcome(account: Account | None) -> str | None:
    return None if account is None else account.outcome or "waiting"


def _seconds(duration: int | None) -> float | None:
    return None if duration is None else duration / SECOND
