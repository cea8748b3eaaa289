"""The reading end of a connection: what comes of the client, and what it speaks, inside TLS or not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from chatctl.messages import MAX_HANDSHAKE
from chatctl.server.doorstep import Doorstep, Guest
from chatctl.server.encryption import Encryption
from chatctl.server.first_bytes import Kind, kind_of
from chatctl.server.outbox import Outbox
from chatctl.server.sealed import SealedLine

# An idle client costs the bytes it could be sending: a read is small until the client fills it.
SMALL_READ = 4096
LARGE_READ = 64 * 1024
SILENT_SECONDS = 1.0  # after which a client that does not say what it speaks is a person who waits


class Caller(Guest, Protocol):
    """Whose line it is.

    Attributes:
        name: empty while it is not in.
    """

    name: str


C = TypeVar("C", bound=Caller)


class Line(Generic[C]):
    """What comes from one client. For its own thread alone.

    Args:
        sock: a connected socket in blocking mode.
        outbox: the client's, which has sent nothing yet.
        caller: the client; while it is not in, it is noted when it was heard.
        doorstep: where it waits until it is in.

    Attributes:
        lost: how the connection came to its end, if the client did not close it.
    """

    __slots__ = ("_caller", "_doorstep", "_outbox", "_read", "_size", "_sock", "_stays", "lost")

    def __init__(self, sock: socket.socket, outbox: Outbox, caller: C, doorstep: Doorstep[C]) -> None:
        self._sock = sock
        self._outbox = outbox
        self._caller = caller
        self._doorstep = doorstep
        self._read: Callable[[int], bytes] = self._receive_bytes
        self._size = SMALL_READ
        self._stays = False
        self.lost = ""

    def receive(self, size: int = 0) -> bytes:
        """Returns what the client says next; nothing once the connection has ended.

        Args:
            size: bytes, at most; 0 leaves that to how much came before.
        """
        try:
            data = self._read(size or self._size)
        except OSError as error:
            self.lost = f"lost the connection: {error.strerror or error}"
            return b""
        if not size:
            if len(data) >= self._size:
                self._size = LARGE_READ
            elif len(data) < SMALL_READ:
                self._size = SMALL_READ
        return data

    def _receive_bytes(self, size: int) -> bytes:
        """Returns what comes from the socket; nothing either if others took the client's place meanwhile."""
        if self._caller.name or self._stays:
            return self._sock.recv(size)
        self._doorstep.wait_for(self._caller)
        data = self._sock.recv(size)
        self._caller.heard = time.monotonic()
        return data if self._doorstep.leave(self._caller) else b""

    def stay(self) -> None:
        """Has the client stay without coming in: nobody takes its place, however silent it is."""
        self._stays = True

    # How it begins

    def begin(self, encryption: Encryption) -> tuple[Kind | None, bytes, bool]:
        """Finds out what the client speaks, inside TLS if it asks for that and can have it.

        Returns:
            What it speaks, None if it has gone; what it has said, which may be nothing; whether that was
            encrypted.

        Raises:
            Refused: what it sends is not the TLS that it seems to be.
        """
        try:
            self._sock.settimeout(SILENT_SECONDS)
            kind, data = self._recognize()
            if kind is not Kind.tls or encryption.context is None:
                return kind, data, False
            self._read = SealedLine(self._receive_bytes, self._outbox, encryption.context, data).receive
            return *self._recognize(), True
        except OSError as error:
            self.lost = f"lost the connection: {error.strerror or error}"
            return None, b"", False
        finally:
            self._sock.settimeout(None)

    def _recognize(self) -> tuple[Kind | None, bytes]:
        """Reads until it is clear what the client speaks; the socket waits `SILENT_SECONDS`."""
        data = b""
        while (kind := kind_of(data)) is None and len(data) < MAX_HANDSHAKE:
            try:
                more = self._read(SMALL_READ)
            except TimeoutError:
                # A handshake that takes its time is no silence.
                if self._outbox.is_open:
                    return Kind.plain, data
                continue
            if not more:
                return Kind.plain if data else None, data
            data += more
        return kind or Kind.plain, data
