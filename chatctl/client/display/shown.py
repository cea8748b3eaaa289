"""What is shown to a person besides what the server sends: frames that never are on a wire."""

from __future__ import annotations

from chatctl.messages import Frame, Kind, Msg


class ToldTo(Frame, tag="told-to"):
    """A private message of one's own, which was accepted; like `Told`, with the one who got it."""

    at: int
    to: str
    text: str
    kind: Kind = "text"


class Failed(Frame, tag="failed"):
    """What one said and nobody got, and why, both for people."""

    text: str
    reason: str


class Heading(Frame, tag="heading"):
    """What follows, or that what was announced so is over."""

    text: str


class Numbered(Frame, tag="numbered"):
    """A message together with its id, for who may want to name it."""

    msg: Msg


class Copyable(Frame, tag="copyable"):
    """A line to be copied from the terminal: nothing stands in front of it, and it is not wrapped here."""

    text: str


class SinceYouLeft(Frame, tag="since-you-left"):
    """From here on one had not been in the room when it was said.

    Attributes:
        room: where.
        at: when the last message was seen there, in milliseconds since the epoch.
        missed: messages since then.
        shown: those of them that follow.
    """

    room: str
    at: int
    missed: int
    shown: int
