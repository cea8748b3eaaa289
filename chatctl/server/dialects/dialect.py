"""What a language is to the server: bytes in, frames out; frames in, bytes out. No I/O, no sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from chatctl.framing import Fault
from chatctl.messages import Bye, ClientFrame, Error, Role
from chatctl.server.people import Encode

Frames = Sequence[ClientFrame | Fault]


class Client(Protocol):
    """What a dialect may ask of a client that is in.

    Attributes:
        name: what it is called.
    """

    name: str

    @property
    def rooms(self) -> Mapping[str, object]:
        """The rooms it is in, by name, now."""

    @property
    def role(self) -> Role:
        """What it may do."""


class Dialect(Protocol):
    """One client's end of a language. After each call, whoever calls it sends what is `pending`.

    `encode` and `farewell` may be called on any thread, the others on the client's alone.
    """

    @property
    def encode(self) -> Encode:
        """Turns frames into what is sent.

        One function for all who speak the language: a room encodes once for all of them.
        """

    @property
    def seconds(self) -> float:
        """In which a client has to be in, from its connecting."""

    @property
    def answers_pings(self) -> bool:
        """Whether a client that is silent, though it was sent a ``ping``, is gone."""

    def feed(self, data: bytes) -> Frames:
        """Returns what `data` completes; without any data, what was complete but for its end.

        Up to `admitted` or `refused` nothing need be returned of what follows a hello.
        """

    def pending(self) -> bytes:
        """Returns what the dialect itself has to say, once; mostly nothing."""

    def admitted(self, client: Client) -> Frames:
        """Notes that the hello was honoured; returns what came behind it, and was not returned yet."""

    def refused(self, error: Error) -> Frames | None:
        """Notes that the hello was not; returns what the client tries next, if that is there already.

        Returns:
            None if it cannot try again, and the connection ends with `error`.
        """

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns the last thing the client is sent."""
