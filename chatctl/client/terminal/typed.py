"""What was typed in the terminal client, for this run and the next ones, in a file for its owner alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from prompt_toolkit.history import FileHistory

from chatctl.client.private import read, write
from chatctl.commands import is_secret
from chatctl.errors import DataError
from chatctl.text import one_line

MAX_KEPT = 256 * 1024  # bytes that are kept, once they have become twice as many


class Typed(FileHistory):
    """A file of what was typed; where there can be none, it is known for this run only.

    Args:
        path: of the file.

    Attributes:
        tell: is told, in a line for people, that the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.tell: Callable[[str], None] = _to_nobody
        self._path = path
        self._works = True

    def load_history_strings(self) -> Iterable[str]:
        """Returns what was typed in earlier runs, the last first."""
        try:
            self._prepare()
            return super().load_history_strings()
        except (DataError, OSError) as error:
            self._give_up(str(error))
            return []

    def _prepare(self) -> None:
        """Makes the file, or cuts it where it has become long."""
        data = read(self._path)
        if len(data) > 2 * MAX_KEPT:
            # Entries are parted by a line that begins with "#".
            write(self._path, data[data.find(b"\n#", len(data) - MAX_KEPT) + 1 :])
        elif not self._path.exists():
            write(self._path, b"")

    def append_string(self, string: str) -> None:
        """Adds what was typed, for this run and the next ones, unless a password may be in it."""
        if not is_secret(string):
            super().append_string(string)

    def store_string(self, string: str) -> None:
        """Adds what was typed to the file."""
        if not self._works:
            return
        try:
            super().store_string(string)
        except OSError as error:
            self._give_up(f"cannot write {one_line(str(self._path))}: {error.strerror}")

    def _give_up(self, reason: str) -> None:
        self._works = False
        self.tell(f"{reason}; what you type is not kept for the next time")


def _to_nobody(_text: str) -> None:
    """Says nothing: there is no terminal yet."""
