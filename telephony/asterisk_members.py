"""What the members of Asterisk's queues are doing, as states of handlers.

A handler is a member name (`MemberName`), one person in several queues. Asterisk reports each queue on its own;
here the queues are put together, and only a change is worth an event. Asterisk knows nothing of wrap-up, so a
handler who writes up a call is `available` or `not_ready` here, whichever the switch believes.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from schemas.events import HandlerStateName
from telephony.reading import MalformedError, Reading
from telephony.switch_events import Standing

MEMBERS_MAX = 2_000
QUEUES_MAX = 32

# Asterisk's device states by number. An UNKNOWN device is offered calls; an UNAVAILABLE one is not registered.
_STATES: dict[int, HandlerStateName] = {
    0: "available",
    1: "available",
    2: "talking",
    3: "talking",
    4: "logged_out",
    5: "logged_out",
    6: "ringing",
    7: "talking",
    8: "hold",
}
# Free text may hold a name or a number: only what looks like a code goes on.
_REASON_CODE = re.compile(r"[A-Za-z][A-Za-z _-]{0,39}")


@dataclass(slots=True)
class _Member:
    devices: frozenset[str]
    status: int = 1
    paused: dict[str, bool] = field(default_factory=dict)
    reason: str | None = None
    said: Standing | None = None

    def standing(self) -> Standing:
        serving = tuple(sorted(queue for queue, paused in self.paused.items() if not paused))
        state = _STATES.get(self.status, "not_ready") if self.paused else "logged_out"
        if state == "available" and not serving:
            return Standing("not_ready", tuple(sorted(self.paused)), self.reason)
        return Standing(state, serving or tuple(sorted(self.paused)))


class Members:
    """The members of all queues, as far as the switch has said."""

    def __init__(self) -> None:
        self._members: dict[str, _Member] = {}

    def at(self, device: str) -> str | None:
        """The name of the handler at `device` (`PJSIP/agent1`), if it is a handler's."""
        return next((name for name, member in self._members.items() if device in member.devices), None)

    def update(self, name: str, seen: Reading) -> Standing | None:
        """Take in QueueMemberAdded, …Status, …Pause or a QueueMember; what `name` now does, if that is news."""
        status, queue, paused = seen.whole("Status"), seen.id("Queue"), seen.text("Paused") == "1"
        member = self._member(name, seen)
        if queue not in member.paused and len(member.paused) >= QUEUES_MAX:
            raise MalformedError("more queues than can be")
        member.status = status
        member.paused[queue] = paused
        if paused:
            code = seen.text("PausedReason")
            member.reason = code.lower() if _REASON_CODE.fullmatch(code) else None
        return _news(member)

    def remove(self, name: str, seen: Reading) -> Standing | None:
        """Take in QueueMemberRemoved: out of the last queue is logged out."""
        queue = seen.id("Queue")
        member = self._member(name, seen)
        member.paused.pop(queue, None)
        news = _news(member)
        if not member.paused:
            del self._members[name]
        return news

    def replace(self, listing: Iterable[tuple[str, Reading]]) -> dict[str, Standing]:
        """Take in all members as a QueueStatus lists them; whoever is absent is forgotten."""
        self._members = {}
        for name, seen in listing:
            with suppress(MalformedError):
                self.update(name, seen)
        return {name: member.standing() for name, member in self._members.items()}

    def _member(self, name: str, seen: Reading) -> _Member:
        member = self._members.get(name)
        if member is None:
            if len(self._members) >= MEMBERS_MAX:
                raise MalformedError("more members than can be")
            devices = (seen.text("Interface"), seen.text("Location"), seen.text("StateInterface"))
            member = self._members[name] = _Member(frozenset(devices) - {""})
        return member


def _news(member: _Member) -> Standing | None:
    standing = member.standing()
    if standing == member.said:
        return None
    member.said = standing
    return standing
