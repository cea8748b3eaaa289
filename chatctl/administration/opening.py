"""The book of who may do what, opened by a command; the server, if one runs, takes over what is written."""

from __future__ import annotations

from pathlib import Path

from chatctl.access.database import FILE
from chatctl.access.opened import AccessBook
from chatctl.errors import DataError
from chatctl.history.directory import make_directory


def open_book(directory: Path) -> AccessBook:
    """Opens the book in a data directory.

    Raises:
        DataError: there is none, or it cannot be used.
    """
    if not (directory / FILE).exists():
        raise DataError(
            f"there are no accounts and no invitations in {directory}: a server, `chatctl invite` or "
            "`chatctl user add` makes them; --data names another directory"
        )
    return AccessBook(directory)


def open_or_make_book(directory: Path) -> AccessBook:
    """Opens the book in a data directory; both are made if they are not there.

    Raises:
        DataError: it cannot be made, or used.
    """
    make_directory(directory)
    return AccessBook(directory)
