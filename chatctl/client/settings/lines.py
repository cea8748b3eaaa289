"""Finds the line on which something is said in a file of TOML, whose parser does not tell."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")


def line_of(text: str, keys: Sequence[str]) -> int:
    """Returns the line of the statement that is the first to say something of `keys`.

    Args:
        text: a whole file that can be parsed.
        keys: the name of a table or of a value, from the top on; there must be one.
    """
    table: list[str] = []
    for line, statement in _statements(text):
        said = tomllib.loads(statement)
        if statement.lstrip(" \t").startswith("["):
            table = _path(said)
            said = {}
        if _says(table, said, keys):
            return line
    raise ValueError(f"nothing is said of {'.'.join(keys)}")


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yields each statement with its line: it is whole as soon as it can be parsed."""
    statement, start = "", 1
    for number, line in enumerate(text.split("\n"), 1):
        statement += f"{line}\n"
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # A text or a list goes on on the next line.
        yield start, statement
        statement, start = "", number + 1


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
