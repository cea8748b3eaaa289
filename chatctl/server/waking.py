"""A selector whose waiting other threads can end."""

from __future__ import annotations

import selectors
import socket
from contextlib import suppress


class WakingSelector(selectors.DefaultSelector):
    """A selector that `wake` ends the waiting of; it then returns a key whose data is None."""

    def __init__(self) -> None:
        super().__init__()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self.register(self._woken, selectors.EVENT_READ)

    def wake(self) -> None:
        """Ends the waiting, or the next one. Any thread may call this."""
        with suppress(BlockingIOError):  # Enough wake-ups are waiting to be seen.
            self._waker.send(b"\0")

    def note_woken(self) -> None:
        """Takes the wake-ups that there are: what they were about is to be looked at next."""
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def close(self) -> None:
        """Gives back what it took from the system; nobody may wait."""
        super().close()
        self._woken.close()
        self._waker.close()
