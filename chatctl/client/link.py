"""One TCP connection to a server, from the first try to the last byte. It ends, and is not used again.

One thread reads; any thread may send, or close. Nobody who sends has to wait: what the line does not take at
once is sent by the thread that reads.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from chatctl import keepalive
from chatctl.client.retry import FINAL
from chatctl.errors import ConnectionFailed, Refused
from chatctl.framing import Fault, encode, server_frames
from chatctl.messages import MAX_SERVER_FRAME, Bye, Error, Hello, Ping, Pong, ServerFrame, Welcome
from chatctl.names import check_name
from chatctl.text import one_line

READ_BYTES = 64 * 1024
QUIET_SECONDS = 30.0  # after which a server that says nothing is pinged; as long again, and the line is dead
ANSWER_SECONDS = 10.0  # the same, while the server owes an answer
LOOK_SECONDS = 1.0  # between two looks at whether it does
PING = 2**53 - 1  # the number of that ping
LONGEST_WORDS = 400  # characters of what the server says about the end

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
        is_owed: returns whether the server owes an answer; must not wait.
    """

    def __init__(self, host: str, port: int, is_owed: Callable[[], bool]) -> None:
        self._host = host
        self._port = port
        self._is_owed = is_owed
        self._where = one_line(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        self._guard = threading.Lock()  # of the next two
        self._sock: socket.socket | None = None
        self._closed = False
        self._sending = threading.Lock()  # of the next
        self._unsent = bytearray()
        self._reader = server_frames()
        self._arrived: list[ServerFrame] = []  # right behind the welcome
        self._size = 0  # bytes in which came what was not returned yet
        self._ending: LineEnded | None = None
        self._heard = 0.0  # when something was heard last, on the monotonic clock
        self._pinged: float | None = None  # when the server was asked for a sign of life since

    @property
    def is_stuck(self) -> bool:
        """Whether the line did not take all that was sent: then `send` only adds to what waits."""
        with self._sending:
            return bool(self._unsent)

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
            sock.setblocking(False)
            self._heard = time.monotonic()
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
                self._size += len(data)
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
            case Welcome() if _is_usable(frame):
                return frame
            case Error():
                text = f"{self._where} says: {_words(frame.text)}"
                raise LineEnded(text, code=frame.code, refused=True)
            case Bye():
                text = f"{self._where} says: {_words(frame.text)}"
                raise LineEnded(text, code=frame.code, retry=frame.retry, refused=True)
            case _:
                # No code that is final: what answers in place of a server that is down may be gone soon.
                raise LineEnded(f"what listens at {self._where} is not a chatctl server")

    # Reading

    def read(self) -> tuple[list[ServerFrame], int]:
        """Waits for what the server sends, but not for long; pings are answered, not returned.

        Returns:
            What came, perhaps nothing, and the bytes it came in.

        Raises:
            LineEnded: nothing more comes, and why: with code ``bye`` where this side asked for that.
        """
        frames, self._arrived = self._arrived, []
        if not frames:
            if self._ending:
                raise self._ending
            data = self._receive()
            # What came before the frame that is coming now, and is nothing to keep, does not count.
            self._size = min(self._size, MAX_SERVER_FRAME) + len(data)
            frames = self._sort_out(self._reader.feed(data))
        size = self._size
        if frames:
            self._size = 0
        return frames, size

    def _receive(self) -> bytes:
        """Returns what came; nothing, if nothing comes for a while."""
        assert self._sock is not None, "it is open"
        try:
            _wait(self._sock, self._patience(), to_send=self.is_stuck)
            if self.is_stuck:
                self.send(b"")
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            self._is_quiet()
            return b""
        except OSError as error:
            raise LineEnded(f"lost the connection: {error.strerror or error}") from None
        if not data:
            raise LineEnded(GONE)
        self._heard, self._pinged = time.monotonic(), None
        return data

    def _patience(self) -> float:
        """Returns the seconds to wait for the server to say something."""
        return min(max(self._due() - time.monotonic(), 0.0), LOOK_SECONDS)

    def _due(self) -> float:
        """Returns when a server that says nothing is to be asked for a sign of life, or given up."""
        since = self._heard if self._pinged is None else self._pinged
        return since + (min(ANSWER_SECONDS, QUIET_SECONDS) if self._is_owed() else QUIET_SECONDS)

    def _is_quiet(self) -> None:
        """Asks a server that said nothing for long for a sign of life.

        Raises:
            LineEnded: it was asked already. Lines that swallow everything look whole from both ends.
        """
        now = time.monotonic()
        if now < self._due():
            return
        if self._pinged is not None:
            text = f"nothing was heard from the server for {now - self._heard:.0f} seconds"
            raise LineEnded(text, code="timeout") from None
        self._pinged = now
        self.send(encode(Ping(PING)))

    def _sort_out(self, arrived: list[ServerFrame | Fault]) -> list[ServerFrame]:
        """Returns what is for the caller, and acts on the rest."""
        frames: list[ServerFrame] = []
        pongs = b""
        for frame in arrived:
            match frame:
                case Fault() if _is_unknown(frame):
                    pass  # A later server may know more types.
                case Fault():
                    text = f"the server sent what is not a frame: {_words(frame.text)}"
                    self._ending = LineEnded(text, code=frame.code)
                case Ping():
                    pongs += encode(Pong(re=frame.n))
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
        if pongs and not self.is_stuck:  # What waits to be sent is as good a sign of life.
            self.send(pongs)
        return frames

    # Sending and closing

    def send(self, data: bytes) -> None:
        """Sends whole frames; where the line is gone nothing happens, and whoever reads finds out."""
        assert self._sock is not None, "it is open"
        with self._sending:
            self._unsent += data
            try:
                while self._unsent:
                    del self._unsent[: self._sock.send(self._unsent)]
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


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


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


def _words(text: str) -> str:
    """Returns what a server says about the end as one line, not too long to read."""
    return one_line(text if len(text) <= LONGEST_WORDS else f"{text[:LONGEST_WORDS]}…")


def _is_usable(welcome: Welcome) -> bool:
    """Returns whether a client can be called so, and can say the secret when it comes back."""
    try:
        check_name(welcome.name)
        welcome.session.encode()
    except (Refused, UnicodeEncodeError):
        return False
    return True


def _is_unknown(frame: ServerFrame | Fault) -> bool:
    return isinstance(frame, Fault) and frame.code == "unknown-type"


def _farewell(frame: Bye | Error, retry: float | None = None) -> LineEnded:
    refused = frame.code in FINAL and frame.code != "bye"
    return LineEnded(_words(frame.text) or GONE, code=frame.code, retry=retry, refused=refused)
