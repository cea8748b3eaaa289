"""Joins a chat for the one who sits at the terminal, or for whatever is at the ends of the pipes."""

from __future__ import annotations

import sys

from chatctl.client.connection import ChatClient
from chatctl.client.conversation import Conversation
from chatctl.client.look import Look
from chatctl.messages import DEFAULT_BACKLOG
from chatctl.names import check_room

LOOK = Look()
INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


def run(
    host: str,
    port: int,
    name: str,
    room: str,
    *,
    reconnect: bool = True,
    key: str | None = None,
    backlog: int = DEFAULT_BACKLOG,
    plain: bool = False,
    look: Look = LOOK,
) -> int:
    """Joins `room` as `name`, until one side leaves.

    Args:
        host: the server's name or address.
        port: its port.
        name: what to be called.
        room: the room to enter.
        reconnect: comes back when the line is lost; else that is the end.
        key: what lets one in, where the server wants that.
        backlog: earlier messages to show, at most 500.
        plain: lines without colours and without a prompt, on a terminal too.
        look: how it looks and sounds there.

    Returns:
        The exit code.

    Raises:
        ChatError: told in one line; ConnectionFailed, if there was no connection or the server went away.
    """
    del look  # The terminal has one look so far.
    room = check_room(room)
    try:
        with ChatClient.connect(
            host, port, name, {room: None}, backlog=backlog, key=key, reconnect=reconnect
        ) as client:
            return _converse(Conversation(client, room), plain=plain)
    except KeyboardInterrupt:
        return INTERRUPTED


def _converse(conversation: Conversation, *, plain: bool) -> int:
    typed = sys.stdin is not None and sys.stdin.isatty()
    if typed and not plain and sys.stdout is not None and sys.stdout.isatty():
        from chatctl.client.interactive import Interactive

        return Interactive(conversation).run()
    from chatctl.client.pipe import Pipe

    return Pipe(conversation, typed=typed).run()
