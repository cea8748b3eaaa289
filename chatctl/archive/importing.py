"""`chatctl import`: what `jsonl` wrote, into a data directory that nobody else uses meanwhile.

A file is hostile until it is read: each line is held to what a server would have accepted. It is imported as
a whole or not at all.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from chatctl.archive.accepted import check_at, check_message
from chatctl.archive.progress import progress
from chatctl.errors import ChatError, DataError
from chatctl.framing import Fault, Language
from chatctl.history.database import FILE, damaged, explain, open_database
from chatctl.history.directory import DirectoryLock
from chatctl.history.journal import Journal, move_all
from chatctl.history.rows import MAX_ID, RoomLog, Row, load_rooms, to_row
from chatctl.messages import MAX_SERVER_FRAME, Gap, Msg, Topic
from chatctl.names import check_name, check_room
from chatctl.text import MAX_TOPIC, check_text, one_line

MAX_LINE = MAX_SERVER_FRAME  # bytes, the line end included
MAX_ROOMS = 10_000  # as many as a server makes
LAST_ID = MAX_ID // 2  # so that a room does not run out of ids, whatever is imported into it
BATCH = 5_000  # messages that are written, or indexed, at a time
SHOWN_LINES = 1_000  # after which the progress is shown anew

_LOOK_UP = "SELECT at, name, text, kind FROM messages WHERE key = ?"
_APPEND = "INSERT INTO messages (key, at, name, text, kind, nonce) VALUES (?, ?, ?, ?, ?, ?)"
_NEW_ROOM = "INSERT INTO rooms (name) VALUES (?) RETURNING number"
_SET_TOPIC = "UPDATE rooms SET topic = ?, topic_name = ?, topic_at = ? WHERE number = ?"
_TRIM = "UPDATE rooms SET trimmed = ? WHERE number = ?"
_INDEX = "INSERT INTO words (rowid, text) SELECT key, text FROM messages WHERE key > ? AND key <= ?"
_INDEXED = "UPDATE rooms SET indexed = ? WHERE number = ?"

_Said = tuple[int, str, str, str | None]  # at, name, text, kind

_ARCHIVE: Language[Msg | Topic | Gap] = Language(Msg | Topic | Gap)


class Imported(Struct):
    """What an import did.

    Attributes:
        added: messages that are new.
        skipped: messages that were there already, or are no longer kept there.
        rooms: to which something was added.
    """

    added: int = 0
    skipped: int = 0
    rooms: int = 0


def import_file(path: Path, directory: Path) -> Imported:
    """Adds the messages and topics in a file to the history in `directory`, and makes one if there is none.

    Args:
        path: of what `chatctl export` wrote as JSON lines.
        directory: of the data, which no server may be using.

    Raises:
        DataError: in one line, what is wrong, and in which line of the file. Nothing was imported.
    """
    name = one_line(str(path))
    with _open_file(path, name) as file, DirectoryLock(directory):
        try:
            with closing(open_database(directory)) as connection, _transaction(connection):
                importer = _Importer(connection)
                _read(file, name, importer)
                importer.index()
                return importer.done
        except sqlite3.Error as error:
            reason = explain(error, directory / FILE)
            raise DataError(f"nothing was imported: {reason}") from None
        except msgspec.MsgspecError as error:
            raise DataError(damaged(directory / FILE, str(error))) from None


def _open_file(path: Path, name: str) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"cannot read {name}: {error.strerror}") from None


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _read(file: BinaryIO, name: str, importer: _Importer) -> None:
    """Has `importer` take each line of the file."""
    found = os.fstat(file.fileno())
    total = found.st_size if stat.S_ISREG(found.st_mode) else None
    number = done = 0
    with progress("Importing", total) as show:
        try:
            for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b""), 1):
                importer.take(line)
                done += len(line)
                if number % SHOWN_LINES == 0:
                    show(done)
        except ChatError as error:
            why = one_line(str(error))
            raise DataError(f"{name}, line {number}: {why}; nothing was imported") from None
        except OSError as error:
            raise DataError(f"cannot read {name}: {error.strerror}; nothing was imported") from None
        show(done)
    importer.flush()


class _Open(Struct):
    """A room while it is imported into.

    Attributes:
        next: the id that must come next in the file; None before its first one.
        before: the newest id before the import.
    """

    room: RoomLog
    before: int
    next: int | None = None


class _Importer:
    """Takes a file line by line into an open transaction.

    Args:
        connection: of the database.

    Attributes:
        done: what was taken so far.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.done = Imported()
        self._connection = connection
        rooms = load_rooms(connection)
        Journal(connection, rooms)  # Sees that all of it makes sense.
        move_all(connection)
        self._rooms = {room.name: _Open(room, room.last) for room in rooms}
        self._rows: list[Row] = []

    def take(self, line: bytes) -> None:
        """Takes one line.

        Raises:
            DataError: it cannot be imported.
            Refused: a name, a room or a text in it cannot be.
        """
        if len(line) > MAX_LINE:
            raise DataError(f"a line has at most {MAX_LINE} bytes")
        if line.isspace():
            return
        match _ARCHIVE.read(line):
            case Fault(text=text):
                raise DataError(text)
            case Msg() as message:
                self._take_message(message)
            case Topic() as topic:
                self._take_topic(topic)
            case Gap() as gap:
                self._take_gap(gap)

    def _room(self, name: str) -> _Open:
        """Returns a room; makes it, if it is new."""
        name = check_room(name)
        found = self._rooms.get(name)
        if found is None:
            if len(self._rooms) >= MAX_ROOMS:
                raise DataError(f"there would be more than {MAX_ROOMS} rooms")
            number: int = self._connection.execute(_NEW_ROOM, (name,)).fetchall()[0][0]
            found = self._rooms[name] = _Open(RoomLog(name, number), 0)
        return found

    # Gaps and topics

    def _take_gap(self, gap: Gap) -> None:
        opened = self._room(gap.room)
        room = opened.room
        if gap.after != 0 or not 2 <= gap.before <= LAST_ID:
            raise DataError("a gap is taken only before the first message that is kept: after 0")
        if opened.next is not None:
            raise DataError(f"the gap of #{room.name} must come before its messages")
        if room.last == 0:
            room.oldest, room.last = gap.before, gap.before - 1
            room.indexed = room.last
            self._connection.execute(_TRIM, (room.last, room.number))
        elif gap.before > room.last + 1:
            raise DataError(_missing(room, gap.before))
        opened.next = gap.before

    def _take_topic(self, topic: Topic) -> None:
        room = self._room(topic.room).room
        name = check_name(topic.name)
        if topic.text:
            check_text(topic.text, MAX_TOPIC)
        check_at(topic.at)
        if room.topic is None or room.topic.at < topic.at:
            room.topic = topic
            self._connection.execute(_SET_TOPIC, (topic.text, name, topic.at, room.number))

    # Messages

    def _take_message(self, message: Msg) -> None:
        opened = self._room(message.room)
        message = check_message(message)
        self._check_place(opened, message.id)
        room = opened.room
        row = to_row(message, room.number)
        if message.id > room.last:
            self._append(row)
            room.last = message.id
        else:
            self._skip(room, message.id, row[1:-1])
        opened.next = message.id + 1

    def _check_place(self, opened: _Open, id_: int) -> None:
        """Makes sure that the message with this id may come next."""
        room = opened.room
        if not 1 <= id_ <= LAST_ID:
            raise DataError(f"the id of a message is 1 to {LAST_ID}")
        if opened.next is not None and id_ != opened.next:
            raise DataError(f"after #{room.name} {opened.next - 1} comes {opened.next}, not {id_}")
        if id_ > room.last + 1:
            raise DataError(_missing(room, id_))

    def _append(self, row: Row) -> None:
        self._rows.append(row)
        self.done.added += 1
        if len(self._rows) == BATCH:
            self.flush()

    def _skip(self, room: RoomLog, id_: int, said: _Said) -> None:
        """Makes sure that a message which was there already says the same; its nonce says nothing.

        It stays as it is, also where it was redacted here or there.
        """
        if id_ >= room.oldest:
            found = self._connection.execute(_LOOK_UP, (room.key(id_),)).fetchall()
            if not any(_is_same(there, said) for there in found):
                raise DataError(f"#{room.name} {id_} is another message there")
        self.done.skipped += 1

    def flush(self) -> None:
        """Writes what was taken."""
        self._connection.executemany(_APPEND, self._rows)
        self._rows.clear()

    # The word index

    def index(self) -> None:
        """Makes all that was taken to be found by its words."""
        rooms = [opened.room for opened in self._rooms.values() if opened.room.last > opened.before]
        self.done.rooms = len(rooms)
        total = sum(room.last - room.indexed for room in rooms)
        done = 0
        with progress("Indexing", total) as show:
            for room in rooms:
                for first in range(room.indexed, room.last, BATCH):
                    last = min(first + BATCH, room.last)
                    self._connection.execute(_INDEX, (room.key(first), room.key(last)))
                    done += last - first
                    show(done)
                self._connection.execute(_INDEXED, (room.last, room.number))


def _is_same(there: _Said, said: _Said) -> bool:
    """Returns whether two messages are one, of which either may have been redacted."""
    if not (there[2] and said[2]):
        there, said = ((*one[:2], "", one[3]) for one in (there, said))
    return there == said


def _missing(room: RoomLog, id_: int) -> str:
    """Says what is missing before `id_`."""
    if room.last == 0:
        return f"#{room.name} begins with {id_}, and no gap says what was before"
    missing = f"{room.last + 1}" if id_ == room.last + 2 else f"{room.last + 1} to {id_ - 1}"
    return f"#{room.name} {missing} would be missing"
