"""The rules of rooms: who may enter, see and speak in them."""

from __future__ import annotations

import sqlite3

from msgspec import Struct, structs

from chatctl.access.database import Database
from chatctl.errors import Refused
from chatctl.messages import LOBBY


class Rule(Struct, frozen=True):
    """What is allowed in a room.

    Attributes:
        invite_only: only those who were allowed to may enter, read and know who is in it.
        hidden: only members see that it is there.
        read_only: only moderators may say something.
        topic_locked: only moderators may set the topic.
    """

    invite_only: bool = False
    hidden: bool = False
    read_only: bool = False
    topic_locked: bool = False


NO_RULE = Rule()


class Rules:
    """The rules of a server's rooms. Thread-safe; asking takes no disk.

    Args:
        database: keeps them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._rules: dict[str, Rule] = {}
        self._allowed: set[tuple[str, str]] = set()
        database.on_change(self._read)

    def _read(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT * FROM rooms").fetchall()
        self._rules = {room: Rule(*map(bool, values)) for room, *values in rows}
        self._allowed = set(connection.execute("SELECT room, author FROM allowed").fetchall())

    def is_empty(self) -> bool:
        """Returns whether no room has a rule."""
        return not self._rules

    def get(self, room: str) -> Rule:
        """Returns the rule of a room."""
        return self._rules.get(room, NO_RULE)

    def set(self, room: str, rule: Rule) -> None:
        """Makes `rule` that of a room.

        Raises:
            Refused: ``forbidden``: everybody may enter and see the lobby; ``storage``.
        """
        if room == LOBBY and (rule.invite_only or rule.hidden):
            raise Refused("forbidden", f"#{LOBBY} is everybody's")
        with self._database.writing() as connection:
            if rule == NO_RULE:
                connection.execute("DELETE FROM rooms WHERE room = ?", (room,))
            else:
                values = structs.astuple(rule)
                connection.execute("INSERT OR REPLACE INTO rooms VALUES (?, ?, ?, ?, ?)", (room, *values))

    def is_allowed(self, room: str, author: str) -> bool:
        """Returns whether an account was allowed to enter a room."""
        return (room, author) in self._allowed

    def allow(self, room: str, author: str) -> None:
        """Allows an account to enter a room, from now on."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO allowed VALUES (?, ?)", (room, author))

    def disallow(self, room: str, author: str) -> None:
        """Allows it no more.

        Raises:
            Refused: ``no-such-user``: it was not allowed to; ``storage``.
        """
        with self._database.writing() as connection:
            deleted = connection.execute(
                "DELETE FROM allowed WHERE room = ? AND author = ?", (room, author)
            ).rowcount
            if not deleted:
                raise Refused("no-such-user", f"that account is not on the list of #{room}")
