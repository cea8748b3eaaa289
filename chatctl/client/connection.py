"""A connection to a chat server, for the terminal client and for programs; imports nothing of the server.

::

    with ChatClient.connect("127.0.0.1", 12345, "bot") as client:
        for event in client.events():
            if isinstance(event, messages.Msg) and event.text == "hello":
                client.say(f"hello {event.name}", event.room)

One thread reads, by `ChatClient.receive` or `ChatClient.events`; any thread may send.
"""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import count
from types import TracebackType

from msgspec import UNSET

import chatctl
from chatctl.errors import ConnectionFailed, Refused
from chatctl.framing import Fault, FrameReader, encode, server_frames
from chatctl.messages import (
    DEFAULT_BACKLOG,
    LOBBY,
    MAX_CLIENT_FRAME,
    VERSION,
    Ack,
    Bye,
    ClientFrame,
    Error,
    Hello,
    Kind,
    Leave,
    Ping,
    Pong,
    Renamed,
    Say,
    ServerFrame,
    Tell,
    Welcome,
)
from chatctl.names import check_name, check_room
from chatctl.text import check_text, one_line

READ_BYTES = 64 * 1024
CONNECT_SECONDS = 10.0
# A server that vanished without a word is noticed within a minute, whether or not something is being sent.
KEEPALIVE_IDLE = 30  # seconds
KEEPALIVE_INTERVAL = 10  # seconds
KEEPALIVE_COUNT = 3
USER_TIMEOUT = 60_000  # milliseconds

GONE = "the server closed the connection"


class ChatClient:
    """A connection that has its welcome; made by `connect`.

    Args:
        sock: connected, blocking; the client closes it.
        reader: has read the welcome from it.
        welcome: what the server said.
        arrived: what came right behind the welcome.

    Attributes:
        welcome: what the server said on coming in.
        name: what the server calls this client now.
        unacked: by nonce, what was posted and neither acked nor refused yet, oldest first. The entry of an
            ``ack`` or ``error`` is still there while that is being handled: it goes when reading goes on.
    """

    def __init__(
        self,
        sock: socket.socket,
        reader: FrameReader[ServerFrame],
        welcome: Welcome,
        arrived: list[ServerFrame | Fault],
    ) -> None:
        self.welcome = welcome
        self.name = welcome.name
        self.unacked: dict[str, Say | Tell] = {}
        self._sock = sock
        self._reader = reader
        self._ready: deque[ServerFrame] = deque()  # what the caller has not seen yet
        self._answered: list[str] = []  # nonces whose ack or error the caller saw last
        self._sending = threading.Lock()
        self._changed = threading.Condition()  # of `unacked` and `_over`
        self._over = False
        self._failure: ConnectionFailed | None = None
        # A nonce must never be used twice under one name, not even by another process.
        self._prefix = secrets.token_hex(8)
        self._numbers = count(1)
        self._take(arrived)

    @classmethod
    def connect(
        cls,
        host: str,
        port: int,
        name: str,
        rooms: Mapping[str, int | None] | None = None,
        *,
        backlog: int = DEFAULT_BACKLOG,
        timeout: float = CONNECT_SECONDS,
        agent: str | None = None,
    ) -> ChatClient:
        """Connects, and comes in as `name`.

        Args:
            host: name or address of the server.
            port: its port.
            name: what to be called.
            rooms: for each room the last id seen there, or None to join afresh; left out, the lobby.
            backlog: earlier messages of each room joined afresh, at most 500.
            timeout: seconds until the welcome must be there.
            agent: what this program calls itself.

        Raises:
            ConnectionFailed: in one line why it did not work; `code` is the server's, where it refused.
        """
        hello = Hello(
            v=VERSION,
            name=name,
            rooms=UNSET if rooms is None else dict(rooms),
            backlog=backlog,
            agent=agent or f"chatctl/{chatctl.__version__}",
        )
        _check_hello(hello)
        deadline = time.monotonic() + timeout
        sock = _open(host, port, timeout)
        try:
            _tune(sock)
            reader, welcome, arrived = _shake_hands(sock, hello, deadline, _address(host, port))
            sock.settimeout(None)
        except BaseException:
            sock.close()
            raise
        return cls(sock, reader, welcome, arrived)

    # Sending

    def send(self, frame: ClientFrame) -> None:
        """Sends one frame; waits while the server is not reading.

        Raises:
            Refused: the frame can never be accepted, and was not sent.
            ConnectionFailed: the connection is over.
        """
        data = _encode(frame)
        try:
            with self._sending:
                self._sock.sendall(data)
        except OSError:
            raise self._failure or ConnectionFailed(GONE) from None

    def say(self, text: str, room: str = LOBBY, kind: Kind = "text") -> str:
        """Posts `text` to a room; returns the nonce that the ``ack``, or an ``error``, will carry.

        Raises:
            Refused: the text can never be accepted, and was not sent.
            ConnectionFailed: the connection is over.
        """
        nonce = self._nonce()
        return self._post(nonce, Say(text, room, nonce, kind))

    def tell(self, to: str, text: str, kind: Kind = "text") -> str:
        """Sends a private message; returns and raises what `say` does."""
        nonce = self._nonce()
        return self._post(nonce, Tell(to, text, nonce, kind))

    def _nonce(self) -> str:
        return f"{self._prefix}-{next(self._numbers)}"

    def _post(self, nonce: str, frame: Say | Tell) -> str:
        check_text(frame.text)
        _encode(frame)
        with self._changed:
            self.unacked[nonce] = frame
        self.send(frame)
        return nonce

    def leave(self) -> None:
        """Says bye; reading then goes on until the server's bye, and ends without an error.

        Raises:
            ConnectionFailed: the connection is over.
        """
        self.send(Leave())

    # Receiving

    def events(self) -> Iterator[ServerFrame]:
        """Yields what the server sends, until one side leaves; pings are answered, not yielded.

        Raises:
            ConnectionFailed: the server went away, or threw this client out.
        """
        while self._ready_after_waiting():
            event = self._ready.popleft()
            self._note(event)
            yield event

    __iter__ = events

    def receive(self) -> list[ServerFrame]:
        """Waits for what the server sends next; returns all events that are there, and none at the end.

        Raises:
            ConnectionFailed: the server went away, or threw this client out. What came before that was
                returned first.
        """
        self._ready_after_waiting()
        events = list(self._ready)
        self._ready.clear()
        for event in events:
            self._note(event)
        return events

    def _ready_after_waiting(self) -> bool:
        """Waits until there is an event for the caller; returns False at the end."""
        self._forget_answered()
        while not self._ready and not self._over:
            self._take(self._read())
        if self._failure and not self._ready:
            raise self._failure
        return bool(self._ready)

    def _read(self) -> list[ServerFrame | Fault]:
        try:
            data = self._sock.recv(READ_BYTES)
        except OSError as error:
            self._end(f"lost the connection: {error.strerror or error}")
            return []
        if not data:
            self._end(GONE)
            return []
        return self._reader.feed(data)

    def _take(self, arrived: list[ServerFrame | Fault]) -> None:
        """Keeps what the caller must see, and acts on the rest."""
        for frame in arrived:
            match frame:
                case Fault():
                    self._judge(frame)
                case Ping():
                    self._answer(frame)
                case Bye():
                    self._end(None if frame.code == "bye" else one_line(frame.text) or GONE, frame.code)
                case Error(fatal=True):
                    self._end(one_line(frame.text), frame.code)
                case _:
                    self._ready.append(frame)
            if self._over:
                return

    def _judge(self, fault: Fault) -> None:
        """Ends the connection, but for types of frames that a later server may know."""
        if fault.code != "unknown-type":
            self._end(f"the server sent what is not a frame: {one_line(fault.text)}", fault.code)

    def _answer(self, ping: Ping) -> None:
        try:
            self.send(Pong(re=ping.n))
        except ConnectionFailed as failure:
            self._end(str(failure))

    def _note(self, event: ServerFrame) -> None:
        """Takes in what the caller is about to see."""
        match event:
            case Ack(nonce=nonce) | Error(nonce=str(nonce)):
                self._answered.append(nonce)
            case Renamed(name=self.name):
                self.name = event.to

    def _forget_answered(self) -> None:
        if self._answered:
            with self._changed:
                for nonce in self._answered:
                    self.unacked.pop(nonce, None)
                self._changed.notify_all()
            self._answered.clear()

    def wait_acked(self, left: int = 0) -> bool:
        """Waits until at most `left` posts are neither acked nor refused; another thread must be reading.

        Returns:
            False if the connection ended before.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._over or len(self.unacked) <= left)
            return len(self.unacked) <= left

    # Ending

    def _end(self, text: str | None, code: str | None = None) -> None:
        """Notes that nothing more comes, and why, where neither side asked for that."""
        with self._changed:
            if not self._over and text is not None:
                self._failure = ConnectionFailed(text, code=code or "internal")
            self._over = True
            self._changed.notify_all()

    def close(self) -> None:
        """Ends the connection without a word, from any thread: reading ends. May be called again."""
        self._end(None)
        with suppress(OSError):  # The server may have ended it before.
            # Closing alone would not wake a thread that waits in recv.
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


# Coming in


def _check_hello(hello: Hello) -> None:
    """Checks what would only be refused, and could not even be written as JSON if it had lone surrogates.

    Raises:
        ConnectionFailed: a name or a room is none.
    """
    try:
        check_name(hello.name)
        for room in hello.rooms or ():
            check_room(room)
    except Refused as refusal:
        raise ConnectionFailed(str(refusal), code=refusal.code) from None


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _open(host: str, port: int, timeout: float) -> socket.socket:
    where = one_line(_address(host, port))
    try:
        return socket.create_connection((host, port), timeout)
    except TimeoutError:
        raise ConnectionFailed(
            f"{where} does not answer within {timeout:g} seconds", code="timeout"
        ) from None
    except ConnectionRefusedError:
        raise ConnectionFailed(f"nothing listens at {where}: is a server running there?") from None
    except (socket.gaierror, UnicodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "that is no host name"
        raise ConnectionFailed(f"cannot find {one_line(host)}: {reason}") from None
    except OSError as error:
        raise ConnectionFailed(f"cannot connect to {where}: {error.strerror or error}") from None


def _tune(sock: socket.socket) -> None:
    """Sends at once, and notices a server that vanished."""
    options = [
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", KEEPALIVE_IDLE),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", KEEPALIVE_COUNT),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", USER_TIMEOUT),
    ]
    for level, option, value in options:
        if number := getattr(socket, option, None):  # Not every system has them all.
            sock.setsockopt(level, number, value)


def _shake_hands(
    sock: socket.socket, hello: Hello, deadline: float, where: str
) -> tuple[FrameReader[ServerFrame], Welcome, list[ServerFrame | Fault]]:
    """Says hello; returns the reader, the welcome, and what came right behind it.

    Args:
        sock: connected.
        hello: has been checked.
        deadline: for the welcome, on the monotonic clock.
        where: what to call the server.

    Raises:
        ConnectionFailed: there was no welcome.
    """
    reader = server_frames()
    frames: list[ServerFrame | Fault] = []
    try:
        sock.sendall(encode(hello))
        while not frames:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            data = sock.recv(READ_BYTES)
            if not data:
                raise ConnectionFailed(f"{where} closed the connection without a word")
            frames = [frame for frame in reader.feed(data) if not _is_unknown(frame)]
    except TimeoutError:
        raise ConnectionFailed(f"{where} does not answer as a chat server does", code="timeout") from None
    except OSError as error:
        raise ConnectionFailed(f"{where} closed the connection: {error.strerror or error}") from None
    return reader, _expect_welcome(frames[0], where), frames[1:]


def _is_unknown(frame: ServerFrame | Fault) -> bool:
    return isinstance(frame, Fault) and frame.code == "unknown-type"


def _expect_welcome(frame: ServerFrame | Fault, where: str) -> Welcome:
    match frame:
        case Welcome():
            return frame
        case Error() | Bye():
            raise ConnectionFailed(f"{where} says: {one_line(frame.text)}", code=frame.code)
        case _:
            raise ConnectionFailed(f"what listens at {where} is not a chatctl server", code="bad-frame")


def _encode(frame: ClientFrame) -> bytes:
    """Returns a frame as a line of JSON.

    Raises:
        Refused: the server could not read it, and would end the connection.
    """
    try:
        data = encode(frame)
    except UnicodeEncodeError:
        raise Refused("bad-text", "lone surrogates cannot be sent") from None
    if len(data) > MAX_CLIENT_FRAME:
        raise Refused("too-long", "that is too long")
    return data
