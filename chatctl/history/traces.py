"""What redacted messages leave in the files of a database, and how that goes.

When a redaction is committed, the text is in no row any more, and no word of it is found. Bytes of it may
still be in three places. These are dealt with one after the other, in small steps, in a round that is gone
through again as long as there is a redaction that no whole one followed:

- The word index. FTS5 writes down that a word is gone and drops it only when segments are merged, so all are
  merged into one. (`secure-delete` does it at once, but needs SQLite 3.42.) What deletes rows overwrites
  them, since ``PRAGMA secure_delete`` is on, but for
- the unused part between the cell pointers and the cells of a page (SQLite's "Database File Format", 1.6):
  when a page is split, copies of cells that moved to its neighbour stay there. So pages are looked through,
  and where there is something in that part, a row of the page is made so large for a moment that it takes
  all of it.
- The write-ahead log, which keeps pages as they were until it is written anew. It is emptied at the end.

Which redactions are to be followed up stands in the table ``traces``: after a crash the round begins anew.
The caller holds a lock.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from msgspec import Struct

from chatctl.history.database import empty_write_ahead_log

MERGED_PAGES = 16  # of the index, that one step writes
SCANNED_PAGES = 64  # that one step looks at
LEAF = 13  # the first byte of a page with rows of a table
MOST_ROWS = 180  # of a page that may hold words; with more of them it holds numbers
LEAST_GAP = 8  # bytes that could tell something
SPARE = 4  # bytes that a row may grow by besides its text: the lengths are of variable length

_POINTERS = re.compile(rb"(?:[\0-\x0f].)*", re.DOTALL)  # no letter can stand where their first bytes are

_NOTE = "INSERT INTO traces DEFAULT VALUES"
_NEWEST = "SELECT max(number) FROM traces"
_FORGET = "DELETE FROM traces WHERE number <= ?"
_MERGE = "INSERT INTO words (words, rank) VALUES ('merge', ?)"
# The beginnings of segments' pages: few, and easier written anew than looked through.
_REWRITE_BEGINNINGS = (
    "CREATE TEMP TABLE beginnings AS SELECT * FROM words_idx",
    "DELETE FROM words_idx",
    "INSERT INTO words_idx SELECT * FROM beginnings ORDER BY segid, term",
    "DROP TABLE beginnings",
)
# The tables whose pages may have held words, by how many columns they have: how a row is read and set.
_TABLES = {
    6: [("SELECT text FROM messages WHERE key = ?", "UPDATE messages SET text = ? WHERE key = ?")],
    2: [
        ("SELECT batch FROM journal WHERE number = ?", "UPDATE journal SET batch = ? WHERE number = ?"),
        ("SELECT block FROM words_data WHERE id = ?", "UPDATE words_data SET block = ? WHERE id = ?"),
    ],
}


class Traces:
    """What is left of redacted messages in a database.

    Args:
        connection: of the database.
        path: of its file.
        descriptor: of that file too, for reading. To close it while the connection is open would take away
            the connection's locks (fcntl(2)).
        transaction: makes a transaction that need not be on the disk when it ends.

    Attributes:
        left: there is something to do, as far as `clean` saw.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        descriptor: int,
        transaction: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._connection = connection
        self._path = path
        self._descriptor = descriptor
        self._transaction = transaction
        self._steps: Iterator[bool] = iter(())
        self.left = False

    def note(self) -> None:
        """Notes a redaction, in its transaction.

        Raises:
            sqlite3.Error: the transaction must be rolled back.
        """
        self._connection.execute(_NOTE)

    def clean(self) -> bool:
        """Does a small step; returns whether another one can be done right away.

        Raises:
            sqlite3.Error: the round has to begin anew, which the next call does.
        """
        more = next(self._steps, None)
        if more is not None:
            return more
        [(newest,)] = self._connection.execute(_NEWEST).fetchall()
        self.left = newest is not None
        if self.left:
            self._steps = self._round(newest)
        return self.left

    def _round(self, newest: int) -> Iterator[bool]:
        """Follows up the redactions up to a number; yields as `clean` returns."""
        yield from self._merge_index()
        yield from self._empty_log()
        yield from self._clear_gaps()
        yield from self._empty_log()
        with self._transaction():
            self._connection.execute(_FORGET, (newest,))

    def _merge_index(self) -> Iterator[bool]:
        pages = -MERGED_PAGES  # Negative: all there is now is to become one segment.
        while self._merge_some(pages):
            pages = MERGED_PAGES
            yield True
        with self._transaction():
            for statement in _REWRITE_BEGINNINGS:
                self._connection.execute(statement)
        yield True

    def _merge_some(self, pages: int) -> bool:
        """Merges a little; returns whether there was something to merge."""
        before = self._connection.total_changes
        with self._transaction():
            self._connection.execute(_MERGE, (pages,))
        return self._connection.total_changes - before >= 2  # as "The 'merge' Command" of FTS5 has it

    def _empty_log(self) -> Iterator[bool]:
        # Whoever exports still needs what is in it.
        while not empty_write_ahead_log(self._connection, self._path):
            yield False
        yield True

    # Between cells

    def _clear_gaps(self) -> Iterator[bool]:
        """Overwrites what stands in unused parts of pages; in pages made meanwhile there is nothing."""
        [(size,)] = self._connection.execute("PRAGMA page_size").fetchall()
        [(count,)] = self._connection.execute("PRAGMA page_count").fetchall()
        for first in range(0, count, SCANNED_PAGES):
            data = os.pread(self._descriptor, SCANNED_PAGES * size, first * size)
            pages = (data[start : start + size] for start in range(0, len(data), size))
            found = [gap for gap in map(find_gap, pages) if gap]
            if found:
                with self._transaction():
                    for gap in found:
                        self._fill(gap)
            yield True

    def _fill(self, gap: Gap) -> None:
        """Fills a gap for a moment. It may be another table's row that grows for it, or none: no harm."""
        for select, update in _TABLES.get(gap.columns, ()):
            for (value,) in self._connection.execute(select, (gap.rowid,)).fetchall():
                filling = " " * gap.size if isinstance(value, str) else bytes(gap.size)
                self._connection.execute(update, (value + filling, gap.rowid))
                self._connection.execute(update, (value, gap.rowid))


def remove_traces(connection: sqlite3.Connection) -> None:
    """Removes at once what is left of redacted messages in a database that nobody else uses.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    [(newest,)] = connection.execute(_NEWEST).fetchall()
    if newest is not None:
        connection.execute("INSERT INTO words (words) VALUES ('optimize')")
        connection.execute(_FORGET, (newest,))
        connection.execute("VACUUM")  # It writes nothing but what is in use.


class Gap(Struct, frozen=True):
    """An unused part of a page in which there is something.

    Attributes:
        rowid: of a row of that page.
        columns: that it has.
        size: bytes by which it must grow to take all of the gap.
    """

    rowid: int
    columns: int
    size: int


def find_gap(page: bytes) -> Gap | None:
    """Returns the gap of a page of a database, if the page has rows, and its gap has something."""
    count, start = int.from_bytes(page[3:5]), int.from_bytes(page[5:7])
    end = 8 + 2 * count
    if page[0] != LEAF or not 0 < count <= MOST_ROWS or not _has_something(page, end, start):
        return None
    # The longest row that stands in a page as a whole; of a longer one only a part does.
    longest = len(page) - 35
    places = [int.from_bytes(page[place : place + 2]) for place in range(8, end, 2)]
    # Where another row than the first one grows, SQLite has to move all of them, and clears the gap wholly.
    local, rowid, columns = min(_cell(page, place) for place in places if place != start or count == 1)
    # Only if it takes all that is free, it finds no other place.
    size = min(start - end + _free_between(page) - SPARE, longest - local)
    return Gap(rowid, columns, size) if size > 0 else None


def _free_between(page: bytes) -> int:
    """Returns how many bytes are free between the cells of a page."""
    free, place = page[7], int.from_bytes(page[1:3])
    while place:
        free += int.from_bytes(page[place + 2 : place + 4])
        following = int.from_bytes(page[place : place + 2])
        place = following if following > place else 0  # They stand in order, where a page is whole.
    return free


def _has_something(page: bytes, start: int, end: int) -> bool:
    """Returns whether there is something in a gap besides pointers to cells that were there."""
    pointers = _POINTERS.match(page, start, end)
    first = max(pointers.end() if pointers else start, start + LEAST_GAP)
    return bool(page[first:end].strip(b"\0"))


def _cell(page: bytes, start: int) -> tuple[int, int, int]:
    """Returns of the row that begins here: the bytes of it that are in this page, its id, its columns."""
    payload, at = _varint(page, start)
    rowid, at = _varint(page, at)
    header, first = _varint(page, at)
    columns, end, at = 0, at + header, first
    while at < end:
        _, at = _varint(page, at)
        columns += 1
    return _local(payload, len(page)), rowid - (1 << 64) if rowid >> 63 else rowid, columns


def _local(payload: int, size: int) -> int:
    """Returns how many bytes of a row are in its page, which has `size`; the others are in overflow pages."""
    if payload <= size - 35:
        return payload
    least = (size - 12) * 32 // 255 - 23
    local = least + (payload - least) % (size - 4)
    return local if local <= size - 35 else least


def _varint(page: bytes, at: int) -> tuple[int, int]:
    """Returns the number that begins here, and where it ends."""
    value = 0
    for place in range(at, at + 8):
        value = value << 7 | page[place] & 0x7F
        if page[place] < 0x80:
            return value, place + 1
    return value << 8 | page[at + 8], at + 9
