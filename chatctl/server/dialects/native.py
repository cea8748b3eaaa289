"""The chatctl protocol itself: frames as lines of JSON."""

from __future__ import annotations

from chatctl.framing import CLIENT, FrameReader, encode_all
from chatctl.messages import HANDSHAKE_SECONDS, MAX_CLIENT_FRAME, Bye, ClientFrame, Error
from chatctl.server.dialects.dialect import Client, Frames


class Native(FrameReader[ClientFrame]):
    """One client's end of it."""

    __slots__ = ()
    encode = staticmethod(encode_all)
    seconds = HANDSHAKE_SECONDS
    answers_pings = True

    def __init__(self) -> None:
        super().__init__(CLIENT, MAX_CLIENT_FRAME)

    def pending(self) -> bytes:
        """Returns nothing."""
        return b""

    def admitted(self, _client: Client) -> Frames:
        """Returns nothing: all was returned by `feed`."""
        return ()

    def refused(self, _error: Error) -> None:
        """Returns None: there is but one try."""

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns the frame."""
        return encode_all([ending])
