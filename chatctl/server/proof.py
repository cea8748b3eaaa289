"""By what somebody was let in, and whether that still holds."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct, structs

from chatctl.access.keys import Key
from chatctl.access.opened import AccessBook
from chatctl.errors import NotProven, Refused
from chatctl.messages import Ban, Role
from chatctl.text import one_line


class Proof(Struct, frozen=True):
    """By what somebody was let in: nothing, where nothing is asked for.

    Attributes:
        account: the account they gave the password of, folded; empty if none.
        stamp: that the account had then, as in `accounts.Account`.
        grant: the key they came by; None without one.
    """

    account: str = ""
    stamp: str = ""
    grant: Key | None = None

    def role(self, book: AccessBook) -> Role:
        """Returns what they may do now."""
        if self.account:
            account = book.accounts.get(self.account)
            return account.role if account else "guest"
        return self.grant.role if self.grant else "member"

    def renewed(self, book: AccessBook) -> Proof:
        """Returns the same with the key as it is kept now: it may no longer open its room.

        One that was revoked stays what they came by, for `check` to find.
        """
        if self.grant is None:
            return self
        return structs.replace(self, grant=book.keys.get(self.grant.id) or self.grant)

    def check(self, book: AccessBook, name: str, address: str) -> None:
        """Makes sure that they may be in, under `name`.

        Raises:
            Refused: ``banned``; ``auth-required``: the account is gone, has another password now, or the name
                belongs to one; ``auth-failed``: the key was revoked; ``storage``.
        """
        check_ban(book, name, address)
        if self.account:
            self._check_account(book, address)
        owner = book.accounts.owner(name)
        if owner and owner.author != self.account:
            raise NotProven("auth-required", f"the name {owner.name} has an account now", "password")
        if not self.account and self.grant and not book.keys.is_valid(self.grant.id):
            check_ban(book, name, address)  # One that was put just now ended the key.
            raise NotProven("auth-failed", "your key lets nobody in any more: ask for an invitation", "key")

    def _check_account(self, book: AccessBook, address: str) -> None:
        account = book.accounts.get(self.account)
        if account is None:
            raise NotProven("auth-required", "your account was removed", "password")
        if account.stamp != self.stamp:
            raise NotProven("auth-required", "your account has another password now", "password")
        check_ban(book, account.name, address)


def check_ban(book: AccessBook, name: str, address: str) -> None:
    """Makes sure that neither a name nor an address is banned.

    Raises:
        Refused: ``banned``, saying until when and why.
    """
    if ban := book.bans.find("ban", name, address):
        raise Refused("banned", sentence("banned", ban))


def sentence(what: str, ban: Ban) -> str:
    """Returns what is told to somebody who is ``banned`` or ``muted``."""
    return f"you are {what} {_until(ban)}{f': {one_line(ban.reason)}' if ban.reason else ''}"


def _until(ban: Ban) -> str:
    if ban.until is None:
        return "for good"
    return f"until {datetime.fromtimestamp(ban.until / 1000, UTC):%Y-%m-%d %H:%M} UTC"
