"""The last announcements of a control room and what became of each, without the callers they were for.

A supervisor reads what was said, to which queue, and whether it was heard. `outcome` is null until it is known; an
announcement that was taken back before anybody heard it is `cancelled`.
"""

from functools import cached_property
from typing import Any

import orjson

from schemas.moments import micros, rfc3339
from schemas.outputs import Command
from wallboard.sse import Encoded, event

SHOWN_MAX = 20


class Announcements:
    """The last SHOWN_MAX of one control room, the newest last."""

    def __init__(self, centre: str) -> None:
        self._centre = centre
        self._entries: dict[str, dict[str, Any]] = {}
        self.version = 0

    def issued(self, command: Command) -> None:
        """One is to be spoken; what is known already stays as it is."""
        if command.id in self._entries:
            return
        self._entries[command.id] = {
            "issued_at": rfc3339(micros(command.issued_at)),
            "queue": command.queue,
            "kind": command.kind,
            "language": command.language,
            "text": command.text,
            "outcome": None,
        }
        while len(self._entries) > SHOWN_MAX:
            del self._entries[next(iter(self._entries))]
        self._changed()

    def ended(self, announcement: str, outcome: str) -> bool:
        """What became of one; the announcer's word beats `cancelled`. Returns whether it is shown and is news."""
        entry = self._entries.get(announcement)
        if entry is None or entry["outcome"] not in {None, "cancelled"} or entry["outcome"] == outcome:
            return False
        entry["outcome"] = outcome
        self._changed()
        return True

    @cached_property
    def json(self) -> bytes:
        """As it is told to whoever asks, the newest first."""
        shown = list(reversed(self._entries.values()))
        return orjson.dumps({"centre": self._centre, "announcements": shown})

    @cached_property
    def event(self) -> Encoded:
        """The same for streams, made once a change."""
        return event("announcements", self.json)

    def _changed(self) -> None:
        self.version += 1
        for made in ("json", "event"):
            self.__dict__.pop(made, None)
