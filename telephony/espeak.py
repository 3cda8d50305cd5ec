"""Speaks the pieces of announcements with a free voice (espeak-ng), for demo, tests and trials.

Each piece becomes a file that Asterisk plays as it is: 8 kHz, 16 bit, mono, without the silence before it.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from schemas.prompts import TEXTS
from telephony.prompts import FOLDER

VOICES = {"en": "en-gb", "cy": "cy"}
WORDS_A_MINUTE = 150
_AS_ASTERISK_WANTS = ("-r", "8000", "-c", "1", "-b", "16")
_BARE = ("silence", "1", "0.02", "0.5%", "reverse") * 2
_LOUDNESS = ("norm", "-6")
_NUMBERS_TO_RING = re.compile(r"\b[0-9]{3}\b")


class SpeechError(Exception):
    """The engine is missing or failed; the message says which program."""


def speak_all(folder: Path) -> Iterator[Path]:
    """Make every file that is missing in `folder`/<language>/occ; gives each that was made. Raises SpeechError."""
    for piece, words in TEXTS.items():
        for language, text in words.items():
            file = folder / language / FOLDER / f"{piece}.wav"
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                _speak(text, VOICES[language], file)
                yield file


def _speak(text: str, voice: str, file: Path) -> None:
    partial = file.with_suffix(".partial.wav")
    engine = ("espeak-ng", "-v", voice, "-s", str(WORDS_A_MINUTE), "--stdout", "--", _digit_by_digit(text))
    _run(("sox", "-t", "wav", "-", *_AS_ASTERISK_WANTS, str(partial), *_BARE, *_LOUDNESS), _run(engine, b""))
    partial.rename(file)


def _digit_by_digit(text: str) -> str:
    """999 is no quantity."""
    return _NUMBERS_TO_RING.sub(lambda found: " ".join(found[0]), text)


def _run(command: tuple[str, ...], given: bytes) -> bytes:
    try:
        return subprocess.run(command, input=given, capture_output=True, check=True).stdout  # noqa: S603
    except FileNotFoundError:
        raise SpeechError(f"{command[0]} is missing: install Debian's packages espeak-ng and sox") from None
    except subprocess.CalledProcessError as error:
        raise SpeechError(f"{command[0]} failed: {error.stderr.decode(errors='replace').strip()}") from None
