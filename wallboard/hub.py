"""Boards in, the same bytes out to every client that looks at the same room in the same view.

Of each control room only the newest board is kept, and for each client only which rooms it has yet to be sent: who is
slow skips boards, and costs no memory. The first change goes out at once, then at most one each PACE_SECONDS.
A board of a lower epoch than one seen before is of a worker that was replaced, and ignored.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from typing import Any, Literal

import orjson

from schemas.boards import Board
from schemas.moments import rfc3339
from schemas.outputs import Command
from wallboard.announcements import Announcements
from wallboard.history import History
from wallboard.sse import Encoded, event, note
from wallboard.views import View, shown

PACE_SECONDS = 0.1
CENTRES_MAX = 200
ID_BYTES = 12

FeedState = Literal["following", "lost"]


class Edition:
    """One board as one view shows it."""

    def __init__(self, board: Board, received_at: int, view: View) -> None:
        self.json = orjson.dumps(shown(board, view) | {"received_at": rfc3339(received_at)})
        of = orjson.dumps([board["centre"], board["epoch"], board["as_of"], view])
        self.ident = blake2b(of, digest_size=ID_BYTES).hexdigest()
        self.event = event("board", self.json, self.ident)


class Room:
    """The newest board of one control room, its last hours and its last announcements."""

    def __init__(self, board: Board, received_at: int) -> None:
        self.history = History()
        self.announcements = Announcements(board["centre"])
        self.published_at = 0.0
        self.later: asyncio.TimerHandle | None = None
        self.take(board, received_at)

    def take(self, board: Board, received_at: int) -> None:
        """A newer board."""
        self.board, self.received_at = board, received_at
        self._editions: dict[View, Edition] = {}

    def edition(self, view: View) -> Edition:
        """The newest board as `view` shows it, made once."""
        edition = self._editions.get(view)
        if edition is None:
            edition = self._editions[view] = Edition(self.board, self.received_at, view)
        return edition

    def parts(self, view: View) -> Iterator[tuple[str, str, Encoded]]:
        """What `view` is sent: by name, what tells this version from others, and the event."""
        edition = self.edition(view)
        yield "board", edition.ident, edition.event
        if view == "supervisor":
            yield "announcements", str(self.announcements.version), self.announcements.event


class Client:
    """What one open stream has yet to be sent; bounded by the rooms it looks at."""

    def __init__(self, view: View, centres: Iterable[str]) -> None:
        self.view = view
        self.centres = frozenset(centres)
        self._due: dict[str, None] = {}
        self._said: Encoded | None = None
        self._wake = asyncio.Event()

    def tell(self, centre: str) -> None:
        """There is news of `centre`."""
        self._due[centre] = None
        self._wake.set()

    def tell_of_server(self, said: Encoded) -> None:
        """The server has something to say of itself; the last word is enough."""
        self._said = said
        self._wake.set()

    async def due(self) -> tuple[list[Encoded], list[str]]:
        """Wait for, and take, what is to be sent: words of the server, and rooms."""
        await self._wake.wait()
        self._wake.clear()
        said, rooms = ([self._said] if self._said else []), list(self._due)
        self._said = None
        self._due.clear()
        return said, rooms


class Feed:
    """Whether this server hears Kafka; `since` is when that began, in µs."""

    def __init__(self, since: int) -> None:
        self.state: FeedState = "following"
        self.since = since

    def as_json(self) -> dict[str, str]:
        """As it is told to clients."""
        return {"state": self.state, "since": rfc3339(self.since)}


class Hub:
    """All rooms and all clients of one server; `clock` gives now in µs."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self.rooms: dict[str, Room] = {}
        self.clients: set[Client] = set()
        self.taken = 0
        self.refused = 0
        self.dropped = 0
        self.sent_bytes = 0
        self.feed = Feed(clock())
        self.clock = clock

    def take(self, board: Board) -> None:
        """A board that was read just now."""
        centre = board["centre"]
        room = self.rooms.get(centre)
        if room is None:
            if len(self.rooms) >= CENTRES_MAX:
                self.refused += 1
                return
            room = self.rooms[centre] = Room(board, self.clock())
        elif board["epoch"] < room.board["epoch"]:
            return
        else:
            room.take(board, self.clock())
        self.taken += 1
        room.history.add(board)
        self._pace(centre, room)

    def announced(self, command: Command) -> None:
        """An announcement is to be spoken in a room that is known."""
        if room := self.rooms.get(command.centre):
            room.announcements.issued(command)
            self._pace(command.centre, room)

    def announcement_ended(self, centre: str, announcement: str, outcome: str) -> None:
        """What became of an announcement."""
        room = self.rooms.get(centre)
        if room and room.announcements.ended(announcement, outcome):
            self._pace(centre, room)

    def refuse(self) -> None:
        """A record that is no board."""
        self.refused += 1

    def hears(self, state: FeedState) -> bool:
        """How the feed is. Returns whether that is news; then every client is told at once."""
        if state == self.feed.state:
            return False
        self.feed.state, self.feed.since = state, self.clock()
        self.beat()
        return True

    def beat(self) -> None:
        """Tell every client that this server lives, and whether it hears Kafka."""
        said = note("beat", self.greeting())
        for client in self.clients:
            client.tell_of_server(said)

    def greeting(self) -> dict[str, Any]:
        """The server's time and the state of its feed."""
        return {"server_time": rfc3339(self.clock()), "feed": self.feed.as_json()}

    def fill(self, board: Board) -> None:
        """A board of the past, for the history of a room that is known."""
        if room := self.rooms.get(board["centre"]):
            room.history.fill(board)

    def _pace(self, centre: str, room: Room) -> None:
        if room.later is not None:
            return
        loop = asyncio.get_running_loop()
        wait = room.published_at + PACE_SECONDS - loop.time()
        if wait <= 0:
            self._publish(centre, room)
        else:
            room.later = loop.call_later(wait, self._publish, centre, room)

    def _publish(self, centre: str, room: Room) -> None:
        room.later = None
        room.published_at = asyncio.get_running_loop().time()
        for client in self.clients:
            if centre in client.centres:
                client.tell(centre)
