"""Runs one worker in this process: the event loop, the garbage collector, logs, the watchdog, the exit code."""

import asyncio
import logging
import threading
from typing import Any, NoReturn

import faust
import uvloop

from agents.exits import Exit, leave
from agents.garbage import look_once
from agents.progress import watch
from agents.transport import SliceApp

STOP_SECONDS_MAX = 10.0
"""While Kafka is away nothing can be said to the group and no acknowledgement comes; the log is the truth anyway."""


class Worker(faust.Worker):
    """A worker that ends soon, whatever Kafka does."""

    def on_worker_shutdown(self) -> None:
        """From here on everything stops, because that was asked for or something failed."""
        code = Exit.FAILED if self._signal_stop_future is None else Exit.STOPPED
        patience = threading.Timer(STOP_SECONDS_MAX, leave, [code])
        patience.daemon = True
        patience.start()
        super().on_worker_shutdown()


def run(app: SliceApp, *, watchdog_seconds: float, verbose: bool = False) -> NoReturn:
    """Run `app` until it is told to stop; ends the process with a code of `agents.exits`."""
    uvloop.install()
    look_once()
    watch(app.shell.tools.progress, app.has_work, watchdog_seconds)
    app.conf.datadir.mkdir(parents=True, exist_ok=True)
    worker = Worker(
        app,
        loop=asyncio.new_event_loop(),
        redirect_stdouts=False,
        loglevel="INFO" if verbose else "WARNING",
        logging_config=logging_config("INFO" if verbose else "WARNING"),
        quiet=True,
    )
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit as stopped:
        leave(Exit.STOPPED if stopped.code is None else int(stopped.code))


def logging_config(level: str) -> dict[str, Any]:
    """Our own lines always; those of Faust and aiokafka from `level` on."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {"agents": {"level": logging.INFO}},
    }
