"""How far a command is, on the standard error, once it takes longer than two seconds."""

import time

import click

SILENT_SECONDS = 2.0
EVERY_SECONDS = 0.5


class Progress:
    """Shows a count in place; use as a context manager."""

    def __init__(self) -> None:
        self._show_at = time.monotonic() + SILENT_SECONDS
        self._shown = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            click.echo(err=True)

    def show(self, what: str, count: int) -> None:
        """`count` events are `what` ("read", "sent") so far."""
        if time.monotonic() >= self._show_at:
            self._show_at = time.monotonic() + EVERY_SECONDS
            self._shown = True
            click.echo(f"\r{count:,} events {what} ", err=True, nl=False)
