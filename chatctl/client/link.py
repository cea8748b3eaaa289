"""One TCP connection to a server, from the first try to the last byte. It ends, and is not used again.

One thread reads; any thread may send, or close.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import suppress

from chatctl import keepalive
from chatctl.client.retry import FINAL
from chatctl.errors import ConnectionFailed
from chatctl.framing import Fault, encode, server_frames
from chatctl.messages import Bye, Error, Hello, Ping, Pong, ServerFrame, Welcome
from chatctl.text import one_line

READ_BYTES = 64 * 1024
QUIET_SECONDS = 30.0  # after which a server that says nothing is pinged; twice that, and the line is dead
PING = 2**53 - 1  # the number of that ping

GONE = "the server closed the connection"


class LineEnded(ConnectionFailed):
    """The connection ended, or there was none.

    Attributes:
        retry: the seconds after which the server invites to come back, if it does.
    """

    def __init__(
        self, text: str, *, code: str = "internal", retry: float | None = None, refused: bool = False
    ) -> None:
        super().__init__(text, code=code, refused=refused)
        self.retry = retry


class Link:
    """A connection that is still to be opened.

    Args:
        host: name or address of the server.
        port: its port.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._where = one_line(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        self._guard = threading.Lock()  # of the next two
        self._sock: socket.socket | None = None
        self._closed = False
        self._sending = threading.Lock()
        self._reader = server_frames()
        self._arrived: list[ServerFrame] = []  # right behind the welcome
        self._ending: LineEnded | None = None
        self._pinged = False  # since something was heard last

    # Coming in

    def open(self, hello: Hello, timeout: float) -> Welcome:
        """Connects and says hello.

        Args:
            hello: has been checked.
            timeout: seconds until the welcome must be there.

        Raises:
            LineEnded: in one line why it did not work.
        """
        deadline = time.monotonic() + timeout
        try:
            sock = self._connect(deadline, timeout)
            # A server that vanished is noticed within a minute, whether or not something is being sent.
            keepalive.tune(sock, idle=30, interval=10, count=3, unsent=60)
            welcome = self._shake_hands(sock, hello, deadline)
            sock.settimeout(None)
            whole = int(QUIET_SECONDS)
            quiet = struct.pack("@ll", whole, int((QUIET_SECONDS - whole) * 1e6))  # a struct timeval
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, quiet)
        except BaseException:
            self.close()
            raise
        return welcome

    def _connect(self, deadline: float, timeout: float) -> socket.socket:
        try:
            return self._try_all(deadline)
        except TimeoutError:
            raise LineEnded(
                f"{self._where} does not answer within {timeout:g} seconds", code="timeout"
            ) from None
        except ConnectionRefusedError:
            raise LineEnded(f"nothing listens at {self._where}: is a server running there?") from None
        except (socket.gaierror, UnicodeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "that is no host name"
            raise LineEnded(f"cannot find {one_line(self._host)}: {reason}") from None
        except OSError as error:
            raise LineEnded(f"cannot connect to {self._where}: {error.strerror or error}") from None

    def _try_all(self, deadline: float) -> socket.socket:
        """Connects to the first of the host's addresses that answers."""
        failure: OSError | None = None
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM
        ):
            sock = self._own(family, kind, protocol)
            try:
                sock.settimeout(_left(deadline))
                sock.connect(address)
            except OSError as error:
                sock.close()
                failure = failure or error
            else:
                return sock
        raise failure or OSError("it has no address")

    def _own(self, family: int, kind: int, protocol: int) -> socket.socket:
        """Returns a socket that `close` closes."""
        with self._guard:
            if self._closed:
                raise LineEnded("the connection was closed")
            self._sock = socket.socket(family, kind, protocol)
            return self._sock

    def _shake_hands(self, sock: socket.socket, hello: Hello, deadline: float) -> Welcome:
        frames: list[ServerFrame | Fault] = []
        try:
            sock.sendall(encode(hello))
            while not frames:
                sock.settimeout(_left(deadline))
                data = sock.recv(READ_BYTES)
                if not data:
                    raise LineEnded(f"{self._where} closed the connection without a word")
                frames = [frame for frame in self._reader.feed(data) if not _is_unknown(frame)]
        except TimeoutError:
            raise LineEnded(f"{self._where} does not answer as a chat server does", code="timeout") from None
        except OSError as error:
            raise LineEnded(f"{self._where} closed the connection: {error.strerror or error}") from None
        welcome = self._expect_welcome(frames[0])
        self._arrived = self._sort_out(frames[1:])
        return welcome

    def _expect_welcome(self, frame: ServerFrame | Fault) -> Welcome:
        match frame:
            case Welcome():
                return frame
            case Error():
                text = f"{self._where} says: {one_line(frame.text)}"
                raise LineEnded(text, code=frame.code, refused=True)
            case Bye():
                text = f"{self._where} says: {one_line(frame.text)}"
                raise LineEnded(text, code=frame.code, retry=frame.retry, refused=True)
            case _:
                raise LineEnded(f"what listens at {self._where} is not a chatctl server", code="bad-frame")

    # Reading

    def read(self) -> list[ServerFrame]:
        """Waits for what the server sends next; pings are answered, not returned.

        Raises:
            LineEnded: nothing more comes, and why: with code ``bye`` where this side asked for that.
        """
        if frames := self._arrived:
            self._arrived = []
            return frames
        while not frames:
            if self._ending:
                raise self._ending
            frames = self._sort_out(self._reader.feed(self._receive()))
        return frames

    def _receive(self) -> bytes:
        assert self._sock is not None, "it is open"
        while True:
            try:
                data = self._sock.recv(READ_BYTES)
            except BlockingIOError:
                self._is_quiet()
            except OSError as error:
                raise LineEnded(f"lost the connection: {error.strerror or error}") from None
            else:
                break
        if not data:
            raise LineEnded(GONE)
        self._pinged = False
        return data

    def _is_quiet(self) -> None:
        """Asks a server that said nothing for long for a sign of life.

        Raises:
            LineEnded: it was asked already. Lines that swallow everything look whole from both ends.
        """
        if self._pinged:
            text = f"nothing was heard from the server for {2 * QUIET_SECONDS:g} seconds"
            raise LineEnded(text, code="timeout")
        self._pinged = True
        self.send(encode(Ping(PING)))

    def _sort_out(self, arrived: list[ServerFrame | Fault]) -> list[ServerFrame]:
        """Returns what is for the caller, and acts on the rest."""
        frames: list[ServerFrame] = []
        for frame in arrived:
            match frame:
                case Fault() if _is_unknown(frame):
                    pass  # A later server may know more types.
                case Fault():
                    text = f"the server sent what is not a frame: {one_line(frame.text)}"
                    self._ending = LineEnded(text, code=frame.code)
                case Ping():
                    self._answer(frame)
                case Pong(re=re) if re == PING:
                    pass
                case Bye():
                    self._ending = _farewell(frame, frame.retry)
                case Error(fatal=True):
                    self._ending = _farewell(frame)
                case _:
                    frames.append(frame)
            if self._ending:
                break
        return frames

    def _answer(self, ping: Ping) -> None:
        """Answers, unless another thread is sending: that is as good a sign of life."""
        if self._sending.acquire(blocking=False):
            try:
                self._send(encode(Pong(re=ping.n)))
            finally:
                self._sending.release()

    # Sending and closing

    def send(self, data: bytes) -> None:
        """Sends whole frames; where the line is gone nothing happens, and whoever reads finds out."""
        with self._sending:
            self._send(data)

    def _send(self, data: bytes) -> None:
        assert self._sock is not None, "it is open"
        with suppress(OSError):
            self._sock.sendall(data)

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


def _left(deadline: float) -> float:
    return max(deadline - time.monotonic(), 0.001)


def _is_unknown(frame: ServerFrame | Fault) -> bool:
    return isinstance(frame, Fault) and frame.code == "unknown-type"


def _farewell(frame: Bye | Error, retry: float | None = None) -> LineEnded:
    refused = frame.code in FINAL and frame.code != "bye"
    return LineEnded(one_line(frame.text) or GONE, code=frame.code, retry=retry, refused=refused)
