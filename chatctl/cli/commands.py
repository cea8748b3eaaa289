"""Which commands there are.

Each is imported and built when it is asked for: to build them all takes longer than most of them run.
"""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperCommand, TyperGroup

# By panel of the help, and by name: the module, and the function in it, or the Typer of several.
PANELS: dict[str, dict[str, str]] = {
    "Chat": {"join": "chat:join", "history": "chat:history", "search": "chat:search"},
    "Scripts": {
        "send": "scripts:send",
        "tail": "scripts:tail",
        "wait": "scripts:wait",
        "who": "scripts:who",
        "rooms": "scripts:rooms",
    },
    "Server": {
        "serve": "server:serve",
        "invite": "people:invite",
        "user": "people:user",
        "audit": "people:audit",
    },
    "Data": {"export": "data:export", "import": "data:import_", "backup": "data:backup"},
    "Settings": {"config": "config:config"},
}


class Commands(TyperGroup):
    """All of them."""

    def list_commands(self, _ctx: object) -> list[str]:
        """Returns their names, in the order of the help."""
        return [name for commands in PANELS.values() for name in commands]

    def get_command(self, ctx: object, cmd_name: str) -> Command | Several | None:
        """Returns the command of that name, if there is one."""
        for panel, commands in PANELS.items():
            if place := commands.get(cmd_name):
                return _build(cmd_name, panel, place)
        self.commands = dict.fromkeys(self.list_commands(ctx), self)  # Typer looks there for what was meant.
        return None


class Command(TyperCommand):
    """One of them. Its short help has an example in a second line, for which completion has no room."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """Returns what it does; `limit` is for what is longer than one line."""
        return (self.short_help or super().get_short_help_str(limit)).partition("\n")[0]


class Several(TyperGroup):
    """A command that has commands of its own."""

    get_short_help_str = Command.get_short_help_str


def _build(name: str, panel: str, place: str) -> Command | Several:
    module, _, what = place.partition(":")
    found = getattr(import_module(f"chatctl.cli.{module}"), what)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    if isinstance(found, typer.Typer):
        short = _short(str(found.info.help))
        app.add_typer(found, name=name, short_help=short, rich_help_panel=panel, cls=Several)
    else:
        app.command(name, short_help=_short(found.__doc__), rich_help_panel=panel, cls=Command)(found)
    built = typer.main.get_command(app)
    if isinstance(built, TyperGroup):
        built = built.commands[name]
    assert isinstance(built, Command | Several)
    return built


def _short(text: str) -> str:
    """Returns the first line of a help, and the first of its examples."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return f"{lines[0]}\n[dim]{lines[lines.index('Examples:') + 1]}[/]"
