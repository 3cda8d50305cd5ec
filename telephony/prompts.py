"""Which recordings a command is made of, and whether a switch has them all.

A piece of an announcement (schemas/prompts.py) is the recording `occ/<piece>` in the switch's folder of the language.
Half a sentence is never played: one missing recording leaves all of it unplayed. Asterisk itself would pass over it
in silence, or speak English instead.
"""

import os
from collections.abc import Container, Mapping
from pathlib import Path

from schemas.outputs import Command
from telephony.speaking import NotPlayedError

FOLDER = "occ"
_NONE: Container[str] = frozenset()


def recordings(command: Command, sounds: Mapping[str, Container[str]]) -> tuple[str, ...]:
    """The switch's names of the recordings of `command`, in order; `sounds` are those it has, by language.

    Raises NotPlayedError, which names what is missing.
    """
    if not command.pieces:
        raise NotPlayedError("the command names no recordings")
    names = tuple(f"{FOLDER}/{piece}" for piece in command.pieces)
    there = sounds.get(command.language, _NONE)
    if missing := [name for name in names if name not in there]:
        raise NotPlayedError(f"the switch has no recording {', '.join(missing)} in the language {command.language}")
    return names


def sounds_in(folder: Path) -> dict[str, set[str]]:
    """The recordings in a switch's folder of sounds, by language."""
    sounds: dict[str, set[str]] = {}
    for language in folder.iterdir():
        own = language / FOLDER
        if own.is_dir():
            sounds[language.name] = {f"{FOLDER}/{os.path.splitext(name)[0]}" for name in os.listdir(own)}
    return sounds
