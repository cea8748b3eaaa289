"""Shows who is there and which rooms there are: the commands ``who`` and ``rooms``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from chatctl.client.access import Access
from chatctl.client.connection import ChatClient
from chatctl.client.output import write
from chatctl.client.visitor import visit
from chatctl.errors import NotInTime, Refused
from chatctl.framing import encode
from chatctl.messages import Error, Frame, ListRooms, Members, Rooms, Who
from chatctl.names import check_room

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

F = TypeVar("F", Members, Rooms)

ANSWER_SECONDS = 10.0
NUMBER = 1  # of the question


def show_people(access: Access, room: str | None, *, as_json: bool) -> int:
    """Prints who is in a room, or on the server; the one who asks is left out.

    Args:
        access: where to, and as whom.
        room: None for all who are on the server.
        as_json: prints a frame also where a person would read it.

    Returns:
        The exit code.

    Raises:
        ChatError: the server cannot be used, or does not answer.
    """
    asked = None if room is None else check_room(room)
    with visit(access) as client:
        client.send(Who(asked, n=NUMBER))
        members = _without(client.name, _answer(client, Members), everywhere=room is None)
        client.leave()
    return _show(members, _people, as_json=as_json)
