"""What several commands ask for in the same words, and how an address is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from chatctl.address import is_link, split_address
from chatctl.cli import completing
from chatctl.client.access import Access
from chatctl.errors import ChatError, Refused

if TYPE_CHECKING:
    from chatctl.invite import Invitation

_CONNECTION = "Connection"

# Commands name their parameters where, server, host and port: `access` asks by these names who set them.
Where = Annotated[
    str | None,
    typer.Argument(metavar="HOST[:PORT]", show_default=False, help="Where the server is, or a link to it."),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        envvar="CHATCTL_SERVER",
        metavar="HOST[:PORT]",
        show_default=False,
        rich_help_panel=_CONNECTION,
        help="Where the server is, or a link to it.",
    ),
]
Host = Annotated[
    str,
    typer.Option(
        "--host",
        envvar="CHATCTL_HOST",
        metavar="HOST",
        rich_help_panel=_CONNECTION,
        help="The server's host, if not given as HOST.",
    ),
]
Port = Annotated[
    int,
    typer.Option(
        "--port",
        envvar="CHATCTL_PORT",
        metavar="PORT",
        min=1,
        max=65535,
        rich_help_panel=_CONNECTION,
        help="Its port, if not given as PORT.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        envvar="CHATCTL_NAME",
        metavar="NAME",
        show_default="your login name",
        rich_help_panel=_CONNECTION,
        help="What you are called.",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        "--key",
        envvar="CHATCTL_KEY",
        metavar="KEY",
        show_default=False,
        rich_help_panel=_CONNECTION,
        help="Lets you in, where the server asks for one; - reads or asks for it.",
    ),
]
Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        envvar="CHATCTL_PASSWORD",
        metavar="PASSWORD",
        show_default=False,
        rich_help_panel=_CONNECTION,
        help="Of the account of your name; - reads or asks for it.",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure/--no-insecure",
        envvar="CHATCTL_INSECURE",
        show_default=False,
        rich_help_panel=_CONNECTION,
        help="Do without TLS, to other machines too.",
    ),
]
Room = Annotated[
    str,
    typer.Option(
        "--room", envvar="CHATCTL_ROOM", metavar="ROOM", autocompletion=completing.rooms, help="The room."
    ),
]


def _use_settings(ctx: typer.Context, profile: str | None) -> str | None:
    """Makes what is set the default of each option whose variable would say the same."""
    from chatctl.client.directories import shown
    from chatctl.client.settings.place import is_missing, settings_path

    if profile is None and is_missing(settings_path()):
        return None
    from chatctl.client.settings.reading import load

    settings = load(profile)
    if settings is None:
        return None
    if settings.exposed and not ctx.resilient_parsing:
        where = shown(settings.path)
        typer.echo(f"chatctl: {where} holds a key that others can read: chmod 600 makes it yours", err=True)
    values = settings.by_variable()
    ctx.default_map = {
        parameter.name: [value] if getattr(parameter, "multiple", False) else value
        for parameter in ctx.command.params
        if (value := values.get(str(parameter.envvar))) is not None
    }
    return settings.profile


Profile = Annotated[
    str | None,
    typer.Option(
        "--profile",
        envvar="CHATCTL_PROFILE",
        metavar="PROFILE",
        show_default=False,
        rich_help_panel=_CONNECTION,
        callback=_use_settings,
        is_eager=True,
        autocompletion=completing.profiles,
        help="Which profile of the settings to use.",
    ),
]
SINCE_HELP = "From where on: 2h ago, 22:30, yesterday, 2026-11-24T14:03, or behind an id."
AsJson = Annotated[bool, typer.Option("--json", help="Print a frame of the protocol on each line.")]
DataDirectory = Annotated[
    Path | None,
    typer.Option(
        envvar="CHATCTL_DATA",
        show_default="the platform's place for data",
        help="Directory in which history is kept.",
    ),
]

_SOURCES = ("COMMANDLINE", "ENVIRONMENT", "DEFAULT_MAP", "DEFAULT")  # the sooner, the more it counts


class _Place(NamedTuple):
    """Where a server is, and what else the link to it says, if it was one; and how near that was said."""

    host: str
    port: int
    rank: int
    link: Invitation | None = None


def access(
    ctx: typer.Context,
    where: str | None,
    server: str | None,
    host: str,
    port: int,
    *,
    name: str | None,
    key: str | None,
    password: str | None,
    insecure: bool,
) -> Access:
    """Returns what the shared options say together.

    Raises:
        ChatError: there is no name, or no key or password where it was to be read.
        BadParameter: what was given is no address, or there are two.
    """
    from chatctl.client.directories import configuration_directory, state_directory
    from chatctl.client.known_hosts import KnownHosts
    from chatctl.client.own_keys import OwnKeys

    if where is not None and _rank(ctx, "server") == 0:
        raise typer.BadParameter("give HOST or --server, not both")
    place = _place(ctx, where, server, host, port)
    return Access(
        place.host,
        place.port,
        name or _login_name(),
        _key(ctx, place, key),
        named=bool(name) and _rank(ctx, "name") == 0,
        password=_secret(ctx, password, "password"),
        pin=(place.link and place.link.pin) or None,
        insecure=insecure,
        room=_room(ctx, place),
        known_hosts=KnownHosts(configuration_directory() / "known_hosts"),
        own_keys=OwnKeys(state_directory() / "keys.json"),
    )


def _place(ctx: typer.Context, where: str | None, server: str | None, host: str, port: int) -> _Place:
    """Returns where it is: the nearer source counts, and in one source a whole address before its parts."""
    given, rank = (server, _rank(ctx, "server")) if where is None else (where, 0)
    if given is None or _rank(ctx, "host") < rank:
        return _Place(host, port, min(_rank(ctx, "host"), _rank(ctx, "port")))
    link = None
    try:
        if is_link(given):
            from chatctl.invite import parse_link

            link = parse_link(given)
            named, its_port = link.host, link.port
        else:
            named, its_port = split_address(given, port)
    except (ValueError, ChatError) as error:
        raise typer.BadParameter(str(error)) from None
    return _Place(named, port if _rank(ctx, "port") < rank else its_port, rank, link)


def _key(ctx: typer.Context, place: _Place, key: str | None) -> str | None:
    """Returns the key of the link, unless another one was given as near as that."""
    if place.link and place.link.key and _rank(ctx, "key") > place.rank:
        return place.link.key
    return _secret(ctx, key, "key")


def _secret(ctx: typer.Context, given: str | None, what: str) -> str | None:
    """Returns what was given, or asks for it where that is `ASK`."""
    from chatctl.secret import ASK, read_secret

    if given != ASK:
        return given or None
    return None if ctx.resilient_parsing else read_secret(what)


def _room(ctx: typer.Context, place: _Place) -> str | None:
    """Returns the room of the link, if there was one, and no other room was given as near as that."""
    nearest = min(_rank(ctx, "room"), _rank(ctx, "rooms"))
    return place.link.room if place.link and nearest > place.rank else None


def _rank(ctx: typer.Context, parameter: str) -> int:
    source = ctx.get_parameter_source(parameter)
    return len(_SOURCES) if source is None else _SOURCES.index(source.name)


def data_directory(given: Path | None) -> Path:
    """Returns where history is kept."""
    if given is not None:
        return given
    from chatctl.history.directory import default_directory

    return default_directory()


def _login_name() -> str:
    import getpass

    from chatctl.names import check_name

    try:
        return check_name(getpass.getuser())
    except (OSError, KeyError):
        raise ChatError("you have no login name here: choose one with --name") from None
    except Refused as refusal:
        raise ChatError(f"your login name will not do, {refusal}: choose one with --name") from None
