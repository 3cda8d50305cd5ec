"""`python -m bench`: what the system costs and how soon it speaks, beside the barest way to do so, in one run."""

import json
import os
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from agents.cli.running import Interruptible
from bench import backlog, bridge, core, live, screen
from bench.place import Place, compiled_core, opened

IN_KAFKA: dict[str, Callable[[Place, Callable[[str], None]], dict[str, Any]]] = {
    "backlog": backlog.measure,
    "live": live.measure,
    "bridge": bridge.measure,
    "screen": screen.measure,
}
PARTS = ("core", *IN_KAFKA)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option("--json", "as_json", is_flag=True, help="Print only the JSON.")
def main(parts: tuple[str, ...], as_json: bool) -> None:
    """Measure PARTS, or all of them; print a table, then one line of JSON.

    core: CPU of the codec and the engine, beside orjson alone.

    backlog: events per CPU second of one worker on a million events in a real Kafka, beside a bare aiokafka and
    orjson loop.

    live: time from an event's append to the command and to the board that follow, at 500 events a second, beside a
    bare echo.

    bridge: time from a real Asterisk's stamp of an event to its append, at 200 events a second.

    screen: time from an event's append to the picture of it in a Chromium, at 500 events a second.

    Workers run with the core compiled, as in their image, where there is a C compiler.

    All of it takes some eight minutes, needs Linux and 2 GB of disk, and leaves nothing behind. The first time bridge
    builds Asterisk in .cache, which takes Debian and root.
    """
    chosen = parts or PARTS
    results: dict[str, Any] = {"machine": _machine()}
    with Interruptible():
        if "core" in chosen:
            results["core"] = core.measure(_say)
        if in_kafka := [name for name in IN_KAFKA if name in chosen]:
            _say("compiling the core, unless it is there already")
            compiled = compiled_core()
            results["core_of_workers"] = "Python" if compiled is None else "compiled"
        for name in in_kafka:
            _say(f"{name}: starting Kafka")
            with opened(compiled) as place:
                results[name] = IN_KAFKA[name](place, _say)
    if not as_json:
        Console().print(_table(results))
    click.echo(json.dumps(results))


def _say(what: str) -> None:
    click.echo(what, err=True)


def _machine() -> dict[str, Any]:
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cpus": os.cpu_count(),
        "model": models[0].partition(":")[2].strip() if models else platform.machine(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def _table(results: dict[str, Any]) -> Table:
    table = Table("what", "measured", "beside", "ratio", "target")
    if spent := results.get("core"):
        of, times = spent["microseconds_per_event"], spent["times_orjson"]
        for name in ("codec", "engine"):
            beside = f"orjson: {of['orjson']} µs"
            table.add_row(f"{name}: CPU an event", f"{of[name]} µs", beside, f"{times[name]} times it", "")
    if spent := results.get("backlog"):
        rounds = spent["ratio_of_each_round"]
        table.add_row(
            "worker on a backlog: CPU an event",
            f"{spent['worker_microseconds_per_event']} µs",
            f"bare loop: {spent['bare_microseconds_per_event']} µs",
            f"{spent['ratio']} of its speed ({min(rounds)} to {max(rounds)})",
            f"≥ {spent['target']}",
        )
    if spent := results.get("live"):
        for name, target in spent["target_p99_ms"].items():
            table.add_row(
                f"{name} at {spent['events_per_second']} events/s: p50, p99",
                _waits(spent[f"{name}_ms"]),
                f"bare echo: {_waits(spent['bare_echo_ms'])}",
                "",
                f"p99 < {target} ms",
            )
    if spent := results.get("bridge"):
        table.add_row(
            f"bridge at {spent['events_per_second']} events/s: p50, p99",
            f"{spent['p50_ms']}, {spent['p99_ms']} ms",
            "",
            "",
            f"p99 < {spent['target_p99_ms']} ms",
        )
    if spent := results.get("screen"):
        for name in screen.VIEWS:
            found = spent[name]
            table.add_row(
                f"on a screen of {name.replace('_', ' ')} at {found['events_per_second']} events/s: p50, p99",
                _waits(found["screen_ms"]),
                f"board appended: {_waits(found['board_ms'])}",
                "",
                f"p99 < {spent['target_p99_ms']} ms",
            )
    return table


def _waits(spread: dict[str, int]) -> str:
    return f"{spread['p50']}, {spread['p99']} ms" if spread["visits"] else "none"


if __name__ == "__main__":
    main()
