"""Room logs in memory: gone when the server stops, bounded while it runs."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice

from msgspec import Struct

from chatctl.history.nonces import RecentNonces
from chatctl.messages import Kind, Msg

MAX_MESSAGES = 10_000  # of one room
MAX_ROOM_BYTES = 16 << 20  # of one room
MAX_BYTES = 256 << 20  # of all rooms together
_OVERHEAD = 160  # bytes a message takes beside its text, measured


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


class _RoomLog:
    """The messages of one room, numbered without gaps; the newest are kept."""

    __slots__ = ("last", "messages", "nonces", "size")

    def __init__(self) -> None:
        self.last = 0
        self.size = 0
        self.messages: deque[Msg] = deque()
        self.nonces: RecentNonces[tuple[int, int]] = RecentNonces()  # id and time

    def drop_oldest(self) -> int:
        """Forgets the oldest message; returns the bytes that frees."""
        size = _size(self.messages.popleft())
        self.size -= size
        return size


class MemoryLog:
    """The logs of all rooms, in memory.

    Each room keeps its last 10 000 messages, at most 16 MiB of them; all rooms together keep 256 MiB, the
    rooms that were silent longest giving up theirs first. Thread-safe.

    Args:
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rooms: dict[str, _RoomLog] = {}  # the room posted to last stands last
        self._size = 0

    def append(self, room: str, posts: Sequence[Post]) -> list[Msg]:
        """Adds `posts` to the log of `room`, in order.

        Returns:
            A message for each post. A post that repeats an author's nonce of the last ten minutes is not
            added: the message of the first one is returned in its place, so that an id which is not above
            all before it marks a repeat.
        """
        now = self._clock()
        at = int(now * 1000)
        with self._lock:
            log = self._rooms.pop(room, None) or _RoomLog()
            self._rooms[room] = log
            messages = [self._add(log, room, post, at, now) for post in posts]
            self._trim(log)
        return messages

    def _add(self, log: _RoomLog, room: str, post: Post, at: int, now: float) -> Msg:
        nonce = post.nonce
        if nonce is not None and (first := log.nonces.get(post.author, nonce, now)):
            return Msg(first[0], first[1], room, post.name, post.text, post.kind, nonce)
        log.last += 1
        message = Msg(log.last, at, room, post.name, post.text, post.kind, nonce)
        log.messages.append(message)
        size = _size(message)
        log.size += size
        self._size += size
        if nonce is not None:
            log.nonces.put(post.author, nonce, (message.id, at), now)
        return message

    def _trim(self, log: _RoomLog) -> None:
        while len(log.messages) > MAX_MESSAGES or log.size > MAX_ROOM_BYTES:
            self._size -= log.drop_oldest()
        while self._size > MAX_BYTES:
            silent = next(log for log in self._rooms.values() if log.messages)
            self._size -= silent.drop_oldest()

    def bounds(self, room: str) -> tuple[int, int]:
        """Returns the oldest id kept and the newest id given, in `room`; (1, 0) if nothing was ever said."""
        with self._lock:
            log = self._rooms.get(room)
            return (log.last - len(log.messages) + 1, log.last) if log else (1, 0)

    def read(self, room: str, after: int, limit: int) -> list[Msg]:
        """Returns at most `limit` kept messages of `room` with ids above `after`, oldest first."""
        with self._lock:
            log = self._rooms.get(room)
            if log is None:
                return []
            oldest = log.last - len(log.messages) + 1
            start = max(0, after + 1 - oldest)
            return list(islice(log.messages, start, start + limit))

    def forget(self, room: str) -> None:
        """Drops all that is kept of `room`; its ids begin again at 1."""
        with self._lock:
            if log := self._rooms.pop(room, None):
                self._size -= log.size


def _size(message: Msg) -> int:
    return sys.getsizeof(message.text) + _OVERHEAD
