"""Finds the line on which something is said in a file of TOML, whose parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def line_of(text: str, keys: Sequence[str]) -> int:
    """Returns the line of the statement that is the first to say something of `keys`.

    Args:
        text: a whole file that can be parsed.
        keys: the name of a table or of a value, from the top on; there must be one.
    """
    for statement in _statements(text):
        if _says(statement.table, statement.said, keys):
            return statement.line
    raise ValueError(f"nothing is said of {'.'.join(keys)}")


def end_of(text: str, table: Sequence[str]) -> int | None:
    """Returns the last line on which something is said in a table; None if it has no heading.

    Args:
        text: a whole file that can be parsed.
        table: its name, from the top on; the top itself, which needs no heading, has none.
    """
    ends = [statement.end for statement in _statements(text) if statement.table == list(table)]
    return max(ends, default=None if table else 0)


class _Statement(NamedTuple):
    """What is said on some lines: a value in a table, or the heading of one, which says nothing else."""

    line: int
    end: int
    table: list[str]
    said: dict[str, Any]


def _statements(text: str) -> Iterator[_Statement]:
    """Yields all statements: one is whole as soon as it can be parsed."""
    table: list[str] = []
    lines, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        lines += f"{line}\n"
        try:
            said = tomllib.loads(lines)
        except tomllib.TOMLDecodeError:
            continue  # A text or a list goes on on the next line.
        if lines.lstrip(" \t").startswith("["):
            table, said = _path(said), {}
            yield _Statement(start, number, table, said)
        elif said:
            yield _Statement(start, number, table, said)
        lines, start = "", number + 1


def _path(said: dict[str, Any]) -> list[str]:
    """Returns what a line like ``[profile.work]`` names, which holds nothing."""
    keys = []
    while said:
        key, inner = next(iter(said.items()))
        keys.append(key)
        said = inner[0] if isinstance(inner, list) else inner
    return keys


def _says(table: Sequence[str], said: dict[str, Any], keys: Sequence[str]) -> bool:
    if len(keys) <= len(table):
        return list(keys) == list(table[: len(keys)])
    if list(keys[: len(table)]) != list(table):
        return False
    inner: object = said
    for key in keys[len(table) :]:
        if not isinstance(inner, dict) or key not in inner:
            return False
        inner = inner[key]
    return True


def place_of(error: ValueError, text: str) -> tuple[int, str]:
    """Returns the line of a syntax error, and what is wrong there, from what the parser says."""
    said = str(error)
    found = _AT.search(said)
    if found is None or found[1] is None:
        return text.rstrip("\n").count("\n") + 1, _AT.sub("", said)
    return int(found[1]), _AT.sub("", said)
