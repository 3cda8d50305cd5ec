"""Batches of records as Kafka keeps and hands them out, made without Kafka."""

import struct
from collections.abc import Sequence

from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords

AT = 1_795_680_000_000
"""ms"""


def batch_bytes(base_offset: int, values: Sequence[bytes], key: bytes = b"west-mercia") -> bytes:
    """A batch of records from `base_offset` on, all of one key."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=0,
        producer_id=-1,
        producer_epoch=-1,
        base_sequence=-1,
        batch_size=1024 * 1024,
    )
    for number, value in enumerate(values):
        assert builder.append(number, AT, key, value, []) is not None
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base_offset)  # as the broker does; the checksum does not cover it
    return bytes(made)


def batches(data: bytes) -> list:  # type: ignore[type-arg]
    """The batches in `data`."""
    records = MemoryRecords(data)
    found = []
    while records.has_next():
        found.append(records.next_batch())
    return found
