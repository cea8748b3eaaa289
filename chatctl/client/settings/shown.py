"""Shows what is set, and by whom."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from chatctl.client.directories import shown
from chatctl.client.settings.known import SETTINGS, Value, parse, told, variable
from chatctl.client.settings.reading import PROFILE, Settings
from chatctl.text import one_line

if TYPE_CHECKING:
    from rich.table import Table

MASK = "********"


class Row(NamedTuple):
    """A setting, its value, if there is any, and where that comes from."""

    name: str
    value: Value | None
    source: str


def rows(settings: Settings | None) -> list[Row]:
    """Returns all settings; no key is told."""
    return [_row(name, settings) for name in SETTINGS]


def _row(name: str, settings: Settings | None) -> Row:
    value, source = _value(name, settings)
    return Row(name, _masked(name, value), source)


def _masked(name: str, value: Value | None) -> Value | None:
    if name == "key" and value:
        return MASK
    link, mark, _ = str(value).partition("#")
    return f"{link}#{MASK}" if name == "server" and mark else value


def _value(name: str, settings: Settings | None) -> tuple[Value | None, str]:
    if text := os.environ.get(variable(name)):
        return _of_variable(name, text), variable(name)
    if settings is not None and (found := settings.found.get(name)):
        place = f"{shown(settings.path)}:{settings.line(found.keys)}"
        return found.value, f"{PROFILE} {settings.profile}, {place}" if len(found.keys) > 1 else place
    default = SETTINGS[name].default
    return default, "not set" if default is None else "default"


def _of_variable(name: str, text: str) -> Value:
    """Returns what a variable means, or what it says: of nonsense, the commands that use it complain."""
    try:
        value = parse(name, text)
    except ValueError:
        return text
    return not value if SETTINGS[name].negated else value


def as_table(rows: list[Row]) -> Table:
    """Returns them for a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table("setting", "value", "from", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        value = "" if row.value is None else row.value if isinstance(row.value, str) else told(row.value)
        table.add_row(row.name, Text(one_line(value)), Text(one_line(row.source)))
    return table


def as_toml(rows: list[Row]) -> str:
    """Returns them as a file of settings."""
    return "".join(f"{_line(row)}\n" for row in rows)


def _line(row: Row) -> str:
    if row.value is None:
        return f"# {row.name} is {row.source}"
    return f"{row.name} = {told(row.value)}  # {one_line(row.source)}"
