"""`occ prompts`: the recordings that announcements are made of."""

from pathlib import Path

import click

from schemas.prompts import TEXTS
from telephony.espeak import SpeechError, speak_all
from telephony.prompts import FOLDER


@click.group()
def command() -> None:
    """The recordings that announcements are made of."""


@command.command("list")
def list_() -> None:
    """Print the name and the words of each recording: what a force has to record."""
    for piece, words in TEXTS.items():
        for language, text in words.items():
            click.echo(f"{language}/{FOLDER}/{piece}.wav\t{text}")


@command.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def speak(folder: Path) -> None:
    """Make the recordings that are missing in FOLDER with a free voice (espeak-ng and sox).

    Files that are there stay as they are, so recorded ones go before spoken ones.
    """
    try:
        made = sum(1 for _ in speak_all(folder))
    except SpeechError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{made} recordings made in {folder}.", err=True)
