"""What options are given, where click alone would take too much: numbers to reckon with, files with a password."""

from math import isfinite
from pathlib import Path
from typing import Any

import click


class FiniteRange(click.FloatRange):
    """A range of numbers in which neither infinity nor `nan` lies, though no comparison rules that one out."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number, if it is one."""
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is not a number to reckon with.", param, ctx)
        return number


def secret_in(file: Path) -> str:
    """The password in `file`. Raises ClickException."""
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not text: it should hold a password and nothing else.") from None
    if not secret:
        raise click.ClickException(f"{file} is empty: it should hold a password and nothing else.")
    return secret
