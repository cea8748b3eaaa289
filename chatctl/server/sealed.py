"""Reading what a client says through TLS. What it is sent is sealed by its outbox, which has the channel."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from chatctl.errors import Refused
from chatctl.server.outbox import Outbox
from chatctl.tls import Channel

MAX_TLS_HANDSHAKE = 64 * 1024  # bytes that a client may send before it says something
_READ_BYTES = 4096


class SealedLine:
    """The reading end of a connection with TLS.

    Args:
        receive: reads up to so many bytes of the socket; what was read before is given to `shake_hands`.
        outbox: the client's, which has sent nothing yet.
        context: what the handshake is made by.
    """

    __slots__ = ("_outbox", "_receive")

    def __init__(self, receive: Callable[[int], bytes], outbox: Outbox, context: ssl.SSLContext) -> None:
        self._receive = receive
        self._outbox = outbox
        outbox.secure(Channel(context))

    def shake_hands(self, data: bytes) -> bytes:
        """Makes the handshake that begins with `data`; returns the first the client says, if it stays.

        Raises:
            Refused: it comes to nothing, or takes too much.
            OSError: the connection is lost.
        """
        left = MAX_TLS_HANDSHAKE
        while data and not (said := self._open(data)):
            left -= len(data)
            if left <= 0:
                raise Refused("too-long", f"the first {MAX_TLS_HANDSHAKE} bytes of TLS say nothing")
            data = self._read(min(left, _READ_BYTES))
        return said if data else b""

    def receive(self, size: int) -> bytes:
        """Returns what the client says: of `size` bytes read, or more, if they hold too little for any.

        Raises:
            Refused: what it sends is not TLS.
            OSError: the connection is lost.
        """
        while data := self._read(size):
            if said := self._open(data):
                return said
        return b""

    def _read(self, size: int) -> bytes:
        return b"" if self._outbox.ended else self._receive(size)

    def _open(self, data: bytes) -> bytes:
        try:
            return self._outbox.open(data)
        except ssl.SSLError as error:
            raise Refused("tls", (error.reason or str(error)).replace("_", " ").lower()) from None
