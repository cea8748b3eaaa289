"""Private messages to accounts that are not there: kept until their owners come."""

from __future__ import annotations

from chatctl.access.database import Database
from chatctl.errors import Refused
from chatctl.messages import Told

MAX_KEPT = 200  # of one account


class Mail:
    """What is kept for accounts. Thread-safe.

    Args:
        database: keeps it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, author: str, told: Told) -> None:
        """Keeps a message for an account.

        Raises:
            Refused: ``server-full``: so many are waiting that no more are taken; ``storage``.
        """
        with self._database.writing(held=False) as connection:
            count = connection.execute("SELECT count(*) FROM mail WHERE author = ?", (author,)).fetchone()[0]
            if count >= MAX_KEPT:
                raise Refused("server-full", f"they are not here, and have {MAX_KEPT} messages waiting")
            connection.execute(
                "INSERT INTO mail (author, at, name, text, kind) VALUES (?, ?, ?, ?, ?)",
                (author, told.at, told.name, told.text, told.kind),
            )

    def waiting(self, author: str, after: int = 0) -> tuple[list[Told], int]:
        """Returns what is kept for an account behind a number, oldest first, and the number of the last."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT at, name, text, kind, number FROM mail WHERE author = ? AND number > ?"
                " ORDER BY number",
                (author, after),
            ).fetchall()
        # Of a text, the kind is left out where it is the one and only default.
        letters = [
            Told(at, name, text, "action" if kind == "action" else "text") for at, name, text, kind, _ in rows
        ]
        return letters, rows[-1][4] if rows else after

    def drop(self, author: str, number: int) -> None:
        """Forgets what is kept for an account up to a number: it has arrived."""
        with self._database.writing(held=False) as connection:
            connection.execute("DELETE FROM mail WHERE author = ? AND number <= ?", (author, number))
