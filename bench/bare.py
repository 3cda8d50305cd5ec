"""The barest things one can do with the events, each in a process of its own: what the worker is compared with.

`backlog SERVERS COUNT` reads and parses so many events and prints the CPU seconds that took, connecting excluded.
`echo SERVERS` waits for events, and as soon as a visit joins a queue appends a record that names it, until it is
stopped. Both are plain aiokafka and orjson with the settings of the worker's own consumer.
"""

import sys
import time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.app import FETCH_BYTES_MAX
from schemas.events import VisitQueued
from schemas.topics import EVENTS, PARTITIONS_DEFAULT

ECHO = "bench.echo"
RECORDS_MAX = 10_000
_QUEUED = VisitQueued.__struct_config__.tag


async def backlog(servers: str, count: int) -> float:
    """CPU seconds for `count` events."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=servers, max_partition_fetch_bytes=FETCH_BYTES_MAX, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition(EVENTS.name, number) for number in range(PARTITIONS_DEFAULT)])
        read = 0
        began = time.process_time()
        while read < count:
            for records in (await consumer.getmany(timeout_ms=1_000, max_records=RECORDS_MAX)).values():
                for record in records:
                    orjson.loads(record.value)
                read += len(records)
        return time.process_time() - began
    finally:
        await consumer.stop()


async def echo(servers: str) -> None:
    """Append the visit of each `queued` event to ECHO, until cancelled."""
    consumer = AIOKafkaConsumer(EVENTS.name, bootstrap_servers=servers, max_partition_fetch_bytes=FETCH_BYTES_MAX)
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await consumer.start()
    await producer.start()
    while True:
        for records in (await consumer.getmany(timeout_ms=1_000)).values():
            for record in records:
                event = orjson.loads(record.value)
                if event["type"] == _QUEUED:
                    await producer.send(ECHO, event["data"]["visit"].encode(), key=record.key)


def main() -> None:
    """What the arguments ask for."""
    what, servers, *rest = sys.argv[1:]
    if what == "backlog":
        print(uvloop.run(backlog(servers, int(rest[0]))))
    else:
        uvloop.run(echo(servers))


if __name__ == "__main__":
    main()
