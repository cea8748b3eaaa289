"""What is listed of who may do what: a table on a terminal, lines with tabs elsewhere, or lines of JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from chatctl.access.audit import Entry
from chatctl.access.keys import Key
from chatctl.access.opened import AccessBook
from chatctl.messages import Role
from chatctl.text import one_line

NOTHING = "-"
WHOLE = {"id", "when", "until", "since", "came in last"}  # columns that do not become narrower


class Invitation(Struct, frozen=True):
    """One invitation, as programs get it.

    Attributes:
        uses: that are left; None for any number.
        until: when it ends, in milliseconds since the Unix epoch; None if it does not.
        at: when it was made, like that.
        by: who made it; empty for whoever used a command on the server's machine.
        people: the names of those who came in by it, as `names.fold` makes them.
    """

    id: int
    room: str | None
    role: Role
    uses: int | None
    until: int | None
    at: int
    by: str
    people: list[str]


class AccountLine(Struct, frozen=True):
    """One account, as programs get it."""

    name: str
    role: Role
    at: int
    seen: int | None


class Listing(Struct, frozen=True):
    """What is listed: what programs get, and for people the same in words."""

    items: Sequence[Struct]
    heads: Sequence[str]
    rows: Iterable[Sequence[str]]


def invitations(book: AccessBook) -> Listing:
    """Returns the invitations, the newest first."""
    items = [_invitation(book, key) for key in book.keys.invitations()]
    rows = ([str(item.id), *_described(item), ", ".join(item.people)] for item in items)
    return Listing(items, ("id", "room", "role", "uses left", "until", "came in"), rows)


def _invitation(book: AccessBook, key: Key) -> Invitation:
    people = book.keys.guests(key.id)
    return Invitation(key.id, key.room, key.role, key.uses, key.until, key.at, key.by, people)


def _described(item: Invitation) -> list[str]:
    uses = "any number" if item.uses is None else str(item.uses)
    return [f"#{item.room}" if item.room else NOTHING, item.role, uses, _until(item.until)]


def accounts(book: AccessBook) -> Listing:
    """Returns the accounts, by name."""
    items = [AccountLine(item.name, item.role, item.at, item.seen) for item in book.accounts.all()]
    rows = ([item.name, item.role, moment(item.at), moment(item.seen)] for item in items)
    return Listing(items, ("name", "role", "since", "came in last"), rows)


def audit(book: AccessBook, limit: int) -> Listing:
    """Returns the last things that were done, oldest first."""
    items: list[Entry] = book.audit.last(limit)
    return Listing(items, ("when", "who", "what", "whom", "room", "until", "why"), map(_done, items))


def _done(item: Entry) -> list[str]:
    room = f"#{item.room}" if item.room else ""
    until = "" if item.until is None else moment(item.until)
    return [moment(item.at), item.name or NOTHING, item.what, item.whom, room, until, item.reason]


def _until(at: int | None) -> str:
    if at is None:
        return "for good"
    return moment(at) if at > time.time() * 1000 else f"{moment(at)} (over)"


def moment(at: int | None) -> str:
    """Returns the local time of `at`, milliseconds since the Unix epoch."""
    return NOTHING if at is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(at / 1000))


def show(listing: Listing, *, as_json: bool) -> None:
    """Prints it."""
    if as_json:
        for item in listing.items:
            sys.stdout.write(msgspec.json.encode(item).decode() + "\n")
    elif sys.stdout and sys.stdout.isatty():
        _show_table(listing)
    else:
        for row in listing.rows:
            sys.stdout.write("\t".join(map(one_line, row)) + "\n")


def _show_table(listing: Listing) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for head in listing.heads:
        table.add_column(head, overflow="fold", no_wrap=head in WHOLE)
    for row in listing.rows:
        table.add_row(*(Text(one_line(cell)) for cell in row))
    Console(highlight=False, markup=False, emoji=False).print(table)
