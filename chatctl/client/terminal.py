"""Joins a chat for the one who sits at the terminal, or for whatever is at the ends of the pipes."""

from __future__ import annotations

import sys

from chatctl.client.connection import ChatClient
from chatctl.client.conversation import Conversation
from chatctl.names import check_room

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


def run(host: str, port: int, name: str, room: str, *, reconnect: bool = True) -> int:
    """Joins `room` as `name`, until one side leaves.

    Args:
        host: the server's name or address.
        port: its port.
        name: what to be called.
        room: the room to enter.
        reconnect: comes back when the line is lost; else that is the end.

    Returns:
        The exit code.

    Raises:
        ChatError: told in one line; ConnectionFailed, if there was no connection or the server went away.
    """
    room = check_room(room)
    try:
        with ChatClient.connect(host, port, name, {room: None}, reconnect=reconnect) as client:
            return _converse(Conversation(client, room))
    except KeyboardInterrupt:
        return INTERRUPTED


def _converse(conversation: Conversation) -> int:
    typed = sys.stdin is not None and sys.stdin.isatty()
    if typed and sys.stdout is not None and sys.stdout.isatty():
        from chatctl.client.interactive import Interactive

        return Interactive(conversation).run()
    from chatctl.client.pipe import Pipe

    return Pipe(conversation, typed=typed).run()
