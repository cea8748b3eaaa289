"""One connection to a server, from the hello to the bye: frames over a `Transport`. It is not used again.

One thread reads; any thread may send, or close.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from chatctl.client.ended import LineEnded
from chatctl.client.retry import ENDS
from chatctl.client.transport import GONE, Transport, reason
from chatctl.client.trust import Trust
from chatctl.errors import Refused
from chatctl.framing import Fault, encode, server_frames
from chatctl.messages import MAX_ID, MAX_SERVER_FRAME, Bye, Error, Hello, Ping, Pong, ServerFrame, Welcome
from chatctl.names import check_name
from chatctl.text import one_line

QUIET_SECONDS = 30.0  # after which a server that says nothing is pinged; as long again, and the line is dead
ANSWER_SECONDS = 10.0  # the same, while the server owes an answer
LOOK_SECONDS = 1.0  # between two looks at whether it does
PING = MAX_ID  # the number of that ping
LONGEST_WORDS = 400  # characters of what the server says about the end
NEEDS_TLS = "tls-required"  # the code of a server that speaks nothing else


class Link:
    """A connection that is still to be opened.

    Args:
        host: name or address of the server.
        port: its port.
        trust: whether there is TLS, and who the server is.
        is_owed: returns whether the server owes an answer; must not wait.

    Attributes:
        send: sends whole frames, from any thread; where the line is gone nothing happens, and whoever reads
            finds out.
        close: ends the connection without a word, even while it is being opened. May be called again.
    """

    def __init__(self, host: str, port: int, trust: Trust, is_owed: Callable[[], bool]) -> None:
        self._trust = trust
        self._transport = Transport(host, port, trust)
        self._where = self._transport.where
        self._is_owed = is_owed
        self.send = self._transport.send
        self.close = self._transport.close
        self._reader = server_frames()
        self._arrived: list[ServerFrame] = []  # right behind the welcome
        self._size = 0  # bytes in which came what was not returned yet
        self._ending: LineEnded | None = None
        self._heard = 0.0  # when something was heard last, on the monotonic clock
        self._pinged: float | None = None  # when the server was asked for a sign of life since

    @property
    def is_stuck(self) -> bool:
        """Whether the line did not take all that was sent: then `send` only adds to what waits."""
        return self._transport.is_stuck

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
            welcome = self._come_in(hello, deadline, timeout)
            self._transport.come_in()
            self._heard = time.monotonic()
        except BaseException:
            self.close()
            raise
        return welcome

    def _come_in(self, hello: Hello, deadline: float, timeout: float) -> Welcome:
        """Connects and says hello, once more where the server wants TLS that nobody knew of."""
        self._transport.open(deadline, timeout)
        try:
            return self._greet(hello, deadline)
        except LineEnded as ended:
            if ended.code != NEEDS_TLS or self._transport.has_tls:
                raise
            if not self._trust.turn_on():
                text = f"{self._where} speaks only TLS: leave out --insecure"
                raise LineEnded(text, code=NEEDS_TLS, refused=True) from None
        self._reader = server_frames()
        self._transport.open(deadline, timeout)
        return self._greet(hello, deadline)

    def _greet(self, hello: Hello, deadline: float) -> Welcome:
        frames: list[ServerFrame | Fault] = []
        self._size = 0
        try:
            self._transport.say(encode(hello), deadline)
            while not frames:
                data = self._transport.hear(deadline)
                if not data:
                    raise LineEnded(f"{self._where} closed the connection without a word")
                self._size += len(data)
                frames = [frame for frame in self._reader.feed(data) if not _is_unknown(frame)]
        except TimeoutError:
            raise LineEnded(f"{self._where} does not answer as a chat server does", code="timeout") from None
        except OSError as error:
            raise LineEnded(f"{self._where} closed the connection: {reason(error)}") from None
        welcome = self._expect_welcome(frames[0])
        self._arrived = self._sort_out(frames[1:])
        return welcome

    def _expect_welcome(self, frame: ServerFrame | Fault) -> Welcome:
        match frame:
            case Welcome() if _is_usable(frame):
                return frame
            case Error():
                text = f"{self._where} says: {_words(frame.text)}"
                raise LineEnded(text, code=frame.code, refused=True, wants=frame.wants)
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
            data = self._transport.receive(self._patience())
            if data is None:
                self._is_quiet()
                return frames, self._size
            self._heard, self._pinged = time.monotonic(), None
            # What came before the frame that is coming now, and is nothing to keep, does not count.
            self._size = min(self._size, MAX_SERVER_FRAME) + len(data)
            frames = self._sort_out(self._reader.feed(data))
        size = self._size
        if frames:
            self._size = 0
        return frames, size

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
    refused = frame.code in ENDS and frame.code != "bye"
    return LineEnded(_words(frame.text) or GONE, code=frame.code, retry=retry, refused=refused)
