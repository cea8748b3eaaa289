"""Room logs in memory: gone when the server stops, bounded while it runs."""

from __future__ import annotations

import re
import sys
import threading
import time
import unicodedata
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from msgspec import structs

from chatctl.history.log import KEEP_ALL, WORD, Post, Retention
from chatctl.history.nonces import RecentNonces
from chatctl.messages import Msg, Topic

MAX_MESSAGES = 10_000  # of one room
MAX_ROOM_BYTES = 16 << 20  # of one room
MAX_BYTES = 256 << 20  # of all rooms together
_OVERHEAD = 160  # bytes a message takes beside its text, measured


TIDY_SECONDS = 1.0

_MARKS = re.compile("[\u0300-\u036f]")


class _RoomLog:
    """The messages of one room, numbered without gaps; the newest are kept."""

    __slots__ = ("last", "messages", "nonces", "size", "topic")

    def __init__(self) -> None:
        self.last = 0
        self.size = 0
        self.topic: Topic | None = None
        self.messages: deque[Msg] = deque()
        self.nonces: RecentNonces[tuple[int, int]] = RecentNonces()  # id and time

    @property
    def oldest(self) -> int:
        """The oldest id kept."""
        return self.last - len(self.messages) + 1

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
        retention: what is kept, if less than that.
        clock: returns seconds since the Unix epoch.
    """

    def __init__(
        self,
        retention: Retention = KEEP_ALL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._seconds = retention.seconds
        self._max_messages = min(MAX_MESSAGES, retention.messages or MAX_MESSAGES)
        self._clock = clock
        self._lock = threading.Lock()
        self._rooms: dict[str, _RoomLog] = {}  # the room posted to last stands last
        self._size = 0

    def append(self, room: str, posts: Sequence[Post]) -> list[Msg]:
        """Adds posts; see `Log.append`."""
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
        while len(log.messages) > self._max_messages or log.size > MAX_ROOM_BYTES:
            self._size -= log.drop_oldest()
        while self._size > MAX_BYTES:
            silent = next(log for log in self._rooms.values() if log.messages)
            self._size -= silent.drop_oldest()

    def bounds(self, room: str) -> tuple[int, int]:
        """Returns the oldest id kept and the newest id given; see `Log.bounds`."""
        with self._lock:
            log = self._rooms.get(room)
            return (log.oldest, log.last) if log else (1, 0)

    def read(self, room: str, after: int, limit: int) -> list[Msg]:
        """Returns messages after an id; see `Log.read`."""
        with self._lock:
            log = self._rooms.get(room)
            if log is None:
                return []
            start = max(0, after + 1 - log.oldest)
            return list(islice(log.messages, start, start + limit))

    def read_back(self, room: str, before: int, limit: int) -> list[Msg]:
        """Returns messages before an id; see `Log.read_back`."""
        with self._lock:
            log = self._rooms.get(room)
            if log is None:
                return []
            end = max(0, min(before, log.last + 1) - log.oldest)
            return list(islice(log.messages, max(0, end - limit), end))

    def since(self, room: str, at: int) -> int:
        """Returns the first id of a time; see `Log.since`."""
        with self._lock:
            log = self._rooms.get(room)
            if log is None:
                return 1
            return log.oldest + bisect_left(log.messages, at, key=lambda message: message.at)

    def search(self, text: str, rooms: Iterable[str], limit: int) -> list[Msg]:
        """Finds messages by their words; see `Log.search`."""
        wanted = _words(text)
        found: list[Msg] = []
        for name in rooms if wanted else ():
            with self._lock:
                log = self._rooms.get(name)
                messages = list(log.messages) if log else []
            matching = (message for message in reversed(messages) if wanted <= _words(message.text))
            found += islice(matching, limit)
        found.sort(key=lambda message: (message.at, message.id), reverse=True)
        return found[:limit]

    def redact(self, room: str, id_: int) -> Msg | None:
        """Empties a message; see `Log.redact`."""
        with self._lock:
            log = self._rooms.get(room)
            if log is None or not log.oldest <= id_ <= log.last:
                return None
            place = id_ - log.oldest
            old = log.messages[place]
            # Who was handed the old one may still be sending it.
            message = log.messages[place] = structs.replace(old, text="")
            log.size += _size(message) - _size(old)
            self._size += _size(message) - _size(old)
            return message

    def topic(self, room: str) -> Topic | None:
        """Returns the topic of a room; see `Log.topic`."""
        with self._lock:
            log = self._rooms.get(room)
            return log.topic if log else None

    def set_topic(self, topic: Topic) -> None:
        """Keeps the topic of a room; see `Log.set_topic`."""
        with self._lock:
            self._rooms.setdefault(topic.room, _RoomLog()).topic = topic

    def rooms(self) -> dict[str, int]:
        """Returns the newest id of each room; see `Log.rooms`."""
        with self._lock:
            return {name: log.last for name, log in self._rooms.items()}

    def release(self, room: str) -> None:
        """Drops all that is kept of `room`; its ids begin again at 1."""
        with self._lock:
            if log := self._rooms.pop(room, None):
                self._size -= log.size

    def check(self) -> None:
        """Does nothing: memory can be written."""

    def tidy(self) -> float:
        """Forgets what is too old; see `Log.tidy`."""
        if self._seconds is not None:
            cutoff = int((self._clock() - self._seconds) * 1000)
            with self._lock:
                for log in self._rooms.values():
                    while log.messages and log.messages[0].at < cutoff:
                        self._size -= log.drop_oldest()
        return TIDY_SECONDS

    def close(self) -> None:
        """Does nothing: memory is given back by itself."""


def _words(text: str) -> set[str]:
    """Returns the words of a text without case and accents."""
    plain = text.lower() if text.isascii() else unicodedata.normalize("NFKD", text).casefold()
    return set(WORD.findall(_MARKS.sub("", plain)))


def _size(message: Msg) -> int:
    return sys.getsizeof(message.text) + _OVERHEAD
