"""What may be the server's key, where whoever starts it chooses it."""

from __future__ import annotations

from chatctl.errors import ChatError

MIN_KEY = 8  # characters
MAX_KEY = 128  # characters


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
