"""The partitions this worker owns: restored when the group assigns them, let go when it revokes them.

Each partition has a task that steps it. When that task ends by itself the partition is restored: soon after a fault
of Kafka; after a newer owner was found only if the group has not taken it away by then, since taking it back from
its rightful owner would help nobody. A partition that the group takes and gives back goes on as it was, if the log
shows that nobody else wrote meanwhile.
"""

import asyncio
import logging
import time
from collections.abc import Collection, Sequence
from typing import Literal

from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from agents.exits import Exit, Unfit, end
from agents.partition import Batch, Fenced, Partition, Slice, Tools
from agents.reader import Reader
from agents.restore import NewEngine, take_over
from agents.state_log import LogError

log = logging.getLogger(__name__)

PAUSE_SECONDS_MAX = 5.0
"""A step that takes longer when the group revokes is given up; the log is the truth then."""
RETRY_SECONDS = 1.0

Phase = Literal["starting", "sharing", "assigned"]
"""Whether the group has said which partitions are ours: never yet, not since it took them away, or it has."""


class Shell:
    """`session_seconds` after losing a partition to another owner, the group must have revoked it."""

    def __init__(
        self,
        topic: str,
        new_engine: NewEngine,
        reader: Reader,
        tools: Tools,
        *,
        session_seconds: float,
        restore_seconds_max: float,
    ) -> None:
        self.topic = topic
        self.tools = tools
        self.partitions: dict[int, Partition] = {}
        """Those being stepped."""
        self.assigned: frozenset[int] = frozenset()
        self.phase: Phase = "starting"
        self.restore_seconds = 0.0
        """How long the last restore took."""
        self._new_engine = new_engine
        self._reader = reader
        self._session_seconds = session_seconds
        self._restore_seconds_max = restore_seconds_max
        self._kept: dict[int, Partition] = {}
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._restoring: asyncio.Future[dict[int, Partition]] | None = None

    # What the consumer asks ------------------------------------------------------------------------------------

    def expect(self, numbers: Collection[int]) -> None:
        """The group gave us these partitions; `take` follows."""
        self.assigned = frozenset(numbers)
        self.phase = "assigned"

    async def take(self, numbers: Collection[int]) -> dict[int, int]:
        """Own and restore the partitions `numbers`, all at once; returns the offset from which to fetch each.

        Returns nothing when they are revoked meanwhile.
        """
        self.expect(numbers)
        await self._let_go()
        started = time.monotonic()
        restoring = self._restoring = asyncio.ensure_future(self._restore(numbers))
        try:
            restored = await asyncio.wait_for(asyncio.shield(restoring), self._restore_seconds_max)
        except TimeoutError:
            end(Exit.FAILED, f"restoring took longer than {self._restore_seconds_max:.0f} s")
        except asyncio.CancelledError:
            if self._restoring is not restoring:
                return {}
            restoring.cancel()
            raise
        self.restore_seconds = time.monotonic() - started
        self._restoring = None
        self.partitions = restored
        for number in restored:
            task = self._serving[number] = asyncio.create_task(self._serve(number), name=f"partition {number}")
            task.add_done_callback(_crash_with)
        return {number: partition.next for number, partition in restored.items()}

    async def revoke(self) -> None:
        """The group takes all partitions away, perhaps to give some of them back."""
        self.assigned = frozenset()
        self.phase = "sharing"
        await self._let_go()

    def wanting(self, numbers: Collection[int]) -> set[int]:
        """Those of `numbers` for which another slice may be fetched."""
        owned = self.partitions
        return {number for number in numbers if number in owned and owned[number].has_room}

    def admit(self, number: int, batches: Sequence[Batch]) -> Slice | int | None:
        """What was fetched as a slice to deliver, the offset to seek to instead, or None to drop it."""
        partition = self.partitions.get(number)
        return None if partition is None else partition.admit(batches)

    def applied(self) -> dict[int, int]:
        """The next input offset of each partition, for the group's own record of progress."""
        return {number: partition.next for number, partition in self.partitions.items()}

    async def stop(self) -> None:
        """Let everything go and close the connections."""
        await self.revoke()
        await self.tools.close()

    # Owning ----------------------------------------------------------------------------------------------------

    async def _let_go(self) -> None:
        """Stop stepping; keep what stopped between two steps."""
        restoring, self._restoring = self._restoring, None
        if restoring is not None:
            restoring.cancel()
        serving, self._serving = self._serving, {}
        partitions, self.partitions = self.partitions, {}
        for number, task in serving.items():
            if number in partitions:
                partitions[number].pause()
            else:
                task.cancel()
        if serving:
            _, slow = await asyncio.wait(serving.values(), timeout=PAUSE_SECONDS_MAX)
            for task in slow:
                task.cancel()
        for number, partition in partitions.items():
            if partition.is_sound:
                partition.rewind()
                self._kept[number] = partition

    async def _restore(self, numbers: Collection[int]) -> dict[int, Partition]:
        kept, self._kept = self._kept, {}
        restored = await asyncio.gather(*(self._own(number, kept.get(number)) for number in numbers))
        return {partition.number: partition for partition in restored}

    async def _own(self, number: int, kept: Partition | None = None) -> Partition:
        while True:
            try:
                if kept is not None and await self._is_undisturbed(kept):
                    return kept
                return await take_over(number, self.topic, self._new_engine, self._reader, self.tools)
            except Unfit as unfit:
                end(unfit.code, str(unfit))
            except (KafkaError, LogError) as error:
                log.warning("partition %s cannot be restored yet: %r", number, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _is_undisturbed(self, kept: Partition) -> bool:
        _, log_end = await self._reader.bounds(self.tools.state_log.topic, kept.number)
        return log_end == kept.logged_offset + 1

    async def _serve(self, number: int) -> None:
        while True:
            partition = self.partitions[number]
            try:
                await partition.run()
                return
            except Fenced:
                log.warning("partition %s has a newer owner: nothing more of it is published here", number)
                wait = self._session_seconds
            except MessageSizeTooLargeError:
                raise
            except (KafkaError, LogError) as error:
                log.warning("partition %s has to be restored: %r", number, error)
                await self.tools.close()
                wait = RETRY_SECONDS
            if self.partitions.get(number) is not partition:
                return  # it was let go while it failed
            del self.partitions[number]
            await asyncio.sleep(wait)
            self.partitions[number] = await self._own(number)


def _crash_with(task: asyncio.Task[None]) -> None:
    """An error nobody foresaw: the state can no longer be trusted, the log can."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("%s failed", task.get_name(), exc_info=error)
        end(Exit.FAILED, "the worker ends, to be restarted from the state log")
