"""The connections that are not in yet and that the server waits for: only so many. The clock is passed in.

One that has said what it has to say does not count while the server works on that, as when it hashes a
password: however many come at once, all who do their part are served.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

PLACES = 64
SILENT_SECONDS = 0.5  # after which one that says nothing makes place for others
SLOW_SECONDS = 3.0  # after which one does that says little
PAUSE = 0.05  # seconds


class Guest(Protocol):
    """A connection that is not in yet.

    Attributes:
        started: when it was accepted, by the doorstep's clock.
        heard: when something was last heard from it, or else `started`.
        served: it was answered already, and may ask for more.
    """

    started: float
    heard: float
    served: bool


G = TypeVar("G", bound=Guest)


class Doorstep(Generic[G]):
    """Those the server waits for. Thread-safe.

    Args:
        places: guests at once; a few more while some that were heard are waited for again.
        clock: returns seconds, from any start.
    """

    def __init__(self, places: int = PLACES, clock: Callable[[], float] = time.monotonic) -> None:
        self._places = places
        self._clock = clock
        self._changed = threading.Condition()
        self._waited_for: dict[G, None] = {}

    def __len__(self) -> int:
        return len(self._waited_for)

    def wait_for(self, guest: G) -> None:
        """Notes that the server waits for `guest` to say something, until `leave`."""
        with self._changed:
            self._waited_for[guest] = None

    def leave(self, guest: G) -> bool:
        """Notes that it no longer does; returns whether it still did, and had not given up on it."""
        with self._changed:
            if guest not in self._waited_for:
                return False
            del self._waited_for[guest]
            self._changed.notify_all()
            return True

    def has_place(self) -> bool:
        """Returns whether there is a place for one more."""
        return len(self._waited_for) < self._places

    def wait_for_place(self, seconds: float = PAUSE) -> None:
        """Waits until there is one, a moment at most."""
        with self._changed:
            self._changed.wait_for(self.has_place, seconds)

    def give_up_one(self) -> G | None:
        """Returns the oldest of those that say nothing, and no longer waits for it; None if all may stay."""
        with self._changed:
            now = self._clock()
            guests = self._waited_for
            spare = [guest for guest in guests if guest.served or now - guest.heard >= SILENT_SECONDS]
            spare = spare or [guest for guest in guests if now - guest.started >= SLOW_SECONDS]
            oldest = min(spare, key=lambda guest: guest.started, default=None)
            if oldest is not None:
                del self._waited_for[oldest]
            return oldest
