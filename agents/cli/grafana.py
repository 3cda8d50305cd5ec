"""`occ grafana`: the dashboards of a Grafana, and marks in its graphs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.figures import Moment
from agents.config import Settings, load
from agents.grafana.dashboards import render
from agents.grafana.panels import OWNED

if TYPE_CHECKING:
    from agents.grafana.server import Grafana

DEFAULT_FOLDER = Path("deploy/grafana/dashboards")
OWN_FILES = "occ-"
"""How the names of our files begin: whatever else lies in the folder is somebody else's."""
KINDS = ("deploy", "surge", "feed_lost", "note")


@click.group()
def command() -> None:
    """Give a Grafana the dashboards of this project, and keep them as they are here.

    Where it is and who asks is set by OCC_GRAFANA__URL and OCC_GRAFANA__TOKEN_FILE (a service account's token), or
    OCC_GRAFANA__USER and OCC_GRAFANA__PASSWORD_FILE.
    """


@command.command("render")
@click.option(
    "--out",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=DEFAULT_FOLDER,
    show_default=True,
    help="The folder of the dashboards.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 when the files there are not these.")
def render_command(out: Path, check: bool) -> None:
    """Write the dashboards as files, with the targets of the settings in force, for Grafana to load by itself."""
    settings = load()
    wanted = {f"{uid}.json": _text(content) for uid, content in _dashboards(settings).items()}
    there = {path.name: path.read_text(encoding="utf-8") for path in out.glob(f"{OWN_FILES}*.json")}
    if check:
        if there != wanted:
            names = sorted(name for name in there | wanted if there.get(name) != wanted.get(name))
            raise click.ClickException(f"In {out} not as rendered: {', '.join(names)}. Run `occ grafana render`.")
        click.echo(f"{out} is what the settings say.")
        return
    for name in there.keys() - wanted.keys():
        (out / name).unlink()
    for name, text in wanted.items():
        (out / name).write_text(text, encoding="utf-8")
    click.echo(f"{len(wanted)} dashboards are written to {out}.")


@command.command("apply")
@click.option("--diff", is_flag=True, help="Change nothing; show what would be, and exit with 1 if anything.")
@click.option("--prune", is_flag=True, help="Delete dashboards of this project that it no longer has.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def apply_command(diff: bool, prune: bool, as_json: bool) -> None:
    """Create or update the folder, the data source and the dashboards; what is not ours is never touched."""
    from agents.grafana import applying  # it needs an optional package

    settings = load()
    with _grafana(settings) as grafana:
        source = applying.data_source(settings.grafana.prometheus_url)
        steps = applying.plan(grafana, source, _dashboards(settings), prune=prune)
        to_do = [step for step in steps if step.action != "unchanged"]
        if not diff:
            for step in to_do:
                step.do()
    if as_json:
        said = [{"kind": step.kind, "uid": step.uid, "title": step.title, "action": step.action} for step in steps]
        click.echo(json.dumps({"applied": not diff, "steps": said}))
    else:
        for step in to_do:
            click.echo(step.difference if diff else f"{step.action} {step.kind} {step.uid}: {step.title}")
        click.echo(f"{len(to_do)} of {len(steps)} {'would change' if diff else 'changed'}.")
    if diff and to_do:
        raise SystemExit(1)


@command.command("mark")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("text")
@click.option("--at", type=Moment(), required=True, help="When it was, or when it began.")
@click.option("--until", type=Moment(), help="When it ended.")
def mark_command(kind: str, text: str, at: int, until: int | None) -> None:
    """Mark a moment in every graph: a deploy, a surge, a feed that was lost. The same mark again only updates it."""
    if until is not None and until < at:
        raise click.UsageError("--until is before --at")
    tags = [OWNED, kind, f"{kind}@{at}"]
    at_ms, until_ms = at // 1_000, None if until is None else until // 1_000
    with _grafana(load()) as grafana:
        known = grafana.marks(tags)
        if not known:
            grafana.add_mark(at_ms, until_ms, tags, text)
        elif known[0].get("text") != text or until_ms not in (None, known[0].get("timeEnd")):
            grafana.change_mark(int(known[0]["id"]), until_ms, text)
        else:
            click.echo("It is marked already.")
            return
    click.echo("Marked." if not known else "The mark is updated.")


@contextmanager
def _grafana(settings: Settings) -> "Iterator[Grafana]":
    try:
        from agents.grafana.server import connected
    except ModuleNotFoundError as error:
        raise click.ClickException(f"This needs the extra `grafana` ({error.name}): run `make setup`.") from None
    place = settings.grafana
    with connected(
        place.url, token_file=place.token_file, user=place.user, password_file=place.password_file
    ) as grafana:
        yield grafana


def _dashboards(settings: Settings) -> dict[str, dict[str, object]]:
    return render(settings.profile(any_centre=True), settings.grafana.runbooks_url)


def _text(content: dict[str, object]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
