"""`chatctl backup`: a copy of the database, while a server may go on writing to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from chatctl.archive.output import FORCE, whole_file
from chatctl.archive.progress import progress
from chatctl.archive.snapshot import open_history
from chatctl.archive.spared import spare_history
from chatctl.errors import DataError
from chatctl.history.database import explain
from chatctl.history.traces import remove_traces
from chatctl.text import one_line

STEP_PAGES = 512


def backup(directory: Path, path: Path, *, force: bool = False) -> None:
    """Copies the history in `directory`, as it is now, to `path`: a whole database, in one file.

    Args:
        directory: of the data.
        path: of the copy. Called ``chatctl.db``, in a directory of its own, a server can use it.
        force: replaces a file that is there.

    Raises:
        DataError: in one line, why there is no copy.
    """
    spare_history(path, directory)
    with open_history(directory) as history, whole_file(path, replace=force, advice=FORCE) as part:
        try:
            with closing(sqlite3.connect(part, isolation_level=None)) as copy:
                _copy(history.connection, copy)
                _check(copy, directory)
                _clean(copy)
        except sqlite3.Error as error:
            raise DataError(f"no backup was made: {one_line(explain(error, path))}") from None


def _copy(source: sqlite3.Connection, copy: sqlite3.Connection) -> None:
    """Copies all pages. Since `source` is in a transaction, what others write does not make it start anew."""
    # Nothing to roll back to is needed; when all is there, it goes to the disk at once.
    copy.execute("PRAGMA journal_mode = OFF")
    copy.execute("PRAGMA synchronous = OFF")
    total: int = source.execute("PRAGMA page_count").fetchone()[0]
    with progress("Copying", total) as show:
        source.backup(copy, pages=STEP_PAGES, progress=lambda _, left, all_: show(all_ - left))


def _check(copy: sqlite3.Connection, directory: Path) -> None:
    """Makes sure that the copy is whole."""
    found: str = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        what = one_line(found)
        raise DataError(f"no backup was made: the history in {directory} is damaged ({what})")


def _clean(copy: sqlite3.Connection) -> None:
    """Removes what the server had no time to remove of redacted messages, and brings all into one file."""
    remove_traces(copy)
    # The copy has the mode of what it was copied from, which keeps a log beside the file.
    copy.execute("PRAGMA journal_mode = DELETE")
