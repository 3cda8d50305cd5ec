"""The command line `occ`: one module a command, loaded when it is asked for.

Whatever goes wrong is one message and an exit code: 1 it failed, 2 it was called wrongly or the settings have faults,
130 it was interrupted. The worker has more (agents.exits), and where a code means more its command says so.
"""

import os
import sys
from errno import EPIPE
from importlib import import_module
from typing import Any

import click

COMMANDS = {
    "alerts": "Give Prometheus the targets of the settings in force.",
    "announcer": "Speak what the worker decides to waiting callers.",
    "board": "Print the board of a control room, live or as it was at an instant.",
    "bridge": "Hear a telephone system and send what happens in it to Kafka.",
    "broker": "Run a real Apache Kafka on this machine: up, down, status.",
    "compare": "Show where two sets of events differ.",
    "config": "Print the settings in force.",
    "demo": "Run the whole system on this machine with a lively simulated control room.",
    "figures": "Compute every figure from files of events, without Kafka.",
    "grafana": "Give a Grafana the dashboards, and mark moments in its graphs.",
    "import": "Send what other systems have written down to Kafka.",
    "profile": "Tell the worker what is usual at each hour of the week.",
    "prompts": "The recordings that announcements are made of.",
    "publish": "Send a file of events to Kafka at the recorded pace or faster.",
    "simulate": "Make the events of a simulated control room.",
    "topics": "Create the topics, or list them.",
    "translate": "Turn a telephone system's own events into canonical events.",
    "wallboard": "Serve the control rooms to browsers.",
    "watch": "Watch the control rooms in this terminal.",
    "worker": "Run the stream worker.",
}
MODULES = {"import": "importing"}
"""Of the commands whose name can be no module's."""
INTERRUPTED = 130
"""As shells have it: 128 and the number of SIGINT."""


class Commands(click.Group):
    """Loads `agents.cli.<name>:command` for the command that was asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command = import_module(f"agents.cli.{MODULES.get(name, name)}").command
        assert isinstance(command, click.Command)
        return command

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run with all three standard streams open."""
        _fill_closed_streams()
        return super().main(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a file or an address that cannot be used is said in words."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            raise SystemExit(INTERRUPTED) from None
        except OSError as error:
            if error.errno == EPIPE:
                raise  # whoever read our output has enough: click ends quietly
            why = error.strerror or str(error)
            what = error.filename or "Reading or writing failed"
            raise click.ClickException(f"{what}: {why}.") from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


def _fill_closed_streams() -> None:
    """Open the standard streams that are closed on nothing, so that no file of ours gets their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the process ends


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done or stopped as asked, 1 failed, 2 called wrongly or faulty settings, 130 interrupted. "
    "Some commands give them a meaning of their own; their --help says so.",
)
@click.version_option(package_name="occ-stream", prog_name="occ")
def main() -> None:
    """See and steer a live call queue."""
