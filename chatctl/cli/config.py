"""The commands for the file of settings."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from chatctl.cli import completing

config = typer.Typer(
    no_args_is_help=True,
    help="""Show and change what is set once for all.

    Examples:
        chatctl config set server chat.example.org:12345
    """,
)


@config.command("path")
def _path() -> None:
    """Print where the file is.

    Examples:
        chatctl config path
    """
    from chatctl.client.settings.place import settings_path

    typer.echo(settings_path())


@config.command("show")
def _show(
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="PROFILE",
            envvar="CHATCTL_PROFILE",
            show_default=False,
            autocompletion=completing.profiles,
            help="As they are in this profile.",
        ),
    ] = None,
) -> None:
    """Show every setting, its value, and where that comes from.

    Examples:
        chatctl config show --profile work
    """
    from chatctl.client.settings import shown
    from chatctl.client.settings.reading import load

    rows = shown.rows(load(profile))
    if sys.stdout and sys.stdout.isatty():
        from rich.console import Console

        Console(highlight=False).print(shown.as_table(rows))
    else:
        typer.echo(shown.as_toml(rows), nl=False)


@config.command("edit")
def _edit() -> None:
    """Open the file in your editor, and check it afterwards.

    Examples:
        EDITOR=nano chatctl config edit
    """
    from chatctl.client.settings.editor import edit
    from chatctl.client.settings.place import settings_path
    from chatctl.client.settings.reading import load

    edit(settings_path())
    load()


@config.command("set")
def _set(
    name: Annotated[
        str,
        typer.Argument(
            metavar="SETTING", show_default=False, autocompletion=completing.settings, help="Which one."
        ),
    ],
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="VALUE",
            show_default=False,
            autocompletion=completing.values,
            help="What it is to be; nothing takes it away.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="PROFILE",
            show_default=False,
            autocompletion=completing.profiles,
            help="Set it in this profile alone.",
        ),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Take it away.")] = False,
) -> None:
    """Set a setting, or take it away.

    Examples:
        chatctl config set theme dark
        chatctl config set server chat.example.org:12345 --profile work
        chatctl config set theme --unset
    """
    from chatctl.client.settings import changes
    from chatctl.client.settings.place import settings_path

    if unset and value is not None:
        raise typer.BadParameter("give VALUE or --unset, not both")
    path = settings_path()
    if value is None:
        changes.take_away(path, name, profile)
    else:
        changes.put(path, name, value, profile)
