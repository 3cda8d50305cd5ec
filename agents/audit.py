"""Writes to the audit topic who did what to personal data; whoever asks waits until Kafka has it."""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from schemas.codec import encode
from schemas.outputs import AuditRecord
from schemas.topics import AUDIT

WRITTEN_WITHIN_SECONDS = 5.0


class AuditTrail:
    """The audit topic, over a producer that is started and stopped elsewhere."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def __call__(self, record: AuditRecord) -> None:
        """Keep `record`. Raises OSError when Kafka does not have it in time; it may have it later."""
        try:
            async with asyncio.timeout(WRITTEN_WITHIN_SECONDS):
                await self._producer.send_and_wait(AUDIT.name, encode(record), key=record.centre.encode())
        except (KafkaError, TimeoutError) as error:
            raise OSError("the audit topic took nothing") from error
