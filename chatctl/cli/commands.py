"""Which commands there are.

Each is imported and built when it is asked for: to build them all takes longer than most of them run.
"""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

# By panel of the help, and by name: module and function.
PANELS: dict[str, dict[str, str]] = {
    "Chat": {"join": "chat:join", "history": "chat:history", "search": "chat:search"},
    "Scripts": {
        "send": "scripts:send",
        "tail": "scripts:tail",
        "wait": "scripts:wait",
        "who": "scripts:who",
        "rooms": "scripts:rooms",
    },
    "Server": {"serve": "server:serve"},
    "Data": {"export": "data:export", "import": "data:import_", "backup": "data:backup"},
}


class Commands(TyperGroup):
    """All of them."""

    def list_commands(self, _ctx: object) -> list[str]:
        """Returns their names, in the order of the help."""
        return [name for commands in PANELS.values() for name in commands]

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand | None:
        """Returns the command of that name, if there is one."""
        for panel, commands in PANELS.items():
            if place := commands.get(cmd_name):
                return _build(cmd_name, panel, place)
        self.commands = dict.fromkeys(self.list_commands(ctx), self)  # Typer looks there for what was meant.
        return None


def _build(name: str, panel: str, place: str) -> TyperCommand:
    module, _, function = place.partition(":")
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name, rich_help_panel=panel)(getattr(import_module(f"chatctl.cli.{module}"), function))
    command = typer.main.get_command(app)
    assert isinstance(command, TyperCommand)
    return command
