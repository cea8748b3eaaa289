"""Who is turned away for what came from there before. The clock is passed in.

Penalties add up for each source, and time takes them away again, as with sshd's ``PerSourcePenalties``. Where
they reach `LIMIT` the source is blocked, for twice as long as the last time if that is not long ago.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from chatctl.server.sums import MOST_SOURCES, Sums

LIMIT = 50.0  # seconds of penalties at which a source is blocked
SHORTEST = 50.0  # seconds for which it is, at first
LONGEST = 600.0  # seconds for which it is, at most


class Offence(Enum):
    """What there are penalties for: its seconds, and what to call it in the log."""

    WRONG_SECRET = (5.0, "wrong keys or passwords")
    BROKEN = (1.0, "what is not the protocol")
    CROWDING = (1.0, "too many connections at once")
    SILENCE = (1.0, "connections that do not come in")


class Penalties:
    """The penalties of all sources. Not thread-safe.

    Args:
        clock: returns seconds, from any start.
        most: sources that are remembered, at most; the ones with the least go first.
    """

    def __init__(self, clock: Callable[[], float], most: int = MOST_SOURCES) -> None:
        self._sums = Sums(clock, most)
        self._blocks = Sums(clock, most)  # for twice as long as a block lasted, after its end

    def add(self, source: str, offence: Offence) -> float:
        """Adds a penalty; returns the seconds for which that blocks the source, 0 if it does not, or did."""
        before = self._sums.get(source)
        seconds = offence.value[0]
        if before < LIMIT <= before + seconds:
            seconds = min(LONGEST, max(SHORTEST, self._blocks.get(source)))
            self._blocks.set(source, 3 * seconds)
            self._sums.set(source, LIMIT + seconds)
            return seconds
        if before >= LIMIT:  # From connections that were there before.
            self._blocks.set(source, min(self._blocks.get(source) + seconds, 3 * LONGEST))
        self._sums.set(source, min(before + seconds, LIMIT + LONGEST))
        return 0.0

    def blocked(self, source: str) -> float:
        """Returns the seconds for which a source is still blocked, 0 if it is not."""
        return max(0.0, self._sums.get(source) - LIMIT)
