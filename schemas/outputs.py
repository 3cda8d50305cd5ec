"""What the worker writes: commands to the voice, settled facts, dead letters and its own state log.

Every record carries the `epoch` of the worker that wrote it (the offset of its owner marker in the state log);
a reader ignores an epoch lower than the highest it has seen for that partition. Moments are RFC 3339 in UTC.
"""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

CommandKind = Literal[
    "welcome", "position", "position_and_wait", "reassurance", "emergency_first", "apology", "quieter_times"
]
RefusalReason = Literal[
    "not_json",
    "not_object",
    "too_deep",
    "too_large",
    "no_envelope",
    "unknown_type",
    "unknown_version",
    "missing_member",
    "bad_value",
    "future",
    "too_late",
    "key_mismatch",
    "wrong_partition",
    "unknown_centre",
    "too_many_queues",
]
REFUSAL_REASONS: tuple[RefusalReason, ...] = RefusalReason.__args__  # type: ignore[attr-defined]
COMMAND_KINDS: tuple[CommandKind, ...] = CommandKind.__args__  # type: ignore[attr-defined]


class Command(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Speak this to one waiting caller, once, before it expires.

    `text` is what is spoken; `pieces` are the names of its parts in order, as listed in schemas/prompts.py.
    `position` is absent where none is said, or "more than ten"; of `emergency_first` it is the place the caller was
    pushed back to, which is not spoken. `wait_minutes` is a promise: to be answered within so
    many minutes of `issued_at`. `unspoken_minutes` is one that is not spoken, since the queue broke too many, but
    scored all the same. `quieter` is the local time, as HH:MM, after which it is usually quieter.
    """

    id: str
    centre: str
    visit: str
    call: str
    queue: str
    source: str
    epoch: int
    kind: CommandKind
    language: str
    text: str
    issued_at: datetime
    expires_at: datetime
    pieces: tuple[str, ...] = ()
    channel_ref: str | None = None
    position: Annotated[int, Meta(ge=1)] | None = None
    wait_minutes: Annotated[int, Meta(ge=1)] | None = None
    unspoken_minutes: Annotated[int, Meta(ge=1)] | None = None
    quieter: str | None = None


class Cancellation(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Do not speak, or stop speaking, the command `cancels`; an unknown id has no effect."""

    cancels: str
    centre: str
    visit: str
    reason: Literal["answered", "left", "stale", "superseded"]
    issued_at: datetime
    epoch: int


class VisitFacts(Struct, frozen=True, gc=False, omit_defaults=True, kw_only=True):
    """The settled facts of one finished visit; a newer record of the same visit corrects an older one.

    Moments are integer microseconds since the epoch, durations integer microseconds, so that sums over records are
    exact; a part that nobody knows is absent, never 0.
    """

    centre: str
    visit: str
    call: str
    queue: str
    epoch: int
    outcome: str
    queued_at: int
    wait_ends_at: int
    wait: int
    service: str | None = None
    channel: str | None = None
    origin: str | None = None
    site: str | None = None
    department: str | None = None
    dialled: str | None = None
    kind: str = "call"
    answered_at: int | None = None
    ended_at: int | None = None
    wrapped_up_at: int | None = None
    talk: int | None = None
    hold: int | None = None
    wrap_up: int | None = None
    outcome_class: str | None = None
    test: bool = False


class DeadLetter(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A refused record: where it was, why it was refused, and its content with numbers and tokens masked."""

    reason: RefusalReason
    topic: str
    partition: int
    offset: int
    why: str
    member: str | None = None
    event: object = None
    length: int | None = None
    sha256: str | None = None


class AuditRecord(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Who did what to personal data, and when (Data Protection Act 2018, s. 62).

    `who` is a user's name, absent where nobody has to log in; `session` tells the logins of one user apart.
    """

    centre: str
    at: datetime
    action: Literal["collection", "combination", "consultation", "disclosure", "erasure"]
    what: str
    who: str | None = None
    session: str | None = None
    address: str | None = None


class StateRecord(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One record of the state log. An owner's first record is its marker: `owner` and nothing else.

    `next` is the next input offset; `first` the input offset from which the input must be read again to rebuild the
    state; `now` the time of this step in microseconds; `commands` and `cancellations` what was decided in it;
    `published` the offset in this log up to which all that follows is known to be on its topic.
    """

    owner: str
    epoch: int | None = None
    next: int | None = None
    first: int | None = None
    now: int | None = None
    commands: tuple[Command, ...] = ()
    cancellations: tuple[Cancellation, ...] = ()
    published: int | None = None
