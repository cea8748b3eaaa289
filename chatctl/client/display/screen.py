"""From events to the characters that are written: for a terminal, with its colours and width, or plain."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.text import Text

from chatctl.client.display.codes import abilities
from chatctl.client.display.entry import Entry
from chatctl.client.display.look import Look, Theme, Timestamp
from chatctl.client.display.render import Manner, View, day_of, entry, separator
from chatctl.client.display.shown import Numbered, ToldTo
from chatctl.client.display.themes import palette
from chatctl.messages import Frame, Msg, Told

Paint = Callable[[Frame, View], str]

USUAL_WIDTH = 80  # columns, where a terminal does not tell


class Days:
    """When the day changes between what is shown, where the times alone do not tell it."""

    def __init__(self) -> None:
        self._last = day_of(int(time.time() * 1000))

    def turned(self, event: Frame, manner: Manner) -> Entry | None:
        """Returns the line that stands before `event`, if it is of another day than what was shown last."""
        event = event.msg if isinstance(event, Numbered) else event
        if manner.timestamp == Timestamp.datetime or not isinstance(event, Msg | Told | ToldTo):
            return None
        day = day_of(event.at)
        if not day or day == self._last:
            return None
        self._last = day
        return separator(day, manner)


class PlainPainter:
    """Paints plain lines.

    Args:
        manner: returns how things are shown right now.
    """

    def __init__(self, manner: Callable[[], Manner]) -> None:
        self._manner = manner
        self._days = Days()

    def __call__(self, event: Frame, view: View) -> str:
        """Returns an event as plain lines; nothing if there is nothing to see."""
        manner = self._manner()
        shown = entry(event, view, manner)
        if shown is None:
            return ""
        day = self._days.turned(event, manner)
        lines = [*(day.plain() if day else ()), *shown.plain()]
        return "".join(f"{line}\n" for line in lines)


class TerminalPainter:
    """Paints for a terminal: in its colours, or without where ``NO_COLOR`` says so, and in its width.

    Args:
        columns: returns the width of the window right now.
        manner: returns how things are shown right now.
    """

    def __init__(self, columns: Callable[[], int], manner: Callable[[], Manner]) -> None:
        self._columns = columns
        self._manner = manner
        self._days = Days()
        # It knows what the terminal can do; drawing by it takes four times as long as drawing here.
        self._console = Console(file=io.StringIO(), force_terminal=True)
        self._colours = _SYSTEMS.get(self._console.color_system or "")

    def __call__(self, event: Frame, view: View) -> str:
        """Returns an event as lines with escape sequences, made here and nowhere else."""
        manner = self._manner()
        shown = entry(event, view, manner)
        if shown is None:
            return ""
        day = self._days.turned(event, manner)
        width = self._columns() or USUAL_WIDTH
        lines = [line for part in (day, shown) if part for line in part.lines(width)]
        return "".join(f"{self._draw(line)}\n" for line in lines)

    def _draw(self, line: Text) -> str:
        return "".join(self._pieces(line))

    def _pieces(self, line: Text) -> Iterator[str]:
        for segment in line.render(self._console, end=""):
            style = segment.style
            yield style.render(segment.text, color_system=self._colours) if style else segment.text


_SYSTEMS = {
    "standard": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "truecolor": ColorSystem.TRUECOLOR,
    "windows": ColorSystem.WINDOWS,
}


def settle(look: Look, *, terminal: bool) -> Look:
    """Returns a look with what was left open decided by where it is for."""
    if look.timestamp is None:
        look = replace(look, timestamp=Timestamp.time if terminal else Timestamp.datetime)
    if look.theme == Theme.auto and os.environ.get("NO_COLOR"):
        look = replace(look, theme=Theme.mono)
    return look


def is_terminal(stream: TextIO | None) -> bool:
    """Returns whether a standard stream, which may be closed, is a terminal."""
    return stream is not None and stream.isatty()


def choose_paint(look: Callable[[], Look] = Look, *, plain: bool = False) -> Paint:
    """Returns what paints for standard output, as it is.

    Args:
        look: returns how things look now.
        plain: in plain lines, on a terminal too.
    """
    speak_any_encoding()
    terminal = is_terminal(sys.stdout)
    if not terminal or plain:
        return PlainPainter(lambda: plain_manner(settle(look(), terminal=terminal)))
    links = abilities(os.environ.get("TERM", ""), os.environ).links
    return TerminalPainter(
        lambda: os.get_terminal_size(sys.stdout.fileno()).columns,
        lambda: rich_manner(settle(look(), terminal=True), links=links),
    )


def plain_manner(look: Look) -> Manner:
    """Returns how things are shown in plain lines."""
    return Manner(palette(Theme.mono), look.timestamp or Timestamp.datetime)


def rich_manner(look: Look, *, links: bool) -> Manner:
    """Returns how things are shown on a terminal that understands `links`, or does not."""
    return Manner(palette(look.theme), look.timestamp or Timestamp.time, marked=True, links=links)


def speak_any_encoding() -> None:
    """Has standard output take everything: a terminal that knows no arrows gets question marks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
