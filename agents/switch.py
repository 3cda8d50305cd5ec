"""A real Asterisk on loopback in a folder of its own, configured by the files that a site copies.

For demo and tests: one trunk that takes calls from 127.0.0.1, telephones of handlers, music that is a quiet tone. It
ends with the process that started it, however that ends.
"""

import math
import re
import shutil
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import pack

from agents.packages import UnobtainableError
from agents.ports import free_ports

EXAMPLE = Path(__file__).parents[1] / "deploy" / "asterisk"
START_SECONDS = 30
ENDS_WITH_US = ("setpriv", "--pdeathsig", "KILL")
"""How to start what must not outlive this process."""
_HANDLERS_FROM = 2001
_TRUNK = """
[trunk](trunk-line)
[trunk]
type = identify
endpoint = trunk
match = 127.0.0.1
"""
_HANDLER = """
[{name}](handler)
aors = {name}
callerid = {title} <{number}>
[{name}]
type = aor
contact = sip:{name}@127.0.0.1:{port}
"""


def build(folder: Path) -> None:
    """Put an Asterisk into `folder` if there is none. Raises UnobtainableError."""
    if not sys.platform.startswith("linux"):
        raise UnobtainableError("A real switch needs Linux: Debian or one of its descendants.")
    if not EXAMPLE.is_dir():
        raise UnobtainableError(f"A real switch needs the project's own folder: {EXAMPLE} is missing.")
    built = subprocess.run([EXAMPLE / "build", folder], capture_output=True, text=True)  # noqa: S603
    if built.returncode:
        raise UnobtainableError(built.stderr.strip().splitlines()[-1])


class Switch:
    """`start` it, `terminate` or `kill` it, start it again: its ports and passwords stay."""

    def __init__(self, asterisk: Path, home: Path, handlers: Sequence[str], added: Path | None = None) -> None:
        """Lay out the `asterisk` that was built in `home`; what `added` holds comes after the example's files."""
        libraries = next(asterisk.glob("usr/lib/*-linux-gnu"))
        self._asterisk = asterisk
        linker = next(libraries.glob("ld-linux-*.so.*"))
        self._command = [
            *(str(linker), "--library-path", f"{libraries}:{asterisk / 'usr/lib'}"),
            *(str(asterisk / "usr/sbin/asterisk"), "-C", str(home / "etc" / "asterisk.conf")),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.home = home
        self.sip, self.ami, self.http, *ports = free_ports(3 + len(handlers))
        self.handlers = dict(zip(handlers, ports, strict=True))
        """The port of each one's telephone."""
        self._configure(added)

    @property
    def secret_file(self) -> Path:
        return self.home / "etc" / "secrets" / "bridge"

    @property
    def announcers_secret_file(self) -> Path:
        return self.home / "etc" / "secrets" / "announcer"

    @property
    def sounds(self) -> Path:
        """Where it looks for recordings."""
        return self.home / "data" / "sounds"

    @property
    def queue_log(self) -> list[list[str]]:
        """The rows of the switch's own log."""
        return [line.split("|") for line in (self.home / "log" / "queue_log").read_text().splitlines()]

    def start(self) -> None:
        """Returns when the switch takes calls."""
        with (self.home / "console").open("ab") as console:
            self._process = subprocess.Popen(  # noqa: S603
                [*ENDS_WITH_US, *self._command, "-f"],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )
        give_up_at = time.monotonic() + START_SECONDS
        while self.says("core waitfullybooted").strip() != "Asterisk has fully booted.":
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"Asterisk did not start:\n{(self.home / 'console').read_text()[-3000:]}")
            time.sleep(0.02)

    def says(self, command: str) -> str:
        """What the switch answers to a command of its own console."""
        asked = subprocess.run([*self._command, "-rx", command], capture_output=True, text=True)  # noqa: S603
        return asked.stdout

    def take_recordings(self, folder: Path) -> None:
        """Have it play what is in `folder`/<language>/occ."""
        shutil.copytree(folder, self.sounds, dirs_exist_ok=True)
        if self._process is not None:
            self.says("module reload sounds")

    def channel(self, uniqueid: str) -> str:
        """The name of a channel."""
        return next(row[0] for row in self._channels() if row[-1] == uniqueid)

    def channel_names(self) -> list[str]:
        """The names of all channels."""
        return [row[0] for row in self._channels()]

    def channel_of_handler(self, name: str) -> str:
        """The name of the channel of a handler who is in a call."""
        return next(row[0] for row in self._channels() if row[0].startswith(f"PJSIP/{name}-"))

    def _channels(self) -> list[list[str]]:
        return [line.split("!") for line in self.says("core show channels concise").splitlines()]

    def log_in(self, name: str, *queues: str) -> None:
        """A handler logs in to queues."""
        for queue in queues:
            self.says(f"queue add member PJSIP/{name} to {queue} penalty 0 as {name.title()}")

    def terminate(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Meanwhile the switch does nothing, and ends no connection."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, sign: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(30)
            self._process = None

    def _configure(self, added: Path | None) -> None:
        etc = self.home / "etc"
        etc.mkdir()
        for file in EXAMPLE.glob("*.conf"):
            (etc / file.name).write_text(self._placed(file.read_text()))
        with (etc / "pjsip.conf").open("a") as pjsip:
            pjsip.write(_TRUNK)
            for number, (name, port) in enumerate(self.handlers.items(), _HANDLERS_FROM):
                pjsip.write(_HANDLER.format(name=name, title=name.title(), number=number, port=port))
        for own in added.iterdir() if added else ():
            with (etc / own.name).open("a") as conf:
                conf.write(own.read_text())
        for name in ("log", "run", "spool", "db", "keys", "agi"):
            (self.home / name).mkdir()
        self._place_sounds(self._asterisk / "usr" / "share" / "asterisk")
        subprocess.run([EXAMPLE / "make-secrets", etc], check=True)  # noqa: S603
        _quiet_tone(self.home / "music" / "tone.wav")
        directories = {
            "astetcdir": etc,
            "astmoddir": self._asterisk / "usr/lib/asterisk/modules",
            "astvarlibdir": self.home / "data",
            "astdatadir": self.home / "data",
            "astdbdir": self.home / "db",
            "astkeydir": self.home / "keys",
            "astagidir": self.home / "agi",
            "astspooldir": self.home / "spool",
            "astrundir": self.home / "run",
            "astlogdir": self.home / "log",
        }
        with (etc / "asterisk.conf").open("a") as conf:
            conf.write("\n[directories]\n" + "".join(f"{name} => {path}\n" for name, path in directories.items()))

    def _place_sounds(self, shared: Path) -> None:
        """The switch's own files, and beside its own sounds the folder for others."""
        sounds = self.sounds
        for folder in (sounds / "en" / "occ", sounds / "cy" / "occ"):
            folder.mkdir(parents=True)
        for file in shared.iterdir():
            if file.name != "sounds":
                (self.home / "data" / file.name).symlink_to(file)
        for file in (shared / "sounds" / "en").iterdir():
            (sounds / "en" / file.name).symlink_to(file)

    def _placed(self, text: str) -> str:
        """The same configuration, at this switch's ports and folders."""
        text = text.replace("127.0.0.1:5060", f"127.0.0.1:{self.sip}")
        text = re.sub(r"^port = 5038$", f"port = {self.ami}", text, flags=re.MULTILINE)
        text = re.sub(r"^bindport = 8088$", f"bindport = {self.http}", text, flags=re.MULTILINE)
        return text.replace("directory = music", f"directory = {self.home / 'music'}")


def _quiet_tone(path: Path) -> None:
    """Music at a quarter of speech's amplitude, as the example asks for."""
    path.parent.mkdir()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(pack("<h", int(2000 * math.sin(math.tau * 440 * n / 8000))) for n in range(8000)))
