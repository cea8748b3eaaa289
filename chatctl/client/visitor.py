"""Comes in without entering a room: for commands that ask something, and leave."""

from __future__ import annotations

import secrets

from chatctl.client.access import Access
from chatctl.client.connection import CONNECT_SECONDS, ChatClient
from chatctl.errors import ConnectionFailed
from chatctl.names import MAX_NAME


def visit(access: Access, *, timeout: float = CONNECT_SECONDS) -> ChatClient:
    """Connects, under the name or, where that is taken, with something behind it.

    Args:
        access: where to, and as whom.
        timeout: seconds until the welcome must be there.

    Raises:
        ConnectionFailed: in one line why it did not work.
    """
    try:
        return _connect(access, access.name, timeout)
    except ConnectionFailed as failure:
        if failure.code != "name-taken":
            raise
        # Most likely it is the same person, who is there already.
        return _connect(access, f"{access.name[: MAX_NAME - 9]}-{secrets.token_hex(4)}", timeout)


def _connect(access: Access, name: str, timeout: float) -> ChatClient:
    return ChatClient.connect(access.host, access.port, name, {}, timeout=timeout, reconnect=False)
