"""The gate of the input: which records of a slice are events to be applied, and why the others are refused.

What a record says is judged by `schemas.codec`; here it is judged by where and when it was appended: its key, its
partition, and its time against the time Kafka appended it. The judgement of a record never changes, so reading the
input again refuses the same ones.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import repeat

import orjson
from aiokafka.partitioner import murmur2

from agents.reader import Record
from schemas.codec import CLOCK_TOLERANCE, Arrival, Refusal, decode
from schemas.events import ID_BYTES_MAX
from schemas.masking import mask
from schemas.outputs import REFUSAL_REASONS, DeadLetter, RefusalReason
from schemas.topics import EVENTS
from stream.windows import HORIZON

CENTRES_CACHED_MAX = 1_024
RECENT = 1_000

NO_KEY = Refusal("key_mismatch", "the record has no key; it must be the control room")
OTHER_KEY = Refusal("key_mismatch", "is not the key of the record", "data.centre")
WRONG_PARTITION = Refusal("wrong_partition", "the record is not in the partition murmur2 gives for its key")
FUTURE = Refusal("future", "is more than 5 minutes after the record was appended", "time")
TOO_LATE = Refusal("too_late", "is more than 48 hours before the record was appended", "time")


@dataclass(slots=True)
class Sifted:
    """A slice after the gate: `arrivals[i]` came from `records[i]`."""

    arrivals: list[Arrival] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    refused: list[tuple[Record, Refusal]] = field(default_factory=list)


def partition_of(key: bytes, partitions: int) -> int:
    """Where the events of the control room `key` are, in a topic of so many partitions."""
    return int((murmur2(key) & 0x7FFFFFFF) % partitions)


class Gate:
    """The gate of one input topic of `partitions` partitions."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._centres: dict[bytes, tuple[str, int]] = {}

    def sift(self, records: Sequence[Record], number: int) -> Sifted:
        """Judge each of `records` of partition `number`; never raises, whatever their bytes."""
        sifted = Sifted()
        arrive, keep, refuse = sifted.arrivals.append, sifted.records.append, sifted.refused.append
        known = self._centres.get
        for record in records:
            appended_at = record.timestamp * 1_000
            arrival = decode(record.value, appended_at)
            if isinstance(arrival, Refusal):
                refuse((record, arrival))
                continue
            key = record.key
            refusal: Refusal | None = None
            if key is None:
                refusal = NO_KEY
            elif len(key) > ID_BYTES_MAX:
                refusal = OTHER_KEY
            else:
                centre, partition = known(key) or self._learn(key)
                if centre != arrival.event.data.centre:
                    refusal = OTHER_KEY
                elif partition != number:
                    refusal = WRONG_PARTITION
                elif arrival.at > appended_at + CLOCK_TOLERANCE:
                    refusal = FUTURE
                elif arrival.at < appended_at - HORIZON:
                    refusal = TOO_LATE
            if refusal is None:
                arrive(arrival)
                keep(record)
            else:
                refuse((record, refusal))
        return sifted

    def centres_of(self, partition: int, centres: Iterable[str]) -> list[str]:
        """Those of `centres` whose events are in `partition`."""
        return [centre for centre in centres if self._learn(centre.encode())[1] == partition]

    def _learn(self, key: bytes) -> tuple[str, int]:
        if len(self._centres) >= CENTRES_CACHED_MAX:
            self._centres.clear()
        learnt = (key.decode(errors="replace"), partition_of(key, self._partitions))
        self._centres[key] = learnt
        return learnt


class Refusals:
    """How many records were refused since the start, by reason, and which share of the most recent ones."""

    def __init__(self) -> None:
        self.by_reason: Counter[RefusalReason] = Counter(dict.fromkeys(REFUSAL_REASONS, 0))
        self._recent: deque[int] = deque(maxlen=RECENT)

    def count(self, applied: int, refused: Sequence[RefusalReason]) -> None:
        """Count a slice."""
        self.by_reason.update(refused)
        self._recent.extend(repeat(0, min(applied, RECENT)))
        self._recent.extend(repeat(1, len(refused)))

    @property
    def share(self) -> float:
        """The share of the last 1,000 records that was refused."""
        return sum(self._recent) / len(self._recent) if self._recent else 0.0


def dead_letter(record: Record, partition: int, refusal: Refusal) -> DeadLetter:
    """What is kept of a refused record: masked content, or of bytes that are not JSON only length and digest."""
    value = record.value or b""
    letter = DeadLetter(
        reason=refusal.reason,
        topic=EVENTS.name,
        partition=partition,
        offset=record.offset,
        why=refusal.why,
        member=refusal.member,
        length=len(value),
        sha256=sha256(value).hexdigest(),
    )
    if refusal.reason in ("not_json", "too_large", "too_deep"):
        return letter
    try:
        content = mask(orjson.loads(value))
    except orjson.JSONDecodeError:
        return letter
    return DeadLetter(
        reason=letter.reason,
        topic=letter.topic,
        partition=letter.partition,
        offset=letter.offset,
        why=letter.why,
        member=letter.member,
        event=content,
    )
