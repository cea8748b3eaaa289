"""The command line: each command parses, makes one call, and prints. The only file that exits.

What a command needs is imported when it runs, so that ``--help`` and ``--version`` stay quick.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import chatctl
from chatctl.errors import ChatError
from chatctl.text import parse_duration

if TYPE_CHECKING:
    from chatctl.client.connection import ChatClient

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 12345

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


DataOption = Annotated[
    Path | None,
    typer.Option(
        envvar="CHATCTL_DATA",
        show_default="the platform's place for data",
        help="Directory in which history is kept.",
    ),
]
Where = Annotated[
    str | None, typer.Argument(metavar="HOST[:PORT]", show_default=False, help="Where the server is.")
]
Host = Annotated[str, typer.Option(envvar="CHATCTL_HOST", help="The server's host, if not given as HOST.")]
Port = Annotated[
    int, typer.Option(envvar="CHATCTL_PORT", min=1, max=65535, help="Its port, if not given as PORT.")
]
Name = Annotated[
    str | None,
    typer.Option(envvar="CHATCTL_NAME", show_default="your login name", help="What you are called."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print a frame of the protocol on each line.")]
Limit = Annotated[
    int | None, typer.Option(min=1, show_default="50, or all with --since", help="Messages, at most.")
]


class LogLevel(StrEnum):
    """What is logged: this and all that is graver."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class Format(StrEnum):
    """How `export` writes: for `import`, or for people."""

    jsonl = "jsonl"
    markdown = "markdown"
    html = "html"
    text = "text"


def main() -> None:
    """Runs the command line."""
    _open_standard_descriptors()
    app(prog_name="chatctl")


def _open_standard_descriptors() -> None:
    """Sees to it that 0, 1 and 2 are taken, so that no socket gets a number that is written to as a log."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


@contextmanager
def _told_in_one_line(exit_code: int | None = None) -> Iterator[None]:
    """Turns an error that is meant for people into one line and an exit code: its own, if none is given."""
    try:
        yield
    except ChatError as error:
        typer.echo(f"chatctl: {error}", err=True)
        raise typer.Exit(exit_code or error.exit_code) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chatctl {chatctl.__version__}")
        raise typer.Exit


def _check_duration(value: str | None) -> str | None:
    if value is not None:
        try:
            parse_duration(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter("must be a number")
    return value


@app.callback()
def _chatctl(
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A chat of your own: serve on one machine, join on the others."""


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(envvar="CHATCTL_HOST", help="Address to listen on; 0.0.0.0 or :: for all.")
    ] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(envvar="CHATCTL_PORT", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    data: DataOption = None,
    ephemeral: Annotated[
        bool,
        typer.Option(
            "--ephemeral", envvar="CHATCTL_EPHEMERAL", help="Keep messages in memory only, not in --data."
        ),
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            envvar="CHATCTL_KEEP",
            metavar="TIME",
            show_default="for ever",
            callback=_check_duration,
            help="How long messages are kept: 90d, 12h, 30m.",
        ),
    ] = None,
    keep_messages: Annotated[
        int | None,
        typer.Option(
            envvar="CHATCTL_KEEP_MESSAGES",
            min=1,
            show_default="all",
            help="How many messages of each room are kept.",
        ),
    ] = None,
    rate: Annotated[
        float,
        typer.Option(
            envvar="CHATCTL_RATE", min=0, callback=_finite, help="Messages a second from one client; 0: any."
        ),
    ] = 10,
    burst: Annotated[
        int, typer.Option(envvar="CHATCTL_BURST", min=1, help="Messages at once from one client.")
    ] = 20,
    max_clients: Annotated[
        int, typer.Option(envvar="CHATCTL_MAX_CLIENTS", min=0, help="Connections in all; 0: any.")
    ] = 20_000,
    max_per_ip: Annotated[
        int,
        typer.Option(
            envvar="CHATCTL_MAX_PER_IP", min=0, help="Connections from one address but this machine; 0: any."
        ),
    ] = 16,
    motd: Annotated[str, typer.Option(envvar="CHATCTL_MOTD", help="Message for everyone who comes in.")] = "",
    log_level: Annotated[
        LogLevel, typer.Option(envvar="CHATCTL_LOG_LEVEL", case_sensitive=False, help="What to log.")
    ] = LogLevel.info,
    log_json: Annotated[
        bool, typer.Option("--log-json", envvar="CHATCTL_LOG_JSON", help="Log as lines of JSON.")
    ] = False,
) -> None:
    """Start a chat server; Ctrl-C stops it."""
    from chatctl.history.log import Retention
    from chatctl.server import logs, server
    from chatctl.server.config import Config

    config = Config(
        host=host,
        port=port,
        rate=rate,
        burst=burst,
        max_clients=max_clients,
        max_per_ip=max_per_ip,
        motd=motd,
        data=None if ephemeral else data or _default_directory(),
        retention=Retention(parse_duration(keep) if keep else None, keep_messages),
    )

    def started(host: str, port: int) -> None:
        _print_address(host, port)
        _say_what_is_kept(config.data)

    handler = logs.configure(log_level.value, as_json=log_json)
    try:
        with _told_in_one_line():
            server.run(config, started)
    finally:
        handler.close()


def _print_address(host: str, port: int) -> None:
    typer.echo(f"listening on [{host}]:{port}" if ":" in host else f"listening on {host}:{port}")


def _say_what_is_kept(data: Path | None) -> None:
    import logging

    if data is None:
        text = "messages are kept in memory, and gone when the server stops"
    else:
        text = f"messages are kept in {data}"
    logging.getLogger("chatctl").info("%s", text)


def _default_directory() -> Path:
    from chatctl.history.directory import default_directory

    return default_directory()


@app.command()
def join(
    address: Where = None,
    name: Name = None,
    room: Annotated[str, typer.Option(envvar="CHATCTL_ROOM", help="The room to enter.")] = "lobby",
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
    no_reconnect: Annotated[
        bool,
        typer.Option(
            "--no-reconnect", envvar="CHATCTL_NO_RECONNECT", help="End when the connection is lost."
        ),
    ] = False,
) -> None:
    """Join a chat; exit, /quit or Ctrl-D leaves it."""
    with _told_in_one_line(exit_code=1):
        from chatctl.client import terminal

        if address is not None:
            host, port = _split_address(address, port)
        code = terminal.run(host, port, name or _login_name(), room, reconnect=not no_reconnect)
    raise typer.Exit(code)


@app.command()
def history(
    address: Where = None,
    room: Annotated[str, typer.Option(envvar="CHATCTL_ROOM", help="The room.")] = "lobby",
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME|ID", help="From where on: 2h ago, 2026-11-24T14:03, or behind an id."),
    ] = None,
    limit: Limit = None,
    as_json: AsJson = False,
    name: Name = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
) -> None:
    """Show what was said: the last 50 messages, or all since a time."""
    import time

    with _told_in_one_line():
        from chatctl.client import lookup

        try:
            start = None if since is None else lookup.parse_since(since, time.time())
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--since") from None
        if address is not None:
            host, port = _split_address(address, port)
        code = lookup.show_history(
            _visitor(host, port), name or _login_name(), room, start, limit, as_json=as_json
        )
    raise typer.Exit(code)


@app.command()
def search(
    words: Annotated[list[str], typer.Argument(metavar="WORDS...", help="All of them must be there.")],
    room: Annotated[str | None, typer.Option(help="Only in this room.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=500, show_default="50", help="Messages, at most.")
    ] = None,
    as_json: AsJson = False,
    name: Name = None,
    host: Host = DEFAULT_HOST,
    port: Port = DEFAULT_PORT,
) -> None:
    """Find messages by their words, in all rooms."""
    with _told_in_one_line():
        from chatctl.client import lookup

        code = lookup.show_found(
            _visitor(host, port), name or _login_name(), " ".join(words), room, limit, as_json=as_json
        )
    raise typer.Exit(code)


def _visitor(host: str, port: int) -> Callable[[str], ChatClient]:
    """Returns what connects without entering a room."""
    from chatctl.client.connection import ChatClient

    return lambda name: ChatClient.connect(host, port, name, {}, reconnect=False, listen=False)


def _split_address(address: str, port: int) -> tuple[str, int]:
    """Returns host and port of ``HOST``, ``HOST:PORT``, ``IPV6``, ``[IPV6]`` or ``[IPV6]:PORT``."""
    import re

    if address.count(":") > 1 and "[" not in address:
        return address, port
    found = re.fullmatch(r"(?:\[(.+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?", address, re.ASCII)
    if not found or (found[3] and not 1 <= int(found[3]) <= 65535):
        raise typer.BadParameter(f"{address} is not HOST or HOST:PORT, with a port from 1 to 65535")
    return found[1] or found[2], int(found[3] or port)


def _login_name() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        raise ChatError("you have no login name here: choose one with --name") from None


@app.command()
def export(
    data: DataOption = None,
    room: Annotated[
        str | None, typer.Option(show_default="all of them", help="The only room to write.")
    ] = None,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            show_default="as FILE ends: .jsonl, .md, .html, .txt; else jsonl",
            help="For programs and import: jsonl; for people: the others.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            show_default="standard output",
            help="The file to write, or replace.",
        ),
    ] = None,
) -> None:
    """Write what was said to a file, also while the server runs."""
    with _told_in_one_line():
        from chatctl.archive import exporting

        path = None if output == Path("-") else output
        code = exporting.export(data or _default_directory(), path, format_ and format_.value, room)
    raise typer.Exit(code)


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", show_default=False, help="What export wrote as jsonl; - for standard input."
        ),
    ],
    data: DataOption = None,
) -> None:
    """Add what was exported to a history that no server is using; all of it or nothing."""
    with _told_in_one_line():
        from chatctl.archive import importing

        path = Path("/dev/stdin") if file == Path("-") else file
        done = importing.import_file(path, data or _default_directory())
    typer.echo(
        f"{_counted(done.added, 'message')} added in {_counted(done.rooms, 'room')},"
        f" {done.skipped} were there before"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The file to make.")],
    data: DataOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
) -> None:
    """Copy the history into one file, also while the server runs; named chatctl.db, a server can use it."""
    with _told_in_one_line():
        from chatctl.archive import backup as copying

        copying.backup(data or _default_directory(), file, force=force)
