"""The commands for people who chat."""

from __future__ import annotations

from typing import Annotated

import typer

from chatctl.cli.options import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    AsJson,
    Host,
    Key,
    Name,
    Port,
    Room,
    Server,
    Where,
    access,
)
from chatctl.errors import ChatError, ConnectionFailed

Limit = Annotated[
    int | None, typer.Option(min=1, show_default="50, or all with --since", help="Messages, at most.")
]


def join(
    ctx: typer.Context,
    where: Where = None,
    name: Name = None,
    room: Room = "lobby",
    server: Server = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    key: Key = None,
    no_reconnect: Annotated[
        bool,
        typer.Option(
            "--no-reconnect", envvar="CHATCTL_NO_RECONNECT", help="End when the connection is lost."
        ),
    ] = False,
) -> None:
    """Join a chat; exit, /quit or Ctrl-D leaves it."""
    from chatctl.client import terminal

    to = access(ctx, where=where, server=server, host=host, port=port, name=name, key=key)
    try:
        code = terminal.run(to.host, to.port, to.name, room, reconnect=not no_reconnect)
    except ConnectionFailed as failure:
        failure.exit_code = ChatError.exit_code  # Only commands for scripts tell the ways to fail apart.
        raise
    raise typer.Exit(code)


def history(
    ctx: typer.Context,
    where: Where = None,
    room: Room = "lobby",
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME|ID", help="From where on: 2h ago, 2026-11-24T14:03, or behind an id."),
    ] = None,
    limit: Limit = None,
    as_json: AsJson = False,
    name: Name = None,
    server: Server = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    key: Key = None,
) -> None:
    """Show what was said: the last 50 messages, or all since a time."""
    import time

    from chatctl.client import lookup

    try:
        start = None if since is None else lookup.parse_since(since, time.time())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    to = access(ctx, where=where, server=server, host=host, port=port, name=name, key=key)
    raise typer.Exit(lookup.show_history(to, room, start, limit, as_json=as_json))


def search(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="All of them must be there.")],
    only: Annotated[str | None, typer.Option("--room", help="Only in this room.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=500, show_default="50", help="Messages, at most.")
    ] = None,
    as_json: AsJson = False,
    name: Name = None,
    server: Server = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    key: Key = None,
) -> None:
    """Find messages by their words, in all rooms."""
    from chatctl.client import lookup

    to = access(ctx, server=server, host=host, port=port, name=name, key=key)
    raise typer.Exit(lookup.show_found(to, " ".join(words), only, limit, as_json=as_json))
