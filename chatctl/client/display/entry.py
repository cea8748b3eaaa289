"""One thing that is shown: lines that are wrapped so that none of them can pose as another entry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

NARROWEST = 8  # columns of text, however narrow the window
LEAST_TEXT = 24  # columns that the text keeps where it is wrapped below its own beginning
LEAST_INDENT = 2  # columns

_WORD = re.compile(r"\s*\S+\s*|\s+")
_SKINS = "\U0001f3fb-\U0001f3ff"  # which terminals show in the emoji before them, or behind it
_FLAGS = "\U0001f1e6-\U0001f1ff"  # letters, two of which are a flag
_CHARACTER = re.compile(f"[{_FLAGS}]{{2}}|.[\ufe0f{_SKINS}]?", re.DOTALL)
_WIDER = re.compile(f"[{_SKINS}{_FLAGS}]")


class Entry:
    """One thing to show.

    Args:
        gutter: what stands in front of the first line.
        head: who says it; plain lines repeat it.
        body: what is said, perhaps of several lines. On a terminal they all begin in the same column, below
            the end of the head, or of the gutter where the window is too narrow for that.
    """

    def __init__(self, gutter: Text, head: Text, body: Text) -> None:
        self._gutter = gutter
        self._head = head
        self._body = body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields its lines, wrapped here: what a terminal wraps begins at the left, where entries begin."""
        yield from self.lines(options.max_width)

    def lines(self, width: int) -> Iterator[Text]:
        """Yields its lines, each at most `width` columns wide."""
        indent = self._indent(width)
        lines = self._wrap(width, max(width - indent, 1))
        yield next(lines)
        for line in lines:
            yield Text(" " * indent, no_wrap=True, overflow="ignore", end="\n").append_text(line)

    def _indent(self, width: int) -> int:
        """Returns where the lines below the first one begin."""
        gutter = max(self._gutter.cell_len, LEAST_INDENT)
        below = self._gutter.cell_len + self._head.cell_len
        if below > gutter and width - below >= LEAST_TEXT:
            return below
        return gutter if width - gutter >= NARROWEST else LEAST_INDENT

    def _wrap(self, first: int, others: int) -> Iterator[Text]:
        """Yields its lines without what they are indented by, the first one at most `first` columns wide."""
        for paragraph in (self._gutter + self._head + self._body).split("\n", allow_blank=True):
            paragraph.expand_tabs()
            for line in paragraph.divide(breaks(paragraph.plain, first, others)):
                line.rstrip()
                line.no_wrap, line.overflow = True, "ignore"
                yield line
            first = others

    def plain(self) -> list[str]:
        """Returns its lines without colours, each with who says it."""
        start = f"{self._gutter.plain}{self._head.plain}"
        return [f"{start}{line}" for line in self._body.plain.split("\n")]


class Unwrapped(Entry):
    """One line that a terminal wraps by itself, so that it can be copied as one."""

    def lines(self, width: int) -> Iterator[Text]:
        """Yields it, however wide it is."""
        yield from super().lines(max(width, columns((self._gutter + self._head + self._body).plain)))


def styled(text: str, style: Style) -> Text:
    """Returns a text whose style ends where it ends, not with what is appended to it."""
    return Text().append(text, style)


def breaks(text: str, width: int, others: int) -> list[int]:
    """Returns where to break a line: before a word that fits into the next one whole, else within it.

    Rich would begin every word that is too long on a line of its own. Where no spaces are written, that is
    all that is said.

    Args:
        text: has no line feeds.
        width: of the first line, in columns.
        others: of the other lines.
    """
    if columns(text) <= width:
        return []
    found: list[int] = []
    used = 0
    for word in _WORD.finditer(text):
        size = columns(word[0].rstrip())
        if used and used + size > width and size <= others:
            found.append(word.start())
            used, width = 0, others
        for character in _CHARACTER.finditer(text, word.start(), word.end()):
            size = columns(character[0])
            if used and used + size > width and not character[0].isspace():
                found.append(character.start())
                used, width = 0, others
            used += size
    return found


def columns(text: str) -> int:
    """Returns how many columns a text takes: where terminals differ, as many as any of them gives it.

    With fewer, one could be made to wrap a line by itself, at the left.
    """
    return len(text) if text.isascii() else sum(map(_columns, text))


@lru_cache(maxsize=4096)
def _columns(character: str) -> int:
    if character == "\ufe0f":  # It makes an emoji of what may be narrow.
        return 1
    return 2 if _WIDER.match(character) else cell_len(character)
