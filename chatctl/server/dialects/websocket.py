"""The protocol in a WebSocket (RFC 6455): each frame is a text message, without the line end. No I/O.

The words clash: what is called a message here, and may come in several of the WebSocket's own frames, is one
frame of the protocol.
"""

from __future__ import annotations

from collections.abc import Iterable

from websockets.exceptions import PayloadTooBig
from websockets.frames import Close, CloseCode, Opcode
from websockets.frames import Frame as WebSocketFrame
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from chatctl.framing import CLIENT, Fault, encode_all
from chatctl.messages import (
    HANDSHAKE_SECONDS,
    MAX_CLIENT_FRAME,
    MAX_REASON,
    Bye,
    ClientFrame,
    Error,
    Frame,
    Leave,
    Pong,
)
from chatctl.server.dialects.dialect import Client, Frames
from chatctl.text import one_line

MAX_MESSAGE = MAX_CLIENT_FRAME - 1  # bytes: without the line end
# What a connection is closed with (RFC 6455 section 7.4.1), where that is not for a broken rule.
_CLOSES = {
    "bye": CloseCode.NORMAL_CLOSURE,
    "shutting-down": CloseCode.GOING_AWAY,
    "too-long": CloseCode.MESSAGE_TOO_BIG,
    "internal": CloseCode.INTERNAL_ERROR,
    **dict.fromkeys(["server-full", "slow-consumer", "timeout"], CloseCode.TRY_AGAIN_LATER),
}


def _head(size: int) -> bytes:
    """Returns what a text frame of `size` bytes begins with (section 5.2), whole and without a mask."""
    if size < 126:
        return bytes([0x81, size])
    return b"\x81\x7e%b" % size.to_bytes(2) if size < 1 << 16 else b"\x81\x7f%b" % size.to_bytes(8)


_HEADS = tuple(map(_head, range(1024)))


def encode(frames: Iterable[Frame]) -> bytes:
    """Returns each frame as a text frame.

    Written out, since websockets' own `Frame.serialize` takes six times as long as all of this: for a large
    batch as long as to send it to everybody.
    """
    lines = encode_all(frames).split(b"\n")
    try:
        return b"".join([_HEADS[len(line)] + line for line in lines if line])
    except IndexError:
        return b"".join([_head(len(line)) + line for line in lines if line])


def _close_frame(code: CloseCode) -> bytes:
    return WebSocketFrame(Opcode.CLOSE, Close(code, "").serialize()).serialize(mask=False)


class WebSocket:
    """One client's end of it."""

    __slots__ = ("_closing", "_is_in", "_left", "_message", "_pongs", "_protocol")
    encode = staticmethod(encode)
    seconds = HANDSHAKE_SECONDS
    answers_pings = True

    def __init__(self) -> None:
        self._protocol = ServerProtocol(state=OPEN, max_size=MAX_MESSAGE)
        self._message = b""  # as much as there is of one that comes in parts
        self._pongs = b""
        self._closing = b""  # the close frame, once it is known that none but that follows
        self._left = False  # the client has said that it goes
        self._is_in = False

    def feed(self, data: bytes) -> Frames:
        """Returns the frames that `data` completes.

        What completes none, like pings and parts of a message, counts as much of the client's rate: for each
        of these there is a `Pong`, which nothing is done about.
        """
        if self._closing:
            return ()
        self._protocol.receive_data(data)
        self._note_answers()
        out: list[ClientFrame | Fault] = []
        for event in self._protocol.events_received():
            assert isinstance(event, WebSocketFrame)
            out += self._frames(event)
            if out and isinstance(out[-1], Fault) and out[-1].fatal:
                return out
        if error := self._protocol.parser_exc:
            out.append(_fault(error))
        return out

    def _note_answers(self) -> None:
        """Takes what websockets would answer: of that, the close frame has to wait for the farewell."""
        answers = [answer for answer in self._protocol.data_to_send() if answer]
        if self._protocol.close_sent and answers:
            self._closing = answers.pop()
        self._pongs = b"".join(answers)

    def _frames(self, event: WebSocketFrame) -> Frames:
        match event.opcode:
            case Opcode.TEXT | Opcode.CONT:
                self._message += event.data
                if event.fin:
                    message, self._message = self._message, b""
                    return self._read(message)
            case Opcode.BINARY:
                return self._refuse(CloseCode.UNSUPPORTED_DATA, "frames are text messages, not binary ones")
            case Opcode.CLOSE:
                self._left = True
                return [Leave() if self._is_in else Fault("bye", "goodbye")]
        return [Pong()] if self._is_in else ()

    def _read(self, message: bytes) -> Frames:
        try:
            message.decode()
        except UnicodeDecodeError:
            return self._refuse(CloseCode.INVALID_DATA, "not UTF-8")
        if not message or message.isspace():
            return [Pong()] if self._is_in else ()
        got = CLIENT.read(message)
        if isinstance(got, Fault) and got.fatal:
            self._closing = _close_frame(CloseCode.POLICY_VIOLATION)
        return [got]

    def _refuse(self, code: CloseCode, text: str) -> Frames:
        self._closing = _close_frame(code)
        return [Fault("bad-frame", text)]

    def pending(self) -> bytes:
        """Returns pongs."""
        pongs, self._pongs = self._pongs, b""
        return pongs

    def admitted(self, _client: Client) -> Frames:
        """Returns nothing: all was returned by `feed`."""
        self._is_in = True
        return ()

    def refused(self, _error: Error) -> None:
        """Returns None: there is but one try."""

    def farewell(self, ending: Error | Bye) -> bytes:
        """Returns the frame, and closes; to a client that closes, only that."""
        if self._left:
            return self._closing
        closing = self._closing or _close_frame(_CLOSES.get(ending.code, CloseCode.POLICY_VIOLATION))
        return encode([ending]) + closing


def _fault(error: Exception) -> Fault:
    """Returns what is wrong with what is no WebSocket frame, or not one that is taken here."""
    if isinstance(error, PayloadTooBig):
        return Fault("too-long", f"a frame has at most {MAX_MESSAGE} bytes, as a message")
    return Fault("bad-frame", one_line(str(error))[:MAX_REASON])
