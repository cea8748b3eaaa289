"""By which addresses a server on this machine is reached, and by which links one comes in there."""

from __future__ import annotations

import re
import socket
from contextlib import suppress
from urllib.parse import quote

from chatctl.address import is_loopback, is_unspecified, join_address
from chatctl.invite import Invitation, format_link, parse_link
from chatctl.messages import LOBBY

# Addresses for documentation (RFC 5737, RFC 3849), which nobody has: a route to them is one to anywhere.
_ANYWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
_PORT = 9  # discard
_HOST_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?", re.ASCII)


def browser_line(link: str, *, tls: bool) -> str:
    """Returns where a browser finds what a link leads to; the key is a fragment, which it keeps to itself.

    Args:
        link: as `links` returns it.
        tls: the server offers TLS.
    """
    said = parse_link(link)
    where = join_address(said.host, said.port)
    room = f"?room={quote(said.room, safe='')}" if said.room != LOBBY else ""
    key = f"#{quote(said.key, safe='')}" if said.key else ""
    return f"in a browser: http{'s' if tls else ''}://{where}/{room}{key}"


def links(host: str, port: int, pin: str, room: str = LOBBY, key: str = "") -> list[str]:
    """Returns what one comes in by, for each address by which the server is reached, the likeliest first.

    Args:
        host: where the server listens, or a name of it.
        port: its port.
        pin: of its certificate, as `tls.pin_of` returns it; empty if it has none, or one that others know.
        room: the room to enter.
        key: what lets one in; empty if none is needed.
    """
    return [format_link(Invitation(address, port, room, pin, key)) for address in addresses(host)]


def addresses(host: str) -> list[str]:
    """Returns the addresses by which a server that listens on `host` is reached, the likeliest first.

    That is `host` itself, unless it means all addresses of this machine: then those it would be seen by in
    the net, and its name at last. Sends nothing.
    """
    families = _families(host)
    if not families:
        return [host]
    found = [address for family in families if (address := seen_by(family))]
    name = socket.gethostname()
    if _HOST_NAME.fullmatch(name):
        found.append(name)
    return found or ["localhost"]


def _families(host: str) -> list[socket.AddressFamily]:
    """Returns of which kind the addresses are that `host` means; none if it means but one."""
    if not is_unspecified(host):
        return []
    ipv6 = [socket.AF_INET6] if ":" in host or not host else []
    return [socket.AF_INET, *ipv6] if not ipv6 or socket.has_dualstack_ipv6() else ipv6


def seen_by(family: socket.AddressFamily) -> str | None:
    """Returns the address from which this machine would send to anywhere; None without a route."""
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((_ANYWHERE[family], _PORT))  # which of UDP sends nothing
        address: str = probe.getsockname()[0]
        return None if is_loopback(address) else address
    return None
