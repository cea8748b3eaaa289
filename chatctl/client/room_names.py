"""Asks a server for the names of its rooms, for whoever is about to type one."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress

from chatctl.client.access import Access
from chatctl.client.visitor import visit
from chatctl.errors import ChatError
from chatctl.messages import ListRooms, Rooms
from chatctl.names import check_room


def room_names(access: Access, seconds: float) -> list[str]:
    """Returns the names of the rooms; none of them if they are not known in time.

    Args:
        access: where to ask, and as whom.
        seconds: to wait, at most, whatever it is that takes long.
    """
    found: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    # A daemon, since nothing ends a thread that waits for a name server.
    threading.Thread(target=_ask, args=(access, seconds, found.put), daemon=True).start()
    try:
        return found.get(timeout=seconds)
    except queue.Empty:
        return []


def _ask(access: Access, seconds: float, tell: Callable[[list[str]], None]) -> None:
    with suppress(ChatError), visit(access, timeout=seconds) as client:
        client.send(ListRooms())
        for event in client.events():
            if isinstance(event, Rooms):
                tell([line.room for line in event.rooms if _is_room(line.room)])
                return
    tell([])


def _is_room(name: str) -> bool:
    """Whether it is a name that a server may give to a room, and so nothing that acts on a shell."""
    try:
        return check_room(name) == name
    except ChatError:
        return False
