"""What a client speaks, as its first bytes say; they all come to the one port. No I/O."""

from __future__ import annotations

import re
from enum import Enum, auto

# TLS begins with a handshake record, of a version that begins with 3 (RFC 8446 section 5.1).
_TLS = b"\x16\x03"
_METHOD = 16  # letters of the word that HTTP begins with, at most
_HTTP = re.compile(rb"[A-Z]{1,%d} " % _METHOD)
_PERHAPS_HTTP = re.compile(rb"[A-Z]{1,%d}" % _METHOD)


class Kind(Enum):
    """What a client speaks."""

    tls = auto()
    native = auto()
    http = auto()
    plain = auto()


def kind_of(data: bytes) -> Kind | None:
    """Returns what a client that begins with `data` speaks; None if that is too little to know.

    Empty lines in front are passed over, as the native protocol and HTTP do (RFC 9112 section 2.2): one that
    sends nothing else is soon silent, and so speaks plain text.
    """
    if _TLS.startswith(data[:2]):
        return Kind.tls if len(data) >= len(_TLS) else None
    data = data.lstrip(b"\r\n")
    if data.startswith(b"{"):
        return Kind.native
    if _HTTP.match(data):
        return Kind.http
    return None if not data or _PERHAPS_HTTP.fullmatch(data) else Kind.plain
