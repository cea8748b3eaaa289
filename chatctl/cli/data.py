"""The commands for what is kept: they need no server, but the data directory."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from chatctl.cli.options import DataDirectory, data_directory
from chatctl.errors import ChatError, Refused

Force = Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")]


class Format(StrEnum):
    """How `export` writes: for `import`, or for people."""

    jsonl = "jsonl"
    markdown = "markdown"
    html = "html"
    text = "text"


def export(
    data: DataDirectory = None,
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
            help="The file to make.",
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write what was said to a file, also while the server runs.

    Examples:
        chatctl export -o lobby.html --room lobby
        chatctl export --format text | less
    """
    from chatctl.archive import exporting

    path = None if output == Path("-") else output
    try:
        code = exporting.export(data_directory(data), path, format_ and format_.value, room, force=force)
    except Refused as refusal:
        raise ChatError(str(refusal)) from None  # No server said it.
    raise typer.Exit(code)


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", show_default=False, help="What export wrote as jsonl; - for standard input."
        ),
    ],
    data: DataDirectory = None,
) -> None:
    """Add what was exported to a history that no server is using.

    All of it is added, or nothing.

    Examples:
        chatctl import chat.jsonl --data /var/lib/chatctl
    """
    from chatctl.archive import importing

    path = Path("/dev/stdin") if file == Path("-") else file
    done = importing.import_file(path, data_directory(data))
    typer.echo(
        f"{_counted(done.added, 'message')} added in {_counted(done.rooms, 'room')},"
        f" {done.skipped} were there before"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The file to make.")],
    data: DataDirectory = None,
    force: Force = False,
) -> None:
    """Copy the history into one file, also while the server runs.

    Named chatctl.db, and in a directory of its own, it is what a server can use.

    Examples:
        chatctl backup chat-copy.db
    """
    from chatctl.archive import backup as copying

    copying.backup(data_directory(data), file, force=force)
