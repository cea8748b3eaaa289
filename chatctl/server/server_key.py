"""Where the server's key comes from, when whoever starts it chooses it, and what may be one."""

from __future__ import annotations

import getpass
import sys

from chatctl.errors import ChatError

MIN_KEY = 8  # characters
MAX_KEY = 128  # characters


def read() -> str:
    """Returns the key that is typed, or the first line of standard input.

    Raises:
        ChatError: there is none.
    """
    try:
        typed = sys.stdin is not None and sys.stdin.isatty()
        key = getpass.getpass("Key of this server: ") if typed else _first_line()
    except EOFError:
        key = ""
    if not key:
        raise ChatError("there is no key: it is the first line of standard input")
    return key


def _first_line() -> str:
    return "" if sys.stdin is None else sys.stdin.readline(4 * MAX_KEY).rstrip("\r\n")


def checked(key: str) -> str:
    """Returns a key that people may choose.

    Raises:
        ChatError: it will not do; it is not repeated.
    """
    if not MIN_KEY <= len(key) <= MAX_KEY:
        raise ChatError(f"a key has {MIN_KEY} to {MAX_KEY} characters")
    if not key.isprintable() or " " in key:
        raise ChatError("a key has neither spaces nor control characters")
    return key
