"""The files in which the history itself is kept, over which nothing else is to be written."""

from __future__ import annotations

import os
from pathlib import Path

from chatctl.errors import DataError
from chatctl.history.database import FILE
from chatctl.history.directory import LOCK
from chatctl.text import one_line

_LIVE = {LOCK, *(f"{FILE}{suffix}" for suffix in ("", "-wal", "-shm", "-journal"))}


def spare_history(path: Path | None, directory: Path) -> None:
    """Refuses a `path` that is one of the files in which the history itself is kept.

    Raises:
        DataError: it is.
    """
    if path is None:
        return
    live = {os.path.realpath(directory / name) for name in _LIVE}
    if os.path.realpath(path) in live:
        raise DataError(f"{one_line(str(path))} is the history itself: choose another name")
