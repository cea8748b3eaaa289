"""Whether a client that lost its server tries again, and when. No I/O: clock and dice are passed in."""

from __future__ import annotations

import time
from collections.abc import Callable

from chatctl.messages import FINAL

ENDS = FINAL | {"untrusted"}
SHORTEST = 0.5  # seconds
LONGEST = 30.0  # seconds
LONGEST_ASKED = 300.0  # seconds, whatever a server asks for
STEADY_SECONDS = 10.0  # after which a connection counts as good, and the next wait is short again
TAKEN_SECONDS = 30.0  # for which a name may be taken: by one's own old connection, most likely


def _roll() -> float:
    import random

    return random.random()


class Retry:
    """How long to wait before each try: twice as long each time, and never quite as long as others do.

    Args:
        clock: returns seconds, from any start.
        dice: returns a number from 0 up to 1.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, dice: Callable[[], float] = _roll
    ) -> None:
        self._clock = clock
        self._dice = dice
        self._longest = 2 * SHORTEST
        self._connected_at: float | None = clock()
        self._taken_at: float | None = None

    def connected(self) -> None:
        """Notes that a try succeeded."""
        self._connected_at = self._clock()
        self._taken_at = None

    def wait(self, code: str, asked: float | None = None) -> float | None:
        """Returns the seconds to wait before the next try; None if there is no use in one.

        Args:
            code: why the connection ended, or could not be made.
            asked: the seconds after which the server invites to come back.
        """
        now = self._clock()
        if code in ENDS or (code == "name-taken" and self._taken_for(now) > TAKEN_SECONDS):
            return None
        if self._connected_at is not None and now - self._connected_at >= STEADY_SECONDS:
            self._longest = 2 * SHORTEST
        self._connected_at = None
        seconds = self._longest * (1 + self._dice()) / 2
        self._longest = min(2 * self._longest, LONGEST)
        # Those who were all sent away at once must not all be back at once.
        return max(seconds, min(asked or 0.0, LONGEST_ASKED) + SHORTEST * self._dice())

    def _taken_for(self, now: float) -> float:
        if self._taken_at is None:
            self._taken_at = now
        return now - self._taken_at
