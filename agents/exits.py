"""The worker's exit codes: a supervisor restarts it after each but the last two, which need a person.

0   stopped as asked
1   failed
2   called wrongly
3   no progress while there was work
4   Kafka no longer holds the events needed
5   the topics are not as they must be
"""

import logging
import os
import sys
from enum import IntEnum
from typing import NoReturn

log = logging.getLogger(__name__)


class Exit(IntEnum):
    """Why the worker ended."""

    STOPPED = 0
    FAILED = 1
    USAGE = 2
    STALLED = 3
    EVENTS_GONE = 4
    TOPICS_WRONG = 5


def end(code: Exit, why: str) -> NoReturn:
    """End this process at once, whatever else it is doing: what is right is in the state log already."""
    log.critical("%s", why)
    leave(code)


def leave(code: int) -> NoReturn:
    """End this process without waiting for its threads: one that fetches does not end while Kafka is away."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)


class Unfit(Exception):  # noqa: N818 - it says what is wrong, not that this program failed
    """Going on would make figures wrong; `code` says of which kind."""

    def __init__(self, code: Exit, why: str) -> None:
        super().__init__(why)
        self.code = code
