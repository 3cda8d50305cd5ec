"""How soon what happens at a switch is in Kafka: from Asterisk's own stamp of an event to its append.

On a real Asterisk sipp rings fifty times a second; each caller waits a moment and gives up: 200 events a second. The
bridge runs as a site runs it. Both stamps are of this machine's clock, the append's in whole milliseconds. That a
caller left is told only when it is known why; the three other events of a call are told as they happen, and counted.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click

from agents.config import FILE_VARIABLE, PREFIX
from agents.packages import UnobtainableError, obtain
from agents.phones import Phones
from agents.reader import Reader
from agents.switch import Switch, build
from bench.place import Place
from schemas.codec import Arrival, decode
from schemas.events import CallEnded, CallOffered, SourceHeartbeat, VisitQueued
from schemas.moments import SECOND
from schemas.topics import EVENTS, PARTITIONS_DEFAULT

CALLS_A_SECOND = 50
WARM_CALLS = 5 * CALLS_A_SECOND
CALLS = WARM_CALLS + 30 * CALLS_A_SECOND
WAITS_MS = 1_200
LOOK_EVERY_SECONDS = 0.2
PATIENCE_SECONDS = 60
TARGET_P99_MS = 20


def measure(place: Place, say: Callable[[str], None]) -> dict[str, Any]:
    """Let everybody ring, then read in Kafka when it happened. Raises ClickException."""
    asterisk = Path(".cache").absolute() / "asterisk"
    try:
        obtain("sipp", "sip-tester")
        build(asterisk)
    except UnobtainableError as error:
        raise click.ClickException(str(error)) from None
    home = place.folder / "switch"
    home.mkdir()
    switch = Switch(asterisk, home, ())
    switch.start()
    try:
        return asyncio.run(_run(place, switch, say))
    finally:
        switch.terminate()


async def _run(place: Place, switch: Switch, say: Callable[[str], None]) -> dict[str, Any]:
    async with _bridge(place, switch):
        await _until(place, lambda arrivals: any(isinstance(each.event, SourceHeartbeat) for each in arrivals))
        say(f"bridge: {CALLS} calls, {CALLS_A_SECOND} a second")
        phones = Phones(switch, place.folder)
        try:
            ringing = await phones.caller("101", hang_up_after=WAITS_MS, calls=CALLS, rate=CALLS_A_SECOND)
            await ringing.wait()  # to read meanwhile would take the time that is measured
        finally:
            await phones.hang_up()
        arrivals = await _until(place, lambda read: sum(isinstance(each.event, CallEnded) for each in read) >= CALLS)
    return _result(arrivals)


@asynccontextmanager
async def _bridge(place: Place, switch: Switch) -> AsyncIterator[None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {
        FILE_VARIABLE: os.devnull,
        "OCC_BRIDGE__PORT": "0",
        "OCC_KAFKA__BOOTSTRAP_SERVERS": place.servers,
    }
    with (place.folder / "bridge.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agents.cli", "bridge", "asterisk", "--ami", f"127.0.0.1:{switch.ami}"),
            *("--secret-file", str(switch.secret_file), "--folder", str(place.folder / "bridge")),
            env=environment,
            stderr=log,
        )
    try:
        yield
    finally:
        process.terminate()
        await process.wait()


async def _until(place: Place, is_so: Callable[[list[Arrival]], bool]) -> list[Arrival]:
    """Everything on the topic, when `is_so` of it. Raises ClickException."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(arrivals := await _read(place)):
                await asyncio.sleep(LOOK_EVERY_SECONDS)
    except TimeoutError:
        log = (place.folder / "bridge.log").read_text(errors="replace")
        raise click.ClickException(f"The bridge did not tell everything in time. Its log:\n{log}") from None
    return arrivals


async def _read(place: Place) -> list[Arrival]:
    reader = Reader(place.servers)
    arrivals = []
    for partition in range(PARTITIONS_DEFAULT):
        start, end = await reader.bounds(EVENTS.name, partition)
        async for batch in reader.records(EVENTS.name, partition, start, end):
            for record in batch:
                arrival = decode(record.value, record.timestamp * 1_000)
                assert isinstance(arrival, Arrival)
                arrivals.append(arrival)
    return arrivals


def _result(arrivals: list[Arrival]) -> dict[str, Any]:
    told = [each for each in arrivals if isinstance(each.event, CallOffered | VisitQueued | CallEnded)]
    told = sorted(told, key=lambda each: each.at)[3 * WARM_CALLS :]
    waits = sorted((each.appended_at or 0) - each.at for each in told)
    calls = sum(isinstance(each.event, CallEnded) for each in told)
    return {
        "events_per_second": round((len(told) + calls) / ((told[-1].at - told[0].at) / SECOND)),
        "events": len(told),
        **{f"p{share}_ms": round(waits[len(waits) * share // 100] / 1_000, 1) for share in (50, 99)},
        "max_ms": round(waits[-1] / 1_000, 1),
        "target_p99_ms": TARGET_P99_MS,
    }
