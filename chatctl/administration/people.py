"""Accounts as an administrator changes them, each change noted in the audit."""

from __future__ import annotations

from collections.abc import Callable

from chatctl.access.opened import AccessBook
from chatctl.errors import ChatError
from chatctl.messages import Role
from chatctl.names import check_name, fold

Ask = Callable[[str], str]  # for a new password of somebody


def add(book: AccessBook, name: str, role: Role, ask: Ask) -> str:
    """Makes an account; returns its name.

    Raises:
        ChatError: the name is none, or belongs to somebody; or there is no password.
    """
    name = check_name(name)
    if other := book.accounts.owner(name):
        raise ChatError(f"there is an account {other.name} already")
    account = book.accounts.add(name, ask(name), role)
    book.audit.add("", "add", account.name, reason=role)
    return account.name


def change_password(book: AccessBook, name: str, ask: Ask) -> str:
    """Gives an account another password; returns its name.

    Raises:
        ChatError: there is no such account, or no password.
    """
    name = _find(book, name)
    book.accounts.set_password(name, ask(name))
    book.audit.add("", "passwd", name)
    return name


def change_role(book: AccessBook, name: str, role: Role) -> str:
    """Gives an account another role; returns its name.

    Raises:
        ChatError: there is no such account.
    """
    name = book.accounts.set_role(_find(book, name), role).name
    book.audit.add("", "role", name, reason=role)
    return name


def remove(book: AccessBook, name: str) -> str:
    """Removes an account; returns its name.

    Raises:
        ChatError: there is no such account.
    """
    name = _find(book, name)
    book.accounts.remove(name)
    book.audit.add("", "remove", name)
    return name


def _find(book: AccessBook, name: str) -> str:
    """Returns the name of an account as its owner writes it."""
    name = check_name(name)
    account = book.accounts.get(fold(name))
    if account is None:
        raise ChatError(f"there is no account {name}: `chatctl user list` shows all")
    return account.name
