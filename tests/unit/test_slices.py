"""What Kafka hands out, as slices: whole, in parts, from the middle of a batch, and damaged."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from agents.partition import STEP_RECORDS_MAX, Partition, Slice
from agents.transport import give_batches
from tests.batches import batch_bytes, batches

PLACE = TopicPartition("occ.events.v1", 0)


def partition(next_offset: int = 0) -> Partition:
    return Partition(0, 0, None, next_offset, None, None)  # type: ignore[arg-type]


def values(*texts: str) -> list[bytes]:
    return [text.encode() for text in texts]


def admitted(where: Partition, *data: bytes) -> Slice:
    found = where.admit(batches(b"".join(data)))
    assert isinstance(found, Slice)
    return found


def test_a_slice_that_begins_within_a_batch_leaves_out_what_is_known():
    where = partition(12)
    fetched = admitted(where, batch_bytes(10, values("a", "b", "c", "d")), batch_bytes(14, values("e")))
    assert [(record.offset, record.value) for part in fetched.parts() for record in part] == [
        (12, b"c"),
        (13, b"d"),
        (14, b"e"),
    ]
    assert len(fetched) == 3
    assert where.admit(batches(batch_bytes(14, values("e")))) == 15, "what is known already is not taken again"


def test_a_hole_is_believed_when_it_is_there_again():
    where = partition(3)
    data = batch_bytes(5, values("a"))
    assert where.admit(batches(data)) == 3
    assert admitted(where, data).start == 3
    assert where.admit(batches(batch_bytes(8, values("b")))) == 6


def test_a_large_slice_comes_in_parts_that_together_are_all_of_it():
    sizes = [1, STEP_RECORDS_MAX - 2, 100, 3 * STEP_RECORDS_MAX, 7]
    data = [batch_bytes(sum(sizes[:index]), [b"x"] * size) for index, size in enumerate(sizes)]
    parts = list(admitted(partition(), *data).parts())
    assert [len(part) for part in parts] == 4 * [STEP_RECORDS_MAX] + [106]
    assert [record.offset for part in parts for record in part] == list(range(sum(sizes)))


class Fetched:
    """What aiokafka holds of one partition after a fetch from `offset`."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.state = SimpleNamespace(paused=False, position=offset)
        self.state.consumed_to = lambda position: setattr(self.state, "position", position)
        assignment: Any = SimpleNamespace(active=True, state_value=lambda _: self.state)
        records = PartitionRecords(PLACE, MemoryRecords(data), None, offset, None, None, True, 0)
        give_batches(records)
        give_batches(records)
        self.result = FetchResult(PLACE, assignment=assignment, partition_records=records, backoff=0)


def test_what_was_fetched_comes_as_batches_and_moves_the_position_behind_them():
    fetched = Fetched(batch_bytes(7, values("a", "b")) + batch_bytes(9, values("c")), 7)
    assert [batch.base_offset for batch in fetched.result.getall()] == [7, 9]
    assert fetched.state.position == 10
    assert not fetched.result.has_more()


def test_a_damaged_batch_is_an_error_and_nothing_of_it_or_behind_it_is_skipped():
    damaged = bytearray(batch_bytes(9, values("c")))
    damaged[-1] ^= 1
    fetched = Fetched(batch_bytes(7, values("a", "b")) + bytes(damaged) + batch_bytes(10, values("d")), 7)
    with pytest.raises(CorruptRecordException):
        fetched.result.getall()
    assert fetched.result.getall() == []
    assert fetched.state.position == 7, "from there all is fetched again"
