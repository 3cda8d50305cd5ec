"""Records on their way to Kafka, on disk and in order, so that neither its absence nor our end loses one.

Whoever appends may go on at once; a killed process loses nothing, and a machine without power what was appended
since the last `sync`. After a crash the last few records may be given out again: they are the same events with the
same ids. A full spool takes nothing more: what came first is what can be told in order.
"""

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import Self

BYTES_MAX = 256 * 1024 * 1024  # some 700,000 events: more than a day of a busy control room
TOGETHER_BYTES = 256 * 1024
RENEW_BYTES = 4 * 1024 * 1024

_SENT = Struct(">QQ")  # which file of records, and how far it was sent


class InUseError(Exception):
    """Another process works in this folder."""


class Spool:
    """One file of records, a line each; a new one is begun when all was sent and it has grown."""

    def __init__(self, folder: Path, *, bytes_max: int = BYTES_MAX) -> None:
        """Raises InUseError."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._bytes_max = bytes_max
        self._sent_file = os.open(folder / "sent", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._sent_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._sent_file)
            raise InUseError(f"{folder}: another process works in this folder") from None
        found = sorted(int(path.stem) for path in folder.glob("*.jsonl"))
        self._open(found[-1] if found else 1)
        number, sent = _SENT.unpack(os.pread(self._sent_file, _SENT.size, 0).ljust(_SENT.size, b"\0"))
        self._sent = sent if number == self._number and sent <= self._size else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file)
        os.close(self._file)
        os.close(self._sent_file)

    @property
    def waiting_bytes(self) -> int:
        """How much is not sent yet."""
        return self._size - self._sent

    def append(self, records: Sequence[bytes]) -> bool:
        """Whether there was room for `records`, none of which holds a line break."""
        lines = b"".join(record + b"\n" for record in records)
        if self.waiting_bytes + len(lines) > self._bytes_max:
            return False
        if not self.waiting_bytes and self._size > RENEW_BYTES:
            self._renew()
        written = 0
        while written < len(lines):
            written += os.write(self._file, lines[written:])
        self._size += len(lines)
        return True

    def sync(self) -> None:
        """Return when what was appended outlives a loss of power. May run beside the other methods."""
        os.fsync(self._file)

    def unsent(self) -> list[bytes]:
        """The next records to send, all or the first of them."""
        ahead = os.pread(self._file, min(TOGETHER_BYTES, self.waiting_bytes), self._sent)
        return ahead.split(b"\n")[:-1]

    def sent(self, records: Sequence[bytes]) -> None:
        """`records`, as given by `unsent`, have arrived."""
        self._sent += sum(len(record) + 1 for record in records)
        self._note()

    def _open(self, number: int) -> None:
        path = self._folder / f"{number}.jsonl"
        self._number = number
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        content = path.read_bytes()
        self._size = content.rfind(b"\n") + 1
        if self._size < len(content):
            os.ftruncate(self._file, self._size)  # the line that a loss of power cut off

    def _renew(self) -> None:
        done, number = self._file, self._number
        self._open(number + 1)
        self._sent = 0
        self._note()
        os.close(done)
        (self._folder / f"{number}.jsonl").unlink()

    def _note(self) -> None:
        os.pwrite(self._sent_file, _SENT.pack(self._number, self._sent), 0)
