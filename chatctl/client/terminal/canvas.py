"""The terminal that is drawn on: lines above, the prompt of prompt_toolkit below; left as it was found."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output

from chatctl.client.display import codes
from chatctl.client.display.look import Look
from chatctl.client.display.render import View
from chatctl.client.display.screen import TerminalPainter, rich_manner, speak_any_encoding
from chatctl.messages import Frame


class Canvas:
    """What is written to a terminal, and how wide that is.

    Args:
        look: returns how things look now.

    Attributes:
        output: prompt_toolkit's way to the terminal.
        abilities: what the terminal understands.
        app: which draws the prompt; to be set before anything is written.
    """

    app: Application[Any]

    def __init__(self, look: Callable[[], Look]) -> None:
        speak_any_encoding()
        self.output = _make_output()
        self.abilities = codes.abilities(os.environ.get("TERM", ""), os.environ)
        links = self.abilities.links
        self._paint = TerminalPainter(lambda: self.columns, lambda: rich_manner(look(), links=links))

    @property
    def columns(self) -> int:
        """How wide the window is right now."""
        return self.output.get_size().columns

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Takes the terminal, and gives it back as it was."""
        # What was typed while connecting stands here as an echo; the input line will show it.
        self.output.write_raw("\r")
        self.output.erase_end_of_line()
        if self.abilities.titles:
            self.tell(codes.KEEP_TITLE)
        try:
            yield
        finally:
            if self.abilities.titles:
                self.tell(codes.RESTORE_TITLE)

    def draw(self, frame: Frame, view: View) -> str:
        """Returns what `write` is to write of a frame."""
        return self._paint(frame, view)

    def write(self, text: str) -> None:
        """Writes whole lines above the prompt."""
        if text and self.app.is_running:
            self.app.renderer.erase()
        if text:
            self.output.enable_autowrap()
            self.tell(text)
        # The prompt may have changed even where nothing is written.
        self.app.invalidate()

    def tell(self, sequences: str) -> None:
        """Writes what is made for the terminal, as it is."""
        if sequences:
            self.output.write_raw(sequences)
            self.output.flush()

    # The size of the window

    def watch_size(self) -> None:
        """Draws the prompt anew when the window changes; to be called when the prompt begins."""
        # In place of what prompt_toolkit does, which leaves lines behind where a terminal wraps them anew.
        # Windows has no such signal, and is asked for its size instead.
        if number := getattr(signal, "SIGWINCH", None):
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.add_signal_handler, number, self._resized)  # Once its own handler is there.

    def _resized(self) -> None:
        columns = self.columns
        above = self._rows_above(columns) if codes.wraps_anew(os.environ) else 0
        self.app.renderer.erase()
        self.output.cursor_up(above)
        self.output.erase_down()
        self.output.flush()
        self.app.invalidate()

    def _rows_above(self, columns: int) -> int:
        """Returns how many rows the prompt got by being wrapped anew, up to the cursor."""
        screen = self.app.renderer.last_rendered_screen
        if screen is None:
            return 0
        cursor = screen.get_cursor_position(self.app.layout.current_window)
        rows = 0
        for y in range(cursor.y + 1):
            row = screen.data_buffer[y]
            length = max((x + 1 for x, char in row.items() if char.char.strip()), default=0)
            used = cursor.x + 1 if y == cursor.y else length
            rows += max(used - 1, 0) // columns
        return rows


def _make_output() -> Output:
    output = create_output()
    if isinstance(output, Vt100_Output):
        # Asking the terminal where its cursor is buys nothing here, and some never answer.
        output.enable_cpr = False
    return output
