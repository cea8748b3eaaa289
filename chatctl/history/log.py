"""What a log is: the contract of the history, whatever it is kept in.

A log numbers the messages of each room 1, 2, 3, … and keeps them in that order. It forgets only from the
front: what is kept of a room is one run of ids without gaps, up to the newest. Rooms deliver what `append`
hands back, and nothing else. All methods may be called from any thread, and raise `StorageError` where the
log cannot be written or read right now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from msgspec import Struct

from chatctl.messages import Kind, Msg, Topic

REMEMBERED_SECONDS = 600  # for which a nonce is honoured
WORD = re.compile(r"[^\W_]+")  # what a search takes for a word


class Post(Struct, gc=False):
    """What someone wants to say in a room, checked, not yet numbered.

    Attributes:
        author: the one who says it, in the form in which two spellings of a name are equal.
    """

    name: str
    author: str
    text: str
    kind: Kind = "text"
    nonce: str | None = None


class Retention(Struct, frozen=True):
    """What is kept of each room.

    Attributes:
        seconds: for how long; None for ever.
        messages: how many, the newest; None for all.
    """

    seconds: float | None = None
    messages: int | None = None


KEEP_ALL = Retention()


class Log(Protocol):
    """The logs of all rooms."""

    def append(self, room: str, posts: Sequence[Post]) -> list[Msg]:
        """Adds `posts` to the log of `room`, in order: all of them or, where it raises, none.

        Returns:
            A message for each post, kept from now on. A post that repeats its author's nonce of the last ten
            minutes is not added: the message of the first one is returned in its place, so that an id which
            is not above all before it marks a repeat.
        """

    def bounds(self, room: str) -> tuple[int, int]:
        """Returns the oldest id kept and the newest id given, in `room`; (1, 0) if nothing was ever said.

        Where nothing is kept any more, the oldest is the one that will be given next.
        """

    def read(self, room: str, after: int, limit: int) -> list[Msg]:
        """Returns at most `limit` kept messages of `room` with ids above `after`, oldest first."""

    def read_back(self, room: str, before: int, limit: int) -> list[Msg]:
        """Returns the last `limit` kept messages of `room` with ids below `before`, oldest first."""

    def since(self, room: str, at: int) -> int:
        """Returns the id of the first kept message of `room` not older than `at`; the next id if none is.

        Args:
            room: its name.
            at: milliseconds since the Unix epoch.
        """

    def search(self, text: str, rooms: Iterable[str], limit: int) -> list[Msg]:
        """Returns at most `limit` kept messages of `rooms` that hold every word of `text`, newest first.

        Words are runs of letters and digits; neither case nor accents matter.
        """

    def redact(self, room: str, id_: int) -> Msg | None:
        """Empties the text of a message, for good; the rest of it stays, and its nonce is honoured on.

        When it returns, no method hands out the text any more, nor does it come back after a crash. Bytes of
        it may be left where nothing looks for them; they go within seconds, by `tidy`.

        Returns:
            The message as it is now; None if it is not kept.
        """

    def topic(self, room: str) -> Topic | None:
        """Returns the topic of `room`, if it was ever set."""

    def set_topic(self, topic: Topic) -> None:
        """Keeps the topic of a room."""

    def rooms(self) -> dict[str, int]:
        """Returns the newest id of each room that something is kept of, the oldest room first."""

    def release(self, room: str) -> None:
        """Called when nobody is in `room` any more: a log that keeps nothing for long drops it."""

    def check(self) -> None:
        """Makes sure that the log can be written, as far as that is known.

        Raises:
            StorageError: what was to be written last was not, nor could anything be now.
        """

    def tidy(self) -> float:
        """Does a small step of what can be done later: forgetting what is too old, indexing what is new.

        Returns:
            The seconds after which it wants to be called again.
        """

    def close(self) -> None:
        """Ends the use of the log; nobody else may be using it any more."""
