"""Follows boards and announcements, and keeps showing them: in place on a terminal, as lines anywhere else."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time_ns

from rich.console import Console, Group, RenderableType
from rich.live import Live

from agents import clients
from agents.board_reader import Succession, newest
from agents.terminal import plain_line, show_announcements, show_room, view
from schemas.boards import Board, read_board
from schemas.outputs import Command
from schemas.topics import ANNOUNCEMENTS, BOARD
from telephony.announcer import read

ANNOUNCEMENTS_SHOWN = 6
SHOWN_EVERY_SECONDS = 0.5
LINES_EVERY_SECONDS = 5.0
NOTHING_YET = "no board yet: waiting for a worker and for events"


@dataclass(slots=True)
class Watched:
    """What is known of the control rooms followed: all, or only `centre`."""

    centre: str | None = None
    boards: dict[str, Board] = field(default_factory=dict)
    announcements: deque[Command] = field(default_factory=lambda: deque(maxlen=ANNOUNCEMENTS_SHOWN))

    def take(self, board: Board) -> None:
        """A newer board."""
        if self.centre in {None, board["centre"]}:
            self.boards[board["centre"]] = board

    def hear(self, command: Command) -> None:
        """A newer announcement."""
        if self.centre in {None, command.centre}:
            self.announcements.appendleft(command)

    def picture(self, now: int, notes: Iterable[str] = ()) -> RenderableType:
        """Everything, for a terminal."""
        rooms = [show_room(view(board, now)) for _, board in sorted(self.boards.items())]
        return Group(*(rooms or [NOTHING_YET]), show_announcements(self.announcements), *notes)

    def lines(self, now: int) -> list[str]:
        """Everything but the announcements, a line a room."""
        return [plain_line(view(board, now)) for _, board in sorted(self.boards.items())] or [NOTHING_YET]


async def follow(servers: str, watched: Watched) -> None:
    """Keep `watched` up to date, from the newest boards on, until cancelled. Raises ClickException."""
    succession = Succession()
    async with clients.consumer(servers, BOARD.name, ANNOUNCEMENTS.name) as consumer:
        await consumer.seek_to_end()
        for board in (await newest(servers)).values():
            watched.take(board)
        while True:
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                for record in records:
                    if partition.topic == BOARD.name:
                        read_as = read_board(record.value)
                        if read_as is not None and succession.rightful(partition, read_as["epoch"]):
                            watched.take(read_as)
                    else:
                        command = read(record.value)
                        if isinstance(command, Command) and succession.rightful(partition, command.epoch):
                            watched.hear(command)


async def show(watched: Watched, console: Console, notes: Iterable[str] = ()) -> None:
    """Show `watched` until cancelled."""
    if not console.is_terminal:
        while True:
            for line in watched.lines(_now()):
                console.out(line, highlight=False)
            await asyncio.sleep(LINES_EVERY_SECONDS)
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(watched.picture(_now(), notes), refresh=True)
            await asyncio.sleep(SHOWN_EVERY_SECONDS)


def _now() -> int:
    return time_ns() // 1000
