"""The command line `occ`: one module a command, loaded when it is asked for."""

from importlib import import_module

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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="occ-stream", prog_name="occ")
def main() -> None:
    """See and steer a live call queue."""
