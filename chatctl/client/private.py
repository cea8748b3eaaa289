"""Files that only their owner can read, and that several processes may change. Quick to import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chatctl.durable import put_file
from chatctl.errors import DataError
from chatctl.text import one_line


def write(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Puts a file, which only its owner can read, in the place of another one, as `durable.put_file` does.

    Raises:
        DataError: in one line, why not.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        put_file(path, data, lasting=lasting)
    except OSError as error:
        raise DataError(f"cannot write {one_line(str(path))}: {error.strerror}") from None


def read(path: Path) -> bytes:
    """Returns what is in a file; nothing if that cannot be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Keeps others from changing the files in a directory meanwhile, where the system can do so."""
    lock = _lock(directory)
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def _lock(directory: Path) -> int | None:
    """Returns what keeps a directory locked until it is closed: the files in it are replaced."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None  # What is wrong there is told by whatever reads or writes the file.
    with suppress(OSError):  # Not every file system has locks.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor
