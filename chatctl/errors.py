"""What can go wrong, as one tree.

::

    ChatError              anything chatctl tells a person instead of showing a traceback
    ├── Refused            the server says no to one frame: a wire code and words for people
    │   ├── StorageError   the history cannot be written or read right now
    │   ├── NotProven      somebody has to show first, by key or password, that they may
    │   └── TryLater       too much came from there: nothing is listened to for a while
    ├── FrameError         the peer's bytes are not frames; the connection cannot go on
    ├── DataError          a data directory, or a file of messages, that cannot be used
    ├── ListenError        the server cannot open its port
    ├── SettingsError      the file of settings cannot be read or written, or says what it cannot
    ├── ConnectionFailed   the client could not connect, was refused, or lost its server
    └── NotInTime          what was waited for did not happen in the time that was given

Data is in attributes, words for people are in ``str()``. Only ``cli`` turns these into exit codes.
"""

from __future__ import annotations

import math
from typing import Literal


class ChatError(Exception):
    """Anything that is told to a person in one line.

    Attributes:
        code: the wire code of PROTOCOL.md that says the same to a program.
        exit_code: what the process ends with if nobody handles the error.
    """

    code = "internal"
    exit_code = 1

    def __init__(self, text: str, *, code: str | None = None) -> None:
        super().__init__(text)
        if code is not None:
            self.code = code


class Refused(ChatError):
    """The server's answer to a frame it will not act on; the connection stays open."""

    exit_code = 4

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text, code=code)


class StorageError(Refused):
    """The history cannot be written or read right now; nothing was kept of what was to be written."""

    exit_code = 1

    def __init__(self, text: str) -> None:
        super().__init__("storage", text)


class NotProven(Refused):
    """Somebody has to show first that they may come in, or stay.

    Attributes:
        wants: by what.
    """

    def __init__(self, code: str, text: str, wants: Literal["key", "password"]) -> None:
        super().__init__(code, text)
        self.wants = wants


class TryLater(Refused):
    """Too much came from there, as the text says, and how long that will be held against it.

    Attributes:
        seconds: whole ones, after which to try again.
    """

    def __init__(self, text: str, seconds: float) -> None:
        self.seconds = math.ceil(seconds)
        super().__init__("rate-limited", f"{text}: try again in {self.seconds} seconds")


class FrameError(ChatError):
    """Bytes from the peer that cannot be frames; nothing that follows them can be trusted."""

    code = "bad-frame"


class DataError(ChatError):
    """A data directory, or a file of messages, that cannot be used; nothing in it was changed."""

    code = "storage"


class ListenError(ChatError):
    """The server cannot listen where it was told to."""


class SettingsError(ChatError):
    """The file of settings cannot be read or written, or what it says cannot be."""


class ConnectionFailed(ChatError):
    """The client has no connection: never made, refused in the handshake, or lost.

    Attributes:
        refused: the server itself said no, or would: to try again as before is of no use, or not now.
        wants: what it lets nobody in without, ``key`` or ``password``, if it said so.
    """

    exit_code = 3
    wants: str | None = None

    def __init__(self, text: str, *, code: str | None = None, refused: bool = False) -> None:
        super().__init__(text, code=code)
        self.refused = refused
        if refused:
            self.exit_code = 4


class NotInTime(ChatError):
    """What was waited for did not happen in the time that was given."""

    code = "timeout"
    exit_code = 5
