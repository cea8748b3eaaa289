"""What a client has still to send, and what it sent and has no answer to. No I/O; the caller holds a lock.

Frames go out in the order in which they were added. What must not get lost is kept until it is answered, and
goes out again, in its place, on the next connection.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import Any

from msgspec import Struct

from chatctl.errors import Refused
from chatctl.messages import AskHistory, ClientFrame, Leave, Part, Rename, Say, Tell

# Bytes of posts without an ack that are on the way: they fit into what a system buffers, so that sending
# does not have to wait for a server that reads slowly, and those who wait in line can still be looked at.
WINDOW = 64 * 1024
MAX_WAITING = 5_000  # frames that are not answered or not sent yet

_POSTS = (Say, Tell)


class Item(Struct):
    """One frame.

    Attributes:
        frame: what is sent.
        data: how it is sent.
        key: a post's nonce, or the number that the answer carries as ``re``; None if no answer is waited for.
        answer: gets the answer, where someone wants it.
        answered: it need not be sent any more.
    """

    frame: ClientFrame
    data: bytes
    key: str | int | None = None
    answer: Future[Any] | None = None
    answered: bool = False

    @property
    def is_post(self) -> bool:
        """Whether it is a message, which must arrive once."""
        return isinstance(self.frame, _POSTS)


class Outgoing:
    """The frames of one client.

    Attributes:
        posts: how many messages are not answered yet.
    """

    def __init__(self) -> None:
        self.posts = 0
        self._queue: deque[Item] = deque()
        self._open: dict[str | int, Item] = {}  # not answered yet
        self._sent: dict[str | int, Item] = {}  # those of them that are on their way
        self._flying = 0  # bytes of posts that are on their way
        self._renames = 0  # that are on their way

    def add(self, item: Item) -> None:
        """Puts an item at the end.

        Raises:
            Refused: too much is waiting already.
        """
        if len(self._queue) + len(self._sent) >= MAX_WAITING:
            raise Refused("rate-limited", "too much is waiting to be sent")
        self._queue.append(item)
        if item.key is not None:
            self._open[item.key] = item
        self.posts += item.is_post

    def take(self) -> list[Item]:
        """Returns what may be sent now."""
        taken: list[Item] = []
        while self._queue and (self._queue[0].answered or self._may_go(self._queue[0])):
            item = self._queue.popleft()
            if item.answered:
                continue
            taken.append(item)
            if item.key is not None:
                self._sent[item.key] = item
            self._flying += len(item.data) * item.is_post
            self._renames += isinstance(item.frame, Rename)
        return taken

    def _may_go(self, item: Item) -> bool:
        match item.frame:
            case Say() | Tell():
                # A nonce is remembered with the name of the one who posts.
                fits = not self._flying or self._flying + len(item.data) <= WINDOW
                return fits and not self._renames
            case Rename() | Part() | Leave():
                # Whether a post arrived is only seen on return if the client has the name, and is in the
                # room, that it had when it posted.
                return not self._flying
        return True

    def find(self, key: str | int | None) -> Item | None:
        """Returns the item that waits for the answer with this key."""
        return self._open.get(key) if key is not None else None

    def asks_history(self) -> bool:
        """Returns whether an answer to ``history`` is on its way."""
        return any(isinstance(item.frame, AskHistory) for item in self._sent.values())

    def settle(self, item: Item) -> None:
        """Notes that an item that waited has its answer."""
        assert item.key is not None
        del self._open[item.key]
        item.answered = True
        self.posts -= item.is_post
        if self._sent.pop(item.key, None):
            self._flying -= len(item.data) * item.is_post
            self._renames -= isinstance(item.frame, Rename)

    def line_lost(self) -> None:
        """Puts what was sent and not answered back to the front, in its order."""
        self._queue.extendleft(reversed(self._sent.values()))
        self._sent.clear()
        self._flying = self._renames = 0

    def give_up(self) -> list[Item]:
        """Returns what waits for an answer that will never come, oldest first."""
        items = list(self._open.values())
        self._open.clear()
        self._sent.clear()
        self._queue.clear()
        self._flying = self._renames = 0
        return items
