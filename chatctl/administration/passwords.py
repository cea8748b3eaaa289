"""Where a command gets a new password from: never from its arguments, which everybody here can read."""

from __future__ import annotations

import os

from chatctl.access.passwords import check_password
from chatctl.errors import ChatError
from chatctl.secret import ask, first_line, is_typed

VARIABLE = "CHATCTL_PASSWORD"


def new_password(name: str) -> str:
    """Returns a new password: of the environment, the terminal, or the first line of standard input.

    Args:
        name: whose it will be.

    Raises:
        ChatError: there is none, or none that will do.
    """
    password = os.environ.get(VARIABLE) or (_typed(name) if is_typed() else first_line())
    if not password:
        raise ChatError(f"there is no password: it is typed, the first line of standard input, or {VARIABLE}")
    check_password(password)
    return password


def _typed(name: str) -> str:
    password = ask(f"new password of {name}")
    if password and password != ask("the same again"):
        raise ChatError("those were two passwords: nothing was changed")
    return password
