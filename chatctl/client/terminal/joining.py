"""Joins a chat for the one who sits at the terminal, or for whatever is at the ends of the pipes."""

from __future__ import annotations

import os
import sys

from chatctl.client.access import Access
from chatctl.client.connection import ChatClient
from chatctl.client.directories import state_directory
from chatctl.client.display.look import Look
from chatctl.client.display.screen import is_terminal, settle
from chatctl.client.terminal.conversation import Conversation
from chatctl.client.terminal.entering import enter
from chatctl.client.terminal.remembered import Ignored, LastSeen
from chatctl.messages import DEFAULT_BACKLOG
from chatctl.names import check_room

INTERRUPTED = 130  # what a shell says of a program that Ctrl-C ended


def run(
    to: Access,
    room: str,
    *,
    look: Look | None = None,
    plain: bool = False,
    backlog: int = DEFAULT_BACKLOG,
    reconnect: bool = True,
) -> int:
    """Joins `room`, until one side leaves.

    Args:
        to: where the server is, and as whom to come in.
        room: the room to enter.
        look: how the chat looks and sounds.
        plain: plain lines, and no prompt, on a terminal too.
        backlog: earlier messages to show, at most 500.
        reconnect: comes back when the line is lost; else that is the end.

    Returns:
        The exit code.

    Raises:
        ChatError: told in one line; ConnectionFailed, if there was no connection or the server went away.
    """
    room = check_room(room)
    look = settle(look or Look(), terminal=is_terminal(sys.stdout))
    try:
        with enter(to, room, backlog=backlog, reconnect=reconnect) as client:
            return _converse(client, to, room, look, plain=plain)
    except KeyboardInterrupt:
        return INTERRUPTED


def _converse(client: ChatClient, to: Access, room: str, look: Look, *, plain: bool) -> int:
    typed = is_terminal(sys.stdin)
    # What a program reads is all that was said, and nobody has seen it.
    kept = state_directory() if typed else None
    last_seen = LastSeen(kept and kept / "seen.json", to.server)
    plain = plain or os.environ.get("TERM") == "dumb"  # which has no cursor that could be moved
    conversation = Conversation(client, room, Ignored(kept and kept / "ignored"), last_seen, look)
    if kept and is_terminal(sys.stdout) and not plain:
        from chatctl.client.terminal.interactive import Interactive
        from chatctl.client.terminal.typed import Typed

        return Interactive(conversation, Typed(kept / "typed")).run()
    from chatctl.client.terminal.pipe import Pipe

    return Pipe(conversation, typed=typed, plain=plain).run()
