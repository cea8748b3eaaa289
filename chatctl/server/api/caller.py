"""Who asks for something over HTTP: who they say they are, and by what they prove it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from chatctl.access.keys import Key
from chatctl.access.opened import AccessBook
from chatctl.errors import NotProven, TryLater
from chatctl.messages import MAX_AGENT, Role
from chatctl.names import check_name, fold
from chatctl.server import permissions
from chatctl.server.admission import source_of
from chatctl.server.proof import Proof
from chatctl.server.web.request import Request
from chatctl.text import one_line

if TYPE_CHECKING:
    from chatctl.server.room import Room
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared


class Caller:
    """Somebody who asks for something, and is not in.

    Args:
        book: who may do what.
        name: what they are called; empty for somebody without a name.
        address: where they come from.
        proof: by what they may ask.

    Attributes:
        author: the name as `names.fold` makes it.
        rooms: those they follow.
        silenced_as: nothing: they have no earlier names.
    """

    __slots__ = ("_book", "address", "author", "name", "proof", "rooms", "silenced_as")

    def __init__(self, book: AccessBook, name: str, address: str, proof: Proof) -> None:
        self._book = book
        self.name = name
        self.author = fold(name)
        self.address = address
        self.proof = proof
        self.rooms: dict[str, Room] = {}
        self.silenced_as: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        """The account whose password they gave, its name folded; empty without one."""
        return self.proof.account

    @property
    def grant(self) -> Key | None:
        """The key they gave; None without one."""
        return self.proof.grant

    @property
    def role(self) -> Role:
        """What they may do, as the book has it now."""
        return self.proof.role(self._book)

    def may_read(self, room: str) -> bool:
        """Returns whether they may know what is said in a room, now."""
        return permissions.may_read(self._book, self, room)

    def check(self) -> None:
        """Makes sure that they may still ask for anything.

        Raises:
            Refused: as `Proof.check` does.
        """
        self.proof.check(self._book, self.name, self.address)
        self.proof = self.proof.renewed(self._book)


def identify(shared: Shared, session: Session, request: Request) -> Caller:
    """Returns who asks, as far as that is needed: where no key is, they may do without a name.

    Raises:
        Refused: they may not ask for anything; or ask too often, or come from where too many wrong keys came
            from.
    """
    name, secret = _credentials(request)
    if seconds := shared.rates.take(source_of(session.address), fold(name)):
        raise TryLater("you ask too often", seconds)
    proof = shared.entrance.prove(session, name, secret)
    return Caller(shared.book, name, session.address, proof)


def agent_of(request: Request) -> str:
    """Returns what a client calls itself, cleaned, for the log."""
    return one_line(request.headers.get("user-agent", "no agent"))[:MAX_AGENT]


def _credentials(request: Request) -> tuple[str, str | None]:
    """Returns the name and what proves it (RFC 7617); an empty name and None where nothing is said."""
    header = request.headers.get("authorization")
    if header is None:
        return "", None
    scheme, _, encoded = header.partition(" ")
    try:
        name, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        colon = ""
    if scheme.lower() != "basic" or not colon:
        raise NotProven("auth-failed", "who you are is said by `Authorization: Basic`, with NAME:KEY", "key")
    return check_name(name), secret or None
