"""The data directory: where it is, and who has it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from chatctl.errors import DataError

LOCK = "lock"
CERTIFICATE = "certificate.pem"  # that a server has made for itself
CERTIFICATE_KEY = "certificate.key"


def default_directory() -> Path:
    """Returns where this user's history is kept, where nothing else is said."""
    import platformdirs

    return Path(platformdirs.user_data_dir("chatctl", appauthor=False))


def make_directory(directory: Path) -> None:
    """Makes a data directory if there is none: nobody but this user may look into it.

    Raises:
        DataError: it cannot be made.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = "that is a file" if isinstance(error, FileExistsError) else error.strerror
        raise DataError(f"cannot keep anything in {directory}: {why}") from None


class DirectoryLock:
    """Keeps a data directory for this process alone, until it is closed or the process ends, however it does.

    Makes the directory if there is none.

    Args:
        directory: of the data.

    Raises:
        DataError: another process has it, or it cannot be written to.
    """

    def __init__(self, directory: Path) -> None:
        make_directory(directory)
        try:
            self._descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataError(f"cannot keep anything in {directory}: {error.strerror}") from None
        try:
            self._take(directory)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take(self, directory: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip()
            who = f"process {holder}" if holder.isdigit() else "another process"
            raise DataError(
                f"{directory} is in use by {who}: stop that server, or choose another directory with --data"
            ) from None
        except OSError as error:
            raise DataError(f"cannot lock {directory}: {error.strerror}") from None
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, b"%d\n" % os.getpid(), 0)
        except OSError:
            # On a full disk the lock holds all the same; it only cannot say whose it is.
            return

    def close(self) -> None:
        """Lets others have the directory."""
        os.close(self._descriptor)

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
