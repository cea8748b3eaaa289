"""From events to the characters that are written: for a terminal, with its colours and width, or plain."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from rich.console import Console

from chatctl.client.render import View, entry
from chatctl.messages import Frame

Paint = Callable[[Frame, View], str]


def paint_plain(event: Frame, view: View) -> str:
    """Returns an event as plain lines; nothing if there is nothing to see."""
    shown = entry(event, view)
    return "".join(f"{line}\n" for line in shown.plain()) if shown else ""


class TerminalPainter:
    """Paints for a terminal: in its colours, or without where ``NO_COLOR`` says so, and in its width.

    Args:
        columns: returns the width of the window right now.
    """

    def __init__(self, columns: Callable[[], int]) -> None:
        self._columns = columns
        self._console = Console(
            file=io.StringIO(), force_terminal=True, highlight=False, markup=False, emoji=False
        )

    def __call__(self, event: Frame, view: View) -> str:
        """Returns an event as lines with escape sequences, made here and nowhere else."""
        shown = entry(event, view)
        if shown is None:
            return ""
        self._console.width = max(self._columns(), 1)
        with self._console.capture() as captured:
            self._console.print(shown)
        return captured.get()


def choose_paint() -> Paint:
    """Returns what paints for standard output, as it is."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # A terminal that knows no arrows gets question marks.
    if sys.stdout is not None and sys.stdout.isatty():
        return TerminalPainter(lambda: os.get_terminal_size(sys.stdout.fileno()).columns)
    return paint_plain
