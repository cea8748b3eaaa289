"""Asks for what nobody else may read: without an echo on a terminal, or from the first line of a pipe."""

from __future__ import annotations

import os
import sys

from chatctl.errors import ChatError
from chatctl.text import one_line

STDIN = 0
MAX_SECRET = 4_096  # bytes

ASK = "-"  # in place of a secret: it is to be asked for


def read_secret(what: str) -> str:
    """Returns a secret, from standard input: of a pipe its next line, and nothing behind that is read.

    Args:
        what: it is, for people, as "key".

    Raises:
        ChatError: there is none.
    """
    typed = is_typed()
    secret = ask(what) if typed else first_line()
    if not secret:
        raise ChatError(f"no {what} was typed" if typed else f"there is no {what} on standard input")
    return secret


def is_typed() -> bool:
    """Whether there is one who sits at a terminal, to be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(what: str) -> str:
    """Asks the one who sits at the terminal, without an echo; returns nothing if that is the answer."""
    import getpass

    try:
        return getpass.getpass(f"{what[:1].upper()}{one_line(what[1:])}: ")
    except EOFError:
        _end_line()
        return ""
    except KeyboardInterrupt:
        _end_line()
        raise


def _end_line() -> None:
    """Ends the line of a question that Enter did not: what comes next begins its own."""
    if sys.stderr is not None:
        sys.stderr.write("\n")


def first_line() -> str:
    """Returns the next line of standard input, and reads nothing behind it; nothing if there is none.

    Raises:
        ChatError: it cannot be read.
    """
    if sys.stdin is None:  # It is closed: its number may be that of another file by now.
        return ""
    line = bytearray()
    try:
        while len(line) < MAX_SECRET and (byte := os.read(STDIN, 1)) not in (b"", b"\n"):
            line += byte
    except OSError as error:
        raise ChatError(f"cannot read standard input: {error.strerror}") from None
    return line.decode(errors="surrogateescape").removesuffix("\r")
