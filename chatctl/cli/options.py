"""What several commands ask for in the same words, and how an address is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chatctl.client.access import Access
from chatctl.errors import ChatError

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 12345

# Commands name their parameters where, server, host and port: `access` asks by these names who set them.
Where = Annotated[
    str | None, typer.Argument(metavar="HOST[:PORT]", show_default=False, help="Where the server is.")
]
Server = Annotated[
    str | None,
    typer.Option(
        envvar="CHATCTL_SERVER", metavar="HOST[:PORT]", show_default=False, help="Where the server is."
    ),
]
Host = Annotated[str, typer.Option(envvar="CHATCTL_HOST", help="The server's host, if not given as HOST.")]
Port = Annotated[
    int, typer.Option(envvar="CHATCTL_PORT", min=1, max=65535, help="Its port, if not given as PORT.")
]
Name = Annotated[
    str | None,
    typer.Option(envvar="CHATCTL_NAME", show_default="your login name", help="What you are called."),
]
Key = Annotated[
    str | None,
    typer.Option(
        envvar="CHATCTL_KEY", show_default=False, help="Lets you in, where the server asks for one."
    ),
]
Room = Annotated[str, typer.Option(envvar="CHATCTL_ROOM", help="The room.")]
Profile = Annotated[
    str | None,
    typer.Option(
        envvar="CHATCTL_PROFILE", show_default=False, help="Which of the settings' profiles to use."
    ),
]
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


def access(
    ctx: typer.Context,
    *,
    server: str | None,
    host: str,
    port: int,
    name: str | None,
    key: str | None,
    where: str | None = None,
) -> Access:
    """Returns what the shared options say together.

    Raises:
        ChatError: there is no name.
        BadParameter: what was given is no address, or there are two.
    """
    if where is not None and _rank(ctx, "server") == 0:
        raise typer.BadParameter("give HOST or --server, not both")
    host, port = _address(ctx, where, server, host, port)
    return Access(host, port, name or _login_name(), key or None, named=bool(name))


def _address(
    ctx: typer.Context, where: str | None, server: str | None, host: str, port: int
) -> tuple[str, int]:
    """Returns host and port: the nearer source counts, and in one source a whole address before its parts."""
    given, rank = (server, _rank(ctx, "server")) if where is None else (where, 0)
    if given is None or _rank(ctx, "host") < rank:
        return host, port
    if _rank(ctx, "port") < rank:
        return split_address(given, port)[0], port
    return split_address(given, port)


def _rank(ctx: typer.Context, parameter: str) -> int:
    source = ctx.get_parameter_source(parameter)
    return len(_SOURCES) if source is None else _SOURCES.index(source.name)


def split_address(address: str, port: int) -> tuple[str, int]:
    """Returns host and port of ``HOST``, ``HOST:PORT``, ``IPV6``, ``[IPV6]`` or ``[IPV6]:PORT``.

    Args:
        address: as a person gave it.
        port: where it names none.

    Raises:
        BadParameter: it is none of these.
    """
    import re

    if address.count(":") > 1 and "[" not in address:
        return address, port
    found = re.fullmatch(r"(?:\[(.+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?", address, re.ASCII)
    if not found or (found[3] and not 1 <= int(found[3]) <= 65535):
        raise typer.BadParameter(f"{address} is not HOST or HOST:PORT, with a port from 1 to 65535")
    return found[1] or found[2], int(found[3] or port)


def data_directory(given: Path | None) -> Path:
    """Returns where history is kept."""
    if given is not None:
        return given
    from chatctl.history.directory import default_directory

    return default_directory()


def _login_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise ChatError("you have no login name here: choose one with --name") from None
