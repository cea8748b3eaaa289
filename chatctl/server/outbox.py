"""What a client has still to be sent.

An `Outbox` is the one way to a client's socket:

1. `put` never waits, whatever the client does.
2. Bytes leave in the order in which they were put, whichever thread put them.
3. A client that does not read is cut off once more than the limit waits behind what is being sent; nobody
   else notices. What is put when nothing waits is kept, of any size, for a client that reads.
4. Nothing leaves after the farewell; nor, from `hold` on, before what `release` is given.

With TLS the queue holds what is not sealed yet: only the piece that is being sent is, so that the rest may
still give way to a farewell. Whoever uses the channel has the outbox's lock, and does not wait with it.

What the socket does not take at once is sent by the `Drainer`, one thread for all outboxes.
"""

from __future__ import annotations

import ctypes
import errno
import selectors
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from chatctl.server.waking import WakingSelector
from chatctl.tls import PIECE, Channel

# MSG_DONTWAIT leaves the socket itself blocking, for the thread that reads it.
_FLAGS = socket.MSG_DONTWAIT | getattr(socket, "MSG_NOSIGNAL", 0)

# The C library's send(2), called without letting go of the interpreter's lock. A send that never waits is
# over in microseconds, while socket.send() hands the lock to another thread and queues for it again: to
# deliver to fifty clients while others send took 1.5 times as long that way.
_libc_send = ctypes.PyDLL(None, use_errno=True).send
_libc_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_libc_send.restype = ctypes.c_ssize_t
_LARGE = 64 * 1024  # bytes from which copying them takes long enough to let other threads run
_SEALED = 3 * PIECE  # bytes that are sealed at once, at most: with what TLS adds still less than `_LARGE`
_ANSWERS = 64 * 1024  # bytes of TLS that may wait beside what is being sent, for a client that does not read
_TRY_AGAIN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR, errno.ENOBUFS}


class Outbox:
    """The bytes one client has still to be sent. Thread-safe.

    Args:
        sock: a connected socket in blocking mode; the caller closes it, after `finish`.
        drainer: goes on sending when the socket takes more.
        limit: bytes that may wait behind what is being sent.
        overflowed: called once when the limit is passed, with the outbox locked: it must not wait. Returns
            the farewell.
    """

    __slots__ = (
        "_behind",
        "_changed",
        "_channel",
        "_closed",
        "_drainer",
        "_held",
        "_hurried",
        "_limit",
        "_lock",
        "_overflowed",
        "_queue",
        "_sealed",
        "_watched",
        "sock",
    )

    def __init__(
        self, sock: socket.socket, drainer: Drainer, limit: int, overflowed: Callable[[], bytes]
    ) -> None:
        self.sock = sock
        self._drainer = drainer
        self._limit = limit
        self._overflowed = overflowed
        self._lock = threading.Lock()
        self._queue: deque[bytes | memoryview] | None = None  # None while there is nothing: memory
        self._behind = 0  # bytes in the queue behind its first element
        self._held: bytearray | None = None  # what is put between `hold` and `release`; else None
        self._closed = False
        self._watched = False
        self._hurried = False
        self._changed: threading.Event | None = None  # set for whoever waits
        self._channel: Channel | None = None
        self._sealed: bytes | memoryview = b""  # of TLS, unsent; leaves before anything else

    def put(self, data: bytes) -> None:
        """Sends `data`, now or as soon as the client reads; does nothing once the outbox is closed."""
        with self._lock:
            if self._held is None:
                self._put(data)
            else:
                self._held += data

    def _put(self, data: bytes) -> None:
        """Sends `data`, or has it wait for its turn; the lock is held."""
        if self._closed or not data:
            return
        if self._queue is not None:
            self._enqueue(data)
            return
        if self._channel is not None:
            # Before the handshake is over nothing can be said.
            if self._channel.ready:
                self._put_sealed(data)
            return
        sent = _send(self.sock, data)
        if sent < 0:
            self._break()
        elif sent < len(data):
            self._keep(memoryview(data)[sent:])

    def hold(self) -> None:
        """Holds back what is put from now on, until `release` or `finish`, which is to be soon."""
        with self._lock:
            self._held = bytearray()

    def release(self, first: bytes) -> None:
        """Sends `first`, and behind it what was held back; without a `first`, that is not sent either."""
        with self._lock:
            held, self._held = self._held or b"", None
            if first:
                self._put(first + held)

    def _keep(self, data: memoryview) -> None:
        """Leaves to the drainer what the socket did not take; the lock is held."""
        self._queue = deque([data])
        self._watched = True
        self._drainer.watch(self)

    def _enqueue(self, data: bytes) -> None:
        """Puts `data` behind what is being sent; the lock is held."""
        assert self._queue is not None
        if not self._behind or self._behind + len(data) <= self._limit:
            self._queue.append(data)
            self._behind += len(data)
            return
        # What is being sent is finished, so that the farewell stands at a frame's beginning.
        farewell = self._overflowed()
        self._queue = deque([self._queue[0], farewell])
        self._behind = len(farewell)
        self._closed = True
        self._notify()
        wake_reader(self.sock)

    def _break(self) -> None:
        """Gives the connection up; the lock is held."""
        self._closed = True
        self._queue = None
        self._behind = 0
        self._sealed = b""
        self._notify()
        wake_reader(self.sock)

    def drain(self) -> bool:
        """Sends what the socket takes; returns whether there is nothing more to send."""
        with self._lock:
            while self._queue:
                head = self._queue[0]
                sent = _send(self.sock, head) if self._channel is None else self._send_sealed(head)
                if sent < 0:
                    self._break()
                    return True
                if sent < len(head) or self._sealed:
                    self._queue[0] = memoryview(head)[sent:]
                    return False
                self._queue.popleft()
                if self._queue:
                    self._behind -= len(self._queue[0])
            self._queue = None
            self._notify()
            return True

    def is_empty(self) -> bool:
        """Returns whether all is handed to the kernel, and the client not cut off."""
        return self._queue is None and not self._closed

    def wait_empty(self, timeout: float) -> bool:
        """Waits until all is handed to the kernel; returns False after `timeout` seconds, or if cut off."""
        return self._wait(timeout, patient=False)

    def _wait(self, timeout: float, *, patient: bool) -> bool:
        """Waits until there is nothing to send; unless `patient`, no longer once the outbox is closed."""
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                if self._queue is None:
                    return not self._closed
                if not patient and (self._closed or self._hurried):
                    return False
                changed = self._changed = threading.Event()
            if not changed.wait(max(0.0, deadline - time.monotonic())):
                return False

    def stop_waiting(self) -> None:
        """Ends a `wait_empty` of another thread, and all that begin later."""
        with self._lock:
            self._hurried = True
            self._notify()

    def _notify(self) -> None:
        """Has whoever waits look again; the lock is held."""
        if self._changed:
            self._changed.set()

    def abandon(self) -> None:
        """Gives up what is unsent, and ends the connection; whoever waits in `finish` goes on."""
        with self._lock:
            self._break()
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)

    def finish(self, farewell: bytes, timeout: float) -> None:
        """Puts `farewell`, the last thing ever sent, and waits for it to leave, at most `timeout` seconds.

        With TLS, that nothing follows is said behind it. Nobody sends on the socket afterwards, and it may be
        closed.
        """
        with self._lock:
            self._held = None
            self._put(farewell)
            self._closed = True
        self._wait(timeout, patient=True)
        with self._lock:
            if self._channel is not None and self._queue is None:
                _send(self.sock, self._channel.close())
            self._queue = None
        if self._watched:
            self._drainer.forget(self)

    # TLS

    def secure(self, channel: Channel) -> None:
        """Seals from now on whatever is put; nothing was put yet."""
        with self._lock:
            self._channel = channel

    @property
    def is_open(self) -> bool:
        """Whether something can be said: there is no TLS, or its handshake is over."""
        return self._channel is None or self._channel.ready

    @property
    def ended(self) -> bool:
        """Whether the client has said, in TLS, that nothing more comes."""
        return self._channel is not None and self._channel.ended

    def open(self, data: bytes) -> bytes:
        """Returns what the client says with `data`, which is TLS, and sends what TLS has to answer.

        Raises:
            ssl.SSLError: it is not what it should be. The client was sent an alert, and gets nothing else.
        """
        with self._lock:
            assert self._channel is not None
            try:
                said = self._channel.feed(data)
            except ssl.SSLError:
                self._fail(self._channel.pending())
                raise
            self._answer(self._channel.pending())
        return said

    def _answer(self, data: bytes) -> None:
        """Sends what TLS itself has to say, right behind what is sealed already; the lock is held."""
        if not data or (self._closed and self._queue is None):
            return
        if len(self._sealed) + len(data) > _SEALED + _ANSWERS:
            self._break()
            return
        self._sealed = bytes(self._sealed) + data
        if self._queue is None:
            self._put_sealed(b"")

    def _fail(self, alert: bytes) -> None:
        """Sends an alert, and nothing else any more: it could not be sealed; the lock is held."""
        if self._queue is not None:
            self._queue = deque([memoryview(b"")])
            self._behind = 0
        self._answer(alert)
        self._closed = True
        self._notify()

    def _put_sealed(self, data: bytes) -> None:
        """Sends `data` through the channel, while nothing is queued; the lock is held."""
        sent = self._send_sealed(data)
        if sent < 0:
            self._break()
        elif sent < len(data) or self._sealed:
            self._keep(memoryview(data)[sent:])

    def _send_sealed(self, data: bytes | memoryview) -> int:
        """Does what `_send` does, through the channel; the lock is held.

        Bytes count as taken once they are sealed: the last of them may be unsent, in `_sealed`.
        """
        assert self._channel is not None
        done = 0
        while True:
            if self._sealed:
                sent = _send(self.sock, self._sealed)
                if sent < 0:
                    return -1
                if sent < len(self._sealed):
                    self._sealed = memoryview(self._sealed)[sent:]
                    return done
                self._sealed = b""
            if done == len(data):
                return done
            piece = data[done : done + _SEALED]
            try:
                self._sealed = self._channel.seal(piece)
            except ssl.SSLError:  # In the middle of a key update, which no client breaks off there.
                return -1
            done += len(piece)


def _send(sock: socket.socket, data: bytes | memoryview) -> int:
    """Returns how many bytes of `data` the socket takes at once, or -1 if the connection is gone."""
    if len(data) < _LARGE and isinstance(data, bytes):
        sent: int = _libc_send(sock.fileno(), data, len(data), _FLAGS)
        return sent if sent >= 0 or ctypes.get_errno() not in _TRY_AGAIN else 0
    try:
        return sock.send(data, _FLAGS)
    except (BlockingIOError, InterruptedError):
        return 0
    except OSError as error:
        return 0 if error.errno == errno.ENOBUFS else -1


def wake_reader(sock: socket.socket) -> None:
    """Ends a blocking ``recv`` of another thread: it returns what has come, then nothing."""
    with suppress(OSError):  # The connection may be gone already, and the reader was told so.
        sock.shutdown(socket.SHUT_RD)


class Drainer:
    """The thread that goes on sending for outboxes whose sockets were full."""

    def __init__(self) -> None:
        self._requests: deque[tuple[Outbox, threading.Event | None]] = deque()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="drainer", daemon=True)

    def start(self) -> None:
        """Starts the thread; from now on `stop` must be called."""
        self._selector = WakingSelector()
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and waits for it. No outbox may be in use any more."""
        self._stopping = True
        self._selector.wake()
        self._thread.join()
        self._selector.close()

    def watch(self, outbox: Outbox) -> None:
        """Drains `outbox` whenever its socket takes more, until it is empty."""
        self._requests.append((outbox, None))
        self._selector.wake()

    def forget(self, outbox: Outbox) -> None:
        """Watches `outbox` no longer; returns when its socket may be closed."""
        done = threading.Event()
        self._requests.append((outbox, done))
        self._selector.wake()
        done.wait()

    def _run(self) -> None:
        while not self._stopping:
            ready = [key.data for key, _ in self._selector.select()]
            for outbox in ready:
                if outbox is not None and outbox.drain():
                    self._unregister(outbox)
            # Only now, so that no outbox that is forgotten here is still to be drained above.
            if None in ready:
                self._answer_requests()

    def _answer_requests(self) -> None:
        self._selector.note_woken()
        while self._requests:
            outbox, done = self._requests.popleft()
            if done is None:
                self._register(outbox)
            else:
                self._unregister(outbox)
                done.set()

    def _register(self, outbox: Outbox) -> None:
        if outbox.sock not in self._selector.get_map():
            self._selector.register(outbox.sock, selectors.EVENT_WRITE, outbox)

    def _unregister(self, outbox: Outbox) -> None:
        if outbox.sock in self._selector.get_map():
            self._selector.unregister(outbox.sock)
