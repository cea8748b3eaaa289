"""Which dialect belongs to what a client begins with."""

from __future__ import annotations

from chatctl.server.dialects.alert import Alert
from chatctl.server.dialects.dialect import Dialect
from chatctl.server.dialects.native import Native
from chatctl.server.first_bytes import Kind

# The others are imported once somebody speaks them: a server starts sooner without.


def dialect_for(kind: Kind) -> Dialect:
    """Returns one client's end of a new connection; TLS is what is not offered."""
    match kind:
        case Kind.native:
            return Native()
        case Kind.tls:
            return Alert()
        case Kind.http:
            from chatctl.server.web.http import HttpConnection

            return HttpConnection()
        case Kind.plain:
            from chatctl.server.dialects.plain import Plain

            return Plain()
