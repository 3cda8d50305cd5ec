"""`occ alerts`: what Prometheus has to know of the settings in force."""

from pathlib import Path

import click

from agents.alerts import FILE_NAME, render
from agents.config import load

DEFAULT_FOLDER = Path("deploy/prometheus/rules")


@click.group()
def command() -> None:
    """Keep the alert rules of Prometheus and the targets of the queues the same."""


@command.command("render")
@click.option(
    "--out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The folder of the rule file.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the file there is not this.")
def render_command(out: Path, check: bool) -> None:
    """Write targets.yml: the targets of all queues, and which control rooms and sources have to be heard.

    Alerts and dashboards read their limits from it. Reload Prometheus afterwards.
    """
    text = render(load().profile())
    path = out / FILE_NAME
    if check:
        if not path.exists() or path.read_text() != text:
            raise click.ClickException(f"{path} is not what the settings say: run `occ alerts render --out {out}`.")
        click.echo(f"{path} is what the settings say.")
        return
    path.write_text(text)
    click.echo(f"{path} is written: reload Prometheus.")
