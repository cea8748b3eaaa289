"""The database of who may do what: `access.db` in the data directory.

It is small, and written by the running server and by commands beside it, so it has a rollback journal, which
several processes may use at once. What is looked up all the time is held in memory by those who own the
tables, and read anew once another process has changed it.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chatctl.errors import DataError, StorageError

FILE = "access.db"
APPLICATION_ID = 0x63686161  # "chaa"
BUSY_SECONDS = 5.0

# Each brings a database from the version before it to its own. Never change one that was released.
MIGRATIONS = (
    """
    CREATE TABLE keys (
        id INTEGER PRIMARY KEY AUTOINCREMENT, -- one that was revoked must not come again
        hash BLOB NOT NULL UNIQUE, -- SHA-256
        kind TEXT NOT NULL, -- server, invitation, personal, redeemed
        parent INTEGER, -- of a personal key: the invitation it stands for
        author TEXT, -- of a personal key: whose it is, folded
        room TEXT,
        role TEXT NOT NULL,
        uses INTEGER, -- that are left; NULL for any number
        until INTEGER, -- milliseconds since the Unix epoch; NULL for good
        at INTEGER NOT NULL,
        by TEXT NOT NULL
    );
    CREATE TABLE accounts (
        author TEXT PRIMARY KEY, -- the name, folded
        name TEXT NOT NULL,
        look TEXT NOT NULL UNIQUE, -- its skeleton
        hash TEXT NOT NULL, -- Argon2id
        role TEXT NOT NULL,
        at INTEGER NOT NULL,
        seen INTEGER
    );
    CREATE TABLE bans (
        what TEXT NOT NULL, -- ban, mute
        whom TEXT NOT NULL, -- a name, or an address range
        key TEXT NOT NULL, -- the name's skeleton, or the range
        name TEXT NOT NULL, -- who did it
        at INTEGER NOT NULL,
        until INTEGER,
        reason TEXT NOT NULL,
        PRIMARY KEY (what, key)
    );
    CREATE TABLE rooms (
        room TEXT PRIMARY KEY,
        invite_only INTEGER NOT NULL,
        hidden INTEGER NOT NULL,
        read_only INTEGER NOT NULL,
        topic_locked INTEGER NOT NULL
    );
    CREATE TABLE allowed (room TEXT NOT NULL, author TEXT NOT NULL, PRIMARY KEY (room, author));
    CREATE TABLE mail (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        author TEXT NOT NULL, -- the account it is for
        at INTEGER NOT NULL,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        kind TEXT NOT NULL
    );
    CREATE INDEX mail_by_author ON mail (author);
    CREATE TABLE audit (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL,
        name TEXT NOT NULL, -- who did it
        what TEXT NOT NULL,
        whom TEXT NOT NULL,
        room TEXT,
        until INTEGER,
        reason TEXT NOT NULL
    );
    """,
)


class Database:
    """One connection to the database, for any thread, one at a time.

    Args:
        directory: of the data; None keeps it in memory.

    Attributes:
        changes: how often what is held in memory, or who may be in, has changed, as far as is known here.

    Raises:
        DataError: it cannot be used, in one line why.
    """

    def __init__(self, directory: Path | None) -> None:
        self.path = None if directory is None else directory / FILE
        self.changes = 0
        self._lock = threading.RLock()
        self._readers: list[Callable[[sqlite3.Connection], None]] = []
        try:
            if self.path is not None:
                self.path.touch(mode=0o600)
            self._connection = sqlite3.connect(
                self.path or ":memory:", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except (OSError, sqlite3.Error) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise DataError(f"cannot open {self.path}: {why}") from None
        try:
            self._set_up()
        except sqlite3.Error as error:
            self._connection.close()
            raise DataError(f"cannot use {self.path}: {error}") from None
        except DataError:
            self._connection.close()
            raise
        self._seen = self._version()

    def _set_up(self) -> None:
        run = self._connection.execute
        run("PRAGMA trusted_schema = OFF")
        run("PRAGMA secure_delete = ON")
        run("BEGIN IMMEDIATE")
        owner = run("PRAGMA application_id").fetchone()[0]
        if owner != APPLICATION_ID and (owner or run("SELECT count(*) FROM sqlite_schema").fetchone()[0]):
            raise DataError(f"{self.path} is not a database of chatctl")
        version: int = run("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise DataError(f"{self.path} was made by a newer chatctl: update this one")
        for migration in MIGRATIONS[version:]:
            for statement in _statements(migration):
                run(statement)
        try:
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            run(f"PRAGMA user_version = {len(MIGRATIONS)}")
            run("COMMIT")
        except sqlite3.OperationalError as error:
            # What is there already can be read all the same.
            if version < len(MIGRATIONS) or error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            self._roll_back()

    def on_change(self, read: Callable[[sqlite3.Connection], None]) -> None:
        """Calls `read`, which must only read, now and whenever the database has changed.

        Raises:
            StorageError: it cannot be read.
        """
        self._readers.append(read)
        with self.reading() as connection:
            read(connection)

    def refresh(self) -> bool:
        """Has all read anew if another process changed something; returns whether one did.

        Raises:
            StorageError: it cannot be read.
        """
        with self.reading() as connection:
            version = self._version()
            if version == self._seen:
                return False
            for read in self._readers:
                read(connection)
            self._seen = version
            self.changes += 1
            return True

    def _version(self) -> int:
        version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return version

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for reading.

        Raises:
            StorageError: it cannot be read.
        """
        with self._lock:
            try:
                yield self._connection
            except sqlite3.Error as error:
                raise StorageError(f"the server cannot read who may do what right now: {error}") from None

    @contextmanager
    def writing(self, *, held: bool = True) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is on the disk at the end, or, where something is raised, nothing.

        Args:
            held: it may change what is held in memory, or who may be in.

        Raises:
            StorageError: it cannot be written.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
                if held:
                    for read in self._readers:
                        read(self._connection)
                    self.changes += 1
            except sqlite3.Error as error:
                self._roll_back()
                raise StorageError(f"the server cannot keep who may do what right now: {error}") from None
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def close(self) -> None:
        """Closes it; nobody may be using it any more."""
        self._connection.close()


def _statements(script: str) -> Iterator[str]:
    """Yields the statements of a script, which unlike the whole can be part of a transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
