"""The commands for scripts: data on standard output, all else on standard error, one set of exit codes."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    import re

    from chatctl.client.scripts.following import Start

SEND_SECONDS = 10.0
LONGEST = 100_000_000  # seconds: three years
TAIL_LINES = 10
MAX_ID = 2**53 - 1  # as in `messages`, which takes its time to import


class Split(StrEnum):
    """What of the input is a message."""

    lines = "lines"
    none = "none"


def _seconds(value: float | None) -> float | None:
    if value is not None and not 0 < value <= LONGEST:
        raise typer.BadParameter(f"must be more than 0, and at most {LONGEST}")
    return value


def send(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="TEXT", show_default="standard input", help="What to say."),
    ] = None,
    room: Room = "lobby",
    to: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="NAME", show_default="those in the room", help="Who alone is to get it."
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="FILE", show_default=False, help="Say what is in it; - for standard input."
        ),
    ] = None,
    split: Annotated[
        Split, typer.Option(help="One message of each line, as they come; or one of it all.")
    ] = Split.none,
    timeout: Annotated[
        float | None,
        typer.Option(
            callback=_seconds,
            show_default="10; as long as it takes with --split lines",
            help="Seconds until the server must have it.",
        ),
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
    """Say something, and end as soon as the server has it.

    Examples:
        make 2>&1 | tail -1 | chatctl send --room ops
        tail -f app.log | chatctl send --room ops --split lines
    """
    if words and file is not None:
        raise typer.BadParameter("give TEXT or --file, not both")
    if not words and file is None and (sys.stdin is None or sys.stdin.isatty()):
        raise typer.BadParameter("there is nothing to send: give TEXT or --file FILE, or pipe it in")
    whereto = access(ctx, None, server, host, port, name=name, key=key, password=password, insecure=insecure)
    path = None if file == Path("-") else file

    def job() -> int:
        from chatctl.client.scripts import sending

        read = sending.words(words) if words else sending.reader(path)
        goal = sending.Goal(whereto.room or room, to)
        if split is Split.lines:
            return sending.send_lines(whereto, goal, read, timeout, as_json=as_json)
        return sending.send_text(whereto, goal, read, timeout or SEND_SECONDS, as_json=as_json)

    finish(job)


def tail(
    ctx: typer.Context,
    where: Where = None,
    rooms: Annotated[
        list[str] | None,
        typer.Option(
            "--room",
            envvar="CHATCTL_ROOM",
            metavar="ROOM",
            show_default="lobby",
            autocompletion=completing.rooms,
            help="A room; may be given several times.",
        ),
    ] = None,
    since: Annotated[str | None, typer.Option("--since", metavar="TIME|ID", help=SINCE_HELP)] = None,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines",
            "-n",
            min=0,
            max=500,
            show_default="10, or 0 with --exec",
            help="How many earlier messages to begin with.",
        ),
    ] = None,
    from_: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="ID",
            min=0,
            max=MAX_ID,
            show_default=False,
            help="Begin behind this message.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FILE",
            show_default=False,
            help="Keeps where this is, and goes on there the next time.",
        ),
    ] = None,
    command: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="CMD",
            show_default=False,
            help="Run CMD for each message, with its text on standard input.",
        ),
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
    """Follow what is said, until it is ended.

    Examples:
        chatctl tail --room ops --json | jq .text
        chatctl tail --exec ./deploy.sh --state deploy.state
    """
    if as_json and command is not None:
        raise typer.BadParameter("give --json or --exec, not both")
    if len(given := [option for option in (since, lines, from_) if option is not None]) > 1:
        raise typer.BadParameter(f"give one of --since, --lines and --from, not {len(given)}")
    words = None if command is None else _command(command)
    start = _start(since, (0 if words else TAIL_LINES) if lines is None else lines, after=from_)
    whereto = access(ctx, where, server, host, port, name=name, key=key, password=password, insecure=insecure)
    followed = _rooms([whereto.room] if whereto.room else rooms)
    if from_ is not None and len(followed) > 1:
        raise typer.BadParameter("--from is an id of one room: with several rooms use --since or --state")

    def job() -> int:
        from chatctl.client.scripts import tailing

        if words:
            return tailing.handle_all(whereto, followed, start, state, words)
        return tailing.print_all(whereto, followed, start, state, as_json=as_json)

    finish(job)


def wait(
    ctx: typer.Context,
    where: Where = None,
    *,
    match: Annotated[
        str, typer.Option("--match", metavar="REGEX", show_default=False, help="What the text must hold.")
    ],
    from_: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME", show_default="anyone", help="Who must say it."),
    ] = None,
    room: Room = "lobby",
    since: Annotated[
        str | None, typer.Option("--since", metavar="TIME|ID", show_default="now", help=SINCE_HELP)
    ] = None,
    timeout: Annotated[float, typer.Option(callback=_seconds, help="Seconds to wait, at most.")] = 60,
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
    """Wait until somebody says something, and print it.

    Examples:
        chatctl wait --match '^(yes|no)$' --from ann --timeout 600
    """
    pattern = _pattern(match)
    start = _start(since, 0)
    whereto = access(ctx, where, server, host, port, name=name, key=key, password=password, insecure=insecure)

    def job() -> int:
        from chatctl.client.scripts import waiting
        from chatctl.names import check_name

        (followed,) = _rooms([whereto.room or room])
        sender = None if from_ is None else check_name(from_)
        return waiting.wait(whereto, followed, start, pattern, sender, timeout, as_json=as_json)

    finish(job)


def who(
    ctx: typer.Context,
    where: Where = None,
    room: Room = "lobby",
    everywhere: Annotated[bool, typer.Option("--all", help="Show all who are on the server.")] = False,
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
    """Show who else is in a room.

    Examples:
        chatctl who --room ops
        chatctl who --all --json
    """
    whereto = access(ctx, where, server, host, port, name=name, key=key, password=password, insecure=insecure)

    def job() -> int:
        from chatctl.client.scripts import listing

        return listing.show_people(whereto, None if everywhere else whereto.room or room, as_json=as_json)

    finish(job)


def rooms(
    ctx: typer.Context,
    where: Where = None,
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
    """Show which rooms there are.

    Examples:
        chatctl rooms
        chatctl rooms --json
    """
    whereto = access(ctx, where, server, host, port, name=name, key=key, password=password, insecure=insecure)

    def job() -> int:
        from chatctl.client.scripts import listing

        return listing.show_rooms(whereto, as_json=as_json)

    finish(job)


def _rooms(given: list[str] | None) -> list[str]:
    """Returns the rooms, each once."""
    from chatctl.names import check_room

    return list(dict.fromkeys(map(check_room, given or ["lobby"])))


def _start(since: str | None, lines: int, *, after: int | None = None) -> Start:
    import time

    from chatctl.client.scripts.following import Start
    from chatctl.since import Since, parse_since

    if after is not None:
        return Start(Since(after=after))
    try:
        return Start(None if since is None else parse_since(since, time.time()), lines)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None


def _command(given: str) -> list[str]:
    """Returns the words of a command that can be found."""
    import shlex
    import shutil

    try:
        words = shlex.split(given)
    except ValueError as error:
        raise typer.BadParameter(f"{given}: {error}", param_hint="--exec") from None
    command = words[0] if words else ""
    if shutil.which(command) is None:
        is_there = "/" in command and Path(command).exists()
        why = "{!r} is no program: chmod +x makes a script one" if is_there else "there is no command {!r}"
        raise typer.BadParameter(why.format(command), param_hint="--exec")
    return words


def _pattern(given: str) -> re.Pattern[str]:
    import re
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what later versions of Python may read in another way
            return re.compile(given)
    except re.error as error:
        where = f"\n  {given}\n  {' ' * (error.pos or 0)}^"
        raise typer.BadParameter(f"{error}{where}", param_hint="--match") from None
    except (OverflowError, RecursionError):
        raise typer.BadParameter("that is too much of a pattern", param_hint="--match") from None
