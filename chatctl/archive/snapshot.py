"""One state of a history, read while a server may go on writing to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from chatctl.errors import DataError
from chatctl.history.database import FILE, damaged, explain, open_snapshot
from chatctl.history.journal import Journal
from chatctl.history.rows import MAX_ID, RoomLog, Row, load_rooms, to_message
from chatctl.messages import Msg

BATCH = 2_000  # messages that are in memory at a time

_MESSAGES = "SELECT key, at, name, text, kind, nonce FROM messages WHERE key >= ? AND key <= ? ORDER BY key"


class Snapshot:
    """The history in a data directory, as it was when this was made.

    Args:
        connection: of `open_snapshot`.

    Attributes:
        rooms: those that something is, or was, kept of, in the order in which they were made.
        read: messages handed out so far.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        rooms = load_rooms(connection)
        Journal(connection, rooms)
        self.rooms = [room for room in rooms if not room.empty]
        self.read = 0

    def messages(self, room: RoomLog) -> Iterator[list[Msg]]:
        """Yields the messages of `room`, some at a time, oldest first."""
        cursor = self.connection.execute(_MESSAGES, (room.key(1), room.key(MAX_ID)))
        while rows := cursor.fetchmany(BATCH):
            self.read += len(rows)
            yield [to_message(row, room.name) for row in msgspec.convert(rows, list[Row])]
        if room.recent:
            self.read += len(room.recent)
            yield list(room.recent)


@contextmanager
def open_history(directory: Path) -> Iterator[Snapshot]:
    """Gives the history in `directory`, which a server may be using.

    Raises:
        DataError: in one line, why it cannot be read; also for what goes wrong while it is read.
    """
    path = directory / FILE
    try:
        connection = open_snapshot(directory)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    try:
        yield Snapshot(connection)
    except sqlite3.Error as error:
        raise DataError(explain(error, path)) from None
    except msgspec.MsgspecError as error:
        raise DataError(damaged(path, str(error))) from None
    finally:
        connection.close()
