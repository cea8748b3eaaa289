"""`/export`: what a server tells of a room, into a file, in the formats of `chatctl export`.

It is hostile until it is looked at: each message is held to what a server would have accepted. This is to be
imported when it is used, since it brings all formats with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from chatctl.archive.accepted import check_message
from chatctl.archive.formats import FORMATS, format_of
from chatctl.archive.output import whole_file
from chatctl.client.connection import ChatClient
from chatctl.errors import ChatError, DataError
from chatctl.messages import MAX_ID, MAX_PAGE, History, Msg, Topic
from chatctl.names import check_room
from chatctl.text import one_line


def export_room(client: ChatClient, room: str, path: Path, topic: str = "") -> int:
    """Writes what is kept of a room by now to a file, which is there whole in the end, or not at all.

    That may take minutes, and waits while the client is coming back: call it from a thread of its own.
    Closing the client ends it; join the thread then, so that nothing is left behind.

    Args:
        client: need not be in the room, and may be used meanwhile.
        room: the room.
        path: of the file, which must not be there yet; ``~`` is the home directory. Its suffix tells the
            format, as for `chatctl export`.
        topic: of the room, if it is known.

    Returns:
        How many messages were written.

    Raises:
        ChatError: in one line, why there is no file.
    """
    room = check_room(room)
    path = _expanded(path)
    write = FORMATS[format_of(path)]
    with whole_file(path, replace=False) as part, part.open("wb") as file:
        download = Download(client, room, topic)
        file.writelines(write(download))
    return sum(room.count for room in download.rooms)


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except (RuntimeError, ValueError, OSError):  # There is no such user; a NUL; a link to itself.
        raise DataError(f"there can be no file {one_line(str(path))}") from None


class RoomThere(Struct, frozen=True):
    """A room on a server; see `archive.source.Room`."""

    name: str
    topic: Topic | None
    oldest: int
    last: int

    @property
    def count(self) -> int:
        """How many messages are kept."""
        return self.last - self.oldest + 1


class Download:
    """The history of one room, as it is on the server when this is made; see `archive.source.Source`.

    Args:
        client: asks for it.
        room: as `names.check_room` returns it.
        topic: its topic; empty if it has none, or it is not known.

    Raises:
        ChatError: nothing is kept, or the server does not tell it.
    """

    def __init__(self, client: ChatClient, room: str, topic: str) -> None:
        self._client = client
        last = _first_id(client.history(room, limit=1))
        # The formats begin with what is no longer kept.
        oldest = _first_id(self._ask(room, 0, last, limit=1)) if last else 0
        if not 1 <= oldest <= last:
            raise DataError(f"nothing is kept of #{room}")
        # A client is not told who set a topic, and when.
        told = Topic(room, topic, "", 0) if topic else None
        self.rooms = [RoomThere(room, told, oldest, last)]

    def messages(self, room: RoomThere) -> Iterator[list[Msg]]:
        """Yields the messages page by page, oldest first.

        Raises:
            ChatError: the server does not tell them all.
        """
        seen = room.oldest - 1
        while seen < room.last:
            page = _checked(self._ask(room.name, seen, room.last).messages, room, seen)
            yield page
            seen = page[-1].id

    def _ask(self, room: str, after: int, last: int, limit: int = MAX_PAGE) -> History:
        return self._client.history(room, after=after, before=last + 1, limit=limit)


def _first_id(page: History) -> int:
    """Returns the first id of a page; 0 if there is none, or none that can be."""
    id_ = page.messages[0].id if page.messages else 0
    return id_ if 0 < id_ < MAX_ID else 0


def _checked(page: list[Msg], room: RoomThere, seen: int) -> list[Msg]:
    """Returns a page that must go on behind the id `seen`.

    Raises:
        ChatError: it does not, or what it holds was never said.
    """
    end = min(seen + len(page), room.last)
    if not page or [message.id for message in page] != list(range(seen + 1, end + 1)):
        raise DataError(f"#{room.name} {seen + 1} is no longer kept: try again")
    if any(message.room != room.name for message in page):
        raise ChatError("the server sent messages of another room")
    try:
        return [check_message(message) for message in page]
    except ChatError as error:
        raise ChatError(f"the server sent what nobody can have said: {one_line(str(error))}") from None
