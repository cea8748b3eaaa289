"""`chatctl export`: the history, or one room of it, into a file or to standard output."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from chatctl.archive.formats import FORMATS, format_of
from chatctl.archive.output import output
from chatctl.archive.progress import progress
from chatctl.archive.snapshot import Snapshot, open_history
from chatctl.archive.spared import spare_history
from chatctl.errors import DataError
from chatctl.history.rows import RoomLog
from chatctl.names import check_room

BROKEN_PIPE = 141  # what a shell says of a program that SIGPIPE ended


def export(
    directory: Path,
    path: Path | None,
    format_: str | None = None,
    room: str | None = None,
    *,
    force: bool = False,
) -> int:
    """Writes what is kept in `directory`, which a server may be using.

    Args:
        directory: of the data.
        path: of the file; None for standard output.
        format_: one of `FORMATS`; by the suffix of `path` if left out, or ``jsonl``.
        room: the only one to write.
        force: replaces a file that is there.

    Returns:
        The exit code: not 0 if nobody reads it to the end.

    Raises:
        DataError: the history cannot be read, the room is not in it, or the file cannot be written.
        Refused: there can be no room of that name.
    """
    spare_history(path, directory)
    write = FORMATS[format_ or format_of(path)]
    with open_history(directory) as history:
        if room is not None:
            history.rooms = _only(history, check_room(room), directory)
        try:
            _write_all(history, write, path, force=force)
        except BrokenPipeError:
            return BROKEN_PIPE
    return 0


def _only(history: Snapshot, name: str, directory: Path) -> list[RoomLog]:
    found = [room for room in history.rooms if room.name == name]
    if not found:
        raise DataError(f"there is no room #{name} in {directory}")
    return found


def _write_all(
    history: Snapshot, write: Callable[[Snapshot], Iterator[bytes]], path: Path | None, *, force: bool
) -> None:
    total = sum(room.count for room in history.rooms)
    # A bar between lines that come to the same terminal is no help.
    hidden = path is None and os.isatty(1)
    with output(path, force=force) as put, progress("Exporting", total, hidden=hidden) as show:
        for piece in write(history):
            put(piece)
            show(history.read)
