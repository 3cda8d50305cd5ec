"""What callers hear: the audio the switch sends to each, taken down as it arrives, and what was spoken in it.

Music on hold is a tone of 440 Hz, which is taken out of every packet; what is left of a packet is loud when somebody
speaks. What was said is found by comparing the recordings, in pieces of a quarter of a second, with what was heard:
whole ones are not, since a switch under load may slip by a packet within one.
"""

import socket
import threading
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from struct import pack, unpack
from typing import Self

import numpy as np
from numpy.typing import NDArray

RATE = 8_000
PACKET = 160
HEADER = 12
SILENCE = bytes([0xFF]) * PACKET
PIECE = RATE // 4
LOUD = 120.0
"""The least that counts as speech in a packet (root mean square); what the tone leaves is under 60."""
ALIKE = 0.75
BAND = 6.0
_TIMESTAMPS = 35  # SO_TIMESTAMPNS: the kernel says when a packet came, however busy this process is

Samples = NDArray[np.float64]


@dataclass(slots=True)
class Ear:
    """One caller's: packets as (when in epoch seconds, sequence number, samples without the tone)."""

    port: int
    packets: list[tuple[float, int, bytes]] = field(default_factory=list)

    def heard(self, since: float = 0, until: float = float("inf")) -> Samples:
        """Everything that came between two moments, without the music."""
        parts = [_linear(raw) for at, _, raw in sorted(self.packets) if since <= at < until]
        return _without_band(np.concatenate(parts)) if parts else np.zeros(0)

    def speech(self, since: float = 0, until: float = float("inf")) -> list[float]:
        """When packets with speech came."""
        return [
            at for at, _, raw in self.packets if since <= at < until and _loudness(_without_tone(_linear(raw))) > LOUD
        ]


class Ears:
    """Ears on ports of their own, heard by a thread while this lasts.

    Who also `talks` sends silence, as telephones do: without it no audio flows in an answered call, and nothing could
    be heard that goes on in it.
    """

    def __init__(self, number: int, *, talks: bool = False) -> None:
        self._sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(number)]
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
            each.bind(("127.0.0.1", 0))
        self.ears = [Ear(each.getsockname()[1]) for each in self._sockets]
        self._switch: dict[int, tuple[str, int]] = {}
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._listen, daemon=True)]
        if talks:
            self._threads.append(threading.Thread(target=self._talk, daemon=True))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()
        for each in self._sockets:
            each.close()

    def _listen(self) -> None:
        with DefaultSelector() as selector:
            for number, each in enumerate(self._sockets):
                selector.register(each, EVENT_READ, number)
            while not self._ended.is_set():
                for key, _ in selector.select(0.1):
                    self._take(key.data)

    def _take(self, number: int) -> None:
        packet, stamps, _, self._switch[number] = self._sockets[number].recvmsg(2_048, 64)
        seconds, nanoseconds = unpack("qq", stamps[0][2])
        if len(packet) == HEADER + PACKET:
            sequence = unpack("!H", packet[2:4])[0]
            self.ears[number].packets.append((seconds + nanoseconds / 1e9, sequence, packet[HEADER:]))

    def _talk(self) -> None:
        sequence = 0
        while not self._ended.wait(PACKET / RATE):
            sequence += 1
            for number, switch in list(self._switch.items()):
                header = pack("!BBHII", 0x80, 0, sequence, sequence * PACKET, number + 1)
                self._sockets[number].sendto(header + SILENCE, switch)


@cache
def recording(file: Path) -> Samples:
    with wave.open(str(file)) as opened:
        return _without_band(np.frombuffer(opened.readframes(opened.getnframes()), "<i2").astype(float))


def alike(sound: Samples, heard: Samples) -> float:
    """How far `sound` is in `heard`: the mean of its pieces' best correlation (1 where it is there exactly)."""
    pieces = [sound[at : at + PIECE] for at in range(0, max(1, len(sound) - PIECE // 2), PIECE)]
    scores = _best([piece for piece in pieces if _loudness(piece) > LOUD], heard)
    return float(np.median(scores)) if scores else 0.0


def _best(pieces: Sequence[Samples], heard: Samples) -> list[float]:
    """Of each piece the greatest normalised cross-correlation over all places."""
    # Transforms are what takes time: their size is a power of two, and `heard` is transformed once for all pieces.
    size = 1 << (len(heard) + PIECE - 1).bit_length()
    spectrum = np.fft.rfft(heard, size)
    sums = np.concatenate(([0.0], np.cumsum(heard**2)))
    found = []
    for piece in pieces:
        if len(heard) < len(piece):
            found.append(0.0)
            continue
        product = np.fft.irfft(spectrum * np.fft.rfft(piece[::-1], size), size)[len(piece) - 1 : len(heard)]
        energy = np.maximum(sums[len(piece) :] - sums[: -len(piece)], 1.0)
        loud = energy > len(piece) * LOUD**2
        scores = product / np.sqrt(energy * float(np.sum(piece**2)))
        found.append(float(np.max(scores[loud], initial=0.0)))
    return found


def _loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples**2)))


_TURNS = 2 * np.pi * 440 * np.arange(PACKET) / RATE
_TONE = np.stack([np.sin(_TURNS), np.cos(_TURNS)], axis=1)
_FIT = np.linalg.pinv(_TONE)


def _without_tone(samples: Samples) -> Samples:
    return samples - _TONE @ (_FIT @ samples)


def _without_band(samples: Samples) -> Samples:
    """The same cut, finer, for what is long."""
    spectrum = np.fft.rfft(samples)
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    spectrum[np.abs(frequencies - 440) < BAND] = 0
    return np.fft.irfft(spectrum, len(samples))


def _decoded() -> Samples:
    """What each byte of G.711 µ-law stands for."""
    codes = ~np.arange(256, dtype=np.uint8)
    magnitudes = ((((codes & 0x0F).astype(int) << 3) + 0x84) << ((codes & 0x70) >> 4).astype(int)) - 0x84
    return np.where(codes & 0x80, -magnitudes, magnitudes).astype(float)


_DECODED = _decoded()


def _linear(raw: bytes) -> Samples:
    return _DECODED[np.frombuffer(raw, np.uint8)]
