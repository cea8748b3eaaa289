"""Reading what a client says through TLS. What it is sent is sealed by its outbox, which has the channel."""

from __future__ import annotations

import math
import ssl
from collections.abc import Callable

from chatctl.errors import Refused
from chatctl.server.outbox import Outbox
from chatctl.tls import Channel

MAX_TLS_HANDSHAKE = 64 * 1024  # bytes that a client may send before it says something
# The alerts of those who do not know the server's certificate, as OpenSSL calls them.
_UNKNOWN = ("SSLV3_ALERT_BAD_CERTIFICATE", "SSLV3_ALERT_CERTIFICATE_UNKNOWN", "TLSV1_ALERT_UNKNOWN_CA")


class Unknown(Refused):
    """The client does not know the server's certificate, and ended the handshake."""


class SealedLine:
    """The reading end of a connection with TLS, whose handshake is made by reading.

    Args:
        receive: reads up to so many bytes of the socket.
        outbox: the client's, which has sent nothing yet.
        context: what the handshake is made by.
        data: what was read of the socket already, at least a byte.
    """

    __slots__ = ("_before", "_left", "_outbox", "_receive")

    def __init__(
        self, receive: Callable[[int], bytes], outbox: Outbox, context: ssl.SSLContext, data: bytes
    ) -> None:
        self._receive = receive
        self._outbox = outbox
        self._before = data
        self._left: float = MAX_TLS_HANDSHAKE
        outbox.secure(Channel(context))

    def receive(self, size: int) -> bytes:
        """Returns what the client says in the next `size` bytes, or in more where these say nothing yet.

        Raises:
            Refused: what it sends is not TLS, or too long for a handshake, or it ended that: `Unknown`.
            OSError: the connection is lost.
        """
        while data := self._read(size):
            if said := self._open(data):
                self._left = math.inf
                return said
            self._left -= len(data)
            if self._left <= 0:
                raise Refused("too-long", f"the first {MAX_TLS_HANDSHAKE} bytes of TLS say nothing")
        return b""

    def _read(self, size: int) -> bytes:
        if data := self._before:
            self._before = b""
            return data
        return b"" if self._outbox.ended else self._receive(size)

    def _open(self, data: bytes) -> bytes:
        try:
            return self._outbox.open(data)
        except ssl.SSLError as error:
            refusal = Unknown if error.reason in _UNKNOWN else Refused
            raise refusal("tls", (error.reason or str(error)).replace("_", " ").lower()) from None
