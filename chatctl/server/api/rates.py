"""How often somebody may ask for something, on however many connections. The clock is passed in."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from chatctl.server.admission import TokenBucket

MOST = 10_000  # who are remembered; those who were silent longest go first


class Rates:
    """What everybody has left of their rate. Thread-safe.

    Args:
        rate: requests a second; 0 for no limit.
        burst: requests at once after a pause.
        clock: returns seconds, from any start.
    """

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, str], TokenBucket] = OrderedDict()

    def take(self, source: str, name: str) -> float:
        """Counts a request of `name`, folded, from `source`.

        Returns:
            The seconds after which to try again, where it comes too early; else 0.
        """
        if not self._rate:
            return 0.0
        with self._lock:
            bucket = self._bucket((source, name))
            return 0.0 if bucket.take(1) else bucket.wait()

    def _bucket(self, who: tuple[str, str]) -> TokenBucket:
        if (bucket := self._buckets.get(who)) is None:
            bucket = self._buckets[who] = TokenBucket(self._rate, self._burst, self._clock)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(who)
        return bucket
