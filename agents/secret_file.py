"""Files that hold a password or a token."""

from pathlib import Path

import click


def secret_in(file: Path) -> str:
    """What `file` holds, without white space around it. Raises ClickException."""
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not text: it should hold a secret and nothing else.") from None
    if not secret:
        raise click.ClickException(f"{file} is empty: it should hold a secret and nothing else.")
    return secret
