"""A message as a row of the database, and a room as what is known of it without asking the database."""

from __future__ import annotations

import re
import sqlite3
from collections import deque
from itertools import islice

from msgspec import Struct, field

from chatctl.messages import Kind, Msg, Topic

ROOM_BITS = 40  # a message's key is its room's number, shifted by this, and its id
MAX_ID = (1 << ROOM_BITS) - 1

Row = tuple[int, int, str, str, Kind | None, str | None]  # key, at, name, text, kind, nonce

_PACKED = re.compile(r"\\([\\0])")
_ROOMS = f"""
    SELECT number, name, trimmed, indexed, topic, topic_name, topic_at,
        (SELECT min(key) FROM messages
            WHERE key > number << {ROOM_BITS} AND key < (number + 1) << {ROOM_BITS}),
        (SELECT max(key) FROM messages
            WHERE key > number << {ROOM_BITS} AND key < (number + 1) << {ROOM_BITS})
    FROM rooms ORDER BY number"""  # noqa: S608 - a number of our own


def to_row(message: Msg, number: int) -> Row:
    """Returns the row of a message in the room with this number."""
    kind = None if message.kind == "text" else message.kind
    nonce = None if message.nonce is None else pack(message.nonce)
    return (number << ROOM_BITS | message.id, message.at, message.name, message.text, kind, nonce)


def to_message(row: Row, room: str) -> Msg:
    """Returns the message that a row of `room` holds."""
    key, at, name, text, kind, nonce = row
    return Msg(key & MAX_ID, at, room, name, text, kind or "text", None if nonce is None else unpack(nonce))


def pack(nonce: str) -> str:
    r"""Returns a nonce as it stands in the database, where the JSON functions would end it at ``\0``."""
    if "\\" in nonce or "\0" in nonce:
        return nonce.replace("\\", "\\\\").replace("\0", "\\0")
    return nonce


def unpack(packed: str) -> str:
    """Returns the nonce that `pack` made `packed` of."""
    if "\\" in packed:
        return _PACKED.sub(lambda found: "\0" if found[1] == "0" else "\\", packed)
    return packed


class RoomLog(Struct, eq=False):
    """One room.

    Attributes:
        number: its part of a message's key.
        oldest: the oldest id kept, or the one that will be given next.
        oldest_at: the time of that message in milliseconds; None where it was not read yet.
        last: the newest id given.
        indexed: ids up to this one can be found by their words.
        topic: as it was set last, perhaps to nothing; None if it never was.
        recent: the newest messages, as far as they are in the journal and have no rows of their own.
    """

    name: str
    number: int
    oldest: int = 1
    oldest_at: int | None = None
    last: int = 0
    indexed: int = 0
    topic: Topic | None = None
    recent: deque[Msg] = field(default_factory=deque)

    @property
    def moved(self) -> int:
        """Messages up to this id have rows of their own."""
        return self.last - len(self.recent)

    @property
    def count(self) -> int:
        """How many messages are kept."""
        return self.last - self.oldest + 1

    @property
    def empty(self) -> bool:
        """Whether nothing was ever kept of it."""
        return self.last == 0 and self.topic is None

    def key(self, id_: int) -> int:
        """Returns the key of the message with this id, or of where it would stand."""
        return self.number << ROOM_BITS | max(0, min(id_, MAX_ID))

    def recent_after(self, id_: int, limit: int) -> list[Msg]:
        """Returns at most `limit` messages of `recent` with ids above this one, oldest first."""
        start = max(0, id_ - self.moved)
        return list(islice(self.recent, start, start + limit))

    def recent_before(self, id_: int, limit: int) -> list[Msg]:
        """Returns the last `limit` messages of `recent` with ids below this one, oldest first."""
        end = max(0, min(id_, self.last + 1) - self.moved - 1)
        return list(islice(self.recent, max(0, end - limit), end))


def load_rooms(connection: sqlite3.Connection) -> list[RoomLog]:
    """Returns the rooms of a database, the first one that was made first; without what is in the journal."""
    rooms = []
    for number, name, trimmed, indexed, topic, who, at, first, last in connection.execute(_ROOMS):
        room = RoomLog(name, number)
        room.oldest = trimmed + 1 if first is None else first & MAX_ID
        room.last = trimmed if last is None else last & MAX_ID
        room.indexed = max(indexed, room.oldest - 1)
        if topic is not None:
            room.topic = Topic(name, topic, who, at)
        rooms.append(room)
    return rooms
