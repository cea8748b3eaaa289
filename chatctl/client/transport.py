"""Bytes to a server and from it: a TCP connection, in the clear or under TLS. It ends, and is not used again.

One thread receives; any thread may send, or close. Nobody who sends has to wait: what the line does not take
at once is sent by the thread that receives.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from chatctl import keepalive
from chatctl.address import join_address
from chatctl.client.ended import LineEnded
from chatctl.client.trust import Trust
from chatctl.text import one_line

if TYPE_CHECKING:
    from chatctl.tls import Channel

READ_BYTES = 64 * 1024
MAX_ANSWERS = 1 << 20  # bytes that TLS itself may add to what the line does not take

GONE = "the server closed the connection"


class Transport:
    """A connection that is still to be opened.

    Args:
        host: name or address of the server.
        port: its port.
        trust: whether there is TLS, and who the server is.

    Attributes:
        where: host and port, for people.
    """

    def __init__(self, host: str, port: int, trust: Trust) -> None:
        self.where = one_line(join_address(host, port))
        self._host = host
        self._port = port
        self._trust = trust
        self._guard = threading.Lock()  # of the next two
        self._sock: socket.socket | None = None
        self._closed = False
        self._sending = threading.Lock()  # of the next three
        self._unsent = bytearray()
        self._answers = 0  # bytes of TLS itself, since the line took everything
        self._channel: Channel | None = None
        self._said = b""  # by the server, right behind the TLS handshake

    @property
    def is_stuck(self) -> bool:
        """Whether the line did not take all that was sent: then `send` only adds to what waits."""
        with self._sending:
            return bool(self._unsent)

    @property
    def has_tls(self) -> bool:
        """Whether nobody on the way reads along."""
        return self._channel is not None

    # Opening

    def open(self, deadline: float, timeout: float) -> None:
        """Connects, and under TLS makes sure who is there: that may take several connections.

        Args:
            deadline: on the monotonic clock.
            timeout: the seconds that were given in all, for people.

        Raises:
            LineEnded: in one line why it did not work.
        """
        try:
            sock = self._dial(deadline)
            if self._trust.wants_tls(sock.getpeername()[0]):
                self._secure(sock, deadline)
        except TimeoutError:
            raise LineEnded(
                f"{self.where} does not answer within {timeout:g} seconds", code="timeout"
            ) from None
        except ConnectionRefusedError:
            raise LineEnded(f"nothing listens at {self.where}: is a server running there?") from None
        except (socket.gaierror, UnicodeError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "that is no host name"
            raise LineEnded(f"cannot find {one_line(self._host)}: {why}") from None
        except OSError as error:
            raise LineEnded(f"cannot connect to {self.where}: {error.strerror or error}") from None

    def _dial(self, deadline: float) -> socket.socket:
        """Connects to the first of the host's addresses that answers."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        ):
            sock = self._own(family, kind, protocol)
            try:
                sock.settimeout(left(deadline))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = failure or error
            else:
                # A server that vanished is noticed within a minute, whether or not something is being sent.
                keepalive.tune(sock, idle=30, interval=10, count=3, unsent=60)
                return sock
        raise failure or OSError("it has no address")

    def _own(self, family: int, kind: int, protocol: int) -> socket.socket:
        """Returns a socket that `close` closes, in place of the one before."""
        with self._guard:
            if self._closed:
                raise LineEnded("the connection was closed")
            if self._sock is not None:
                self._sock.close()
            self._sock = socket.socket(family, kind, protocol)
            return self._sock

    def _secure(self, sock: socket.socket, deadline: float) -> None:
        from chatctl.client.handshake import Handshake

        handshake = Handshake(
            lambda: self._dial(deadline), self._host, self._port, self.where, self._trust, deadline
        )
        try:
            _, self._channel, self._said = handshake.run(sock)
        except TimeoutError:
            text = (
                f"{self.where} did not shake hands in time: perhaps it speaks no TLS; {self._trust.way_out}"
            )
            raise LineEnded(text, code="timeout") from None

    # Coming in: one thread, which waits

    def say(self, data: bytes, deadline: float) -> None:
        """Sends all of it; raises OSError, TimeoutError when it is too late."""
        sock = self._opened()
        sock.settimeout(left(deadline))
        sock.sendall(data if self._channel is None else self._channel.seal(data))

    def hear(self, deadline: float) -> bytes:
        """Waits for what the server says, and returns it, or b"" at the end; raises as `say`."""
        said, self._said = self._said, b""
        while not said:
            sock = self._opened()
            sock.settimeout(left(deadline))
            data = sock.recv(READ_BYTES)
            said = data if self._channel is None else self._channel.feed(data)
            if not data or (self._channel and self._channel.ended):
                break
        return said

    def come_in(self) -> None:
        """Notes that nobody waits for the line any more, but for the one who receives."""
        self._opened().setblocking(False)

    def _opened(self) -> socket.socket:
        assert self._sock is not None, "it is open"
        return self._sock

    # Being in

    def receive(self, seconds: float) -> bytes | None:
        """Waits for what the server sends; what waits to be sent goes meanwhile.

        Args:
            seconds: to wait, at most.

        Returns:
            What came, which under TLS may say nothing; None if nothing came.

        Raises:
            LineEnded: nothing more comes.
        """
        sock = self._opened()
        if self._channel is not None and self._channel.ended:
            raise LineEnded(GONE)
        try:
            _wait(sock, seconds, to_send=self.is_stuck)
            if self.is_stuck:
                self.send(b"")
            data = sock.recv(READ_BYTES)
            if data and self._channel is not None:
                return self._read(self._channel, data)
        except BlockingIOError:
            return None
        except OSError as error:
            raise LineEnded(f"lost the connection: {reason(error)}") from None
        if not data:
            raise LineEnded(GONE)
        return data

    def _read(self, channel: Channel, data: bytes) -> bytes:
        """Returns what TLS makes of `data`, and sends what it has to answer."""
        with self._sending:
            try:
                said = channel.feed(data)
            finally:
                self._answer(channel.pending())
        return said

    def _answer(self, data: bytes) -> None:
        """Sends what TLS itself has to say, as long as the server reads it; the caller holds the lock."""
        self._unsent += data
        self._push()
        self._answers = self._answers + len(data) if self._unsent else 0
        if self._answers > MAX_ANSWERS:
            raise LineEnded("the server wants answers, and does not read them")

    def send(self, data: bytes) -> None:
        """Sends whole frames; where the line is gone nothing happens, and whoever receives finds out."""
        with self._sending:
            try:
                if data:
                    self._unsent += data if self._channel is None else self._channel.seal(data)
            except OSError:
                return  # TLS has ended.
            self._push()

    def _push(self) -> None:
        """Sends what the line takes; the caller holds the lock."""
        try:
            while self._unsent:
                del self._unsent[: self._opened().send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()

    def close(self) -> None:
        """Ends the connection without a word, even while it is being opened. May be called again."""
        with self._guard:
            self._closed = True
            if self._sock is None:
                return
            with suppress(OSError):  # The server may have ended it before.
                # Closing alone would not wake a thread that waits in connect or recv.
                self._sock.shutdown(socket.SHUT_RDWR)
            self._sock.close()


def left(deadline: float) -> float:
    """Returns the seconds to a time on the monotonic clock; raises TimeoutError when it is over."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def reason(error: OSError) -> str:
    """Returns in a few words why a connection failed."""
    name = getattr(error, "reason", None)  # of OpenSSL, as WRONG_VERSION_NUMBER
    return name.lower().replace("_", " ") if name else error.strerror or str(error)


def _wait(sock: socket.socket, seconds: float, *, to_send: bool) -> None:
    """Waits at most `seconds` until there is something to read, or, where that is wanted, room to send."""
    number = sock.fileno()
    if number < 0:
        raise OSError("it was closed")
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(number, select.POLLIN | (select.POLLOUT if to_send else 0))
        poll.poll(seconds * 1000)
    else:  # On Windows, where it takes any socket; elsewhere none with a number above 1 023.
        select.select([number], [number] if to_send else [], [], seconds)
