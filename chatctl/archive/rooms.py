"""The rooms that a database has something of."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from chatctl.history.database import MAX_ID, ROOM_BITS
from chatctl.messages import Topic

_ROOMS = f"""
    SELECT number, name, trimmed, indexed, topic, topic_name, topic_at,
        (SELECT min(key) FROM messages
            WHERE key > number << {ROOM_BITS} AND key < (number + 1) << {ROOM_BITS}),
        (SELECT max(key) FROM messages
            WHERE key > number << {ROOM_BITS} AND key < (number + 1) << {ROOM_BITS})
    FROM rooms ORDER BY number"""  # noqa: S608 - a number of our own


class Room(Struct):
    """One room.

    Attributes:
        number: its part of a message's key.
        oldest: the oldest id kept, or the one that will be given next.
        last: the newest id given.
        indexed: ids up to this one can be found by their words.
        topic: as it was set last, perhaps to nothing; None if it never was.
    """

    name: str
    number: int
    oldest: int = 1
    last: int = 0
    indexed: int = 0
    topic: Topic | None = None

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
        return self.number << ROOM_BITS | id_


def load_rooms(connection: sqlite3.Connection) -> list[Room]:
    """Returns the rooms of a database, the first one that was made first."""
    rooms = []
    for number, name, trimmed, indexed, topic, who, at, first, last in connection.execute(_ROOMS):
        room = Room(name, number)
        room.oldest = trimmed + 1 if first is None else first & MAX_ID
        room.last = trimmed if last is None else last & MAX_ID
        room.indexed = max(indexed, room.oldest - 1)
        if topic is not None:
            room.topic = Topic(name, topic, who, at)
        rooms.append(room)
    return rooms
