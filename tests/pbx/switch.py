"""A real Asterisk on loopback in a folder of its own, configured by the files that a site copies."""

import math
import re
import shutil
import signal
import socket
import subprocess
import time
import wave
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from struct import pack

from tests.packages import UnobtainableError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "asterisk"
ADDED = Path(__file__).parent / "conf"
HANDLERS = ("ann", "ben")
START_SECONDS = 30


def build() -> Path:
    """The folder of Asterisk; builds it the first time. Raises UnobtainableError."""
    folder = ROOT / ".cache" / "asterisk"
    built = subprocess.run([EXAMPLE / "build", folder], capture_output=True, text=True)
    if built.returncode:
        raise UnobtainableError(built.stderr.strip().splitlines()[-1])
    return folder


class Switch:
    """`start` it, `terminate` or `kill` it, start it again: its ports and passwords stay."""

    def __init__(self, asterisk: Path, home: Path, *, silent: bool = False) -> None:
        """A `silent` one plays no music and sends no audio of its own."""
        libraries = next(asterisk.glob("usr/lib/*-linux-gnu"))
        self._asterisk = asterisk
        self._command = [
            *(next(libraries.glob("ld-linux-*.so.*")), "--library-path", f"{libraries}:{asterisk / 'usr/lib'}"),
            *(asterisk / "usr/sbin/asterisk", "-C", home / "etc" / "asterisk.conf"),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.home = home
        self.sip, self.ami, self.http, *handlers = free_ports(3 + len(HANDLERS))
        self.handlers = dict(zip(HANDLERS, handlers, strict=True))
        self._configure()
        if silent:
            (home / "music" / "tone.wav").unlink()
            asterisk_conf = home / "etc" / "asterisk.conf"
            asterisk_conf.write_text(asterisk_conf.read_text().replace("transmit_silence = yes", ""))

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
            self._process = subprocess.Popen(
                [*self._command, "-f"], stdin=subprocess.DEVNULL, stdout=console, stderr=console
            )
        give_up_at = time.monotonic() + START_SECONDS
        while self.says("core waitfullybooted").strip() != "Asterisk has fully booted.":
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError(f"Asterisk did not start:\n{(self.home / 'console').read_text()[-3000:]}")
            time.sleep(0.02)

    def says(self, command: str) -> str:
        """What the switch answers to a command of its own console."""
        asked = subprocess.run([*self._command, "-rx", command], capture_output=True, text=True)
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

    def forget_all(self) -> None:
        """Hang up all calls and log out all handlers; returns when that is done."""
        self.says("channel request hangup all")
        for queue in ("101", "101-secondary", "999", "internal", "staffed"):
            for name in self.handlers:
                self.says(f"queue remove member PJSIP/{name} from {queue}")
        while not self.says("core show channels count").startswith("0 active channels"):
            time.sleep(0.02)

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

    def _configure(self) -> None:
        etc = self.home / "etc"
        etc.mkdir()
        for file in EXAMPLE.glob("*.conf"):
            added = ADDED / file.name
            text = file.read_text() + (added.read_text() if added.exists() else "")
            (etc / file.name).write_text(self._placed(text))
        for name in ("log", "run", "spool", "db", "keys", "agi"):
            (self.home / name).mkdir()
        self._place_sounds(self._asterisk / "usr" / "share" / "asterisk")
        subprocess.run([EXAMPLE / "make-secrets", etc], check=True)
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
        with (etc / "asterisk.conf").open("a") as file:
            file.write("\n[directories]\n" + "".join(f"{name} => {path}\n" for name, path in directories.items()))

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
        text = text.replace("directory = music", f"directory = {self.home / 'music'}")
        for name, port in self.handlers.items():
            text = text.replace(f"@{name.upper()}@", str(port))
        return text


def free_ports(number: int) -> list[int]:
    """Free for TCP and UDP alike."""
    ports: list[int] = []
    while len(ports) < number:
        with closing(socket.socket()) as tcp, closing(socket.socket(type=socket.SOCK_DGRAM)) as udp:
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            ports.append(tcp.getsockname()[1])
    return ports


def _quiet_tone(path: Path) -> None:
    """Music at a quarter of speech's amplitude, as the example asks for."""
    path.parent.mkdir()
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(b"".join(pack("<h", int(2000 * math.sin(math.tau * 440 * n / 8000))) for n in range(8000)))
