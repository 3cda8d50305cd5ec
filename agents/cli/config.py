"""`occ config`: the settings in force and where each came from."""

import json
from dataclasses import asdict

import click
from rich.console import Console
from rich.table import Table

from agents.config import explain


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
def command(as_json: bool) -> None:
    """Print the settings in force.

    They come from defaults, from occ.toml in the current folder (or the file named in OCC_CONFIG), and from
    environment variables such as OCC_KAFKA__BOOTSTRAP_SERVERS; the later wins.
    """
    _, settings = explain()
    if as_json:
        click.echo(json.dumps([asdict(setting) for setting in settings], indent=2))
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for setting in settings:
        value = setting.value if isinstance(setting.value, str) else json.dumps(setting.value)
        table.add_row(setting.name, value or '""', setting.origin)
    Console().print(table)
