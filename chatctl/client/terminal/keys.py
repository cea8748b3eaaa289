"""Which key does what in the terminal client, besides what prompt_toolkit's Emacs keys do."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


class Keyed(Protocol):
    """What the keys act on."""

    buffer: Buffer

    @property
    def is_asking(self) -> bool:
        """Whether a password is being typed."""

    def cancel(self) -> None:
        """Escape, while a password is being typed."""

    def interrupt(self) -> None:
        """Ctrl-C."""

    def complete(self) -> None:
        """Tab."""

    def focus(self, number: int) -> None:
        """Alt and a digit."""


def bindings(keyed: Keyed) -> KeyBindings:
    """Returns what the keys do."""
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)
    keys.add("c-c", filter=typing)(lambda _event: keyed.interrupt())
    keys.add("<sigint>")(lambda _event: keyed.interrupt())
    asking = typing & Condition(lambda: keyed.is_asking)
    # At once, though it may begin what Alt and a letter send: nobody types words there.
    keys.add("escape", filter=asking, eager=True)(lambda _event: keyed.cancel())
    for key in ("up", "down", "c-p", "c-n", "c-r", "c-s"):
        keys.add(key, filter=asking)(lambda _event: None)  # What was typed before is not asked for.
    keys.add("tab", filter=typing)(lambda _event: keyed.complete())
    keys.add("enter", filter=typing)(lambda _event: keyed.buffer.validate_and_handle())
    keys.add("escape", "enter", filter=typing)(lambda _event: keyed.buffer.insert_text("\n"))
    for number in range(1, 10):
        keys.add("escape", str(number), filter=typing)(partial(_focus, keyed, number))
    return keys


def _focus(keyed: Keyed, number: int, _event: KeyPressEvent) -> None:
    keyed.focus(number)


def continuation(width: int, _line: int, wraps: int) -> str:
    """Returns what stands in front of further lines of what is typed.

    Args:
        width: of the prompt, in columns.
        wraps: where a line does not fit, how often it has been wrapped.
    """
    return "" if wraps else " " * width
