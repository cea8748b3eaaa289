"""Invitations as links: where the server is, which room, by what it is known, and the key.

::

    chat://192.168.1.5:12345/lobby?pin=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU#K5mQwz0nRkmFQqkW3o3F1Q

The key is the fragment, which browsers keep to themselves (RFC 3986 section 3.5).
"""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, unquote, urlsplit

from msgspec import Struct

from chatctl.address import DEFAULT_PORT, SCHEME, is_loopback, join_address
from chatctl.errors import ChatError, Refused
from chatctl.messages import LOBBY
from chatctl.names import check_room
from chatctl.text import one_line

MAX_LINK = 1_000  # characters
MAX_KEY = 1_024  # bytes
_PIN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_HOST = re.compile(r"[^\s/?#@\[\]\x00-\x1f\x7f-\x9f]{1,255}")


class Invitation(Struct, frozen=True):
    """What a link says.

    Attributes:
        host: the server's name or address, without brackets.
        port: its port.
        room: the room to enter, as `names.check_room` returns it.
        pin: of the server's certificate, as `tls.pin_of` returns it; empty if it is known by other means.
        key: what lets one in; empty if none is needed.
    """

    host: str
    port: int = DEFAULT_PORT
    room: str = LOBBY
    pin: str = ""
    key: str = ""

    def __repr__(self) -> str:
        """Returns the link without its key."""
        return f"Invitation({format_link(Invitation(self.host, self.port, self.room, self.pin))})"


def format_link(invitation: Invitation) -> str:
    """Returns the link that says what `invitation` does."""
    where = join_address(invitation.host, invitation.port)
    pin = f"?pin={invitation.pin}" if invitation.pin else ""
    key = f"#{quote(invitation.key, safe='')}" if invitation.key else ""
    return f"{SCHEME}{where}/{quote(invitation.room, safe='')}{pin}{key}"


def parse_link(link: str) -> Invitation:
    """Returns what a link says.

    Raises:
        ChatError: in one line why it is none; the key is not repeated.
    """
    shown = one_line(link.partition("#")[0][:80])
    if not link.startswith(SCHEME) or len(link) > MAX_LINK or not link.isprintable():
        raise ChatError(f"{shown} is not a link like chat://HOST:PORT/ROOM#KEY")
    try:
        parts = urlsplit(link)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORT
        room = check_room(unquote(parts.path.removeprefix("/"), errors="strict") or LOBBY)
        key = unquote(parts.fragment, errors="strict")
        pin = parse_qs(parts.query).get("pin", [""])[-1]
    except (ValueError, Refused) as error:
        raise ChatError(f"{shown} is not a link like chat://HOST:PORT/ROOM#KEY: {error}") from None
    if not _HOST.fullmatch(host) or "@" in parts.netloc:
        raise ChatError(f"{shown} names no host")
    if pin and not _PIN.fullmatch(pin):
        raise ChatError(f"{shown} has a pin that is none: was the link cut?")
    if len(key.encode()) > MAX_KEY:
        raise ChatError(f"{shown} has a key that is too long")
    return Invitation(host, port, room, pin, key)


def join_line(link: str, *, tls: bool = True) -> str:
    """Returns what to type to come in by a link.

    Args:
        link: as `format_link` returns it.
        tls: the server offers TLS; where it does not, clients on other machines have to be told.
    """
    import shlex

    insecure = not tls and not is_loopback(parse_link(link).host)
    return f"chatctl join {shlex.quote(link)}{' --insecure' if insecure else ''}"
