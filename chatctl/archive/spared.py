"""The files of a data directory that a server lives on, over which nothing else is to be written."""

from __future__ import annotations

import os
from pathlib import Path

from chatctl.access import address
from chatctl.access import database as access
from chatctl.errors import DataError
from chatctl.history import database as history
from chatctl.history.directory import CERTIFICATE, CERTIFICATE_KEY, LOCK
from chatctl.text import one_line

_LIVE = {
    *(LOCK, CERTIFICATE, CERTIFICATE_KEY, address.FILE),
    *(f"{file}{end}" for file in (history.FILE, access.FILE) for end in ("", "-wal", "-shm", "-journal")),
}


def spare_history(path: Path | None, directory: Path) -> None:
    """Refuses a `path` that is one of the files in which a server keeps the history, or who may come in.

    Raises:
        DataError: it is.
    """
    if path is None:
        return
    live = {os.path.realpath(directory / name) for name in _LIVE}
    if os.path.realpath(path) in live:
        raise DataError(f"{one_line(str(path))} is a file of the server itself: choose another name")
