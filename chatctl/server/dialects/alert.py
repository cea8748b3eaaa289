"""What is said to a client that asks for TLS where there is none: an alert, which its library understands."""

from __future__ import annotations

from collections.abc import Iterable

from chatctl.messages import Bye, Error, Frame
from chatctl.server.dialects.native import Native

# A record with the fatal alert handshake_failure, of the version that everyone takes (RFC 8446 section 6).
ALERT = bytes([21, 3, 1, 0, 2, 2, 40])


def encode(frames: Iterable[Frame]) -> bytes:
    """Returns the alert, whatever the frames say; nothing for none."""
    return ALERT if any(True for _ in frames) else b""


class Alert(Native):
    """What a client is told that is not to be told anything else."""

    __slots__ = ()
    encode = staticmethod(encode)

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns the alert."""
        return encode([ending])
