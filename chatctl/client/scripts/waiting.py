"""Waits until somebody says what a script waits for: ``wait``."""

from __future__ import annotations

import re
from contextlib import suppress

from chatctl.client.access import Access
from chatctl.client.coming_in import come_in
from chatctl.client.scripts.following import Follower, Message, Start
from chatctl.client.scripts.output import Output
from chatctl.client.signals import within
from chatctl.errors import ConnectionFailed, NotInTime
from chatctl.messages import MAX_BACKLOG, Gap, Redacted
from chatctl.names import fold


def wait(
    access: Access,
    room: str,
    start: Start,
    pattern: re.Pattern[str],
    sender: str | None,
    timeout: float,
    *,
    as_json: bool,
) -> int:
    """Prints the first message, in a room or private, that matches.

    Args:
        access: where to, and as whom.
        room: as `names.check_room` returns it.
        start: where to begin.
        pattern: to be found in the text.
        sender: who must have said it, as `names.check_name` returns it; None for anyone.
        timeout: seconds, connecting included.
        as_json: prints the frame.

    Returns:
        The exit code.

    Raises:
        NotInTime: none came in time.
        ChatError: the server cannot be used.
    """
    output = Output([room], as_json=as_json)
    author = None if sender is None else fold(sender)
    with (
        within(timeout, f"nothing matched within {timeout:g} s"),
        come_in(access, {}, backlog=MAX_BACKLOG) as client,
    ):
        follower = Follower(client, lambda _room, _place: None)
        follower.enter({room: start})
        for message in follower.messages():
            if _matches(message, pattern, author):
                with suppress(ConnectionFailed):
                    client.leave()
                break
        else:
            raise NotInTime("the connection was closed")
    # Only now, as it cannot be too late any more once it is printed.
    output.show([message])
    return 0


def _matches(message: Message, pattern: re.Pattern[str], author: str | None) -> bool:
    if isinstance(message, Gap | Redacted) or not message.text:
        return False
    if author is not None and fold(message.name) != author:
        return False
    return pattern.search(message.text) is not None
