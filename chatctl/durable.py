"""Files that are put in their place whole or not at all, also if the power goes. Quick to import."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path


def put_file(path: Path, data: bytes, mode: int = 0o600, *, lasting: bool = True) -> None:
    """Makes a file, or puts it in the place of another one; who reads it meanwhile gets either, whole.

    Args:
        path: of the file; a link there is replaced, and not followed.
        data: all of it.
        mode: of the file from its first byte on, less the umask: nobody but this user reads it, if left out.
        lasting: waits until it is on the disk. Else a power cut may leave the one before, or an empty one.

    Raises:
        OSError: it cannot be written; whatever was there still is.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    part.unlink(missing_ok=True)  # left behind by a process that had the same number
    try:
        part.touch(mode, exist_ok=False)
        with part.open("wb") as file:
            file.write(data)
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    if lasting:
        with suppress(OSError):  # Not every system can do so for a directory.
            synchronize(path.parent)


def synchronize(path: Path) -> None:
    """Waits until a file, or the names in a directory, are on the disk.

    Raises:
        OSError: that cannot be, or cannot be known.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
