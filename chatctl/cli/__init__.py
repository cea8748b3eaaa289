"""The command line: each command parses, makes one call, and prints. Nothing else exits.

What a command needs is imported when it runs, so that the others start quickly.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

import chatctl
from chatctl.cli import completing
from chatctl.cli.commands import Commands
from chatctl.client.complaint import complain
from chatctl.errors import ChatError

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_DESCRIPTORS = {errno.EMFILE, errno.ENFILE}
NO_THREADS = "can't start new thread"  # which Python says by a RuntimeError

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Runs the command line."""
    _open_standard_descriptors()
    if os.environ.get("_CHATCTL_COMPLETE") == "complete_bash":
        completing.mend_words(os.environ)
    with told_in_one_line():
        app(prog_name="chatctl")


def _open_standard_descriptors() -> None:
    """Sees to it that 0, 1 and 2 are taken, so that no socket gets a number that is written to as a log."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turns an error that is meant for people into one line and an exit code."""
    try:
        yield
    except ChatError as error:
        complain(str(error))
        raise SystemExit(error.exit_code) from None
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            _end(f"cannot go on: {error.strerror} (ulimit -n)")
        if error.filename is not None or error.errno not in DISK_FULL:
            raise
        sys.stdout = None  # What is left to be written would fail again.
        _end(f"cannot write: {error.strerror}")
    except RuntimeError as error:
        if str(error) != NO_THREADS:
            raise
        _end("cannot go on: this user, or this machine, may have no more threads (ulimit -u)")


def _end(text: str) -> NoReturn:
    complain(text)
    raise SystemExit(ChatError.exit_code) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chatctl {chatctl.__version__}")
        raise typer.Exit


@app.callback()
def _chatctl(
    _version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """A chat of your own: serve on one machine, join on the others."""
