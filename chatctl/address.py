"""Where a server is, as people write it. Quick to import: every command asks for it."""

from __future__ import annotations

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 12345
SCHEME = "chat://"


def split_address(address: str, port: int) -> tuple[str, int]:
    """Returns host and port of ``HOST``, ``HOST:PORT``, ``IPV6``, ``[IPV6]`` or ``[IPV6]:PORT``.

    Args:
        address: as a person gave it.
        port: where it names none.

    Raises:
        ValueError: it is none of these.
    """
    import re

    from chatctl.text import one_line

    if address.count(":") > 1 and not set("[/#") & set(address):
        return address, port
    found = re.fullmatch(r"(?:\[(.+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?", address, re.ASCII)
    if not found or (found[3] and not 1 <= int(found[3]) <= 65535):
        # It may be a link that lost something, and what follows the # is a secret.
        shown = one_line(address.partition("#")[0])
        raise ValueError(f"{shown} is not HOST or HOST:PORT, with a port from 1 to 65535")
    return found[1] or found[2], int(found[3] or port)


def is_link(address: str) -> bool:
    """Whether this is a link, see `chatctl.invite`, and no address."""
    return address.startswith(SCHEME)


def join_address(host: str, port: int) -> str:
    """Returns ``HOST:PORT``, or ``[IPV6]:PORT``."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a host is the machine itself: ``localhost``, or an address, be it mapped into IPv6 (RFC 4291).

    Args:
        host: an address as the system gives it, or what a person gave, be it any name.
    """
    import ipaddress

    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_unspecified(host: str) -> bool:
    """Whether a host means all addresses of this machine (RFC 4291 section 2.5.2), as an empty one does."""
    import ipaddress

    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
