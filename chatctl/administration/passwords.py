"""Where a command gets a new password from: never from its arguments, which everybody here can read."""

from __future__ import annotations

import getpass
import os
import sys

from chatctl.access.passwords import check_password
from chatctl.errors import ChatError
from chatctl.messages import MAX_PASSWORD

VARIABLE = "CHATCTL_PASSWORD"


def new_password(name: str) -> str:
    """Returns a new password: of the environment, the terminal, or the first line of standard input.

    Args:
        name: whose it will be.

    Raises:
        ChatError: there is none, or none that will do.
    """
    password = os.environ.get(VARIABLE) or (_typed(name) if _is_typed() else _first_line())
    check_password(password)
    return password


def _is_typed() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _typed(name: str) -> str:
    try:
        password = getpass.getpass(f"New password of {name}: ")
        if password != getpass.getpass("The same again: "):
            raise ChatError("those were two passwords: nothing was changed")
    except EOFError:
        raise ChatError("there is no password: nothing was changed") from None
    return password


def _first_line() -> str:
    line = "" if sys.stdin is None else sys.stdin.readline(2 * MAX_PASSWORD).rstrip("\r\n")
    if not line:
        raise ChatError(f"there is no password: it is the first line of standard input, or {VARIABLE}")
    return line
