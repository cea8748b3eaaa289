"""What somebody may do where, by the book as it is now: the one place that says so.

Rights end while people are connected, so nothing here is kept by those who ask. All of it looks things up in
memory, except where no rule or ban is set: then it asks nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from msgspec import structs

from chatctl.access import roles
from chatctl.access.keys import Key
from chatctl.access.opened import AccessBook
from chatctl.access.rules import NO_RULE
from chatctl.errors import Refused
from chatctl.messages import Ban, Mode, Role
from chatctl.server.proof import sentence


class Asker(Protocol):
    """Somebody who wants to do something.

    Attributes:
        name: what they are called.
        address: where they come from.
    """

    name: str
    address: str

    @property
    def account(self) -> str:
        """The account they proved to have, its name folded; may be empty."""

    @property
    def grant(self) -> Key | None:
        """The key they came by."""

    @property
    def role(self) -> Role:
        """What they may do."""

    @property
    def rooms(self) -> Collection[str]:
        """The rooms they are in."""

    @property
    def silenced_as(self) -> Collection[str]:
        """Earlier names of theirs, which they had when they were muted."""


# Rooms


def may_enter(book: AccessBook, asker: Asker, room: str) -> bool:
    """Returns whether somebody may be in a room that there is."""
    return not book.rules.get(room).invite_only or _was_let_in(book, asker, room)


def may_see(book: AccessBook, asker: Asker, room: str) -> bool:
    """Returns whether somebody may know that there is a room."""
    return not book.rules.get(room).hidden or room in asker.rooms or _was_let_in(book, asker, room)


def may_read(book: AccessBook, asker: Asker, room: str) -> bool:
    """Returns whether somebody may know what is said in a room, and who is in it."""
    return may_see(book, asker, room) and may_enter(book, asker, room)


def _was_let_in(book: AccessBook, asker: Asker, room: str) -> bool:
    if asker.account and book.rules.is_allowed(room, asker.account):
        return True
    if asker.grant and asker.grant.room == room:
        return True
    return roles.is_at_least(asker.role, roles.ENTER_ANY_ROOM)


def sees_open(book: AccessBook, asker: Asker, room: str) -> bool:
    """Returns whether somebody who asks about a room is to be told; if not, as if there were no such room.

    Raises:
        Refused: ``forbidden``: they may know that it is there, and no more.
    """
    if not may_see(book, asker, room):
        return False
    if not may_enter(book, asker, room):
        raise Refused("forbidden", f"#{room} is for those who were let in: ask a moderator")
    return True


def demand_entry(book: AccessBook, asker: Asker, room: str, *, exists: bool) -> None:
    """Makes sure that somebody may enter a room, or make it if there is none.

    Raises:
        Refused: ``forbidden``.
    """
    known = exists or book.rules.get(room) != NO_RULE
    if not (known and may_see(book, asker, room)) and not _was_let_in(book, asker, room):
        roles.demand(asker.role, roles.MAKE_ROOMS, "make rooms")
    if not may_enter(book, asker, room):
        raise Refused("forbidden", f"#{room} is for those who were let in: ask a moderator")


def mode_of(book: AccessBook, room: str) -> Mode:
    """Returns what is allowed in a room."""
    rule = book.rules.get(room)
    return Mode(room=room, **structs.asdict(rule))


def modes_of(book: AccessBook) -> Callable[[str], Mode | None]:
    """Returns what returns what is allowed in a room, None where everything is."""
    return lambda room: None if book.rules.get(room) == NO_RULE else mode_of(book, room)


# Speaking


def why_silent(book: AccessBook, asker: Asker, room: str | None) -> Refused | None:
    """Returns why somebody may not say anything, in a room they are in or to one person; None if they may."""
    if mute := mute_of(book, asker):
        return Refused("muted", sentence("muted", mute))
    if room is None or book.rules.is_empty():
        return None
    if not may_enter(book, asker, room):  # They are about to be made to leave.
        return Refused("not-in-room", "you are not in that room")
    if not book.rules.get(room).read_only or roles.is_at_least(asker.role, roles.SPEAK_IN_READ_ONLY):
        return None
    return Refused("forbidden", f"only a moderator may say something in #{room}")


def demand_voice(book: AccessBook, asker: Asker, room: str | None = None) -> None:
    """Makes sure that somebody may say something, in a room or to others at all.

    Raises:
        Refused: ``muted``, ``forbidden``, ``not-in-room``.
    """
    if refusal := why_silent(book, asker, room):
        raise refusal


def demand_topic(book: AccessBook, asker: Asker, room: str) -> None:
    """Makes sure that somebody may set the topic of a room they are in.

    Raises:
        Refused: ``muted``, ``forbidden``, ``not-in-room``.
    """
    demand_voice(book, asker, room)
    needed = "moderator" if book.rules.get(room).topic_locked else roles.SET_TOPICS
    roles.demand(asker.role, needed, f"set the topic of #{room}")


def mute_of(book: AccessBook, asker: Asker) -> Ban | None:
    """Returns the mute that holds for somebody: for a name of theirs, or where they come from."""
    if not book.bans.has_any("mute"):
        return None
    if found := book.bans.find("mute", asker.name, asker.address):
        return found
    names = filter(None, (asker.account, *asker.silenced_as))
    return next((mute for name in names if (mute := book.bans.find("mute", name, ""))), None)


def demand_name(book: AccessBook, name: str) -> None:
    """Makes sure that a name may be taken by somebody who is in already.

    Raises:
        Refused: ``banned``.
    """
    if book.bans.find("ban", name, ""):
        raise Refused("banned", "that name is banned")
