"""The command that serves."""

from __future__ import annotations

import math
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatctl.address import DEFAULT_HOST, DEFAULT_PORT, is_loopback
from chatctl.cli.links import print_links
from chatctl.cli.options import DataDirectory, data_directory
from chatctl.server.tls_mode import TlsMode
from chatctl.text import parse_duration

if TYPE_CHECKING:
    from chatctl.server.server import Server

_ENCRYPTION = "Encryption"
_ADMITTANCE = "Who may come in"


class LogLevel(StrEnum):
    """What is logged: this and all that is graver."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


def _check_duration(value: str | None) -> str | None:
    if value is not None:
        try:
            parse_duration(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    return value


def _check_origins(value: list[str] | None) -> list[str] | None:
    from chatctl.server.web.sites import parse_origin

    for origin in value or ():
        try:
            parse_origin(origin)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    return value


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise typer.BadParameter("must be a number")
    return value


def serve(
    host: Annotated[
        str, typer.Option(envvar="CHATCTL_HOST", help="Address to listen on; 0.0.0.0 or :: for all.")
    ] = DEFAULT_HOST,
    port: Annotated[
        int, typer.Option(envvar="CHATCTL_PORT", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = DEFAULT_PORT,
    data: DataDirectory = None,
    ephemeral: Annotated[
        bool,
        typer.Option(
            "--ephemeral", envvar="CHATCTL_EPHEMERAL", help="Keep messages in memory only, not in --data."
        ),
    ] = False,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
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
    max_new_per_ip: Annotated[
        int,
        typer.Option(
            envvar="CHATCTL_MAX_NEW_PER_IP",
            min=0,
            help="New ones from one address but this machine in 10 minutes; 0: any.",
        ),
    ] = 32,
    open_: Annotated[
        bool,
        typer.Option(
            "--open",
            envvar="CHATCTL_OPEN",
            rich_help_panel=_ADMITTANCE,
            help="Let anyone in, from other machines too.",
        ),
    ] = False,
    key: Annotated[
        str | None,
        typer.Option(
            envvar="CHATCTL_KEY",
            metavar="KEY",
            rich_help_panel=_ADMITTANCE,
            show_default="the one it has; made for other machines at first",
            help="Key that lets anyone in, from now on; - reads it, or asks.",
        ),
    ] = None,
    new_key: Annotated[
        bool,
        typer.Option(
            "--new-key", rich_help_panel=_ADMITTANCE, help="Make another key; the one before is over."
        ),
    ] = False,
    qr: Annotated[
        bool,
        typer.Option("--qr", rich_help_panel=_ADMITTANCE, help="Draw the first link too, for a telephone."),
    ] = False,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            envvar="CHATCTL_ALLOW_ORIGIN",
            metavar="ORIGIN",
            rich_help_panel=_ADMITTANCE,
            show_default="its own addresses",
            callback=_check_origins,
            help="Let browsers come by this address too: https://chat.example.org.",
        ),
    ] = None,
    motd: Annotated[str, typer.Option(envvar="CHATCTL_MOTD", help="Message for everyone who comes in.")] = "",
    tls: Annotated[
        TlsMode,
        typer.Option(
            envvar="CHATCTL_TLS",
            case_sensitive=False,
            rich_help_panel=_ENCRYPTION,
            help="Encryption: auto for others than this machine, required for everybody, or off.",
        ),
    ] = TlsMode.auto,
    cert: Annotated[
        Path | None,
        typer.Option(
            envvar="CHATCTL_CERT",
            metavar="FILE",
            rich_help_panel=_ENCRYPTION,
            show_default="one of its own",
            help="Certificate and those it is signed by, in PEM.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CHATCTL_KEY_FILE",
            metavar="FILE",
            rich_help_panel=_ENCRYPTION,
            show_default="in --cert too",
            help="The certificate's private key, in PEM.",
        ),
    ] = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            envvar="CHATCTL_INSECURE",
            rich_help_panel=_ENCRYPTION,
            help="Let others come without encryption too.",
        ),
    ] = False,
    log_level: Annotated[
        LogLevel, typer.Option(envvar="CHATCTL_LOG_LEVEL", case_sensitive=False, help="What to log.")
    ] = LogLevel.info,
    log_json: Annotated[
        bool, typer.Option("--log-json", envvar="CHATCTL_LOG_JSON", help="Log as lines of JSON.")
    ] = False,
) -> None:
    """Start a chat server; Ctrl-C stops it.

    Examples:
        chatctl serve --host 0.0.0.0 --port 12345
        chatctl serve --host 0.0.0.0 --key -
        chatctl serve --keep 90d --motd "be kind"
    """
    from chatctl.history.log import Retention
    from chatctl.secret import ASK, read_secret
    from chatctl.server import logs, server, server_key
    from chatctl.server.config import Config

    _check_files(tls, cert, key_file)
    if open_ and (key or new_key):
        raise typer.BadParameter("--open lets anyone in without a key")
    key = server_key.checked(read_secret("key of this server") if key == ASK else key) if key else ""
    config = Config(
        host=host,
        port=port,
        rate=rate,
        burst=burst,
        max_clients=max_clients,
        max_per_ip=max_per_ip,
        max_new_per_ip=max_new_per_ip,
        motd=motd,
        data=None if ephemeral else data_directory(data),
        retention=Retention(parse_duration(keep) if keep else None, keep_messages),
        tls=tls,
        cert=cert,
        key_file=key_file,
        insecure=insecure,
        open=True if open_ else False if key or new_key else None,
        key=key,
        new_key=new_key,
        allow_origin=tuple(allow_origin or ()),
    )

    def started(running: server.Server) -> None:
        _print_address(*running.address)
        _print_links(running, qr=qr)
        _say_what_is_kept(config.data)

    handler = logs.configure(log_level.value, as_json=log_json)
    try:
        server.run(config, started)
    finally:
        handler.close()


def _check_files(tls: TlsMode, cert: Path | None, key_file: Path | None) -> None:
    if key_file is not None and cert is None:
        raise typer.BadParameter("--key-file is the key of --cert, which is missing")
    if cert is not None and tls == TlsMode.off:
        raise typer.BadParameter("--cert is of no use with --tls off")


def _print_address(host: str, port: int) -> None:
    typer.echo(f"listening on [{host}]:{port}" if ":" in host else f"listening on {host}:{port}")


def _print_links(running: Server, *, qr: bool) -> None:
    """Prints by what others come in, or where one's own browser does."""
    from chatctl.reached import browser_line, links

    host, port = running.address
    found = links(host, port, running.pin, key=running.key)
    for_others = bool(running.key) if running.closed else not is_loopback(host)
    if for_others:
        typer.echo("send one of these to whoever may come in:" if running.closed else "anyone may come in:")
        print_links(found, tls=running.tls, qr=qr)
        return
    if running.closed:
        typer.echo("a key is needed: `chatctl invite` makes one for somebody, --new-key one for all")
    typer.echo(browser_line(found[0], tls=running.tls))


def _say_what_is_kept(data: Path | None) -> None:
    import logging

    if data is None:
        text = "messages are kept in memory, and gone when the server stops"
    else:
        text = f"messages are kept in {data}"
    logging.getLogger("chatctl").info("%s", text)
