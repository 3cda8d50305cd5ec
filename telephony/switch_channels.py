"""What is known of a caller's channel while anything about it is still open.

A channel can wait in queues many times: each join is a visit. A visit is here from its join until its end is known;
between leaving the queue and knowing why it is undecided.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from schemas.events import TimeQuality


@dataclass(frozen=True, slots=True)
class When:
    """A moment in microseconds, and how far it can be trusted."""

    at: int
    quality: TimeQuality


@dataclass(slots=True)
class Visit:
    id: str
    call: str
    queue: str
    channel_ref: str
    queued: When
    priority: int = 0
    listed: bool = False  # known from a QueueStatus only, so `queued` is right to a second or two
    unlisted: int = 0  # how many QueueStatus in a row lacked it
    abandon_seen: bool = False
    left: When | None = None
    answered: bool = False
    handler_leg: str = ""  # what the switch calls the channel of who answers, where only that tells of hold

    @property
    def waiting(self) -> bool:
        return self.left is None and not self.answered

    @property
    def undecided(self) -> bool:
        return self.left is not None and not self.answered


@dataclass(slots=True)
class Channel:
    """`id` is the call's; `arrived` says when it rang in, if it is a call of its own."""

    id: str
    arrived: When | None
    joins: int = 0
    joined_at: int = 0
    priority: int = 0
    asked_queue: str | None = None
    hangup_requested: bool = False
    gone: When | None = None
    unlisted: int = 0  # how many listings of all channels in a row lacked it
    visits: list[Visit] = field(default_factory=list)

    @property
    def offered(self) -> bool:
        return self.arrived is not None

    def visit(self, queue: str, fits: Callable[[Visit], bool]) -> Visit | None:
        return next((visit for visit in self.visits if visit.queue == queue and fits(visit)), None)

    def waiting(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.waiting]

    def undecided(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.undecided]

    def answered(self) -> list[Visit]:
        return [visit for visit in self.visits if visit.answered]


@dataclass(slots=True)
class Memory:
    """All that is known of a switch's calls: what a bridge keeps while it does not run."""

    channels: dict[str, Channel] = field(default_factory=dict)
    held: list[tuple[int, str]] = field(default_factory=list)
    """Channels that are gone with something undecided, and when it is to be decided."""
    talking: dict[str, str] = field(default_factory=dict)
    """The call that a handler talks to; a handler by pseudonym."""
    booted_at: int | None = None
    run: str | None = None
    """What the switch calls the time since it started, where it has a name for it."""
