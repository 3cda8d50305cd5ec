"""The demo's telephone system where it is a real one: a switch, a bridge that hears it, and real calls by SIP.

Many callers ring at once, and then others at random, about as fast as they can be answered or give up: a queue stays.
Each handler is a telephone that answers and talks at a pace of its own; one hands every caller over to 102. The
announcer whispers to those who wait. All of it is on loopback and ends with the demo.
"""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import click
from rich.console import Console

from agents.bridge import hear_asterisk
from agents.packages import UnobtainableError, obtain
from agents.phones import Phones
from agents.switch import EXAMPLE, Switch, build
from telephony.asterisk_ari import AriDriver, Interface
from telephony.asterisk_bridge import Account
from telephony.asterisk_waiting import Watch
from telephony.espeak import SpeechError, speak_all
from telephony.origins import OriginsFile
from telephony.speaking import Driver

SYSTEM = "pbx1"
PROGRAMS = (("sipp", "sip-tester"), ("espeak-ng", "espeak-ng"), ("sox", "sox"))
OPENING_CALLERS = 25
"""They ring at once, so that there is soon a queue to be told about: a number is said 45 s after the welcome."""
CALLER_EVERY_SECONDS = 1.7
EMERGENCIES = 0.1
WITHHELD = 0.1
NUMBERS = tuple(f"{range_}{n:03}" for range_ in ("07700900", "01632960") for n in range(1000))
"""Reserved for drama: nobody has them."""
IMPATIENT = 0.3
IMPATIENT_SECONDS = (5, 25)
STAYS_SECONDS = 110


@dataclass(frozen=True, slots=True)
class Handler:
    """How one of them works; times in milliseconds."""

    queues: tuple[str, ...]
    answers_after: int
    talks: int
    refers_to: str = ""


HANDLERS = {
    "ann": Handler(("999", "101"), 700, 13_000),
    "ben": Handler(("999", "101"), 1_100, 11_000),
    "cai": Handler(("101",), 900, 15_000),
    "eve": Handler(("101",), 800, 9_000, refers_to="102"),
    "fay": Handler(("101", "101-secondary"), 1_300, 14_000),
    "gwen": Handler(("101-secondary",), 1_000, 10_000),
}


@dataclass(frozen=True, slots=True)
class RealCalls:
    """A switch that runs, for the control room `centre`."""

    switch: Switch
    centre: str

    @property
    def source(self) -> str:
        return f"//{self.centre}/{SYSTEM}"

    @property
    def notes(self) -> list[str]:
        return [f"switch   a real Asterisk: ring 101 or 999 by SIP at 127.0.0.1:{self.switch.sip}"]

    def driver(self) -> Driver:
        """What speaks to callers of this switch."""
        user, secret = "occ-announcer", self.switch.announcers_secret_file.read_text()
        watch = Watch(Account("127.0.0.1", self.switch.ami, user, secret))
        return AriDriver(Interface(f"http://127.0.0.1:{self.switch.http}", user, secret), watch)

    async def run(self, servers: str) -> None:
        """Let callers ring and handlers answer, and send what happens to Kafka, until cancelled."""
        account = Account("127.0.0.1", self.switch.ami, "occ-bridge", self.switch.secret_file.read_text())
        async with asyncio.TaskGroup() as parts:
            parts.create_task(
                hear_asterisk(
                    account,
                    servers,
                    self.switch.home / "bridge",
                    centre=self.centre,
                    system=SYSTEM,
                    origins=OriginsFile(EXAMPLE / "origins.toml"),
                )
            )
            parts.create_task(self._ring())

    async def _ring(self) -> None:
        folder = self.switch.home / "phones"
        folder.mkdir()
        phones = Phones(self.switch, folder)
        rng = Random()  # noqa: S311 - no two demos need be alike
        try:
            for name, handler in HANDLERS.items():
                await phones.handler(
                    name,
                    answers_after=handler.answers_after,
                    talks=handler.talks,
                    refers_to=handler.refers_to,
                )
            for _ in range(OPENING_CALLERS):
                await _caller(phones, rng)
            while True:
                await _caller(phones, rng)
                await asyncio.sleep(rng.expovariate(1 / CALLER_EVERY_SECONDS))
        finally:
            await phones.hang_up()


async def _caller(phones: Phones, rng: Random) -> None:
    stays = rng.randint(*IMPATIENT_SECONDS) if rng.random() < IMPATIENT else STAYS_SECONDS
    await phones.caller(
        "999" if rng.random() < EMERGENCIES else "101",
        "anonymous" if rng.random() < WITHHELD else rng.choice(NUMBERS),
        hang_up_after=stays * 1_000,
        echoes=True,
    )


def prepare(cache: Path, console: Console) -> None:
    """Obtain what a real switch and its telephones need, the first time. Raises ClickException."""
    try:
        for program, package in PROGRAMS:
            obtain(program, package)
        if not (cache / "asterisk").exists():
            console.print("Building Asterisk: about a minute, and 300 MB.")
        build(cache / "asterisk")
        for _ in speak_all(cache / "prompts"):
            pass
    except (UnobtainableError, SpeechError) as error:
        raise click.ClickException(f"{error}\n`occ demo` without --pbx simulates the telephone system.") from error


@contextmanager
def opened(cache: Path, centre: str) -> Iterator[RealCalls]:
    """A switch of what was prepared, with all handlers logged in; gone at the end. Raises ClickException."""
    with tempfile.TemporaryDirectory(prefix="occ-switch-") as home:
        switch = Switch((cache / "asterisk").absolute(), Path(home), tuple(HANDLERS))
        switch.take_recordings(cache / "prompts")
        try:
            switch.start()
        except RuntimeError as error:
            raise click.ClickException(str(error)) from None
        try:
            for name, handler in HANDLERS.items():
                switch.log_in(name, *handler.queues)
            yield RealCalls(switch, centre)
        finally:
            switch.terminate()
