"""Keys: what lets people in who have no account. The server's own, invitations, and personal ones.

Keys are 128 random bits and kept hashed, so that a copy of the file lets nobody in. Whoever uses up an
invitation gets a personal key in its place: with it, the same name can come again.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import time
from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from chatctl.access.database import Database
from chatctl.errors import Refused
from chatctl.messages import Role

KEY_BYTES = 16
MAX_INVITATIONS = 10_000
_SELECT = "SELECT id, hash, kind, parent, author, room, role, uses, until, at, by FROM keys "


class Key(Struct, frozen=True):
    """What is kept of one key.

    Attributes:
        parent: of a personal key the invitation it stands for.
        author: of a personal key whose it is, folded.
        room: that it lets one into, though that is invite-only; None if none.
        uses: that are left; None for any number.
        until: when it ends, in milliseconds since the Unix epoch; None if it does not.
        at: when it was made.
        by: who made it.
    """

    id: int
    hash: bytes
    kind: Literal["server", "invitation", "personal", "redeemed"]
    parent: int | None
    author: str | None
    room: str | None
    role: Role
    uses: int | None
    until: int | None
    at: int
    by: str


class Keys:
    """The keys of a server. Thread-safe.

    Args:
        database: keeps them.
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def _now(self) -> int:
        return int(self._clock() * 1000)

    # The server's key

    def has_server_key(self) -> bool:
        """Returns whether the server has a key of its own."""
        with self._database.reading() as connection:
            return bool(connection.execute("SELECT count(*) FROM keys WHERE kind = 'server'").fetchone()[0])

    def set_server_key(self, key: str) -> None:
        """Makes `key` the server's own, in place of the one it had."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM keys WHERE kind = 'server'")
            connection.execute("DELETE FROM keys WHERE hash = ?", (_hash(key),))
            connection.execute(
                "INSERT INTO keys (hash, kind, role, at, by) VALUES (?, 'server', 'member', ?, '')",
                (_hash(key), self._now()),
            )

    # Invitations

    def invite(
        self, room: str | None, *, uses: int | None, seconds: float | None, role: Role, by: str
    ) -> str:
        """Makes an invitation.

        Args:
            room: it lets one into, though that is invite-only.
            uses: how many people may come in by it; None for any number.
            seconds: for which it can be used; None for good.
            role: of those who come in by it.
            by: who made it.

        Returns:
            Its key, which is kept nowhere.

        Raises:
            Refused: ``server-full``: there are too many; ``storage``.
        """
        key = new_key()
        now = self._now()
        until = None if seconds is None else now + int(seconds * 1000)
        with self._database.writing(held=False) as connection:
            self._forget_ended(connection, now)
            count = connection.execute("SELECT count(*) FROM keys WHERE kind = 'invitation'").fetchone()[0]
            if count >= MAX_INVITATIONS:
                raise Refused("server-full", f"there are {MAX_INVITATIONS} invitations already")
            connection.execute(
                "INSERT INTO keys (hash, kind, room, role, uses, until, at, by)"
                " VALUES (?, 'invitation', ?, ?, ?, ?, ?, ?)",
                (_hash(key), room, role, uses, until, now, by),
            )
        return key

    def _forget_ended(self, connection: sqlite3.Connection, now: int) -> None:
        """Forgets invitations that let nobody in any more, and by which nobody is in."""
        connection.execute(
            "DELETE FROM keys WHERE kind = 'invitation' AND (uses = 0 OR until <= ?)"
            " AND id NOT IN (SELECT parent FROM keys WHERE parent IS NOT NULL)",
            (now,),
        )

    def invitations(self) -> list[Key]:
        """Returns the invitations, the newest first, also those that are used up or over."""
        with self._database.reading() as connection:
            rows = connection.execute(_SELECT + "WHERE kind = 'invitation' ORDER BY id DESC").fetchall()
        return [Key(*row) for row in rows]

    def guests(self, id_: int) -> list[str]:
        """Returns the folded names of those who came in by an invitation."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT author FROM keys WHERE parent = ? ORDER BY id", (id_,))
            return [row[0] for row in rows.fetchall()]

    def revoke(self, id_: int) -> bool:
        """Ends an invitation, and the personal keys of those who came in by it; returns if there was one."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM keys WHERE parent = ?", (id_,))
            deleted = connection.execute("DELETE FROM keys WHERE id = ? AND kind = 'invitation'", (id_,))
            return deleted.rowcount > 0

    # Coming in

    def check(self, key: str, author: str) -> Key:
        """Returns the key that lets `author` in, without using it.

        Args:
            key: as it was sent.
            author: the name of who comes, folded.

        Raises:
            Refused: ``auth-failed``, saying why; ``storage``.
        """
        with self._database.reading() as connection:
            return self._find(connection, key, author)

    def _find(self, connection: sqlite3.Connection, key: str, author: str) -> Key:
        hashed = _hash(key)
        found = _first(connection, "WHERE hash = ?", hashed)
        # The index looks for a hash, which nobody can steer; the comparison always takes the same time.
        if not hmac.compare_digest(found.hash if found else bytes(32), hashed) or found is None:
            raise Refused("auth-failed", "that key lets nobody in: ask for a new invitation")
        if found.until is not None and found.until <= self._now():
            raise Refused("auth-failed", "that invitation is over: ask for a new one")
        if found.uses == 0:
            raise Refused("auth-failed", "that invitation was used already: ask for a new one")
        if found.kind == "personal" and found.author != author:
            raise Refused("auth-failed", "that key belongs to another name")
        return found

    def spend(self, key: str, author: str) -> str | None:
        """Uses a key to come in.

        Returns:
            The personal key of `author` from now on, where the key was an invitation; else None.

        Raises:
            Refused: ``auth-failed``, saying why: somebody else may have used it meanwhile; ``storage``.
        """
        with self._database.writing(held=False) as connection:
            found = self._find(connection, key, author)
            return self._spend(connection, found, author) if found.kind == "invitation" else None

    def _spend(
        self, connection: sqlite3.Connection, invitation: Key, author: str, kind: str = "personal"
    ) -> str:
        """Uses an invitation; returns the personal key of `author` that it becomes."""
        if invitation.uses is not None:
            connection.execute("UPDATE keys SET uses = uses - 1 WHERE id = ?", (invitation.id,))
        personal = new_key()
        # Who comes by an invitation again has no use for the key of the last time.
        connection.execute("DELETE FROM keys WHERE parent = ? AND author = ?", (invitation.id, author))
        connection.execute(
            "INSERT INTO keys (hash, kind, parent, author, room, role, at, by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(_hash(personal), kind, invitation.id, author, invitation.room, invitation.role),
                *(self._now(), invitation.by),
            ),
        )
        return personal

    def recall(self, key: str, author: str) -> Key:
        """Returns the key that lets `author` in, as `check` does; of an invitation that they redeemed theirs.

        Raises:
            Refused: ``auth-failed``, saying why; ``storage``.
        """
        with self._database.reading() as connection:
            return _redeemed(connection, key, author) or self._find(connection, key, author)

    def redeem(self, key: str, author: str) -> Key:
        """Uses an invitation, unless `author` redeemed it before; returns the key that it stands for.

        Who came by `spend` has a personal key of their own: then the invitation is worth nothing any more.

        Raises:
            Refused: ``auth-failed``, saying why; ``storage``.
        """
        with self._database.writing() as connection:
            if not (personal := _redeemed(connection, key, author)):
                new = self._spend(connection, self._find(connection, key, author), author, "redeemed")
                personal = self._find(connection, new, author)
        return personal

    def get(self, id_: int) -> Key | None:
        """Returns a key as it is kept; None if it was revoked."""
        with self._database.reading() as connection:
            return _first(connection, "WHERE id = ?", id_)

    def is_valid(self, id_: int) -> bool:
        """Returns whether a key is still kept: it was not revoked."""
        return self.get(id_) is not None

    def close_room(self, author: str, room: str) -> bool:
        """Has the personal keys of a name let it into a room no more; returns whether one did."""
        with self._database.writing() as connection:
            closed = connection.execute(
                "UPDATE keys SET room = NULL WHERE author = ? AND room = ?", (author, room)
            )
            return closed.rowcount > 0

    def forget_person(self, author: str) -> None:
        """Ends the personal keys of a name."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM keys WHERE author = ?", (author,))


def new_key() -> str:
    """Returns a fresh key."""
    return secrets.token_urlsafe(KEY_BYTES)


def _redeemed(connection: sqlite3.Connection, key: str, author: str) -> Key | None:
    """Returns the personal key that `author` redeemed an invitation for."""
    invitation = "(SELECT id FROM keys WHERE hash = ? AND kind = 'invitation')"
    which = f"WHERE author = ? AND kind = 'redeemed' AND parent = {invitation}"
    return _first(connection, which, author, _hash(key))


def _first(connection: sqlite3.Connection, which: str, *values: object) -> Key | None:
    """Returns the first key of those that `which`, a clause of our own, means with these values."""
    row = connection.execute(_SELECT + which, values).fetchone()
    return Key(*row) if row else None


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="replace")).digest()
