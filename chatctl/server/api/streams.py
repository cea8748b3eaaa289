"""The two forms in which a room can be followed: lines of JSON, and server-sent events. No I/O.

Of what a room tells its members only what is said in it is passed on, and what becomes of that.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from chatctl.framing import encode, encode_all
from chatctl.messages import Bye, Error, Frame, Gap, Msg, Redacted
from chatctl.server.people import Encode

_PASSED_ON = (Msg, Redacted, Gap, Error, Bye)
# Browsers have events called error of their own.
_EVENTS: dict[type[Frame], bytes] = {Redacted: b"redacted", Gap: b"gap", Error: b"end", Bye: b"end"}


class Form(Struct, frozen=True):
    """A form of what is followed.

    Attributes:
        kind: the type of the answer.
        encode: makes bytes of frames; one function for all who follow in this form.
        beat: says nothing, so that a connection that is gone is noticed.
    """

    kind: str
    encode: Encode
    beat: bytes


def encode_lines(frames: Iterable[Frame]) -> bytes:
    """Returns what is passed on of `frames` as lines of JSON."""
    return encode_all(frame for frame in frames if isinstance(frame, _PASSED_ON))


def encode_events(frames: Iterable[Frame]) -> bytes:
    """Returns what is passed on of `frames` as events, each message by its id."""
    return b"".join(_event(frame) for frame in frames if isinstance(frame, _PASSED_ON))


def _event(frame: Frame) -> bytes:
    # JSON has no line ends of its own.
    data = b"data: " + encode(frame) + b"\n"
    if isinstance(frame, Msg):
        return b"id: %d\n%b" % (frame.id, data)
    return b"event: %b\n%b" % (_EVENTS[type(frame)], data)


LINES = Form("application/x-ndjson", encode_lines, b"\n")
EVENTS = Form("text/event-stream", encode_events, b": \n\n")
