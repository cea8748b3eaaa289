"""The parts of a text that are taken as they stand: fenced code, `code` within a line, addresses.

What looks like emphasis, a mention or an emoji in them is none. The text may be as hostile as it likes: each
character is looked at a few times, however the marks are set, and behind many literals there are no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from typing import NamedTuple

MAX_LITERALS = 250  # in a text

# A line that begins or ends fenced code; only one that begins it has a word, the language.
_FENCE = re.compile(
    r"^ {0,3}(?P<marks>`{3,}+|~{3,}+)(?:[ \t]*+(?P<language>[\w+#.-]++))?[ \t]*+$", re.MULTILINE
)
_TICKS_OR_LINE_END = re.compile(r"`++|\n")
_TICKS_OR_ADDRESS = re.compile(r"`++|(?<!\w)https?://(?:\w|\[[\da-f:]++\])[^\s<>\"`]*+", re.IGNORECASE)
_AFTER = ".,;:!?'*"  # belongs to the sentence, at the end of an address
_PAIRS = {")": "(", "]": "[", "}": "{"}


class LiteralKind(Enum):
    """What a literal is."""

    address = 1
    code = 2
    fence = 3


class Literal(NamedTuple):
    """A part of a text that is taken as it stands.

    Attributes:
        kind: what it is.
        start: where it begins, with its marks.
        end: where it ends, with its marks.
        inner_start: where that begins which is not marks; of fenced code its first line.
        inner_end: where that ends; of fenced code without its last line end.
    """

    kind: LiteralKind
    start: int
    end: int
    inner_start: int
    inner_end: int


def literals(text: str) -> list[Literal]:
    """Returns the literals of `text`, in order."""
    return list(islice(_literals(text), MAX_LITERALS))


def gaps(parts: Iterable[Literal], length: int) -> Iterator[tuple[int, int]]:
    """Yields where there is text that is not literal.

    Args:
        parts: the literals.
        length: of all.
    """
    done = 0
    for part in parts:
        yield done, part.start
        done = part.end
    yield done, length


def _literals(text: str) -> Iterator[Literal]:
    done = 0
    for fence in _fences(text):
        yield from _within_lines(text, done, fence.start)
        yield fence
        done = fence.end
    yield from _within_lines(text, done, len(text))


def _fences(text: str) -> Iterator[Literal]:
    """Yields fenced code: at least one line between two with the same marks."""
    if "```" not in text and "~~~" not in text:
        return
    lines = list(_FENCE.finditer(text))
    done = 0
    for opening, closing in zip(lines, _closing_lines(lines), strict=True):
        if closing is not None and opening.start() >= done and opening.end() + 1 < closing.start():
            yield Literal(
                LiteralKind.fence, opening.start(), closing.end(), opening.end() + 1, closing.start() - 1
            )
            done = closing.end()


def _closing_lines(lines: list[re.Match[str]]) -> list[re.Match[str] | None]:
    """Returns for each line the next one that would end what it begins."""
    ending: dict[str, re.Match[str]] = {}
    found: list[re.Match[str] | None] = []
    for line in reversed(lines):
        found.append(ending.get(line["marks"]))
        if line["language"] is None:
            ending[line["marks"]] = line
    return found[::-1]


def _within_lines(text: str, start: int, end: int) -> Iterator[Literal]:
    """Yields the code and the addresses of the lines between `start` and `end`."""
    closing = _closing_ticks(text, start, end) if text.find("`", start, end) >= 0 else {}
    done = start
    for found in _TICKS_OR_ADDRESS.finditer(text, start, end):
        if found.start() < done:
            continue
        if text[found.start()] == "`":
            literal = _code(text, found.start(), found.end(), closing.get(found.start()))
        else:
            literal = _address(text, found.start(), found.end())
        if literal is not None:
            yield literal
            done = literal.end


def _closing_ticks(text: str, start: int, end: int) -> dict[int, int]:
    """Returns where each run of backticks has the next one of its length on the same line."""
    ending: dict[int, int] = {}
    found: dict[int, int] = {}
    for run in reversed(list(_TICKS_OR_LINE_END.finditer(text, start, end))):
        if run[0] == "\n":
            ending.clear()
            continue
        length = run.end() - run.start()
        if length in ending:
            found[run.start()] = ending[length]
        ending[length] = run.start()
    return found


def _code(text: str, start: int, inner_start: int, inner_end: int | None) -> Literal | None:
    """Returns the code between two runs of backticks, if it is meant as such."""
    if inner_end is None:
        return None
    marks = inner_start - start
    end = inner_end + marks
    spaced = text[inner_start].isspace(), text[inner_end - 1].isspace()
    if marks > 1 and all(spaced):  # As in CommonMark: so that code can begin with a backtick.
        inner_start, inner_end = inner_start + 1, inner_end - 1
    elif any(spaced):
        return None
    return Literal(LiteralKind.code, start, end, inner_start, inner_end) if inner_start < inner_end else None


def _address(text: str, start: int, end: int) -> Literal:
    """Returns an address without what belongs to the sentence around it."""
    surplus = {mark: text.count(mark, start, end) - text.count(_PAIRS[mark], start, end) for mark in _PAIRS}
    while text[end - 1] in _AFTER or surplus.get(text[end - 1], 0) > 0:
        end -= 1
        if text[end] in surplus:
            surplus[text[end]] -= 1
    return Literal(LiteralKind.address, start, end, start, end)
