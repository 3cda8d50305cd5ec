"""Becomes the owner of a partition and rebuilds its state.

A marker in the state log ends the former owner's word; the log before it says how far the input is applied and what
was decided. The state itself comes from reading the input again up to there, through the same gate and the same
engine, which meanwhile decides nothing. What was decided but perhaps not published is published again, unchanged.
"""

import asyncio
import logging
from collections.abc import Callable

from agents import outputs as out
from agents.append_times import AppendTimes
from agents.exits import Exit, Unfit
from agents.outputs import Output
from agents.partition import STEP_RECORDS_MAX, Partition, Tools
from agents.reader import Reader
from agents.state_log import Fold
from stream.engine import Engine

log = logging.getLogger(__name__)

NewEngine = Callable[[int, int], Engine]
"""Makes the engine of (a partition, an epoch)."""


async def take_over(number: int, topic: str, new_engine: NewEngine, reader: Reader, tools: Tools) -> Partition:
    """Partition `number` of `topic`, owned and restored. Unfit when Kafka no longer has what is needed."""
    epoch = await tools.state_log.mark(number)
    tools.hooks.marked(number)
    folded = await tools.state_log.fold(number, epoch, tools.clock())
    beginning, end = await reader.bounds(topic, number)
    engine = new_engine(number, epoch)
    times = AppendTimes()
    if folded.next is None:
        return Partition(number, epoch, engine, beginning, times, tools)
    first = folded.next if folded.first is None else folded.first
    _check(topic, number, first, folded.next, beginning, end)
    engine.restoring = True
    unpublished: list[Output] = [out.announcement(decided) for decided in folded.unpublished]
    async for records in reader.records(topic, number, first, folded.next):
        for start in range(0, len(records), STEP_RECORDS_MAX):
            part = records[start : start + STEP_RECORDS_MAX]
            times.note(part[0].offset, part[0].timestamp * 1_000)
            sifted = tools.gate.sift(part, number)
            now = part[-1].timestamp * 1_000
            applied = engine.apply(sifted.arrivals, now)
            passed = engine.tick(now)
            if part[-1].offset >= (folded.published_next or 0):
                refused = sifted.refused
                refused += [(sifted.records[index], refusal) for index, refusal in applied.refused]
                unpublished += [out.facts(settled) for settled in (*applied.facts, *passed.facts)]
                unpublished += [
                    out.dead(record, number, refusal)
                    for record, refusal in refused
                    if record.offset >= (folded.published_next or 0)
                ]
            tools.progress.made(len(part))
            await asyncio.sleep(0)
    _remember(engine, folded)
    await asyncio.gather(*await tools.outputs.send(number, unpublished))
    partition = Partition(number, epoch, engine, folded.next, times, tools)
    partition.now = folded.now
    log.info("partition %s restored from offset %s to %s", number, first, folded.next)
    return partition


def _remember(engine: Engine, folded: Fold) -> None:
    for decided in folded.decided:
        engine.remember(decided)
    engine.restoring = False


def _check(topic: str, number: int, first: int, next_offset: int, beginning: int, end: int) -> None:
    if first < beginning:
        raise Unfit(
            Exit.EVENTS_GONE,
            f"{topic}-{number}: the events from offset {first} are needed, but Kafka has only those from {beginning} "
            "on. Lengthen the topic's retention. To start anew without them, delete the records of occ.state.v1.",
        )
    if next_offset > end:
        raise Unfit(
            Exit.EVENTS_GONE,
            f"{topic}-{number}: the events before offset {next_offset} were applied, but Kafka has only those before "
            f"{end}: the topic was made anew. To start anew with it, delete the records of occ.state.v1.",
        )
