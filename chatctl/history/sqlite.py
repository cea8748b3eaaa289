"""Room logs in a data directory: what `append` returns survives the process being killed.

One connection serves all threads in turn. Whoever gets it to append commits what the others wait to append as
well, so that one commit, which waits for the disk, serves many. Statements take and give whole batches as one
JSON value: for each row that is stepped through, Python would let another thread run, and queue for its turn
again.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
import unicodedata
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from chatctl.errors import DataError, StorageError
from chatctl.history.database import FILE, damaged, explain, open_database
from chatctl.history.journal import Journal, Nonce, Place, drop_after
from chatctl.history.log import KEEP_ALL, REMEMBERED_SECONDS, WORD, Post, Retention
from chatctl.history.rows import MAX_ID, ROOM_BITS, RoomLog, Row, load_rooms, pack, to_message, to_row, unpack
from chatctl.history.traces import Traces
from chatctl.messages import Msg, Topic
from chatctl.names import fold
from chatctl.text import one_line

log = logging.getLogger(__name__)

STEP = 500  # messages that one step of `tidy` indexes or forgets
SHARE = 0.1  # of the time that tidying takes, while there is much to do
CLEANING_SHARE = 0.5  # while something of a redacted message is left: others wait for a short step at most
IDLE_SECONDS = 1.0
BUSY_SECONDS = 0.2
BUSY_MESSAGES = 100  # said in that time: then what can be done later is
SPENT_SECONDS = 60.0  # between two clearings of nonces that are no longer honoured
COMPLAIN_SECONDS = 60.0
REOPEN_SECONDS = 1.0
MAX_WORDS = 32  # of a search

_REPEATED = """
    SELECT key, at, name, nonce FROM messages
    WHERE nonce IN (SELECT value FROM json_each(:nonces)) AND at > :at
    UNION ALL
    SELECT key, at, name, nonce FROM spent
    WHERE nonce IN (SELECT value FROM json_each(:nonces)) AND at > :at"""
_PAGE = """
    SELECT json_group_array(json_array(key, at, name, text, kind, nonce)) FROM (
        SELECT * FROM messages WHERE key > ? AND key < ? ORDER BY key LIMIT ?)"""
_PAGE_BACK = """
    SELECT json_group_array(json_array(key, at, name, text, kind, nonce)) FROM (
        SELECT * FROM messages WHERE key > ? AND key < ? ORDER BY key DESC LIMIT ?)"""
_BY_KEY = """
    SELECT json_group_array(json_array(key, at, name, text, kind, nonce)) FROM messages
    WHERE key IN (SELECT value FROM json_each(?))"""
_AT = "SELECT at FROM messages WHERE key = ?"
_FOUND = """
    SELECT json_group_array(rowid) FROM (
        SELECT rowid FROM words WHERE words MATCH ? AND rowid > ? AND rowid <= ?
        ORDER BY rowid DESC LIMIT ?)"""
_NEW_ROOM = "INSERT INTO rooms (name) VALUES (?) RETURNING number"
_SET_TOPIC = "UPDATE rooms SET topic = ?, topic_name = ?, topic_at = ? WHERE number = ?"
_INDEX = "INSERT INTO words (rowid, text) SELECT key, text FROM messages WHERE key > ? AND key <= ?"
_INDEXED = "UPDATE rooms SET indexed = ? WHERE number = ?"
_TEXTS = "SELECT json_group_array(json_array(key, text)) FROM messages WHERE key > ? AND key <= ?"
_UNINDEX = """
    INSERT INTO words (words, rowid, text)
    SELECT 'delete', json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?)"""
_EMPTY = "UPDATE messages SET text = '' WHERE key = ?"
_SPEND = """
    INSERT INTO spent (nonce, key, at, name)
    SELECT nonce, key, at, name FROM messages WHERE key > ? AND key <= ? AND nonce IS NOT NULL AND at > ?"""
_FORGET = "DELETE FROM messages WHERE key > ? AND key <= ?"
_TRIMMED = "UPDATE rooms SET trimmed = ? WHERE number = ?"
_CLEAR_SPENT = "DELETE FROM spent WHERE rowid IN (SELECT rowid FROM spent WHERE at <= ? LIMIT ?)"

_decode_rows = msgspec.json.Decoder(list[Row]).decode
_encode = msgspec.json.Encoder().encode


class _Batch(Struct):
    """Posts that a thread waits to have appended."""

    room: str
    posts: Sequence[Post]
    messages: list[Msg] | None = None
    error: StorageError | None = None


class SqliteLog:
    """The logs of all rooms, in the database of a data directory, which must be this process's own.

    Args:
        directory: of the data; see `directory.DirectoryLock`.
        retention: what is kept; everything, if left out.
        clock: returns seconds since the Unix epoch.

    Raises:
        DataError: in one line, why the database cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        retention: Retention = KEEP_ALL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._path = directory / FILE
        self._retention = retention
        self._clock = clock
        self._lock = threading.Lock()  # held while the connection is used; guards all below but `_waiting`
        self._waiting: deque[_Batch] = deque()
        self._connection = open_database(directory)
        self._closed = False
        self._broken = False  # the connection cannot be trusted any more
        self._failing = False  # what was to be written last was not
        self._complained = -COMPLAIN_SECONDS
        self._reopened = 0.0
        self._appended = 0  # messages since the last look
        self._looked = time.monotonic()
        self._cleared = 0.0
        try:
            self._identity = _identity(self._path)
            self._descriptor = os.open(self._path, os.O_RDONLY)
            self._load(0)
        except (OSError, sqlite3.Error, msgspec.MsgspecError) as error:
            self._connection.close()
            raise DataError(self._explain(error)) from None

    def _load(self, last: int) -> None:
        """Reads what must be known of all rooms; `last` is that of the journal, as far as it is known."""
        rooms = load_rooms(self._connection)
        self._journal = Journal(self._connection, rooms, last)
        self._rooms = {room.name: room for room in rooms}
        self._traces = Traces(self._connection, self._path, self._descriptor, self._unhurried)

    # Appending

    def append(self, room: str, posts: Sequence[Post]) -> list[Msg]:
        """Adds posts; see `Log.append`. When it returns, they are on the disk."""
        batch = _Batch(room, posts)
        self._waiting.append(batch)
        with self._lock:
            if batch.messages is None and batch.error is None:
                self._append_waiting()
        if batch.messages is None:
            assert batch.error is not None
            raise batch.error
        return batch.messages

    def _append_waiting(self) -> None:
        """Commits all that waits to be appended; the lock is held."""
        batches = [self._waiting.popleft() for _ in range(len(self._waiting))]
        try:
            with self._writing():
                made = self._insert(batches)
        except StorageError as error:
            for batch in batches:
                batch.error = error
            return
        except Exception:
            for batch in batches:
                batch.error = StorageError("the server made a mistake, sorry: nothing was kept or sent")
            raise
        if self._failing:
            self._recovered()
        for batch, messages in zip(batches, made, strict=True):
            batch.messages = messages

    def _insert(self, batches: list[_Batch]) -> list[list[Msg]]:
        """Numbers posts and commits them; returns their messages."""
        while self._journal.full:
            self._move_some()
        now = self._clock()
        rooms = [self._rooms.get(batch.room) or self._new_room(batch.room) for batch in batches]
        earlier = self._repeated(batches, rooms, now)
        last = {room.name: room.last for room in rooms}
        nonces: dict[Nonce, Place] = {}
        fresh: list[tuple[RoomLog, list[Msg]]] = []
        made = []
        for batch, room in zip(batches, rooms, strict=True):
            messages, new = _number(batch, room, last[room.name], int(now * 1000), earlier, nonces)
            last[room.name] += len(new)
            fresh.append((room, new))
            made.append(messages)
        self._write(fresh, nonces)
        return made

    def _write(self, fresh: list[tuple[RoomLog, list[Msg]]], nonces: dict[Nonce, Place]) -> None:
        """Commits messages, and notes that they are there."""
        rows = [to_row(message, room.number) for room, new in fresh for message in new]
        if not rows:
            return
        self._journal.write(rows, [room for room, new in fresh for _ in new], nonces)
        self._appended += len(rows)
        for room, new in fresh:
            room.recent.extend(new)
            room.last += len(new)

    def _new_room(self, name: str) -> RoomLog:
        number: int = self._connection.execute(_NEW_ROOM, (name,)).fetchall()[0][0]
        room = self._rooms[name] = RoomLog(name, number)
        return room

    def _repeated(self, batches: list[_Batch], rooms: list[RoomLog], now: float) -> dict[Nonce, Place]:
        """Returns where that was said which was said lately and may be repeated now."""
        wanted = [
            (room.number, post.author, post.nonce)
            for batch, room in zip(batches, rooms, strict=True)
            for post in batch.posts
            if post.nonce is not None
        ]
        if not wanted:
            return {}
        since = int((now - REMEMBERED_SECONDS) * 1000)
        nonces = _encode([pack(nonce) for _, _, nonce in wanted]).decode()
        found = self._connection.execute(_REPEATED, {"nonces": nonces, "at": since}).fetchall()
        earlier = {
            (key >> ROOM_BITS, fold(name), unpack(nonce)): (key & MAX_ID, at)
            for key, at, name, nonce in found
        }
        for key in wanted:
            place = self._journal.nonces.get(key)
            if place and place[1] > since:
                earlier[key] = place
        return earlier

    # Reading

    def bounds(self, room: str) -> tuple[int, int]:
        """Returns the oldest id kept and the newest id given; see `Log.bounds`."""
        with self._lock:
            found = self._rooms.get(room)
            return (found.oldest, found.last) if found else (1, 0)

    def read(self, room: str, after: int, limit: int) -> list[Msg]:
        """Returns messages after an id; see `Log.read`."""
        with self._lock:
            found = self._rooms.get(room)
            if found is None:
                return []
            rows = self._page(_PAGE, found, after, found.moved + 1, limit) if after < found.moved else "[]"
            recent = found.recent_after(after, limit)
        # What has rows of its own ends where the recent begins.
        return (self._messages(rows, room) + recent)[:limit]

    def read_back(self, room: str, before: int, limit: int) -> list[Msg]:
        """Returns messages before an id; see `Log.read_back`."""
        with self._lock:
            found = self._rooms.get(room)
            if found is None:
                return []
            recent = found.recent_before(before, limit)
            left = limit - len(recent)
            rows = self._page(_PAGE_BACK, found, 0, min(before, found.moved + 1), left) if left else "[]"
        return self._messages(rows, room) + recent

    def _page(self, statement: str, room: RoomLog, after: int, before: int, limit: int) -> str:
        """Returns rows between two ids, as JSON; the lock is held."""
        with self._reading():
            found = self._connection.execute(statement, (room.key(after), room.key(before), limit)).fetchall()
        page: str = found[0][0]
        return page

    def _messages(self, rows: str, room: str) -> list[Msg]:
        """Returns the messages in rows of `room`, oldest first."""
        try:
            return [to_message(row, room) for row in sorted(_decode_rows(rows))]
        except msgspec.MsgspecError as error:
            raise self._not_read(error) from None

    def since(self, room: str, at: int) -> int:
        """Returns the first id of a time; see `Log.since`."""
        with self._lock, self._reading():
            found = self._rooms.get(room)
            if found is None:
                return 1
            ids = range(found.oldest, found.last + 1)
            return found.oldest + bisect_left(ids, at, key=lambda id_: self._at(found, id_))

    def _at(self, room: RoomLog, id_: int) -> int:
        if id_ > room.moved:
            return room.recent[id_ - room.moved - 1].at
        found = self._connection.execute(_AT, (room.key(id_),)).fetchall()
        return int(found[0][0]) if found else 0

    def search(self, text: str, rooms: Iterable[str], limit: int) -> list[Msg]:
        """Finds messages by their words; see `Log.search`. What is not indexed yet is indexed first."""
        words = WORD.findall(unicodedata.normalize("NFC", text))
        query = " ".join(f'"{word}"' for word in words[:MAX_WORDS])
        if not query:
            return []
        found: list[Msg] = []
        for name in rooms:
            with suppress(
                StorageError
            ):  # What is not indexed yet is not found as long as nothing can be written.
                self._finish_index(name)
            found += self._search_room(name, query, limit)
        found.sort(key=lambda message: (message.at, message.id), reverse=True)
        return found[:limit]

    def _search_room(self, name: str, query: str, limit: int) -> list[Msg]:
        with self._lock:
            room = self._rooms.get(name)
            if room is None:
                return []
            with self._reading():
                bounds = (room.key(room.oldest - 1), room.key(room.last))
                keys = self._connection.execute(_FOUND, (query, *bounds, limit)).fetchall()[0][0]
                rows = self._connection.execute(_BY_KEY, (keys,)).fetchall()[0][0]
        return self._messages(rows, name)

    # Redacting

    def redact(self, room: str, id_: int) -> Msg | None:
        """Empties a message; see `Log.redact`. When it returns, that is on the disk."""
        with self._lock, self._writing():
            found = self._rooms.get(room)
            if found is None or not found.oldest <= id_ <= found.last:
                return None
            message = self._kept(found, id_)
            if message is None or not message.text:
                return message
            with self._transaction():
                self._empty(found, message)
                self._traces.note()
            message = structs.replace(message, text="")
            if id_ > found.moved:
                found.recent[id_ - found.moved - 1] = message
            return message

    def _kept(self, room: RoomLog, id_: int) -> Msg | None:
        if id_ > room.moved:
            return room.recent[id_ - room.moved - 1]
        messages = self._messages(self._page(_PAGE, room, id_ - 1, id_ + 1, 1), room.name)
        return messages[0] if messages else None

    def _empty(self, room: RoomLog, message: Msg) -> None:
        """Empties a message in the database, where it stands and in the index."""
        key = room.key(message.id)
        if message.id > room.moved:
            self._journal.redact(room, message.id)
            return
        self._connection.execute(_EMPTY, (key,))
        if message.id <= room.indexed:
            # It stays in the index, without words: whatever is forgotten is taken out of there.
            self._connection.execute(_UNINDEX, (_encode([(key, message.text)]).decode(),))
            self._connection.execute(_INDEX, (key - 1, key))

    def _clean_any(self) -> bool:
        """Removes a little of what is left of redacted messages."""
        with self._lock, self._writing():
            return self._traces.clean()

    # Topics and rooms

    def topic(self, room: str) -> Topic | None:
        """Returns the topic of a room; see `Log.topic`."""
        with self._lock:
            found = self._rooms.get(room)
            return found.topic if found else None

    def set_topic(self, topic: Topic) -> None:
        """Keeps the topic of a room; see `Log.set_topic`."""
        with self._lock, self._writing():
            room = self._rooms.get(topic.room) or self._new_room(topic.room)
            self._connection.execute(_SET_TOPIC, (topic.text, topic.name, topic.at, room.number))
            room.topic = topic

    def rooms(self) -> dict[str, int]:
        """Returns the newest id of each room; see `Log.rooms`."""
        with self._lock:
            return {name: room.last for name, room in self._rooms.items()}

    def release(self, room: str) -> None:
        """Does nothing: everything is kept."""

    def check(self) -> None:
        """Makes sure that it can be written; see `Log.check`. Writes nothing unless that failed before."""
        with self._lock, self._writing():
            if self._failing:
                self._write_anything()
                self._recovered()

    def _write_anything(self) -> None:
        """Writes what is there already."""
        with self._transaction():
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            self._connection.execute(f"PRAGMA user_version = {version}")

    def _recovered(self) -> None:
        self._failing = False
        log.info("%s can be written again", self._path)

    # Tidying

    def tidy(self) -> float:
        """Moves, indexes and forgets a little; see `Log.tidy`."""
        begun = time.monotonic()
        more = False
        # Each gets its turn, however much there is for another one to do, and whether or not that one can.
        for step in (self._trim, self._move_any, self._index_any, self._clear_spent, self._clean_any):
            with suppress(StorageError):  # Whoever wants to append is told.
                more = step() or more
        if more:
            share = CLEANING_SHARE if self._traces.left else SHARE
            return (time.monotonic() - begun) * (1 / share - 1)
        return BUSY_SECONDS if self._journal else IDLE_SECONDS

    def _move_any(self) -> bool:
        with self._lock, self._writing():
            now = time.monotonic()
            busy = self._appended > BUSY_MESSAGES * max((now - self._looked) / BUSY_SECONDS, 1)
            self._appended, self._looked = 0, now
            # While very much is said, moving it would only take time from that.
            if busy and not self._journal.half_full:
                return False
            self._move_some()
            return len(self._journal) > 0

    def _move_some(self) -> None:
        """Moves some messages out of the journal; the lock is held."""
        entries = self._journal.oldest(STEP)
        if entries:
            with self._unhurried():
                self._journal.move(entries[-1])
            self._journal.forget(entries)

    def _index_any(self) -> bool:
        with self._lock, self._writing():
            room = next((room for room in self._rooms.values() if room.indexed < room.moved), None)
            if room is None:
                return False
            self._index_some(room)
            return True

    def _finish_index(self, name: str) -> None:
        """Indexes what was said up to now; others get at the log in between."""
        last: int | None = None
        while True:
            begun = time.monotonic()
            with self._lock, self._writing():
                room = self._rooms.get(name)
                if room is None:
                    return
                last = room.last if last is None else last
                if room.indexed >= last:
                    return
                if room.indexed < room.moved:
                    self._index_some(room)
                else:
                    self._move_some()
            time.sleep(time.monotonic() - begun)

    def _index_some(self, room: RoomLog) -> None:
        """Indexes up to `STEP` messages."""
        first = max(room.indexed, room.oldest - 1)
        last = min(first + STEP, room.moved)
        with self._unhurried():
            self._connection.execute(_INDEX, (room.key(first), room.key(last)))
            self._connection.execute(_INDEXED, (last, room.number))
        room.indexed = last

    def _trim(self) -> bool:
        """Forgets up to `STEP` messages of a room that has too many or too old ones; returns if it did."""
        seconds, count = self._retention.seconds, self._retention.messages
        if seconds is None and count is None:
            return False
        cutoff = None if seconds is None else int((self._clock() - seconds) * 1000)
        with self._lock, self._writing():
            for room in self._rooms.values():
                last = self._last_to_forget(room, cutoff)
                if last >= room.oldest:
                    self._forget(room, min(last, room.oldest + STEP - 1))
                    return True
        return False

    def _last_to_forget(self, room: RoomLog, cutoff: int | None) -> int:
        """Returns the newest id of `room` that is not to be kept, as far as one step goes."""
        count = self._retention.messages
        last = room.oldest - 1 if count is None else room.last - count
        if cutoff is not None and room.oldest <= room.last:
            if room.oldest_at is None:
                room.oldest_at = self._at(room, room.oldest)
            if room.oldest_at < cutoff:
                ids = range(room.oldest, min(room.oldest + STEP, room.last + 1))
                old = bisect_left(ids, cutoff, key=lambda id_: self._at(room, id_))
                last = max(last, room.oldest + old - 1)
        return min(last, room.moved)

    def _forget(self, room: RoomLog, last: int) -> None:
        """Forgets the messages up to id `last`; their nonces are still honoured for a while."""
        first = room.key(room.oldest - 1)
        honoured = int((self._clock() - REMEMBERED_SECONDS) * 1000)
        with self._unhurried():
            indexed = (first, room.key(min(last, room.indexed)))
            [(texts,)] = self._connection.execute(_TEXTS, indexed).fetchall()
            self._connection.execute(_SPEND, (first, room.key(last), honoured))
            # This first: on a full disk, the index needs the space that it frees.
            self._connection.execute(_FORGET, (first, room.key(last)))
            self._connection.execute(_UNINDEX, (texts,))
            self._connection.execute(_TRIMMED, (last, room.number))
        room.oldest = last + 1
        room.oldest_at = None
        room.indexed = max(room.indexed, last)

    def _clear_spent(self) -> bool:
        """Clears nonces that are no longer honoured, now and then."""
        now = self._clock()
        if abs(now - self._cleared) < SPENT_SECONDS:
            return False
        with self._lock, self._writing(), self._unhurried():
            too_old = int((now - REMEMBERED_SECONDS) * 1000)
            cleared = self._connection.execute(_CLEAR_SPENT, (too_old, STEP)).rowcount
        if cleared < STEP:
            self._cleared = now
        return cleared == STEP

    # When something goes wrong

    @contextmanager
    def _unhurried(self) -> Iterator[None]:
        """A transaction that need not be on the disk when it ends: the next one that must brings it there."""
        self._connection.execute("PRAGMA synchronous = NORMAL")
        try:
            with self._transaction():
                yield
        finally:
            try:
                self._connection.execute("PRAGMA synchronous = FULL")
            except sqlite3.Error:
                self._broken = True

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turns what keeps the database from being written into a `StorageError`; the lock is held."""
        assert self._lock.locked()
        try:
            self._make_sure()
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._not_written(error) from None

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turns what keeps the database from being read into a `StorageError`; the lock is held."""
        assert self._lock.locked()
        try:
            yield
        except sqlite3.Error as error:
            raise self._not_read(error) from None

    def _not_read(self, error: Exception) -> StorageError:
        """Returns what is said to clients of an error that keeps the database from being read."""
        self._complain(self._explain(error))
        return StorageError("the server cannot read its history right now")

    def _make_sure(self) -> None:
        """Makes sure that what is written will be found: the files may have been moved away, or deleted.

        Raises:
            OSError: they are not where they should be.
        """
        if self._closed:
            raise OSError(0, "the server is stopping")
        if _identity(self._path) != self._identity:
            raise FileNotFoundError(0, "the file was replaced: put it back, or restart the server")
        if self._broken:
            self._reopen()

    def _reopen(self) -> None:
        """Opens the database anew after an error, and looks again at what it has; at most once a second."""
        if time.monotonic() - self._reopened < REOPEN_SECONDS:
            raise OSError(0, "an error before")
        self._reopened = time.monotonic()
        with suppress(sqlite3.Error):
            self._connection.close()
        try:
            self._connection = open_database(self._directory)
            # A commit that failed may be on the disk all the same. Nobody was told, and its ids are free.
            drop_after(self._connection, self._journal.last)
            self._load(self._journal.last)
        except (DataError, sqlite3.Error, msgspec.MsgspecError) as error:
            raise OSError(0, self._explain(error)) from None
        self._broken = False

    def _not_written(self, error: sqlite3.Error | OSError) -> StorageError:
        """Takes back what was begun; returns what is said of an error to clients."""
        self._roll_back()
        self._failing = True
        if isinstance(error, OSError):
            self._complain(f"cannot write to {self._path}: {error.strerror or error}")
            return StorageError("the server cannot write its history right now: nothing was kept or sent")
        self._complain(explain(error, self._path))
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            return StorageError("the server's disk is full: nothing was kept or sent")
        # The connection may not know any more what is on the disk.
        self._broken = True
        return StorageError("the server cannot write its history right now: nothing was kept or sent")

    def _explain(self, error: Exception) -> str:
        """Returns one line that says why the database cannot be used."""
        match error:
            case sqlite3.Error():
                return explain(error, self._path)
            case msgspec.MsgspecError():
                return damaged(self._path, str(error))
        return str(error)

    def _complain(self, text: str) -> None:
        """Logs what is wrong, at most once a minute."""
        now = time.monotonic()
        if now - self._complained >= COMPLAIN_SECONDS:
            self._complained = now
            log.error("%s", one_line(text))

    def close(self) -> None:
        """Closes the database."""
        with self._lock, suppress(sqlite3.Error):
            if self._closed:
                return
            with suppress(StorageError), self._writing():
                while self._journal:
                    self._move_some()
            self._closed = True
            self._connection.close()
            os.close(self._descriptor)


def _number(
    batch: _Batch, room: RoomLog, last: int, at: int, earlier: dict[Nonce, Place], nonces: dict[Nonce, Place]
) -> tuple[list[Msg], list[Msg]]:
    """Returns the messages of a batch, and those of them that are no repeats.

    Args:
        batch: posts in `room`.
        room: where they are said.
        last: the newest id there.
        at: the time.
        earlier: what they may repeat.
        nonces: gets those that are new.
    """
    messages, fresh = [], []
    for post in batch.posts:
        nonce = post.nonce
        if nonce is not None:
            key = (room.number, post.author, nonce)
            if first := earlier.get(key) or nonces.get(key):
                messages.append(Msg(*first, room.name, post.name, post.text, post.kind, nonce))
                continue
            nonces[key] = (last + 1, at)
        last += 1
        message = Msg(last, at, room.name, post.name, post.text, post.kind, nonce)
        messages.append(message)
        fresh.append(message)
    return messages, fresh


def _identity(path: Path) -> tuple[int, int]:
    """Returns what tells a file from one that took its name."""
    found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, for every commit
    return found.st_dev, found.st_ino
