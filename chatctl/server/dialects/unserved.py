"""What is said to a client that speaks HTTP where nothing is served by it."""

from __future__ import annotations

from collections.abc import Iterable

from chatctl.framing import Fault
from chatctl.messages import HANDSHAKE_SECONDS, Bye, Error, Frame
from chatctl.server.dialects.dialect import Client, Frames


def encode(_frames: Iterable[Frame]) -> bytes:
    """Returns nothing."""
    return b""


class Unserved:
    """One client's end: whatever it asks for, there is no such thing."""

    __slots__ = ()
    encode = staticmethod(encode)
    seconds = HANDSHAKE_SECONDS
    answers_pings = False

    def feed(self, _data: bytes) -> Frames:
        """Returns a fault."""
        return [Fault("unsupported", "nothing is served here by HTTP")]

    def pending(self) -> bytes:
        """Returns nothing."""
        return b""

    def admitted(self, _client: Client) -> Frames:
        """Returns nothing."""
        return ()

    def refused(self, _error: Error) -> None:
        """Returns None."""

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns a response that says so."""
        status = "426 Upgrade Required" if ending.code == "tls-required" else "501 Not Implemented"
        body = ending.text.encode() + b"\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
        if ending.code == "tls-required":
            head += "Upgrade: TLS/1.2\r\n"
        return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body
