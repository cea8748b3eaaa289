"""What a typed command asks the server for. No I/O.

Some commands are about a screen, or about what a client remembers: there is neither where lines are typed
to the server itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chatctl import commands
from chatctl.commands import Action, UsageError
from chatctl.measures import measure_of
from chatctl.messages import (
    MAX_PAGE,
    AskHistory,
    ClientFrame,
    Leave,
    ListRooms,
    Redact,
    Rename,
    Say,
    Search,
    SetAway,
    SetTopic,
    Tell,
    Who,
    Whois,
)
from chatctl.names import check_room
from chatctl.text import parse_duration

LAST = 20  # messages that /history shows unless it is told otherwise
_SCREEN = "there is no such thing in plain text"
_MEMORY = "plain text remembers nobody"
# What cannot be done here, and what is said of it.
MISSING = {
    "reply": "use /msg NAME TEXT in plain text",
    "ignore": _MEMORY,
    "unignore": _MEMORY,
    "focus": "use /join ROOM in plain text",
    "export": "use /history in plain text",
    "timestamp": _SCREEN,
    "bell": _SCREEN,
    "notify": _SCREEN,
    "theme": _SCREEN,
    "clear": _SCREEN,
}


def request_of(action: Action, room: str, clock: Callable[[], float] = time.time) -> ClientFrame:
    """Returns the frame that `action` asks for in `room`.

    Args:
        action: neither one that changes the room one talks in, nor one that asks for a password.
        room: the one that is talked in.
        clock: returns seconds since the Unix epoch.

    Raises:
        Refused: it names a room that cannot be one.
        UsageError: it cannot be done here, or not in that way.
    """
    match action:
        case commands.Say(text):
            return Say(text, room)
        case commands.Me(text):
            return Say(text, room, kind="action")
        case commands.Msg(name, text):
            return Tell(name, text)
        case commands.Nick(name):
            return Rename(name)
        case commands.Topic(text):
            return SetTopic(room, text)
        case commands.Quit():
            return Leave()
    if asked := _question(action, room, clock) or measure_of(action, lambda: room):
        return asked
    raise UsageError(_why_missing(action))


def _question(action: Action, room: str, clock: Callable[[], float]) -> ClientFrame | None:
    """Returns what is about people, rooms and messages."""
    match action:
        case commands.Who(where):
            return Who(check_room(where) if where else room)
        case commands.Whois(name):
            return Whois(name)
        case commands.Away(text):
            return SetAway(text)
        case commands.Back():
            return SetAway()
        case commands.Rooms():
            return ListRooms()
        case commands.History(since):
            return _history(room, since, clock)
        case commands.Search(text):
            return Search(text)
        case commands.Redact(what, reason):
            return Redact(room, _number(what), reason)
    return None


def _history(room: str, since: str, clock: Callable[[], float]) -> AskHistory:
    if not since:
        return AskHistory(room, limit=LAST)
    if since.isascii() and since.isdigit() and len(since) <= 9:
        return AskHistory(room, limit=min(max(int(since), 1), MAX_PAGE))
    try:
        seconds = parse_duration(since)
    except ValueError:
        raise UsageError("/history: a number of messages, or a time like 30m, 12h or 90d") from None
    return AskHistory(room, since=max(0, int((clock() - seconds) * 1000)), limit=MAX_PAGE)


def _number(what: str) -> int:
    digits = what.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise UsageError("/redact: the number of a message, which /history shows")
    return int(digits)


def _why_missing(action: Action) -> str:
    name = action.what if isinstance(action, commands.Choose) else type(action).__name__.lower()
    return f"/{name}: {MISSING[name]}"
