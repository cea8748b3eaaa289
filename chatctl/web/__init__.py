"""The page of the chat in a browser: what a server has to send for it. Knows no sockets.

The page speaks the protocol of PROTOCOL.md, one frame in each text message of a WebSocket at ``/ws``, without
the line end.
"""

from __future__ import annotations

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
# What is about a terminal, or what a page has other ways for: it scrolls back, saves and notifies.
ELSEWHERE = frozenset({"history", "export", "clear", "timestamp", "bell", "notify"})
THEMES = ("auto", "light", "dark")


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """Returns what there is to be had, by path: its content type, and its bytes."""
    found = {"/commands.json": (TYPES["json"], encode(commands()))}
    for file in resources(__name__).iterdir():
        suffix = file.name.rpartition(".")[2]
        if suffix in TYPES:
            path = "/" if file.name == "index.html" else f"/{file.name}"
            found[path] = TYPES[suffix], file.read_bytes()
    return found


def commands() -> list[dict[str, Any]]:
    """Returns the slash commands that make sense in a browser, as ``/commands.json`` has them."""
    return [_command(command) for command in COMMANDS if command.name not in ELSEWHERE]


def _command(command: Command) -> dict[str, Any]:
    arguments = [_argument(argument) for argument in command.arguments]
    row = {"name": command.name, "usage": command.usage, "help": command.help, "arguments": arguments}
    if command.name == "theme":
        row["help"] = f"the colours: {', '.join(THEMES)}"
        arguments[0]["choices"] = THEMES
    return row


def _argument(argument: Argument) -> dict[str, Any]:
    """Returns what an argument is, without what it is not."""
    kinds = ("label", "needs", "optional", "rest", "completes", "choices")
    return {kind: value for kind in kinds if (value := getattr(argument, kind))}
