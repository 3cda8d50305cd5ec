"""Commands that run until they are told to stop."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_stopped(work: Coroutine[None, None, None]) -> bool:
    """Do `work` to its end, or until Ctrl-C, SIGTERM or the closing of the terminal; True when it was stopped.

    Being stopped is no failure: `work` is cancelled, ends what it holds, and the command's exit code is 0.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for sign in STOPPING:
        loop.add_signal_handler(sign, task.cancel)
    try:
        await asyncio.wait([task])
    finally:
        for sign in STOPPING:
            loop.remove_signal_handler(sign)
    with contextlib.suppress(asyncio.CancelledError):
        try:
            task.result()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None  # of tasks that fail together the first says why
    return task.cancelled()


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first of the errors in `group`, however deep it lies."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
