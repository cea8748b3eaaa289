"""Accounts: names that belong to somebody, who proves it by a password."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct, structs

from chatctl.access.database import Database
from chatctl.access.passwords import always, check_password, hash_password, is_password
from chatctl.errors import Refused, StorageError
from chatctl.messages import Role
from chatctl.names import check_name, fold, skeleton

MAX_ACCOUNTS = 100_000


class Account(Struct, frozen=True):
    """One account.

    Attributes:
        author: the name as `names.fold` makes it.
        at: when it was made, in milliseconds since the Unix epoch.
        seen: when its owner came in last; None if never.
        stamp: another one after each change of the password; says nothing of it.
    """

    name: str
    author: str
    role: Role
    at: int
    seen: int | None
    stamp: str


class Accounts:
    """The accounts of a server. Thread-safe; looking one up asks no disk.

    Args:
        database: keeps them.
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        self._accounts: dict[str, Account] = {}
        self._looks: dict[str, Account] = {}  # by skeleton
        database.on_change(self._read)

    def _read(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT name, author, role, at, seen, hash, look FROM accounts").fetchall()
        self._accounts = {row[1]: Account(*(*row[:5], _stamp(row[5]))) for row in rows}
        self._looks = {row[6]: self._accounts[row[1]] for row in rows}

    def get(self, author: str) -> Account | None:
        """Returns the account of a folded name."""
        return self._accounts.get(author)

    def owner(self, name: str) -> Account | None:
        """Returns the account whose name `name` is, in any spelling, or which it looks like."""
        if not self._accounts:
            return None
        return self._accounts.get(fold(name)) or self._looks.get(skeleton(name))

    def all(self) -> list[Account]:
        """Returns all accounts, by name."""
        return sorted(self._accounts.values(), key=lambda account: account.author)

    def add(
        self, name: str, password: str, role: Role = "member", wanted: Callable[[], bool] = always
    ) -> Account:
        """Makes an account.

        Args:
            name: of it.
            password: by which its owner proves to be that.
            role: of it.
            wanted: asked while this waits for its turn, as in `passwords.hash_password`.

        Raises:
            Refused: ``bad-name``, ``name-taken``; ``bad-text``: the password; ``server-full``; ``storage``.
        """
        name = check_name(name)
        check_password(password)
        if len(self._accounts) >= MAX_ACCOUNTS:
            raise Refused("server-full", f"there are {MAX_ACCOUNTS} accounts already")
        if other := self.owner(name):
            raise Refused("name-taken", f"there is an account {other.name} already")
        hashed = hash_password(password, wanted)
        row = (fold(name), name, skeleton(name), hashed, role, int(self._clock() * 1000))
        with self._database.writing() as connection:
            try:
                connection.execute(
                    "INSERT INTO accounts (author, name, look, hash, role, at) VALUES (?, ?, ?, ?, ?, ?)", row
                )
            except sqlite3.IntegrityError:  # Somebody was quicker.
                raise Refused("name-taken", f"there is an account {name} already") from None
        return self._account(row[0])

    def log_in(self, name: str, password: str, wanted: Callable[[], bool] = always) -> Account:
        """Returns the account of `name`, if that is its password. Takes the same time where there is none.

        Args:
            name: of the account, in any spelling.
            password: as it was sent.
            wanted: asked while this waits for its turn, as in `passwords.is_password`.

        Raises:
            Refused: ``auth-failed``; ``server-full``; ``storage``.
        """
        author = fold(name)
        with self._database.reading() as connection:
            found = connection.execute("SELECT hash FROM accounts WHERE author = ?", (author,)).fetchone()
        right = is_password(password, found[0] if found else None, wanted)
        account = self._accounts.get(author)
        # What was right is no longer so where another password was set meanwhile.
        if not right or account is None or account.stamp != _stamp(found[0]):
            raise Refused("auth-failed", "that is not the password of that account")
        account = structs.replace(account, seen=int(self._clock() * 1000))
        with suppress(StorageError):  # A full disk keeps nobody out: when they came is not known then.
            self._note_seen(account)
        return account

    def _note_seen(self, account: Account) -> None:
        author = account.author
        with self._database.writing(held=False) as connection:
            connection.execute("UPDATE accounts SET seen = ? WHERE author = ?", (account.seen, author))
            if author in self._accounts:
                self._accounts[author] = account

    def set_password(self, name: str, password: str, wanted: Callable[[], bool] = always) -> Account:
        """Gives an account another password.

        Args:
            name: of the account.
            password: the new one.
            wanted: asked while this waits for its turn, as in `passwords.hash_password`.

        Raises:
            Refused: ``no-such-user``; ``bad-text``: the password; ``server-full``; ``storage``.
        """
        check_password(password)
        return self._change(
            name, "UPDATE accounts SET hash = ? WHERE author = ?", hash_password(password, wanted)
        )

    def set_role(self, name: str, role: Role) -> Account:
        """Gives an account another role.

        Raises:
            Refused: ``no-such-user``; ``storage``.
        """
        return self._change(name, "UPDATE accounts SET role = ? WHERE author = ?", role)

    def remove(self, name: str) -> None:
        """Removes an account, with what was kept for it; the name is free again.

        Raises:
            Refused: ``no-such-user``; ``storage``.
        """
        with self._database.writing() as connection:
            author = fold(name)
            if not connection.execute("DELETE FROM accounts WHERE author = ?", (author,)).rowcount:
                raise Refused("no-such-user", "there is no such account")
            connection.execute("DELETE FROM mail WHERE author = ?", (author,))
            connection.execute("DELETE FROM allowed WHERE author = ?", (author,))

    def _change(self, name: str, statement: str, value: str) -> Account:
        author = fold(name)
        with self._database.writing() as connection:
            if not connection.execute(statement, (value, author)).rowcount:
                raise Refused("no-such-user", "there is no such account")
        return self._account(author)

    def _account(self, author: str) -> Account:
        account = self._accounts.get(author)
        if account is None:  # Another process has just removed it.
            raise Refused("no-such-user", "there is no such account")
        return account


def _stamp(hashed: str) -> str:
    """Returns the salt of a hash, of which each has its own (RFC 9106, its encoding in PHC form)."""
    return hashed.split("$")[-2]
