"""Invitations made on the server's machine, and the links by which they are sent."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from chatctl.access import address
from chatctl.access.address import Address
from chatctl.access.opened import AccessBook
from chatctl.address import DEFAULT_PORT, is_loopback
from chatctl.errors import ChatError
from chatctl.history.directory import CERTIFICATE
from chatctl.messages import Role
from chatctl.names import check_room
from chatctl.reached import links
from chatctl.tls import pin_of

_END = "-----END CERTIFICATE-----"
_ANYWHERE = "::"


class Invited(Struct, frozen=True):
    """Whom an invitation is for.

    Attributes:
        room: it lets one into.
        uses: how many people may come in by it; None for any number.
        seconds: for which it can be used; None for good.
        role: of those who come in by it.
    """

    room: str
    uses: int | None
    seconds: int | None
    role: Role


def invite(book: AccessBook, invited: Invited, at: Address) -> list[str]:
    """Makes an invitation, and returns it as links, the likeliest first.

    Args:
        book: keeps it.
        invited: whom it is for.
        at: where the server is reached.

    Raises:
        Refused: ``bad-room``; ``server-full``; ``storage``.
    """
    room = check_room(invited.room)
    key = book.keys.invite(room, uses=invited.uses, seconds=invited.seconds, role=invited.role, by="")
    made = book.keys.check(key, "")
    book.audit.add("", "invite", str(made.id), room=room, until=made.until)
    return links(at.host, at.port, at.pin, room, key)


def revoke(book: AccessBook, id_: int) -> None:
    """Ends an invitation, and lets those in no more who came in by it.

    Raises:
        Refused: ``storage``.
        ChatError: there is none.
    """
    if not book.keys.revoke(id_):
        raise ChatError(f"there is no invitation {id_}: `chatctl invite list` shows all")
    book.audit.add("", "revoke", str(id_))


def find_server(directory: Path, host: str | None, port: int | None) -> Address:
    """Returns where the server of a data directory is reached.

    Args:
        directory: of the data.
        host: that was given; if left out, where the server listens, or all addresses of this machine.
        port: that was given; if left out, where the server listens, or the usual one.
    """
    running = address.read(directory)
    # Where others can reach it, a server offers TLS unless it is told not to.
    here = running or Address(_ANYWHERE, DEFAULT_PORT, _pin(directory), not is_loopback(host or ""))
    return Address(host or here.host, port or here.port, here.pin, here.tls)


def _pin(directory: Path) -> str:
    """Returns the pin of the certificate that a server has made in this directory; empty if there is none."""
    import ssl

    try:
        text = (directory / CERTIFICATE).read_text("ascii")
        return pin_of(ssl.PEM_cert_to_DER_cert(text[: text.index(_END) + len(_END)]))
    except (OSError, ValueError):
        return ""
