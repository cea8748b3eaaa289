"""Shows who is there and which rooms there are: the commands ``who`` and ``rooms``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec import structs

from chatctl.client.access import Access
from chatctl.client.connection import ChatClient
from chatctl.client.scripts.output import json_lines, write
from chatctl.client.visitor import visit
from chatctl.errors import NotInTime, Refused
from chatctl.messages import Error, ListRooms, Members, Rooms, Who
from chatctl.names import check_room
from chatctl.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType

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


def show_rooms(access: Access, *, as_json: bool) -> int:
    """Prints the rooms of the server; as `show_people`."""
    with visit(access) as client:
        client.send(ListRooms(n=NUMBER))
        rooms = _answer(client, Rooms)
        client.leave()
    return _show(rooms, _rooms, as_json=as_json)


def _answer(client: ChatClient, wanted: type[F]) -> F:
    """Waits for the answer to the one question that was asked.

    Raises:
        Refused: the server does not answer it.
        NotInTime: it does not answer at all.
    """
    try:
        while events := client.receive(ANSWER_SECONDS):
            for event in events:
                if isinstance(event, Error):
                    raise Refused(event.code, event.text)
                if isinstance(event, wanted):
                    return structs.replace(event, re=None)
    except TimeoutError:
        pass
    raise NotInTime(f"the server did not answer within {ANSWER_SECONDS:g} seconds")


def _without(name: str, members: Members, *, everywhere: bool) -> Members:
    """Returns the others: who asks is on the server, but in no room, and may not be among the names shown."""
    names = [other for other in members.names if other != name]
    return structs.replace(members, names=names, count=members.count - everywhere)


def _show(answer: F, shown: Callable[[F], RenderableType], *, as_json: bool) -> int:
    if as_json or not (sys.stdout and sys.stdout.isatty()):
        write(json_lines([answer]))
        return 0
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(shown(answer))
    return 0


def _people(members: Members) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    from chatctl.client.display.labels import name_text, room_label
    from chatctl.client.display.look import Look
    from chatctl.client.display.screen import settle
    from chatctl.client.display.themes import palette

    colours = palette(settle(Look(), terminal=True).theme)
    where = "on the server" if members.room is None else f"in {room_label(members.room)}"
    if not members.names:
        return f"{members.count or 'nobody'} else {where}"
    away = set(members.away)
    table = Table("name", "", box=SIMPLE_HEAD)
    for name in members.names:
        table.add_row(name_text(name, colours), "away" if name in away else "")
    more = members.count - len(members.names)
    return Group(table, f"{members.count} {where}{f', {more} of them not shown' if more > 0 else ''}")


def _rooms(rooms: Rooms) -> RenderableType:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from chatctl.client.display.labels import room_label

    table = Table("room", "people", "topic", box=SIMPLE_HEAD)
    table.columns[1].justify = "right"
    for line in rooms.rooms:
        table.add_row(Text(room_label(line.room)), str(line.count), Text(one_line(line.topic)))
    return table
