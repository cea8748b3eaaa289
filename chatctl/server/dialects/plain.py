"""Plain text, for nc and telnet."""

from __future__ import annotations

from collections.abc import Iterable

from chatctl.messages import Bye, Error, Frame
from chatctl.server.dialects.dialect import Client, Frames


def encode(frames: Iterable[Frame]) -> bytes:
    """Returns what is shown of frames."""
    return b"".join(b"%s\n" % type(frame).__name__.encode() for frame in frames)


class Plain:
    """One client's end of it."""

    __slots__ = ()
    encode = staticmethod(encode)
    seconds = 60.0
    answers_pings = False

    def feed(self, _data: bytes) -> Frames:
        """Returns what a client says."""
        return ()

    def pending(self) -> bytes:
        """Returns what it is asked."""
        return b""

    def admitted(self, _client: Client) -> Frames:
        """Returns what came behind the name."""
        return ()

    def refused(self, _error: Error) -> Frames | None:
        """Returns what else it tries."""
        return None

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns a line."""
        return f"! {ending.text}\n".encode()
