"""Telling those who cannot come in why, each in the language they speak.

However many they are, they cost next to nothing: one thread waits for the first bytes of a few of them, and
not for long. Who comes while all its places are taken, as in a flood, is told at once, in the protocol's own
frame. So is who asks for TLS, since that would be work: the client understands it there, too.
"""

from __future__ import annotations

import logging
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress

from chatctl.errors import Refused
from chatctl.messages import MAX_HANDSHAKE, error_of
from chatctl.server.dialects.choice import dialect_for
from chatctl.server.dialects.native import Native
from chatctl.server.first_bytes import Kind, kind_of
from chatctl.server.line import SILENT_SECONDS
from chatctl.server.waking import WakingSelector

log = logging.getLogger(__name__)

PLACES = 64
READ_BYTES = 4096
SCRAP = 64 * 1024  # bytes that are read at the end, and not looked at


class Unwelcome:
    """A connection that cannot come in.

    Args:
        sock: an accepted socket; it is closed in the end.
        refusal: why not.
        deadline: until when its first bytes may be waited for, on the monotonic clock.
    """

    __slots__ = ("_refusal", "_said", "deadline", "kind", "sock")

    def __init__(self, sock: socket.socket, refusal: Refused, deadline: float = 0.0) -> None:
        self.sock = sock
        self.deadline = deadline
        self.kind: Kind | None = None
        self._refusal = refusal
        self._said = b""
        sock.setblocking(False)

    def hear(self) -> bool:
        """Takes what has come, without waiting; returns whether it is clear now what they speak."""
        try:
            data = self.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        self._said += data
        self.kind = kind_of(self._said)
        if not data or len(self._said) > MAX_HANDSHAKE:
            self.kind = self.kind or Kind.plain
        return self.kind is not None

    def tell(self) -> None:
        """Tells them, without waiting, and closes."""
        with suppress(OSError):
            self.sock.send(self._words())
            self.sock.shutdown(socket.SHUT_WR)
            # What was not read would make a reset of the close, which may overtake what was sent.
            self.sock.recv(SCRAP)
        self.sock.close()

    def _words(self) -> bytes:
        try:
            if self.kind is Kind.http:
                return _answer(self._refusal)
            dialect = dialect_for(Kind.plain if self.kind is Kind.plain else Kind.native)
        except (OSError, ImportError):  # There may be no descriptor to read the modules by.
            dialect = Native()
        return dialect.farewell(error_of(self._refusal, fatal=True))


def _answer(refusal: Refused) -> bytes:
    """Returns a refusal as what an HTTP request is answered."""
    # Imported here, since a server that no browser comes to does without.
    from chatctl.server.web.http import HttpConnection
    from chatctl.server.web.statuses import problem_of

    return HttpConnection().answer(problem_of(refusal).response())


class Rejecter:
    """The thread that waits to hear what those speak who cannot come in.

    Args:
        places: connections that are waited for at once.
        seconds: for which one is waited for, at most.
    """

    def __init__(self, places: int = PLACES, seconds: float = SILENT_SECONDS) -> None:
        self._places = places
        self._seconds = seconds
        self._arrivals: deque[Unwelcome] = deque()
        self._waiting: dict[Unwelcome, None] = {}  # the oldest first
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="rejecter", daemon=True)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._arrivals)

    def start(self) -> None:
        """Starts the thread; from now on `stop` must be called."""
        self._selector = WakingSelector()
        self._thread.start()

    def stop(self) -> None:
        """Tells those who are still waited for, ends the thread, and waits for it."""
        self._stopping = True
        self._selector.wake()
        self._thread.join()
        self._selector.close()

    def send_away(self, sock: socket.socket, refusal: Refused) -> None:
        """Has a client told why it cannot come in, and closes its socket. Never waits.

        To be called by one thread alone.
        """
        unwelcome = Unwelcome(sock, refusal, time.monotonic() + self._seconds)
        if unwelcome.hear() or len(self) >= self._places:
            unwelcome.tell()
            return
        self._arrivals.append(unwelcome)
        self._selector.wake()

    def _run(self) -> None:
        while not self._stopping:
            for key, _ in self._selector.select(self._patience()):
                if key.data is None:
                    self._wait_for_arrivals()
                elif key.data.hear():
                    self._finish(key.data)
            now = time.monotonic()
            for unwelcome in [one for one in self._waiting if one.deadline <= now]:
                unwelcome.kind = Kind.plain  # As with all who say nothing.
                self._finish(unwelcome)
        self._wait_for_arrivals()
        for unwelcome in list(self._waiting):
            self._finish(unwelcome)

    def _patience(self) -> float | None:
        """Returns the seconds until one has been silent for long enough; None if nobody is waited for."""
        oldest = next(iter(self._waiting), None)
        return None if oldest is None else max(0.0, oldest.deadline - time.monotonic())

    def _wait_for_arrivals(self) -> None:
        self._selector.note_woken()
        while self._arrivals:
            unwelcome = self._arrivals[0]
            self._waiting[unwelcome] = None
            self._arrivals.popleft()
            self._selector.register(unwelcome.sock, selectors.EVENT_READ, unwelcome)

    def _finish(self, unwelcome: Unwelcome) -> None:
        del self._waiting[unwelcome]
        try:
            self._selector.unregister(unwelcome.sock)
            unwelcome.tell()
        except Exception:
            log.exception("a client that cannot come in was not told why")
