"""The database of a data directory: its tables, how it is opened, and how an older one is brought up to date.

A database is changed only after it was recognized as ours and found whole. What cannot be used is left as it
is, and told in one line.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chatctl.durable import synchronize
from chatctl.errors import DataError

FILE = "chatctl.db"

APPLICATION_ID = 0x63686174  # "chat": says in the file's header whose it is
CHECKED_BYTES = 32 << 20  # a database up to this size is looked through when it is opened
CACHE_KIB = 8 * 1024
JOURNAL_BYTES = 64 << 20  # to which the write-ahead log is cut after it was larger
CHECKPOINT_PAGES = 2_000
RESERVED_BYTES = 4 << 20  # of the write-ahead log
BUSY_SECONDS = 5.0

# Each brings a database from the version before it (0: an empty one) to its own. Never change one that was
# released: append another.
MIGRATIONS = (
    """
    CREATE TABLE rooms (
        number INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        trimmed INTEGER NOT NULL DEFAULT 0, -- ids up to this one are no longer kept
        topic TEXT,
        topic_name TEXT,
        topic_at INTEGER
    );
    CREATE TABLE messages (
        key INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        name TEXT NOT NULL,
        text TEXT NOT NULL,
        kind TEXT, -- NULL for a text
        nonce TEXT
    );
    CREATE INDEX messages_by_nonce ON messages (nonce) WHERE nonce IS NOT NULL;
    CREATE TABLE spent ( -- nonces of messages that are no longer kept, while they are honoured
        nonce TEXT NOT NULL,
        key INTEGER NOT NULL,
        at INTEGER NOT NULL,
        name TEXT NOT NULL
    );
    CREATE INDEX spent_by_nonce ON spent (nonce);
    """,
    """
    ALTER TABLE rooms ADD COLUMN indexed INTEGER NOT NULL DEFAULT 0; -- ids up to this one are in `words`
    CREATE VIRTUAL TABLE words USING fts5 (
        text, content = 'messages', content_rowid = 'key', tokenize = 'unicode61 remove_diacritics 2'
    );
    """,
    """
    CREATE TABLE journal ( -- batches whose messages have no rows of their own yet
        number INTEGER PRIMARY KEY,
        batch TEXT NOT NULL -- their rows, as JSON
    );
    CREATE INDEX spent_by_time ON spent (at);
    """,
    """
    CREATE TABLE traces (number INTEGER PRIMARY KEY); -- redactions that may have left bytes in these files
    """,
)


def open_database(directory: Path) -> sqlite3.Connection:
    """Opens the database in `directory` for its one writer; makes it if there is none.

    Returns:
        A connection for any thread, one at a time, without transactions of its own making.

    Raises:
        DataError: in one line, why it cannot be used and what to do.
    """
    path = directory / FILE
    try:
        if not path.exists():
            _create(path)
        _inspect(path)
    except OSError as error:
        raise DataError(f"cannot use {path}: {error.strerror}") from None
    connection = _connect(path, "rw")
    with _explained(connection, path):
        _set_up(connection)
        _migrate(connection)
    _reserve(path.with_name(f"{FILE}-wal"))
    return connection


def _create(path: Path) -> None:
    """Makes an empty file that is there after a power cut too."""
    path.touch(mode=0o600)
    synchronize(path.parent)


def _inspect(path: Path) -> None:
    """Makes sure that a database is ours and whole, by a connection that cannot change it.

    Closing another one would bring what the write-ahead log still has into the database.
    """
    journal = path.with_name(f"{FILE}-wal")
    unfinished = journal.exists() and journal.stat().st_size > 0
    if not path.stat().st_size:
        # SQLite would take it for new, and delete what the write-ahead log has.
        if unfinished:
            raise DataError(damaged(path, "it is empty"))
        return
    # Without a write-ahead log nothing can be on its way: then not even a file is made beside it.
    connection = _connect(path, "ro" if unfinished else "ro&immutable=1")
    with _explained(connection, path):
        _recognize(connection, path)
        _look_through(connection, path)
    connection.close()


def open_snapshot(directory: Path) -> sqlite3.Connection:
    """Opens the database in `directory` for reading, also while a server writes to it.

    Returns:
        A connection that sees the state of this moment, whatever is written later.

    Raises:
        DataError: in one line, why it cannot be used and what to do.
    """
    path = directory / FILE
    try:
        there = path.is_file()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from None
    if not there:
        raise DataError(f"there is no history in {directory}: no file {FILE}")
    connection = _connect(path, "ro")
    with _explained(connection, path):
        _recognize(connection, path)
        if _version(connection) < len(MIGRATIONS):
            raise DataError(
                f"{path} was made by an older chatctl: start the server once to bring it up to date"
            )
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM rooms").fetchall()
    return connection


@contextmanager
def _explained(connection: sqlite3.Connection, path: Path) -> Iterator[None]:
    """Closes `connection` where something goes wrong, and says in one line what."""
    try:
        yield
    except BaseException as error:
        with suppress(sqlite3.Error):
            connection.close()
        if isinstance(error, sqlite3.Error):
            raise DataError(explain(error, path)) from None
        raise


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    try:
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise DataError(explain(error, path)) from None


def _recognize(connection: sqlite3.Connection, path: Path) -> None:
    """Makes sure that a database is ours, or empty; writes nothing."""
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and not (empty and application == 0):
        raise DataError(f"{path} is not a database of chatctl: choose another directory with --data")
    if _version(connection) > len(MIGRATIONS):
        raise DataError(f"{path} was made by a newer chatctl: update this one, or choose another directory")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _look_through(connection: sqlite3.Connection, path: Path) -> None:
    """Makes sure that a database is whole, as far as that takes no time that people would notice.

    Of a large one, damage shows when what is damaged is read: then it is told to who asked for it.
    """
    if path.stat().st_size > CHECKED_BYTES:
        return
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise DataError(damaged(path, found.replace("\n", " ")))


def _set_up(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_BYTES}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA trusted_schema = OFF")
    # What is deleted is overwritten: else what was redacted would stay in pages that are not in use.
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA temp_store = MEMORY")


def _reserve(journal: Path) -> None:
    """Makes the write-ahead log as long as it soon will be; the connection must not be in use meanwhile.

    What is written where the file had something before, be it zeros, is on the disk in half the time: the
    file system has nothing to note. SQLite takes what follows its last whole frame for left over from before.
    """
    # Without it all takes longer, no more; a full disk is told when something is written.
    with suppress(OSError), journal.open("r+b") as file:
        left = RESERVED_BYTES - file.seek(0, os.SEEK_END)
        # The last space of a disk is needed for better things.
        if 0 < left < shutil.disk_usage(journal).free / 4:
            file.write(bytes(left))
            file.flush()
            os.fsync(file.fileno())


def empty_write_ahead_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Brings all that is in the write-ahead log into the database at `path`, and leaves nothing in it.

    Args:
        connection: of the database, not in a transaction, and not in use meanwhile.
        path: of the database.

    Returns:
        False if somebody else reads from it, right now: nothing is waited for.

    Raises:
        sqlite3.Error: the database cannot be written.
    """
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        busy: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    if not busy:
        _reserve(path.with_name(f"{FILE}-wal"))
    return not busy


def _migrate(connection: sqlite3.Connection) -> None:
    """Brings the tables up to date, all or nothing."""
    version = _version(connection)
    if version == len(MIGRATIONS):
        return
    steps = "".join(MIGRATIONS[version:])
    marks = f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {len(MIGRATIONS)};"
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {steps} {marks} COMMIT;")
    except sqlite3.Error:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def explain(error: sqlite3.Error, path: Path) -> str:
    """Returns one line that says why the database at `path` cannot be used, and what to do."""
    name: str = getattr(error, "sqlite_errorname", "")
    if name in ("SQLITE_NOTADB", "SQLITE_FORMAT") or name.startswith("SQLITE_CORRUPT"):
        return damaged(path, str(error))
    if name == "SQLITE_FULL":
        return f"cannot write to {path}: the disk is full"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        hint = "" if writable else ": this user may not write there"
        return f"cannot open {path}{hint or f': {error}'}"
    return f"cannot use {path}: {error}"


def damaged(path: Path, what: str) -> str:
    """Returns one line that says that the database at `path` is damaged, and what to do."""
    return (
        f"the database {path} is damaged ({what}). Nothing was changed: put a backup in its place, or move it"
        " away to start anew"
    )
