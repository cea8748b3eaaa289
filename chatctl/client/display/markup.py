"""What a text looks like on a terminal: its emphasis, code, addresses, and the name of the one who reads it.

It is conservative: marks vanish only where it is plain that they are meant, anything else stays as it was
written. Emphasis and code do not reach over the end of a line.

The text comes from others, cleaned by `chatctl.text.visible`; nothing is put into the result but parts of it,
and the bar in front of fenced code. The time it takes grows with the length of the text, whatever is in it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from rich.style import Style
from rich.text import Span, Text

from chatctl.client.display.literals import Literal, LiteralKind, gaps, literals
from chatctl.client.display.themes import Palette
from chatctl.names import MAX_DECOMPOSED, MAX_NAME, fold

BAR = "│ "  # in front of each line of fenced code
# In a text; what follows is left as it was written. To draw more of it would take long.
MAX_EMPHASIS = 250
MAX_NAMED = 250

_STARS = re.compile(r"(?<!\*)\*{1,3}+(?!\*)")
_EMPHASIS = {1: Style(italic=True), 2: Style(bold=True), 3: Style(bold=True, italic=True)}
# Punctuation that may touch emphasis, outside and inside of it. What programs and patterns are written
# with is in none of these.
_BEFORE = "([{\"'"
_AFTER = ".,;:!?)]}\"'"
_NOT_FIRST = ".,;!?)]}"
_LAST = ".,;:!?)]}\"'%"
# An address needs no escapes, so that what is shown is what is opened, and a terminal cannot misread it.
_LINKABLE = re.compile(r"[\w\-.~:/?#\[\]@!$&'()*+,;=%]+", re.ASCII)
# Names, and what joins two of them to something else: bob-cat, foo.bob.org, bob@example.org.
_WORD = re.compile(r"[^\x00-,/:-?\[-^`{-\x7f]++")
_JOINTS = ".-@"


class _Role(Enum):
    """What a part of a text that is not literal is for."""

    opens = 1  # emphasis
    closes = 2
    names = 3


class _Mark(NamedTuple):
    """Stars that are understood, or a name."""

    start: int
    end: int
    role: _Role


def markup(text: str, palette: Palette, *, name: str = "", links: bool = True) -> Text:
    """Returns what `text` looks like.

    Fenced code of several lines that has nothing before it begins on a line of its own.

    Args:
        text: cleaned.
        palette: the colours.
        name: of the one who reads it; where they are named is highlighted.
        links: addresses can be opened, where the terminal knows how.
    """
    parts = literals(text)
    named = _named(text, parts, _wanted(name))
    marks: list[_Mark | Literal] = [*parts, *_stars(text, parts)]
    marks += [_Mark(start, end, _Role.names) for start, end in islice(named, MAX_NAMED)]
    page = _Page(palette, links=links)
    done = 0
    for part in sorted(marks, key=attrgetter("start")):
        page.append(text[done : part.start])
        if isinstance(part, Literal):
            page.append_literal(text, part)
        else:
            page.append_mark(text, part)
        done = part.end
    page.append(text[done:])
    return page.finish()


def mentions(text: str, name: str) -> bool:
    """Returns whether `text` names the one who is called `name`, so that `markup` highlights it.

    The name counts as a whole word, in any spelling: ``@bob``, ``bob:``, ``bob's``; not ``bobby``,
    ``bob-cat`` or ``bob@example.org``, and not within code or addresses.
    """
    wanted = _wanted(name)
    return any(True for _ in _named(text, literals(text), wanted))


class _Page:
    """The result, as far as it is written.

    Args:
        palette: the colours.
        links: addresses can be opened.
    """

    def __init__(self, palette: Palette, *, links: bool) -> None:
        self._palette = palette
        self._links = links
        self._parts: list[str] = []
        self._spans: list[Span] = []
        self._length = 0
        self._open: list[int] = []  # where emphasis begins that has not ended

    def append(self, text: str, style: Style | None = None) -> None:
        """Appends a piece of text."""
        end = self._length + len(text)
        if style is not None:
            self._spans.append(Span(self._length, end, style))
        self._parts.append(text)
        self._length = end

    def append_mark(self, text: str, mark: _Mark) -> None:
        """Begins or ends emphasis, or appends a name."""
        match mark.role:
            case _Role.opens:
                self._open.append(self._length)
            case _Role.closes:
                self._spans.append(Span(self._open.pop(), self._length, _EMPHASIS[mark.end - mark.start]))
            case _Role.names:
                self.append(text[mark.start : mark.end], self._palette.mention)

    def append_literal(self, text: str, part: Literal) -> None:
        """Appends a part that is taken as it stands."""
        inner = text[part.inner_start : part.inner_end]
        match part.kind:
            case LiteralKind.fence:
                self._append_fence(inner)
            case LiteralKind.code:
                self.append(inner, self._palette.code)
            case LiteralKind.address:
                can_open = self._links and _LINKABLE.fullmatch(inner)
                self.append(inner, self._palette.link.update_link(inner) if can_open else None)

    def _append_fence(self, code: str) -> None:
        if not self._length and "\n" in code:
            self.append("\n")
        self.append(BAR + code.replace("\n", f"\n{BAR}"), self._palette.code_block)

    def finish(self) -> Text:
        """Returns all that was written."""
        return Text("".join(self._parts), spans=self._spans)


# Emphasis


def _stars(text: str, parts: list[Literal]) -> list[_Mark]:
    """Returns the stars that are understood, pair by pair, and properly nested."""
    opened: dict[int, tuple[int, int]] = {}
    found: list[_Mark] = []
    ends = {part.end for part in parts}
    for start, end in _star_runs(text, parts):
        length = end - start
        opens, closes = _roles(text[start - 1 : start], text[end : end + 1], start in ends)
        if opens and (not closes or length not in opened):
            opened[length] = start, end
            continue
        opening = opened.pop(length, None)  # What has other such stars in its midst is no emphasis.
        if closes and opening and text.find("\n", opening[1], start) < 0:
            found += _Mark(*opening, _Role.opens), _Mark(start, end, _Role.closes)
            opened = {n: other for n, other in opened.items() if other < opening}
            if len(found) >= 2 * MAX_EMPHASIS:
                break
    return found


def _star_runs(text: str, parts: list[Literal]) -> Iterator[tuple[int, int]]:
    if "*" in text:
        for start, end in gaps(parts, len(text)):
            for run in _STARS.finditer(text, start, end):
                yield run.span()


@lru_cache(maxsize=1024)
def _roles(before: str, after: str, follows_literal: bool) -> tuple[bool, bool]:
    """Returns whether stars between two characters, or nothing, may begin emphasis, and whether end it.

    They may do both only between letters.
    """
    opens = _is_outside(before, _BEFORE) and bool(after.strip()) and after not in _NOT_FIRST
    closes = _is_outside(after, _AFTER) and (follows_literal or _is_last(before))
    if opens and closes and not (before.isalnum() and after.isalnum()):
        return False, False
    return opens, closes


def _is_outside(character: str, punctuation: str) -> bool:
    """Returns whether emphasis may touch this character, or nothing, outside."""
    if not character or character.isspace():
        return True
    if character.isascii():
        return character in punctuation
    # Letters without case may: where they are written, words often have no spaces between them.
    return not _is_of_names(character) or unicodedata.category(character) == "Lo"


def _is_last(character: str) -> bool:
    """Returns whether emphasis may end with this character."""
    if not character or character.isspace():
        return False
    return not character.isascii() or character.isalnum() or character in _LAST


# Mentions


def _wanted(name: str) -> str:
    """Returns what is looked for where somebody is called `name`."""
    return fold(name.strip(_JOINTS))


def _named(text: str, parts: list[Literal], wanted: str) -> Iterator[tuple[int, int]]:
    """Yields where `text` has the name that is `wanted`, outside of literals."""
    if not wanted or (text.isascii() and wanted not in text.lower()):
        return
    words = _only_names(text)
    for start, end in gaps(parts, len(text)):
        for found in _WORD.finditer(words, start, end):
            word = found[0].strip(_JOINTS)
            # Much longer ones are no names, and could take long to fold.
            if 0 < len(word) <= MAX_NAME * MAX_DECOMPOSED and fold(word) == wanted:
                place = found.start() + found[0].index(word)
                yield place, place + len(word)


def _only_names(text: str) -> str:
    """Returns `text` with spaces in place of all beyond ASCII that no name has."""
    if text.isascii():
        return text
    return "".join(c if c.isascii() or _is_of_names(c) else " " for c in text)


def _is_of_names(character: str) -> bool:
    """Returns whether it is a letter, a mark or a number."""
    return unicodedata.category(character)[0] in "LMN"
