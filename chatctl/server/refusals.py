"""What is logged of those who do not come in: few lines, however many they are."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from chatctl.server.admission import source_of

log = logging.getLogger(__name__)

MINUTE = 60.0
MOST_SOURCES = 100  # that are named in a minute


class Refusals:
    """Logs the first one of each source and, once a minute, how many more there were. Thread-safe.

    Args:
        clock: returns seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._begun = clock()
        self._more: dict[str, int] = {}
        self._others = 0

    def note(self, ip: str, reason: str) -> None:
        """Notes that a connection came to nothing, and for what `reason`."""
        source = source_of(ip)
        with self._lock:
            first = source not in self._more
            if first and len(self._more) >= MOST_SOURCES:
                self._others += 1
                return
            self._more[source] = 0 if first else self._more[source] + 1
        if first:
            extra = {"address": ip, "reason": reason}
            log.info("a connection ended (%s): %s", ip, reason, extra=extra)

    def sum_up(self) -> None:
        """Logs what was only counted, if a minute is over. To be called every second."""
        with self._lock:
            if self._clock() - self._begun < MINUTE:
                return
            self._begun = self._clock()
            more, self._more = self._more, {}
            others, self._others = self._others, 0
        for source, count in more.items():
            if count:
                log.info("%d more connections ended (%s)", count, source, extra={"address": source})
        if others:
            log.info("%d more connections ended, from other addresses", others)
