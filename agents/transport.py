"""Feeds Faust in slices: one Faust event for the consecutive records fetched of one partition.

Stock Faust makes four tasks for each record; a slice of thousands costs no more than one record there. The group, its
rebalances and the seek before the flow resumes stay Faust's own; its offsets are committed only as a figure of lag,
since the truth of what was applied is in the state log. The hooks are private parts of Faust: its version is pinned,
and tests/contract fails with a sentence when they change.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Protocol, cast

import faust
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, IllegalStateError
from faust.exceptions import NotReady
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.types import ServiceT

from agents.partition import Batch, Slice
from agents.shell import Shell

FETCH_SECONDS = 1.0
FETCH_SECONDS_WHILE_BUSY = 0.01
"""How long to wait for records of some partitions while others have no room: those get it any moment."""


class FedApp(Protocol):
    """An app that has a shell."""

    shell: Shell


class BatchThread(driver.AIOKafkaConsumerThread):
    """The thread that fetches; it gives batches instead of records, which are cheaper to make where they are used."""

    async def _fetch_records(
        self, consumer: Any, active_partitions: Any, timeout: float | None = None, max_records: int | None = None
    ) -> dict[Any, list[Batch]]:
        fetched = await self._buffered(consumer, active_partitions)
        if not fetched:
            try:
                await asyncio.wait_for(consumer._fetcher._create_fetch_waiter(), timeout)
            except TimeoutError:
                return {}
            fetched = await self._buffered(consumer, active_partitions)
        return fetched

    async def _buffered(self, consumer: Any, active_partitions: Any) -> dict[Any, list[Batch]]:
        for result in consumer._fetcher._records.values():
            if isinstance(result, fetcher.FetchResult):
                give_batches(result._partition_records)
        return cast(dict[Any, list[Batch]], await super()._fetch_records(consumer, active_partitions, timeout=0))


class PartitionBatches(fetcher.PartitionRecords):  # type: ignore[misc]
    """What was fetched of a partition, batch by batch; those of a transaction's control hold no events."""

    def _unpack_records(self) -> Iterator[Batch]:
        while self._records.has_next():
            batch = self._records.next_batch()
            if not batch.validate_crc():
                raise CorruptRecordException(f"a batch of {self._tp} is damaged")  # it ends here, to be fetched again
            self.next_fetch_offset = batch.next_offset
            if not batch.is_control_batch:
                yield batch


def give_batches(fetched: Any) -> None:
    """Let what was fetched of a partition come as batches."""
    if type(fetched) is fetcher.PartitionRecords:
        fetched.__class__ = PartitionBatches
        fetched._records_iterator = fetched._unpack_records()


class SliceConsumer(driver.Consumer):
    """A consumer that delivers slices to the shell's partitions."""

    def _new_consumer_thread(self) -> BatchThread:
        return BatchThread(self, loop=self.loop, beacon=self.beacon)

    @property
    def shell(self) -> Shell:
        return cast(FedApp, self.app).shell

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                if self.flow_active:
                    await self._fetch_and_deliver()
                else:
                    await self.wait(self.can_resume_flow)  # type: ignore[arg-type]
        except self.consumer_stopped_errors:
            if not self.app.should_stop:
                raise

    async def _fetch_and_deliver(self) -> None:
        shell = self.shell
        active = {tp.partition: tp for tp in self._get_active_partitions()}
        wanting = shell.wanting(active)
        if not wanting:
            await self.sleep(FETCH_SECONDS_WHILE_BUSY)
            return
        patience = FETCH_SECONDS if len(wanting) == len(active) else FETCH_SECONDS_WHILE_BUSY
        fetched = await self._getmany({active[number] for number in wanting}, patience)
        for tp, batches in (fetched or {}).items():
            admitted = shell.admit(tp.partition, batches)
            if isinstance(admitted, Slice):
                await self.wait_first(self.callback(self._message(tp, admitted)), self.suspend_flow.wait())
            elif admitted is not None and self.flow_active:
                await self.seek_wait({tp: admitted})

    def _message(self, tp: Any, fetched: Slice) -> ConsumerMessage:
        last = fetched.batches[-1]
        return ConsumerMessage(
            tp.topic,
            tp.partition,
            last.next_offset - 1,
            last.max_timestamp / 1_000,
            0,
            None,
            None,
            fetched,  # type: ignore[arg-type]
            None,
            0,
            0,
            TP(*tp),
            generation_id=self.app.consumer_generation_id,
        )

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop all writers before Faust lets the group go on."""
        await self.shell.revoke()
        await super().on_partitions_revoked(revoked)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """From here on the assigned partitions are work to be done."""
        self.shell.expect(self._numbers(assigned))
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """The last step before the flow resumes: restore, and fetch from where the state log says."""
        offsets = await self.shell.take(self._numbers(self.assignment()))
        if offsets:
            await self.seek_wait({TP(self.shell.topic, number): offset for number, offset in offsets.items()})

    def end_of(self, number: int) -> int | None:
        """The offset the next record of the partition will have, as far as is known."""
        try:
            return cast(int | None, self.highwater(TP(self.shell.topic, number)))
        except (AssertionError, IllegalStateError, NotReady):
            return None

    async def force_commit(self, topics: Any = None, start_new_transaction: bool = True) -> bool:
        """Commit how far the input is applied: a figure of lag for whoever looks at the group."""
        offsets = {TP(self.shell.topic, number): offset for number, offset in self.shell.applied().items()}
        changed = {tp: offset for tp, offset in offsets.items() if self._committed_offset[tp] != offset}
        if not changed or not await self._commit(changed):
            return False
        self._committed_offset.update(changed)
        return True

    def _numbers(self, partitions: Iterable[TP]) -> list[int]:
        return sorted(tp.partition for tp in partitions if tp.topic == self.shell.topic)


class SliceTransport(driver.Transport):
    """The transport of `SliceConsumer`."""

    Consumer = SliceConsumer


class SliceApp(faust.App):
    """A Faust app fed in slices; `shell` must be set before it starts."""

    shell: Shell

    def _new_transport(self) -> Any:
        return SliceTransport(self.conf.broker_consumer, self)

    async def on_stop(self) -> None:
        """Close the shell once the consumer no longer needs it."""
        await super().on_stop()
        await self.shell.stop()

    def lag(self, number: int) -> int:
        """How many records of an owned partition are not applied yet, as far as is known."""
        partition = self.shell.partitions.get(number)
        end = cast(SliceConsumer, self.consumer).end_of(number)
        return 0 if partition is None or end is None else max(0, end - partition.next)

    def has_work(self) -> bool:
        """Whether something waits to be applied or restored."""
        if self.shell.assigned - self.shell.partitions.keys():
            return True
        return any(self.lag(number) for number in tuple(self.shell.partitions))
