"""What a client tells of its connection, besides what the server sends."""

from __future__ import annotations

from chatctl.messages import Frame, ServerFrame, Welcome


class Disconnected(Frame, tag="disconnected"):
    """There is no connection; what is posted now is kept until there is one.

    Attributes:
        text: why, in one line for people.
        code: why, for programs: the server's code, or ``internal`` where the line was lost.
        seconds: until the next try begins.
    """

    text: str
    code: str
    seconds: float


class Reconnected(Frame, tag="reconnected", gc=True):
    """The client is in again; the rooms it was in, and what it missed there, come next."""

    welcome: Welcome


class CaughtUp(Frame, tag="caught-up"):
    """All that was missed has come: ``messages`` of them, the client's own left out."""

    messages: int


Event = ServerFrame | Disconnected | Reconnected | CaughtUp
