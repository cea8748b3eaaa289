"""What a client has still to send, and what it sent and has no answer to. No I/O; the caller holds a lock.

Frames go out in the order in which they were added. What must not get lost is kept until it is answered, and
goes out again, in its place, on the next connection.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from msgspec import Struct

from chatctl.client.answer import Answer
from chatctl.errors import Refused
from chatctl.framing import encode
from chatctl.messages import (
    MAX_CLIENT_FRAME,
    AskHistory,
    ClientFrame,
    Join,
    Leave,
    Login,
    Part,
    Rename,
    Say,
    Tell,
)

# Bytes of posts without an ack that are on the way: they fit into what a system buffers, so that sending
# does not have to wait for a server that reads slowly, and those who wait in line can still be looked at.
WINDOW = 64 * 1024
MAX_WAITING = 5_000  # frames that are not answered or not sent yet
# With so many posts on their way an answer comes soon, and few bytes wait for it, to go out with what follows
# them until then: each piece that is sent costs both sides more than the posts in it.
BUSY_POSTS = 32
FEW_BYTES = 8 * 1024


class Item(Struct):
    """One frame.

    Attributes:
        frame: what is sent.
        data: how it is sent.
        key: a post's nonce, or the number that the answer carries as ``re``; None if no answer is waited for.
        answer: gets the answer, where someone wants it.
        is_post: it is a message, which must arrive once.
        was_sent: perhaps in vain.
        is_answered: it need not be sent any more.
    """

    frame: ClientFrame
    data: bytes
    key: str | int | None = None
    answer: Answer[Any] | None = None
    is_post: bool = False
    was_sent: bool = False
    is_answered: bool = False


def encode_frame(frame: ClientFrame) -> bytes:
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


def make_item(frame: ClientFrame) -> Item:
    """Returns what sends a frame; as `encode_frame`."""
    data = encode_frame(frame)
    match frame:
        case Say() | Tell():
            return Item(frame, data, frame.nonce, is_post=frame.nonce is not None)
        case Join() | Rename() | Login():
            return Item(frame, data, frame.n)
    return Item(frame, data)


class Outgoing:
    """The frames of one client.

    Attributes:
        posts: how many messages are not answered yet.
    """

    def __init__(self) -> None:
        self.posts = 0
        self._queue: deque[Item] = deque()
        self._queued = 0  # bytes in the queue, of what was answered meanwhile too
        self._open: dict[str | int, Item] = {}  # not answered yet
        self._sent: dict[str | int, Item] = {}  # those of them that are on their way
        self._flying = 0  # bytes of posts that are on their way
        self._renaming = 0  # frames by which one gets another name that are

    @property
    def is_owed(self) -> bool:
        """Whether the server owes an answer."""
        return bool(self._sent)

    @property
    def can_wait(self) -> bool:
        """Whether what is in the queue may wait until something was answered."""
        return self._queued < FEW_BYTES and len(self._sent) >= BUSY_POSTS and self._flying > 0

    def add(self, item: Item) -> None:
        """Puts an item at the end.

        Raises:
            Refused: too much is waiting already.
        """
        if len(self._queue) + len(self._sent) >= MAX_WAITING:
            raise Refused("rate-limited", "too much is waiting to be sent")
        self._queue.append(item)
        self._queued += len(item.data)
        if item.key is not None:
            self._open[item.key] = item
        self.posts += item.is_post

    def take(self) -> list[Item]:
        """Returns what may be sent now."""
        taken: list[Item] = []
        queue = self._queue
        while queue and (queue[0].is_answered or self._may_go(queue[0])):
            item = queue.popleft()
            self._queued -= len(item.data)
            if not item.is_answered:
                self._send(item)
                taken.append(item)
        return taken

    def _send(self, item: Item) -> None:
        item.was_sent = True
        if item.key is not None:
            self._sent[item.key] = item
        if item.is_post:
            self._flying += len(item.data)
        elif isinstance(item.frame, Rename | Login):
            self._renaming += 1

    def _may_go(self, item: Item) -> bool:
        if item.is_post:
            # A nonce is remembered with the name of the one who posts.
            return not self._renaming and (not self._flying or self._flying + len(item.data) <= WINDOW)
        # Whether a post arrived is only seen on return if the client has the name, and is in the room, that
        # it had when it posted.
        return not self._flying or not isinstance(item.frame, Rename | Login | Part | Leave)

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
        item.is_answered = True
        self.posts -= item.is_post
        if self._sent.pop(item.key, None):
            self._landed(item)

    def _landed(self, item: Item) -> None:
        if item.is_post:
            self._flying -= len(item.data)
        elif isinstance(item.frame, Rename | Login):
            self._renaming -= 1

    def line_lost(self) -> None:
        """Puts what was sent and not answered back to the front, in its order."""
        self._queue.extendleft(reversed(self._sent.values()))
        self._queued += sum(len(item.data) for item in self._sent.values())
        self._sent.clear()
        self._flying = self._renaming = 0

    def give_up(self) -> list[Item]:
        """Returns what waits for an answer that will never come, oldest first; it can still be found."""
        self._sent.clear()
        self._queue.clear()
        self._queued = self._flying = self._renaming = 0
        return list(self._open.values())
