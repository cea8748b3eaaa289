"""The slash commands of the page of the browser: how each is read, and the frame that it makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from chatctl.access.roles import MEASURES, RANKS, is_at_least
from chatctl.commands import COMMANDS, LOCKS, MODES, Argument, Command
from chatctl.deeds import OF_A_ROOM
from chatctl.messages import Measure

# What is about a terminal, or what a page has other ways for, like buttons and lists.
ELSEWHERE = frozenset({"history", "export", "clear", "timestamp", "bell", "notify", "theme", "focus"})
_CHOICES = MODES | LOCKS
_HERE: dict[str, Any] = {"room": None}
_ASKED: dict[str, Any] = {"password": None}
# Of a text that begins with a slash; it is none of the commands, and completed and listed as they are.
ESCAPED = {"name": "/", "usage": "//TEXT", "help": "say TEXT with one slash in front", "roles": RANKS}


class Made(Struct, frozen=True):
    """The frame that a command makes.

    Attributes:
        frame: what it always has. The page puts the room one is in where ``room`` is null, and has the
            ``password`` typed that is null.
        keys: where its arguments go, in order; empty: what there is to it depends on its choices.
    """

    frame: dict[str, Any]
    keys: tuple[str, ...] = ()


def _measure(what: Measure) -> Made:
    keys = ("whom", "seconds", "reason") if what in ("ban", "mute") else ("whom", "reason")
    frame: dict[str, Any] = {"t": "moderate", "what": what}
    return Made(frame | _HERE if what in OF_A_ROOM else frame, keys)


# Those that are more than a frame are not in it: the page knows what they do.
_MADE: dict[str, Made] = {
    "nick": Made({"t": "rename"}, ("name",)),
    "whois": Made({"t": "whois"}, ("name",)),
    "away": Made({"t": "away", "text": "away"}, ("text",)),
    "back": Made({"t": "away"}),
    "rooms": Made({"t": "list"}),
    "register": Made({"t": "register", **_ASKED}),
    "login": Made({"t": "login", **_ASKED}, ("name",)),
    "invite": Made({"t": "invite", **_HERE}, ("seconds",)),
    "banned": Made({"t": "banned"}),
    "redact": Made({"t": "redact", **_HERE}, ("id", "reason")),
    "topic-lock": Made({"t": "mode", **_HERE}, ("choice",)),
    "mode": Made({"t": "mode", **_HERE}, ("choice",)),
    **{what: _measure(what) for what in MEASURES},
}


def commands() -> list[dict[str, Any]]:
    """Returns the commands, as ``/tables.js`` has them."""
    return [_row(command) for command in COMMANDS if command.name not in ELSEWHERE]


def _row(command: Command) -> dict[str, Any]:
    made = _MADE.get(command.name)
    keys = made.keys if made else [argument.label.lower() for argument in command.arguments]
    row: dict[str, Any] = {
        "name": command.name,
        "usage": command.usage,
        "help": command.help,
        "roles": [role for role in RANKS if is_at_least(role, command.role)],
        "pattern": _pattern(command, keys),
        "completes": [*map(_completes, command.arguments)],
    }
    if not command.arguments or not command.arguments[-1].rest:
        row["completes"].append("")  # the last one is for all that follows
    if choices := {choice: _CHOICES[choice] for each in command.arguments for choice in each.choices}:
        row["choices"] = choices
    return row | ({"frame": made.frame} if made else {})


def _completes(argument: Argument) -> str:
    """Returns what an argument's beginning can be completed to."""
    return "choices" if argument.choices else argument.completes or ("text" if argument.rest else "")


def _pattern(command: Command, keys: Iterable[str]) -> str:
    """Returns a regular expression of JavaScript for what stands behind a command, trimmed."""
    # Too much is not minded, as in the terminal.
    end = "" if not command.arguments or command.is_secret else "$"
    groups = map(_group, command.arguments, keys)
    return f"^{''.join(groups)}{end}"


def _group(argument: Argument, key: str) -> str:
    if argument.time:  # What begins with a digit is meant as a time, and never the reason.
        return rf"(?:(?<{key}>(?!0+\D)\d{{1,9}}[smhdw])(?:\s+|$)|(?!\d))"
    inside = "|".join(argument.choices) or ("[^]+" if argument.rest else r"\S+")
    return rf"(?:(?<{key}>{inside})(?:\s+|$)){'?' if argument.optional else ''}"
