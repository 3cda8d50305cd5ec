"""Feeds a hub from Kafka: the newest boards at once, then every one, and the last hours for its trends.

One consumer follows all partitions, those of announcements and their outcomes too; the epoch of a replaced worker is
heeded. While Kafka is away the hub is told so, and what was missed is made up for by the next board. A record that is
no board is counted and passed over.
"""

import asyncio
import logging
from time import time_ns

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from agents.board_reader import FETCH_WAIT_MS, Succession, newest, offset_at
from agents.clients import consumer
from schemas.boards import read_board
from schemas.codec import Arrival, decode
from schemas.events import AnnouncementOutcome
from schemas.moments import MINUTE
from schemas.outputs import Command
from schemas.topics import ANNOUNCEMENTS, BOARD, EVENTS
from telephony.announcer import read
from wallboard.history import MINUTES_MAX
from wallboard.hub import FeedState, Hub

POLL_MS = 1_000
ASK_SECONDS = 3.0
ANSWERS_WITHIN_SECONDS = 3.0
LOOK_BACK = 2_500_000
"""Every living control room writes a board at least each 2 s."""
OUTCOME = b"occ.announcement.outcome.v1"
REST_SECONDS = 0.01
"""Between two minutes of the past: what happens now goes first."""

log = logging.getLogger(__name__)


async def fill(hub: Hub, servers: str, *, topic: str = BOARD.name) -> None:
    """Give `hub` the newest board of each control room. Raises ClickException."""
    for board in (await newest(servers, topic=topic)).values():
        hub.take(board)


async def follow(hub: Hub, client: AIOKafkaConsumer) -> None:
    """Give `hub` everything that `client` reads of TOPICS, until cancelled."""
    succession = Succession()
    while True:
        for partition, records in (await client.getmany(timeout_ms=POLL_MS)).items():
            take = _TAKES[partition.topic]
            for record in records:
                take(hub, succession, partition, record)


def _take_board(hub: Hub, succession: Succession, partition: TopicPartition, record: ConsumerRecord) -> None:
    board = read_board(record.value)
    if board is None:
        hub.refuse()
        log.warning("offset %d of partition %d is no board", record.offset, partition.partition)
    elif succession.rightful(partition, board["epoch"]):
        hub.take(board)


def _take_order(hub: Hub, succession: Succession, partition: TopicPartition, record: ConsumerRecord) -> None:
    order = read(record.value or b"")
    if order is None or not succession.rightful(partition, order.epoch):
        return
    if isinstance(order, Command):
        hub.announced(order)
    else:
        hub.announcement_ended(order.centre, order.cancels, "cancelled")


def _take_outcome(hub: Hub, succession: Succession, partition: TopicPartition, record: ConsumerRecord) -> None:
    if record.value is None or OUTCOME not in record.value:
        return  # most events are of something else, and looking into them is the worker's task
    arrival = decode(record.value)
    if isinstance(arrival, Arrival) and isinstance(arrival.event, AnnouncementOutcome):
        data = arrival.event.data
        hub.announcement_ended(data.centre, data.announcement, data.outcome)


_TAKES = {BOARD.name: _take_board, ANNOUNCEMENTS.name: _take_order, EVENTS.name: _take_outcome}
TOPICS = tuple(_TAKES)
"""What one server follows."""


async def ask(hub: Hub, client: AIOKafkaConsumer) -> None:
    """Ask Kafka again and again whether it is there, and tell `hub`."""
    while True:
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_SECONDS):
                await client.topics()
            heard: FeedState = "following"
        except (KafkaError, OSError, TimeoutError):
            heard = "lost"
        if hub.hears(heard):
            log.warning("Kafka %s", "answers" if heard == "following" else "does not answer")
        await asyncio.sleep(ASK_SECONDS)


async def recall(hub: Hub, servers: str, *, topic: str = BOARD.name) -> None:
    """Give `hub` the last board of each minute that is kept, the newest first. Raises ClickException."""
    current = time_ns() // 1000 // MINUTE
    async with consumer(servers, topic, fetch_wait_ms=FETCH_WAIT_MS) as client:
        client.pause(*client.assignment())
        for partition in client.assignment():
            client.resume(partition)
            begin = (await client.beginning_offsets([partition]))[partition]
            for minute in range(current, current - MINUTES_MAX, -1):
                if await _recall_minute(hub, client, partition, minute * MINUTE) <= begin:
                    break
                await asyncio.sleep(REST_SECONDS)
            client.pause(partition)


async def _recall_minute(hub: Hub, client: AIOKafkaConsumer, partition: TopicPartition, until: int) -> int:
    """Give `hub` each room's last board appended before `until` (µs); returns the offset of that moment."""
    end = await offset_at(client, partition, until)
    if end is None:
        end = (await client.end_offsets([partition]))[partition]
    position = await offset_at(client, partition, until - LOOK_BACK)
    if position is None or position >= end:
        return end
    succession, last = Succession(), {}
    client.seek(partition, position)
    while position < end:
        for record in (await client.getmany(partition, timeout_ms=POLL_MS)).get(partition, ()):
            position = record.offset + 1
            board = read_board(record.value) if record.offset < end else None
            if board is not None and succession.rightful(partition, board["epoch"]):
                last[board["centre"]] = board
    for board in last.values():
        hub.fill(board)
    return end
