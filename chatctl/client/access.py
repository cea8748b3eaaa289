"""Where a client goes, and as whom. Plain data, quick to import."""

from __future__ import annotations

from dataclasses import dataclass, field

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 12345


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to come in.

    Attributes:
        host: the server's name or address.
        port: its port.
        name: what to be called.
        key: what lets this person in, where the server asks for it; never shown.
        named: it has to be this name; else it may get a number where it is taken.
    """

    host: str
    port: int
    name: str
    key: str | None = field(default=None, repr=False)
    named: bool = True


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

    if address.count(":") > 1 and "[" not in address:
        return address, port
    found = re.fullmatch(r"(?:\[(.+)\]|([^\[\]:/@]+))(?::(\d{1,5}))?", address, re.ASCII)
    if not found or (found[3] and not 1 <= int(found[3]) <= 65535):
        raise ValueError(f"{one_line(address)} is not HOST or HOST:PORT, with a port from 1 to 65535")
    return found[1] or found[2], int(found[3] or port)
