"""Finds boards on their topic: the newest of each control room, or the last one as of an instant.

A worker that was replaced may still write for a moment: a board of a lower epoch than one seen before it in its
partition is ignored. Every living control room writes a board at least each 2 s, so the newest of all the rooms of a
partition lie within LOOK_BACK of its last record; what is not there has been silent for longer than that.
"""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.clients import KafkaUnreachable, consumer
from schemas.boards import Board, read_board
from schemas.moments import SECOND, parse
from schemas.topics import BOARD

LOOK_BACK = 10 * SECOND
CLOCKS_APART_MAX = 5 * SECOND
"""How far the broker's clock, which stamps a board, may be ahead of the worker's, which says what it is as of."""
READ_SECONDS_MAX = 60
FETCH_WAIT_MS = 10


class Succession:
    """Tells what a worker writes after it was replaced, in records read in the order of their partitions."""

    def __init__(self) -> None:
        self._epochs: dict[TopicPartition, int] = {}

    def rightful(self, partition: TopicPartition, epoch: int) -> bool:
        """Whether a record of this epoch counts."""
        highest = self._epochs[partition] = max(epoch, self._epochs.get(partition, 0))
        return epoch == highest


async def newest(servers: str, as_of: int | None = None, *, topic: str = BOARD.name) -> dict[str, Board]:
    """The newest board of each control room, or the last one as of `as_of` (µs). Raises ClickException."""
    try:
        async with asyncio.timeout(READ_SECONDS_MAX), consumer(servers, topic, fetch_wait_ms=FETCH_WAIT_MS) as client:
            found: dict[str, Board] = {}
            for partition in client.assignment():
                found |= await _newest_in(client, partition, as_of)
                client.pause(partition)
            return found
    except TimeoutError as error:
        raise KafkaUnreachable(servers) from error


async def _newest_in(client: AIOKafkaConsumer, partition: TopicPartition, as_of: int | None) -> dict[str, Board]:
    begin = (await client.beginning_offsets([partition]))[partition]
    end = (await client.end_offsets([partition]))[partition]
    if as_of is not None:
        end = await offset_at(client, partition, as_of + CLOCKS_APART_MAX) or end
    while begin < end:
        start = max(begin, await _look_back(client, partition, end, as_of))
        if found := await _last_of_each(client, partition, start, end, as_of):
            return found
        end = start
    return {}


async def _look_back(client: AIOKafkaConsumer, partition: TopicPartition, end: int, as_of: int | None) -> int:
    """The offset from which the rooms' last boards before `end` are to be found; below `end`."""
    client.seek(partition, end - 1)
    last = await client.getone(partition)
    appended_at = last.timestamp * 1000
    until = appended_at if as_of is None else min(appended_at, as_of)
    start = await offset_at(client, partition, until - LOOK_BACK)
    return end - 1 if start is None else min(start, end - 1)


async def offset_at(client: AIOKafkaConsumer, partition: TopicPartition, appended_at: int) -> int | None:
    """The offset of the first record appended at this moment or later; None when there is none."""
    found = (await client.offsets_for_times({partition: appended_at // 1000}))[partition]
    return None if found is None else int(found.offset)


async def _last_of_each(
    client: AIOKafkaConsumer, partition: TopicPartition, start: int, end: int, as_of: int | None
) -> dict[str, Board]:
    succession = Succession()
    found: dict[str, Board] = {}
    client.seek(partition, start)
    while await client.position(partition) < end:
        for record in (await client.getmany(partition, timeout_ms=1000)).get(partition, []):
            board = read_board(record.value)
            if board is None:
                continue
            in_time = record.offset < end and (as_of is None or parse(board["as_of"]) <= as_of)
            if succession.rightful(partition, board["epoch"]) and in_time:
                found[board["centre"]] = board
    return found
