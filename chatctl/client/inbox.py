"""What came and was not looked at yet, in order. No I/O; the caller holds a lock."""

from __future__ import annotations

from collections import deque

from chatctl.client.events import Event
from chatctl.messages import Members, Presence, RoomState

MAX_EVENTS = 10_000
# Of the lines that events came in: in memory they take three times that, and six times at the worst.
MAX_BYTES = 1 << 20
NAME_BYTES = 64  # that a name takes in memory, besides those it came in
# While somebody waits for an answer reading has to go on, though whoever would look at events may be waiting.
MAX_MEANWHILE = 64 << 20
_WITH_NAMES = frozenset({RoomState, Presence, Members})


class Inbox:
    """Events, and how much they are.

    Attributes:
        size: bytes of the lines they came in, and more for lists of names.
    """

    def __init__(self) -> None:
        self.size = 0
        self._events: deque[Event] = deque()

    def __bool__(self) -> bool:
        return bool(self._events)

    @property
    def is_full(self) -> bool:
        """Whether nothing more should be read; one event is never too much."""
        return bool(self._events) and (self.size >= MAX_BYTES or len(self._events) >= MAX_EVENTS)

    @property
    def is_too_full(self) -> bool:
        """Whether nothing more can be read, whoever waits for what."""
        return self.size >= MAX_MEANWHILE and bool(self._events)

    def add(self, event: Event) -> None:
        """Puts an event at the end."""
        self._events.append(event)
        if type(event) in _WITH_NAMES:
            self.size += NAME_BYTES * _count_names(event)

    def take(self) -> deque[Event]:
        """Returns all events, which are here no longer."""
        events, self._events = self._events, deque()
        self.size = 0
        return events


def _count_names(event: Event) -> int:
    match event:
        case RoomState():
            return len(event.members)
        case Presence():
            return len(event.joined) + len(event.left)
        case Members():
            return len(event.names)
    return 0
