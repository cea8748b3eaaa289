"""Comes in without entering a room: for commands that ask something, and leave."""

from __future__ import annotations

from chatctl.client.access import Access
from chatctl.client.coming_in import come_in
from chatctl.client.connection import CONNECT_SECONDS, ChatClient


def visit(access: Access, *, timeout: float = CONNECT_SECONDS, listen: bool = True) -> ChatClient:
    """Connects, under the name or, where that is taken, with something behind it.

    Args:
        access: where to, and as whom.
        timeout: seconds until the welcome must be there.
        listen: keeps what comes besides answers.

    Raises:
        ConnectionFailed: in one line why it did not work.
    """
    return come_in(access, {}, timeout=timeout, reconnect=False, insist=False, listen=listen)
