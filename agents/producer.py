"""One idempotent connection for appending, opened when first needed and opened anew after a fault."""

import asyncio
from typing import Literal

from aiokafka import AIOKafkaProducer

BATCH_BYTES_MAX = 256 * 1024


class Producer:
    """It never gives a record up because of time: an outage of Kafka is waited for."""

    def __init__(self, servers: str, compression: Literal["zstd"] | None = None) -> None:
        self._servers = servers
        self._compression = compression
        self._opening = asyncio.Lock()
        self._open: AIOKafkaProducer | None = None

    async def get(self) -> AIOKafkaProducer:
        """The open connection."""
        async with self._opening:
            if self._open is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._servers,
                    acks="all",
                    enable_idempotence=True,
                    max_batch_size=BATCH_BYTES_MAX,
                    compression_type=self._compression,
                )
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._open = producer
            return self._open

    async def close(self) -> None:
        """Close the connection; what it has in flight is waited for."""
        producer, self._open = self._open, None
        if producer is not None:
            await producer.stop()
