"""Comes in for the one who sits at the terminal, who is asked for what is missing to be let in."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

from chatctl.client.access import Access
from chatctl.client.coming_in import NO_ENTRY, come_in
from chatctl.client.complaint import complain
from chatctl.client.connection import ChatClient
from chatctl.client.display.screen import is_terminal
from chatctl.errors import ConnectionFailed
from chatctl.secret import ask

TRIES = 3


def enter(to: Access, room: str, *, backlog: int, reconnect: bool) -> ChatClient:
    """Comes in, under the name that was given and no other.

    Args:
        to: where the server is, and as whom to come in.
        room: the room to enter.
        backlog: earlier messages to show, at most 500.
        reconnect: comes back when the line is lost.

    Raises:
        ConnectionFailed: in one line why it did not work.
    """
    tries = TRIES if to.password is None and is_terminal(sys.stdin) and is_terminal(sys.stderr) else 0
    while True:
        try:
            return come_in(to, {room: None}, backlog=backlog, reconnect=reconnect, insist=True)
        except ConnectionFailed as failure:
            if not tries or failure.code not in NO_ENTRY:
                raise
            to = _asked(to, failure)
            tries -= 1


def _asked(to: Access, failure: ConnectionFailed) -> Access:
    """Returns `to` with the key or password that is missing.

    Raises:
        ConnectionFailed: there was no answer.
    """
    complain(str(failure))
    if (failure.wants or _meant(str(failure))) == "key":
        return replace(to, key=_answered(f"key for {to.server}", failure.code))
    return replace(to, password=_answered(f"password of {to.name}", failure.code))


def _answered(what: str, code: str) -> str:
    if answer := ask(what):
        return answer
    raise ConnectionFailed("nothing was typed", code=code, refused=True)


def _meant(text: str) -> str:
    """Returns what a server wants that says it in words alone; what it is called does not count."""
    said = text.partition(" says: ")[2] or text
    return "key" if re.search(r"\bkey\b", said) else "password"
