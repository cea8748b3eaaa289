"""Comes in by the name one has or, where somebody has it already, by one like it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping

from chatctl.client.access import Access
from chatctl.client.connection import CONNECT_SECONDS, ChatClient
from chatctl.errors import ConnectionFailed
from chatctl.names import MAX_NAME

SHORTEST = 0.001  # seconds for a try, however late it is


def come_in(
    access: Access,
    rooms: Mapping[str, int | None],
    *,
    backlog: int = 0,
    timeout: float = CONNECT_SECONDS,
    reconnect: bool = True,
    insist: bool | None = None,
    listen: bool = True,
) -> ChatClient:
    """Connects, and comes in.

    Args:
        access: where to, and as whom.
        rooms: to enter, as `ChatClient.connect` takes them.
        backlog: earlier messages of each room joined afresh, at most 500.
        timeout: seconds until the welcome must be there.
        reconnect: comes back whenever the line is lost.
        insist: by no other name; if left out, as `access` says.
        listen: keeps what comes, as `ChatClient.connect` has it.

    Raises:
        ConnectionFailed: in one line why it did not work.
    """
    deadline = time.monotonic() + timeout
    insist = access.named if insist is None else insist
    names = iter([access.name]) if insist else names_like(access.name)
    taken: ConnectionFailed | None = None
    for name in names:
        try:
            return ChatClient.connect(
                access.host,
                access.port,
                name,
                rooms,
                backlog=backlog,
                timeout=max(deadline - time.monotonic(), SHORTEST),
                key=access.key,
                reconnect=reconnect,
                listen=listen,
            )
        except ConnectionFailed as failure:
            if failure.code != "name-taken":
                raise
            # Most likely it is the same person, who is there already.
            taken = failure
    assert taken is not None, "there is a name"
    raise taken


def names_like(name: str) -> Iterator[str]:
    """Yields `name`, ``name-2`` up to ``name-9``, and one that nobody has."""
    yield name
    for ending in [*map(str, range(2, 10)), secrets.token_hex(4)]:
        yield f"{name[: MAX_NAME - 1 - len(ending)]}-{ending}"
