"""One owned partition: the only writer of its state.

Slices of input and ticks pass through here one after the other. What a step decides is appended to the state log
first; once the acknowledged offset shows that no newer owner stands between, it is published: announcements, facts,
dead letters. The next steps do not wait for that, nor for boards. A board is sent when all that it shows is in the
log, so that whoever restores the partition shows no less. Whatever fails leaves a state nobody trusts: the partition
ends, and is restored from the log by whoever owns it next.
"""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from agents import outputs as out
from agents.append_times import AppendTimes
from agents.gate import Gate, Refusals
from agents.hooks import Hooks
from agents.outputs import Output, Outputs
from agents.pace import Pace
from agents.producer import Producer
from agents.progress import Progress
from agents.reader import Record
from agents.state_log import Decided, StateLog, encoded
from schemas.codec import Refusal
from schemas.moments import MINUTE, SECOND
from schemas.outputs import Cancellation, Command, StateRecord, VisitFacts
from stream.engine import Effects, Engine

log = logging.getLogger(__name__)

STEP_RECORDS_MAX = 400
"""As many are taken before the loop gets a turn: some 5 ms."""
SWITCH_SECONDS = 0.0005
"""Events are fetched by a thread of their own: at the usual 5 ms it would wait so long for each turn of the loop."""
SWITCH_SECONDS_WHEN_BEHIND = 0.02
"""Two threads that take turns all the time get less done: with much to be applied it has to wait."""
SLICES_IN_FLIGHT_MAX = 2
APPENDS_IN_FLIGHT_MAX = 4
"""While Kafka is silent no more is decided: it would be old when it is heard."""
OUTPUTS_WAITING_MAX = 1_000
PUBLISHED_IN_FLIGHT_MAX = 10
TICK_EVERY = SECOND // 5
APPEND_EVERY = SECOND
LATENESS_OF_APPEND = 6 * MINUTE
"""An event may lie 5 minutes after its append time, and clocks differ."""
BEHIND_AFTER = 10 * SECOND

Clock = Callable[[], int]


class Fenced(Exception):  # noqa: N818 - an ordinary end of ownership
    """A newer owner has marked this partition: nothing of this step may be published."""


class Batch(Protocol):
    """A batch as Kafka keeps it: `max_timestamp` in ms. It can be read once."""

    @property
    def base_offset(self) -> int: ...
    @property
    def next_offset(self) -> int: ...
    @property
    def max_timestamp(self) -> int: ...
    def __iter__(self) -> Iterator[Record]: ...


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive batches of one partition, fetched since its last `rewind`; what is before `start` is known."""

    partition: "Partition"
    rewinds: int
    batches: Sequence[Batch]
    start: int

    def __len__(self) -> int:
        return self.batches[-1].next_offset - self.start

    def parts(self) -> Iterator[list[Record]]:
        """The records, some hundred at a time. Each is made when its turn comes: all would not fit into a cache."""
        part: list[Record] = []
        for batch in self.batches:
            if batch.base_offset < self.start:
                part += [record for record in batch if record.offset >= self.start]
            else:
                part += batch
            while len(part) >= STEP_RECORDS_MAX:
                yield part[:STEP_RECORDS_MAX]
                del part[:STEP_RECORDS_MAX]
        if part:
            yield part


@dataclass(slots=True)
class Tools:
    """What all partitions of a worker share."""

    producer: Producer
    """The connection of `state_log` and `outputs`."""
    state_log: StateLog
    outputs: Outputs
    boards: Outputs
    """Over a connection of their own: they are large, and nothing that is urgent waits behind them."""
    gate: Gate
    refusals: Refusals
    anomalies: dict[str, int]
    clock: Clock
    hooks: Hooks
    progress: Progress
    board_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever makes a board."""

    async def close(self) -> None:
        """Close the connections to Kafka; they are opened anew when they are needed again."""
        await self.producer.close()
        await self.boards.close()


@dataclass(slots=True)
class Pending:
    """What was decided since the last append."""

    commands: list[Command] = field(default_factory=list)
    cancellations: list[Cancellation] = field(default_factory=list)
    facts: list[VisitFacts] = field(default_factory=list)
    refused: list[tuple[Record, Refusal]] = field(default_factory=list)

    @property
    def is_urgent(self) -> bool:
        """Whether it must be appended and published at once."""
        return bool(self.commands or self.cancellations or self.refused)

    def add(self, effects: Effects) -> None:
        """Take the decisions of `effects`."""
        self.commands += effects.commands
        self.cancellations += effects.cancellations
        self.facts += effects.facts

    def outputs(self, number: int) -> list[Output]:
        """All of it, in the order in which it is published; `number` is that of the partition."""
        decided: list[Decided] = [*self.cancellations, *self.commands]
        return [
            *map(out.announcement, decided),
            *map(out.facts, self.facts),
            *(out.dead(record, number, refusal) for record, refusal in self.refused),
        ]


class Append(NamedTuple):
    """What is on its way to the state log, and what follows once it is there."""

    acknowledgements: Sequence[asyncio.Future[Any]]
    decided: int
    outputs: Sequence[Output]
    logged: asyncio.Future[None]
    """Done once it is there and no newer owner stands before it."""


class Partition:
    """`engine` holds the state after the input before offset `next`, restored for the owner of `epoch`."""

    def __init__(
        self, number: int, epoch: int, engine: Engine, next_offset: int, times: AppendTimes, tools: Tools
    ) -> None:
        self.number = number
        self.epoch = epoch
        self.engine = engine
        self.next = next_offset
        self.now = 0
        self.newest_appended_at = 0
        self.is_sound = True
        """Whether it is not running, and the state is that of the log: no step was broken off."""
        self.in_flight = 0
        self._fetch_next = next_offset
        self._believed_hole: int | None = None
        self._rewinds = 0
        self._logged_next = next_offset
        self._logged_at = 0
        self.logged_offset = epoch
        self._appends: asyncio.Queue[Append | None] = asyncio.Queue()
        """None comes last."""
        self._appends_in_flight = 0
        self._outputs_waiting = 0
        """How many follow from the appends in flight."""
        self._published = epoch
        self._sent: deque[tuple[int, asyncio.Future[Any]]] = deque()
        """By offset in the log: what was published and Kafka has not acknowledged yet."""
        self._ticked_at = 0
        self._times = times
        self._first = next_offset
        self._tools = tools
        self._pending = Pending()
        self._paces: dict[str, Pace] = {}
        self._due: set[str] = set()
        """The control rooms whose board is about to be written."""
        self._boards: asyncio.Queue[str | None] = asyncio.Queue()
        """The same, in order; None comes last."""
        self._slices: deque[Slice] = deque()
        self._wake = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._paused = False
        self._turn = asyncio.Lock()
        """Held by whoever uses the engine."""

    # Taking slices -------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """Whether another slice may be fetched."""
        return self.in_flight < SLICES_IN_FLIGHT_MAX

    def admit(self, batches: Sequence[Batch]) -> Slice | int:
        """The fetched `batches` as a slice, or the offset to seek to because they do not follow the last ones.

        A hole in the offsets is believed only when it is there again right after that seek: then it is real
        (records of a transaction's control), and not what was fetched before a rebalance.
        """
        first, start = batches[0].base_offset, self._fetch_next
        if batches[-1].next_offset <= start:
            return start
        if first > start and first != self._believed_hole:
            self._believed_hole = first
            return start
        self._fetch_next = batches[-1].next_offset
        self.in_flight += 1
        return Slice(self, self._rewinds, batches, start)

    def offer(self, fetched: Slice) -> None:
        """Queue a slice that was admitted; one from before a rewind comes again by itself."""
        if fetched.rewinds == self._rewinds:
            self._slices.append(fetched)
            self._wake.set()

    def rewind(self) -> None:
        """Between two steps: forget what is queued, since it will be fetched again from `next`."""
        self._rewinds += 1
        self._slices.clear()
        self.in_flight = 0
        self._fetch_next = self.next
        self._believed_hole = None

    # Steps -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Step whenever there is something to do, publish and write boards beside, until `pause` or an exception."""
        self._paused = self.is_sound = False
        self._appends, self._boards = asyncio.Queue(), asyncio.Queue()
        self._due.clear()
        self._appends_in_flight = self._outputs_waiting = 0
        publishing = self._beside(self._publish(), "publications")
        writing = self._beside(self._write_boards(), "boards")
        try:
            while not self._paused:
                for task in (publishing, writing):
                    if task.done():
                        task.result()
                self._wake.clear()
                if self._appends_in_flight < APPENDS_IN_FLIGHT_MAX and self._outputs_waiting < OUTPUTS_WAITING_MAX:
                    await self.step()
                self._set_alarm()
                await self._wake.wait()
            self._boards.put_nowait(None)
            await asyncio.wait([publishing, writing], return_when=asyncio.FIRST_COMPLETED)
            self._appends.put_nowait(None)
            for task in (publishing, writing):
                await task
            self.is_sound = True
        finally:
            for task in (publishing, writing):
                task.cancel()
            await asyncio.wait([publishing, writing])
            self._abandon()
            if self._alarm is not None:
                self._alarm.cancel()

    def _beside(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"{name} of partition {self.number}")
        task.add_done_callback(lambda _: self._wake.set())
        return task

    def _abandon(self) -> None:
        """Wait for nothing that is still on its way."""
        while not self._appends.empty():
            if (append := self._appends.get_nowait()) is not None:
                for acknowledgement in append.acknowledgements:
                    acknowledgement.cancel()
        for _, acknowledgement in self._sent:
            acknowledgement.cancel()
        self._sent.clear()

    def pause(self) -> None:
        """Let `run` return after the step it is in; it may run again later."""
        self._paused = True
        self._wake.set()

    async def step(self) -> None:
        """Apply one slice, or let time pass; hand over to the log what follows."""
        async with self._turn:
            if self._slices:
                await self._apply(self._slices.popleft())
                self.in_flight -= 1
            now = self._advance()
            if now >= self._ticked_at + TICK_EVERY:
                self._ticked_at = now
                self._take(self.engine.tick(now), now)
            late = now >= self._logged_at + APPEND_EVERY
            if self._pending.is_urgent or (late and (self.next > self._logged_next or self._pending.facts)):
                await self._append(now)
        for centre in self._undue:
            if self._board_due_at(centre) <= now:
                self._due.add(centre)
                self._boards.put_nowait(centre)
        if self._slices:
            self._wake.set()

    async def _apply(self, fetched: Slice) -> None:
        tools = self._tools
        effects = Effects()
        sys.setswitchinterval(SWITCH_SECONDS_WHEN_BEHIND if len(fetched) > STEP_RECORDS_MAX else SWITCH_SECONDS)
        for number, part in enumerate(fetched.parts()):
            if number:
                await asyncio.sleep(0)
            sifted = tools.gate.sift(part, self.number)
            effects.refused.clear()
            self.engine.take(sifted.arrivals, self._advance(), effects)
            refused = sifted.refused
            refused += [(sifted.records[index], refusal) for index, refusal in effects.refused]
            self._pending.refused += refused
            tools.refusals.count(len(part) - len(refused), [refusal.reason for _, refusal in refused])
            self._times.note(part[0].offset, part[0].timestamp * 1_000)
            tools.progress.made(len(part))
        now = self._advance()
        self.engine.settle(now, effects)
        self._take(effects, now)
        self.newest_appended_at = fetched.batches[-1].max_timestamp * 1_000
        self.next = fetched.batches[-1].next_offset

    def _take(self, effects: Effects, now: int) -> None:
        self._pending.add(effects)
        for centre in effects.changed:
            self._pace(centre).change(now)

    async def _append(self, now: int) -> Append:
        """Hand the pending decisions over to the log, in one's turn: a later record tells of a later state."""
        tools = self._tools
        pending, self._pending = self._pending, Pending()
        first = self._times.before(self.engine.needed_since(now) - LATENESS_OF_APPEND)
        if first is not None:
            self._first = first
        record = StateRecord(
            owner=tools.state_log.owner,
            epoch=self.epoch,
            next=self.next,
            first=self._first,
            now=now,
            commands=tuple(pending.commands),
            cancellations=tuple(pending.cancellations),
            published=self._published,
        )
        sent = [await tools.state_log.send(self.number, part) for part in encoded(record, self._logged_next)]
        decided = len(pending.commands) + len(pending.cancellations)
        outputs = pending.outputs(self.number)
        append = Append(sent, decided, outputs, asyncio.get_running_loop().create_future())
        self._appends.put_nowait(append)
        self._appends_in_flight += 1
        self._outputs_waiting += len(outputs)
        self._logged_next = self.next
        self._logged_at = now
        return append

    async def _publish(self) -> None:
        """Publish what follows from each append once it is in the log. Fenced when a newer owner stands before it."""
        tools = self._tools
        while (append := await self._appends.get()) is not None:
            for acknowledgement in append.acknowledgements:
                await self._logged(await tools.state_log.offset(acknowledgement))
            append.logged.set_result(None)
            tools.hooks.appended(self.number, append.decided)
            await self._acknowledged(at_most=PUBLISHED_IN_FLIGHT_MAX)
            sent = await tools.outputs.send(self.number, append.outputs)
            self._sent.append((self.logged_offset, asyncio.gather(*sent)))
            self._appends_in_flight -= 1
            self._outputs_waiting -= len(append.outputs)
            self._wake.set()
        await self._acknowledged(at_most=0)

    async def _logged(self, offset: int) -> None:
        """A record of ours is in the log at `offset`."""
        log = self._tools.state_log
        if offset != self.logged_offset + 1 and await log.has_marker(self.number, self.logged_offset + 1, offset):
            raise Fenced
        self.logged_offset = offset

    async def _acknowledged(self, at_most: int) -> None:
        """Wait until at most so many publications are on their way; raises what went wrong with any."""
        while self._sent and (len(self._sent) > at_most or self._sent[0][1].done()):
            await self._sent[0][1]
            self._published, _ = self._sent.popleft()

    async def _write_boards(self) -> None:
        """Write the boards that are due, one at a time among all partitions, so that steps go between them."""
        due: list[str | None] = []
        while None not in due:
            due = [await self._boards.get()]
            while not self._boards.empty():
                due.append(self._boards.get_nowait())
            boards = [await self._make_board(centre) for centre in due if centre is not None]
            if boards:
                async with self._turn:
                    append = await self._append(self._advance())
                await append.logged
                sent = await self._tools.boards.send(self.number, boards)
                self._set_alarm()
                await asyncio.gather(*sent)

    async def _make_board(self, centre: str) -> Output:
        clock = self._tools.clock
        async with self._tools.board_turn, self._turn:
            now = self._advance()
            self._due.discard(centre)
            cost, began = 0, clock()
            for board in self.engine.board_in_parts(centre, now):
                if board is not None:
                    break
                cost += clock() - began
                await asyncio.sleep(0)
                began = clock()
            assert board is not None
            made = out.board(centre, board)
            self._pace(centre).write(now, cost + clock() - began)
        return made

    # Time ------------------------------------------------------------------------------------------------------

    @property
    def is_behind(self) -> bool:
        """Whether the newest record applied is old and more are waiting."""
        return bool(self._slices) and self.now - self.newest_appended_at > BEHIND_AFTER

    def _advance(self) -> int:
        """The time, which never goes back."""
        self.now = max(self.now, self._tools.clock())
        return self.now

    def _pace(self, centre: str) -> Pace:
        pace = self._paces.get(centre)
        if pace is None:
            pace = self._paces[centre] = Pace()
        return pace

    @property
    def _undue(self) -> list[str]:
        return [centre for centre in self.engine.centres if centre not in self._due]

    def _board_due_at(self, centre: str) -> int:
        return self._pace(centre).due_at(catching_up=self.is_behind)

    def _set_alarm(self) -> None:
        """Wake for the next tick, board or append, if no slice does before."""
        if self._alarm is not None:
            self._alarm.cancel()
        due = [self._ticked_at + TICK_EVERY, *map(self._board_due_at, self._undue)]
        wait = max(0, min(due) - self.now) / SECOND
        self._alarm = asyncio.get_running_loop().call_later(wait, self._wake.set)
