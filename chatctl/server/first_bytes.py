"""What a client speaks, as its first bytes say; they all come to the one port. No I/O."""

from __future__ import annotations

from enum import Enum, auto

# TLS begins with a handshake record, of a version that begins with 3 (RFC 8446 section 5.1).
_TLS = b"\x16\x03"


class Kind(Enum):
    """What a client speaks."""

    tls = auto()
    native = auto()


def kind_of(data: bytes) -> Kind | None:
    """Returns what a client that begins with `data` speaks; None if that is too little to know."""
    if data.startswith(_TLS):
        return Kind.tls
    return None if _TLS.startswith(data) else Kind.native
