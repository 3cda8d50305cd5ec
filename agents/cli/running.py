"""Commands that run until they are told to stop: by Ctrl-C, by SIGTERM, or by the closing of their terminal."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine
from types import FrameType
from typing import Self, TypeVar

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Result = TypeVar("Result")


async def until_stopped(work: Coroutine[None, None, Result]) -> Result | None:
    """The result of `work`, or None when it was told to stop.

    Being stopped is no failure: `work` is cancelled, ends what it holds, and the command's exit code is 0.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    before = {sign: signal.getsignal(sign) for sign in STOPPING}
    for sign in STOPPING:
        loop.add_signal_handler(sign, task.cancel)
    try:
        await asyncio.wait([task])
    finally:
        for sign in STOPPING:
            loop.remove_signal_handler(sign)
            signal.signal(sign, before[sign])
    with contextlib.suppress(asyncio.CancelledError):
        try:
            return task.result()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # of tasks that fail together the first says why
    return None


class Interruptible:
    """While this context lasts the first request to stop raises KeyboardInterrupt, and each later one is ignored.

    So what has to be undone on the way out is undone, however impatient somebody is.
    """

    def __enter__(self) -> Self:
        self._before = {sign: signal.signal(sign, self._interrupt) for sign in STOPPING}
        return self

    def __exit__(self, *_: object) -> None:
        for sign, handler in self._before.items():
            signal.signal(sign, handler)

    def end(self) -> None:
        """From here on no request to stop is heard."""
        for sign in STOPPING:
            signal.signal(sign, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.end()
        raise KeyboardInterrupt
