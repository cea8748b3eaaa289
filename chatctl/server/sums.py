"""Sums that time takes from, one for each source. The clock is passed in."""

from __future__ import annotations

import heapq
from collections.abc import Callable

MOST_SOURCES = 65_536
_FREED = 16  # one in so many goes when there is no place: to look for them takes a while


class Sums:
    """Seconds that each source has still to wait out: a sum goes down by one a second. Not thread-safe.

    Where there are more than `most` sources, those with the smallest sums are forgotten.

    Args:
        clock: returns seconds, from any start.
        most: sources that are remembered, at most.
    """

    def __init__(self, clock: Callable[[], float], most: int = MOST_SOURCES) -> None:
        self._clock = clock
        self._most = most
        self._over: dict[str, float] = {}  # when the sum will be 0

    def __len__(self) -> int:
        return len(self._over)

    def get(self, source: str) -> float:
        """Returns what is left of a source's sum."""
        over = self._over.get(source)
        return max(0.0, over - self._clock()) if over else 0.0

    def set(self, source: str, seconds: float) -> None:
        """Makes `seconds` the sum of a source."""
        if seconds <= 0:
            self._over.pop(source, None)
            return
        self._over[source] = self._clock() + seconds
        if len(self._over) > self._most:
            self._make_room()

    def _make_room(self) -> None:
        now = self._clock()
        self._over = {source: over for source, over in self._over.items() if over > now}
        kept = self._most - self._most // _FREED
        if len(self._over) > kept:
            for source in heapq.nsmallest(len(self._over) - kept, self._over, key=self._over.__getitem__):
                del self._over[source]
