"""What was said lately under which nonce, so that a repeated message is not posted again."""

from __future__ import annotations

from typing import Generic, TypeVar

from chatctl.history.log import REMEMBERED_SECONDS

V = TypeVar("V")

MAX_REMEMBERED = 100_000


class RecentNonces(Generic[V]):
    """Remembers a value for each author and nonce, for ten minutes.

    The caller holds a lock of its own around all calls, and passes the time in.

    Args:
        capacity: entries, at most; the oldest make room.
    """

    __slots__ = ("_capacity", "_entries")

    def __init__(self, capacity: int = MAX_REMEMBERED) -> None:
        self._capacity = capacity
        self._entries: dict[tuple[str, str], tuple[float, V]] = {}

    def get(self, author: str, nonce: str, now: float) -> V | None:
        """Returns what was remembered for `author` and `nonce`, unless that is over ten minutes ago."""
        found = self._entries.get((author, nonce))
        if found is None or now - found[0] > REMEMBERED_SECONDS:
            return None
        return found[1]

    def put(self, author: str, nonce: str, value: V, now: float) -> None:
        """Remembers `value` from `now` (seconds) on."""
        entries = self._entries
        # Entries stand in the order of their times, so the expired ones are at the front.
        entries.pop((author, nonce), None)
        entries[author, nonce] = (now, value)
        while True:
            oldest = next(iter(entries))
            if len(entries) <= self._capacity and now - entries[oldest][0] <= REMEMBERED_SECONDS:
                return
            del entries[oldest]
