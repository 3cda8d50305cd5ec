"""Every topic in one place: its name, key, how long it keeps what, and whose it is.

All topics are created with as many partitions as the input, and a control room is in the same one of each: murmur2 of
its name, whatever a topic is keyed by. All are stamped on append: a
replayed month must not be deleted minutes after it is written, and a board can be asked for as it was at an instant.
"""

from dataclasses import dataclass

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

PARTITIONS_DEFAULT = 6
MESSAGE_BYTES_MAX = 1024 * 1024
"""Room for the largest board (256 kB) and state record (800 kB), and for the events refused as too large."""
SEGMENTS_A_RETENTION = 24
"""Kafka deletes whole segments: what is kept outlives its retention by at most one of them."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `key` says what its records are keyed by, `owner` who answers for what is in it."""

    name: str
    key: str
    retention_ms: int
    owner: str
    content: str
    partitions: int = PARTITIONS_DEFAULT
    cleanup_policy: str = "delete"
    timestamp_type: str = "LogAppendTime"

    def kafka_config(self) -> dict[str, str]:
        """The topic's settings as Kafka names them."""
        return {
            "cleanup.policy": self.cleanup_policy,
            "retention.ms": str(self.retention_ms),
            "segment.ms": str(self.retention_ms // SEGMENTS_A_RETENTION),
            "max.message.bytes": str(MESSAGE_BYTES_MAX),
            "message.timestamp.type": self.timestamp_type,
        }


EVENTS = Topic(
    name="occ.events.v1",
    key="centre",
    retention_ms=7 * DAY_MS,
    owner="telephony",
    content="What the control rooms' telephone systems say happened: the only input.",
)
ANNOUNCEMENTS = Topic(
    name="occ.announcements.v1",
    key="centre",
    retention_ms=DAY_MS,
    owner="worker",
    content="Commands to speak to one waiting caller, and their cancellations.",
)
BOARD = Topic(
    name="occ.board.v1",
    key="centre",
    retention_ms=6 * HOUR_MS,
    owner="worker",
    content="The whole board of a control room, each time it changes and at least every 2 s.",
)
FACTS = Topic(
    name="occ.facts.v1",
    key="visit",
    retention_ms=7 * DAY_MS,
    owner="worker",
    content="The settled facts of one finished visit; a newer record corrects an older one.",
)
STATE = Topic(
    name="occ.state.v1",
    key="partition",
    retention_ms=8 * DAY_MS,
    owner="worker",
    content="The worker's own log: owner markers, how far the input is applied, and the commands decided.",
)
DEAD = Topic(
    name="occ.dead.v1",
    key="centre",
    retention_ms=7 * DAY_MS,
    owner="worker",
    content="What was refused and why, with tokens and numbers masked.",
)
AUDIT = Topic(
    name="occ.audit.v1",
    key="centre",
    retention_ms=6 * 365 * DAY_MS,
    owner="information governance",
    content="Who collected, combined, consulted, disclosed or erased what (Data Protection Act 2018, s. 62).",
)

TOPICS = (EVENTS, ANNOUNCEMENTS, BOARD, FACTS, STATE, DEAD, AUDIT)
