"""What was appended last: batches as they came, each in one row, until their messages get rows of their own.

A batch in one row is on the disk in a fraction of the time that its messages would take one by one. They are
moved later, some at a time, when nobody waits for it; until then they are in memory as well, so that reading
never has to look here. The caller holds a lock.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from chatctl.history.rows import MAX_ID, ROOM_BITS, RoomLog, Row, to_message
from chatctl.names import fold

MAX_MESSAGES = 20_000  # that wait to be moved
MAX_BYTES = 8 << 20

_WRITE = "INSERT INTO journal (number, batch) VALUES (?, ?)"
_READ = "SELECT number, batch FROM journal ORDER BY number"
_READ_ONE = "SELECT batch FROM journal WHERE number = ?"
_REWRITE = "UPDATE journal SET batch = ? WHERE number = ?"
_MOVE = """
    INSERT INTO messages (key, at, name, text, kind, nonce)
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
    FROM journal, json_each(journal.batch) WHERE number <= ?"""
_DROP = "DELETE FROM journal WHERE number <= ?"
_EVERYTHING = 2**63 - 1

_decode = msgspec.json.Decoder(list[Row]).decode
_encode = msgspec.json.Encoder().encode

Nonce = tuple[int, str, str]  # number of the room, author, nonce
Place = tuple[int, int]  # id, time in milliseconds


class Entry(Struct):
    """A batch.

    Attributes:
        number: entries are numbered upwards.
        rooms: for each of its messages, the room.
        nonces: that its messages were said under.
        size: bytes.
    """

    number: int
    rooms: list[RoomLog]
    nonces: dict[Nonce, Place]
    size: int


class Journal:
    """The journal of a database, and what is in it.

    Args:
        connection: of the database.
        rooms: all of them, as `load_rooms` made them; what the journal has of them is added.
        last: the highest number of an entry, as far as it is known.

    Attributes:
        nonces: that its messages were said under.
        last: the highest number of an entry ever; what has a higher one was never acknowledged.

    Raises:
        sqlite3.Error: it cannot be read.
        msgspec.MsgspecError: what is in it makes no sense.
    """

    def __init__(self, connection: sqlite3.Connection, rooms: Iterable[RoomLog], last: int = 0) -> None:
        self.nonces: dict[Nonce, Place] = {}
        self.last = last
        self._connection = connection
        self._entries: deque[Entry] = deque()
        self._messages = 0
        self._bytes = 0
        numbered = {room.number: room for room in rooms}
        for number, batch in connection.execute(_READ).fetchall():
            self._add(_read(number, batch, numbered))
            self.last = max(self.last, number)

    @property
    def half_full(self) -> bool:
        """Whether it is time to move something, though there is little time."""
        return self._messages >= MAX_MESSAGES / 2 or self._bytes >= MAX_BYTES / 2

    @property
    def full(self) -> bool:
        """Whether something must be moved before more is written."""
        return self._messages >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    def __len__(self) -> int:
        """Returns how many messages wait to be moved."""
        return self._messages

    def write(self, rows: list[Row], rooms: list[RoomLog], nonces: dict[Nonce, Place]) -> None:
        """Adds a batch: when this returns, it is committed. The caller puts its messages where they belong.

        Args:
            rows: of its messages.
            rooms: for each of them, the room.
            nonces: that they were said under.

        Raises:
            sqlite3.Error: it was not added.
        """
        number = self.last + 1
        batch = _encode(rows)
        self._connection.execute(_WRITE, (number, batch.decode()))
        self.last = number
        self._add(Entry(number, rooms, nonces, len(batch)))

    def _add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self._messages += len(entry.rooms)
        self._bytes += entry.size
        self.nonces |= entry.nonces

    def redact(self, room: RoomLog, id_: int) -> None:
        """Empties the text of a message that waits to be moved, in a transaction of the caller's.

        Raises:
            sqlite3.Error: the transaction must be rolled back.
        """
        number = self._entry_of(room, id_ - room.moved).number
        [(batch,)] = self._connection.execute(_READ_ONE, (number,)).fetchall()
        key = room.key(id_)
        rows = [(*row[:3], "", *row[4:]) if row[0] == key else row for row in _decode(batch)]
        self._connection.execute(_REWRITE, (_encode(rows).decode(), number))

    def _entry_of(self, room: RoomLog, place: int) -> Entry:
        """Returns the entry of a message, by its place among those of its room, from 1 on."""
        for entry in self._entries:
            place -= entry.rooms.count(room)
            if place <= 0:
                return entry
        raise AssertionError("what waits to be moved is in an entry")

    def oldest(self, most: int) -> list[Entry]:
        """Returns the oldest batches, as many as have at most `most` messages together, or one."""
        found: list[Entry] = []
        for entry in self._entries:
            most -= len(entry.rooms)
            if found and most < 0:
                break
            found.append(entry)
        return found

    def move(self, last: Entry) -> None:
        """Gives the messages up to an entry rows of their own, in a transaction of the caller's.

        Raises:
            sqlite3.Error: the transaction must be rolled back.
        """
        _move(self._connection, last.number)

    def forget(self, entries: Iterable[Entry]) -> None:
        """Notes that the oldest entries, which these are, were moved."""
        for entry in entries:
            self._entries.popleft()
            self._messages -= len(entry.rooms)
            self._bytes -= entry.size
            for room in entry.rooms:
                room.recent.popleft()
            for nonce, place in entry.nonces.items():
                if self.nonces.get(nonce) == place:
                    del self.nonces[nonce]


def _read(number: int, batch: str, rooms: Mapping[int, RoomLog]) -> Entry:
    """Returns the entry that a row is; puts its messages where they belong."""
    entry = Entry(number, [], {}, len(batch.encode()))
    for row in _decode(batch):
        room = rooms.get(row[0] >> ROOM_BITS)
        if room is None or row[0] & MAX_ID != room.last + 1:
            raise msgspec.ValidationError("a message in the journal does not follow on the one before")
        message = to_message(row, room.name)
        room.recent.append(message)
        room.last = message.id
        entry.rooms.append(room)
        if message.nonce is not None:
            entry.nonces[room.number, fold(message.name), message.nonce] = (message.id, message.at)
    return entry


def drop_after(connection: sqlite3.Connection, number: int) -> None:
    """Deletes the entries with higher numbers.

    Raises:
        sqlite3.Error: they are still there.
    """
    connection.execute("DELETE FROM journal WHERE number > ?", (number,))


def move_all(connection: sqlite3.Connection) -> None:
    """Gives all messages rows of their own, in a transaction of the caller's.

    Raises:
        sqlite3.Error: the transaction must be rolled back.
    """
    _move(connection, _EVERYTHING)


def _move(connection: sqlite3.Connection, number: int) -> None:
    connection.execute(_MOVE, (number,))
    connection.execute(_DROP, (number,))
