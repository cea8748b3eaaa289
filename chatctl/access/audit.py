"""What moderators and administrators did: who, what, about whom, where and why."""

from __future__ import annotations

import time
from collections.abc import Callable

from msgspec import Struct

from chatctl.access.database import Database

MAX_ENTRIES = 100_000  # the oldest are forgotten


class Entry(Struct, frozen=True):
    """One thing that was done.

    Attributes:
        at: when, in milliseconds since the Unix epoch.
        name: who did it; empty for whoever used a command on the server's machine.
        what: like ``ban``.
        whom: the person, the range, or the message it was about.
        room: where; None if everywhere.
        until: when it ends; None if it does not.
        reason: in words; may be empty.
    """

    at: int
    name: str
    what: str
    whom: str
    room: str | None = None
    until: int | None = None
    reason: str = ""


class Audit:
    """The list of what was done. Thread-safe.

    Args:
        database: keeps it.
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def add(
        self,
        name: str,
        what: str,
        whom: str,
        *,
        room: str | None = None,
        until: int | None = None,
        reason: str = "",
    ) -> None:
        """Notes something that was done just now; see `Entry`."""
        with self._database.writing(held=False) as connection:
            connection.execute(
                "INSERT INTO audit (at, name, what, whom, room, until, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (int(self._clock() * 1000), name, what, whom, room, until, reason),
            )
            connection.execute(
                "DELETE FROM audit WHERE number <= (SELECT max(number) FROM audit) - ?", (MAX_ENTRIES,)
            )

    def last(self, limit: int) -> list[Entry]:
        """Returns the last `limit` entries, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT at, name, what, whom, room, until, reason FROM audit ORDER BY number DESC LIMIT ?",
                (limit,),
            ).fetchall()
        return [Entry(*row) for row in reversed(rows)]
