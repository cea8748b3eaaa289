"""The page of the chat in a browser: what a server has to send for it. Knows no sockets.

The page speaks the protocol of PROTOCOL.md, one frame in each text message of a WebSocket at ``/ws``, without
the line end.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files as resources
from typing import Any

from msgspec.json import encode

from chatctl.commands import COMMANDS, Argument, Command

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
}
# To be sent with each of them.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# What is about a terminal, or what a page has other ways for, like buttons and lists.
ELSEWHERE = frozenset(
    {"history", "export", "clear", "timestamp", "bell", "notify", "theme", "focus", "who"}
    # What asks for a password, and what moderators do.
    | {"register", "login", "invite", "kick", "ban", "unban", "banned", "mute", "unmute", "op", "deop"}
    | {"allow", "disallow", "redact", "topic-lock", "mode"}
)

_NOTHING = re.compile(r"^\s*(?://.*|/\*.*?\*/)$|^\s+|(?<=[;{,]) // .*$", re.MULTILINE)
_LITERAL = re.compile(r'("(?:[^"\\]|\\.)*"|`[^`]*`)')  # of JavaScript


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """Returns what there is to be had, by path: its content type, and its bytes."""
    found = {"/commands.json": (TYPES["json"], encode(commands()))}
    for file in resources(__name__).iterdir():
        suffix = file.name.rpartition(".")[2]
        if suffix in TYPES:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            found[path] = TYPES[suffix], _squeezed(file.read_text("utf-8"), suffix).encode()
    return found


def _squeezed(text: str, suffix: str) -> str:
    """Returns what a browser needs of a file: comments and white space are for those who read it here."""
    text = _NOTHING.sub("", text)
    if suffix == "css":
        return re.sub(r"\s*([{};,>])\s*|(:) ", r"\1\2", text).replace(";}", "}")
    if suffix == "js":
        lines = "\n".join(map(_squeezed_line, text.split("\n")))
        return re.sub(r"(?<=[;{},(\[=>])\n|\n(?=[}\])?:.&|])", "", lines).replace(";}", "}")
    return text


def _squeezed_line(line: str) -> str:
    """Returns a line of JavaScript without the spaces that do nothing.

    Where it has a regular expression, a division, or a template within another, it stays as it is.
    """
    parts = _LITERAL.split(line)
    code = "".join(parts[::2])
    if re.search("[/'`]", code) or line.count("`") > 2:
        return line
    parts[::2] = [re.sub(r" ?([{}()\[\]=<>?:;,&|!]) ?", r"\1", part) for part in parts[::2]]
    return "".join(parts)


def commands() -> list[dict[str, Any]]:
    """Returns the slash commands that make sense in a browser, as ``/commands.json`` has them."""
    return [_command(command) for command in COMMANDS if command.name not in ELSEWHERE]


def _command(command: Command) -> dict[str, Any]:
    arguments = [_argument(argument) for argument in command.arguments]
    return {"name": command.name, "usage": command.usage, "help": command.help, "arguments": arguments}


def _argument(argument: Argument) -> dict[str, Any]:
    """Returns what an argument is, without what it is not."""
    kinds = ("label", "optional", "rest", "completes", "choices")
    return {kind: value for kind in kinds if (value := getattr(argument, kind))}
