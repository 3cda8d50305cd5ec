"""Watches that work gets done: a worker that stands still while there is work ends, so that it is restarted.

Only records read from the input count as progress; time passing does not.
"""

import threading
import time
from collections.abc import Callable

from agents.exits import Exit, end

LOOK_EVERY_SECONDS = 1.0


class Progress:
    """How many records were applied or read again since the start."""

    def __init__(self) -> None:
        self.count = 0
        self.still_seconds = 0.0
        """For how long there has been work and no progress, as the watchdog last saw it."""

    def made(self, records: int) -> None:
        """So many more records are done."""
        self.count += records


def watch(progress: Progress, has_work: Callable[[], bool], seconds: float) -> None:
    """End the process when for `seconds` there was work and no progress.

    In a thread of its own, since what stands still may be the event loop itself.
    """
    threading.Thread(target=_watch, args=(progress, has_work, seconds), name="watchdog", daemon=True).start()


def _watch(progress: Progress, has_work: Callable[[], bool], seconds: float) -> None:
    seen, since = progress.count, time.monotonic()
    looked = since
    while True:
        time.sleep(LOOK_EVERY_SECONDS)
        now = time.monotonic()
        # A process that was itself stopped for a while has not stood still.
        was_stopped = now - looked > 5 * LOOK_EVERY_SECONDS
        looked = now
        if progress.count != seen or was_stopped or not has_work():
            seen, since = progress.count, now
        progress.still_seconds = now - since
        if progress.still_seconds > seconds:
            end(Exit.STALLED, f"no progress for {seconds:.0f} s while there is work")
