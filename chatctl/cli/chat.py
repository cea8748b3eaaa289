"""The commands for people who chat."""

from __future__ import annotations

from typing import Annotated

import typer

from chatctl.address import DEFAULT_HOST, DEFAULT_PORT
from chatctl.cli import completing
from chatctl.cli.finishing import finish
from chatctl.cli.options import (
    SINCE_HELP,
    AsJson,
    Host,
    Insecure,
    Key,
    Name,
    Password,
    Port,
    Profile,
    Room,
    Server,
    Where,
    access,
)
from chatctl.client.display.look import Bell, Look, Notify, Theme, Timestamp
from chatctl.client.settings.known import DEFAULT_BACKLOG, MAX_BACKLOG
from chatctl.errors import ChatError

_LOOK = "Look and sound"

NoReconnect = Annotated[
    bool,
    typer.Option(
        "--no-reconnect/--reconnect",
        envvar="CHATCTL_NO_RECONNECT",
        show_default=False,
        help="End when the connection is lost.",
    ),
]
Backlog = Annotated[
    int,
    typer.Option(
        "--backlog",
        envvar="CHATCTL_BACKLOG",
        metavar="N",
        min=0,
        max=MAX_BACKLOG,
        help="Earlier messages to show on coming in.",
    ),
]
ThemeOption = Annotated[
    Theme,
    typer.Option(
        "--theme",
        envvar="CHATCTL_THEME",
        metavar="THEME",
        case_sensitive=False,
        rich_help_panel=_LOOK,
        help=f"The colours: {', '.join(Theme)}.",
    ),
]
TimestampOption = Annotated[
    Timestamp | None,
    typer.Option(
        "--timestamp",
        envvar="CHATCTL_TIMESTAMP",
        metavar="WHAT",
        case_sensitive=False,
        show_default="time on a terminal, else datetime",
        rich_help_panel=_LOOK,
        help=f"What stands in front of messages: {', '.join(Timestamp)}.",
    ),
]
BellOption = Annotated[
    Bell,
    typer.Option(
        "--bell",
        envvar="CHATCTL_BELL",
        metavar="WHAT",
        case_sensitive=False,
        rich_help_panel=_LOOK,
        help=f"What rings: {', '.join(Bell)}.",
    ),
]
NotifyOption = Annotated[
    Notify,
    typer.Option(
        "--notify",
        envvar="CHATCTL_NOTIFY",
        metavar="HOW",
        case_sensitive=False,
        rich_help_panel=_LOOK,
        help=f"How the desktop is told of it: {', '.join(Notify)}.",
    ),
]
Title = Annotated[
    bool,
    typer.Option(
        envvar="CHATCTL_TITLE", rich_help_panel=_LOOK, help="Count in the terminal's title what is unread."
    ),
]
Plain = Annotated[
    bool,
    typer.Option(
        envvar="CHATCTL_PLAIN",
        show_default=False,
        rich_help_panel=_LOOK,
        help="Plain lines, as for a screen reader.",
    ),
]
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
    password: Password = None,
    insecure: Insecure = False,
    _profile: Profile = None,
    no_reconnect: NoReconnect = False,
    backlog: Backlog = DEFAULT_BACKLOG,
    theme: ThemeOption = Theme.auto,
    timestamp: TimestampOption = None,
    bell: BellOption = Bell.mentions,
    notify: NotifyOption = Notify.off,
    title: Title = True,
    plain: Plain = False,
) -> None:
    """Join a chat; exit, /quit or Ctrl-D leaves it.

    Examples:
        chatctl join 192.168.1.5:12345 --name bob
        chatctl join --profile work --room ops
    """
    from chatctl.client.terminal import joining

    to = access(ctx, where, server, host, port, name=name, key=key, password=password, insecure=insecure)
    look = Look(theme=theme, timestamp=timestamp, bell=bell, notify=notify, title=title)
    try:
        code = joining.run(
            to, to.room or room, look=look, plain=plain, backlog=backlog, reconnect=not no_reconnect
        )
    except ChatError as error:
        error.exit_code = ChatError.exit_code  # Only commands for scripts tell the ways to fail apart.
        raise
    raise typer.Exit(code)


def history(
    ctx: typer.Context,
    where: Where = None,
    room: Room = "lobby",
    since: Annotated[str | None, typer.Option("--since", metavar="TIME|ID", help=SINCE_HELP)] = None,
    limit: Limit = None,
    as_json: AsJson = False,
    name: Name = None,
    server: Server = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    key: Key = None,
    password: Password = None,
    insecure: Insecure = False,
    _profile: Profile = None,
) -> None:
    """Show what was said: the last 50 messages, or all since a time.

    Examples:
        chatctl history --since 2h --room ops
        chatctl history --since yesterday --json
    """
    import time

    from chatctl.since import parse_since

    try:
        start = None if since is None else parse_since(since, time.time())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    to = access(ctx, where, server, host, port, name=name, key=key, password=password, insecure=insecure)

    def job() -> int:
        from chatctl.client.scripts import lookup

        return lookup.show_history(to, to.room or room, start, limit, as_json=as_json)

    finish(job)


def search(
    ctx: typer.Context,
    words: Annotated[list[str], typer.Argument(metavar="WORD", help="All of them must be there.")],
    only: Annotated[
        str | None,
        typer.Option("--room", metavar="ROOM", autocompletion=completing.rooms, help="Only in this room."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=500, show_default="50", help="Messages, at most.")
    ] = None,
    as_json: AsJson = False,
    name: Name = None,
    server: Server = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    key: Key = None,
    password: Password = None,
    insecure: Insecure = False,
    _profile: Profile = None,
) -> None:
    """Find messages by their words, in all rooms.

    Examples:
        chatctl search deploy failed
    """
    to = access(ctx, None, server, host, port, name=name, key=key, password=password, insecure=insecure)

    def job() -> int:
        from chatctl.client.scripts import lookup

        return lookup.show_found(to, " ".join(words), only, limit, as_json=as_json)

    finish(job)
