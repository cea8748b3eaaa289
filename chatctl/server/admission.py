"""Who may come in and how fast they may go: caps, counts and rates. The clock is passed in."""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import Counter
from collections.abc import Callable

from chatctl.errors import Refused


class TokenBucket:
    """Allows `rate` frames a second, and `burst` at once after a pause.

    Args:
        rate: frames a second, above 0.
        burst: frames, at least 1.
        clock: returns seconds, from any start.
    """

    __slots__ = ("_burst", "_clock", "_rate", "_seen", "_tokens")

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._clock = clock
        self._seen = clock()

    def take(self, wanted: int) -> int:
        """Takes up to `wanted` tokens; returns how many there were, which may be none."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate)
        self._seen = now
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken

    def wait(self) -> float:
        """Returns the seconds until there is a token."""
        return max(0.0, (1 - self._tokens) / self._rate)


class Admission:
    """Counts the connections there are, in all and from each address. Thread-safe.

    Args:
        max_clients: connections in all, at most; 0 for no limit.
        max_per_ip: connections from one address, at most; 0 for no limit. Loopback has none.
    """

    def __init__(self, max_clients: int, max_per_ip: int) -> None:
        self._max_clients = max_clients
        self._max_per_ip = max_per_ip
        self._lock = threading.Lock()
        self._per_ip: Counter[str] = Counter()

    def admit(self, ip: str) -> None:
        """Counts a connection in, until `release`.

        Raises:
            Refused: ``server-full`` or ``too-many-connections``; the connection is not counted.
        """
        with self._lock:
            if self._max_clients and self._per_ip.total() >= self._max_clients:
                raise Refused("server-full", "the server is full, try again later")
            if self._max_per_ip and self._per_ip[ip] >= self._max_per_ip and not is_loopback(ip):
                raise Refused("too-many-connections", "too many connections from your address")
            self._per_ip[ip] += 1

    def release(self, ip: str) -> None:
        """Counts an admitted connection out."""
        with self._lock:
            self._per_ip[ip] -= 1
            if self._per_ip[ip] <= 0:
                del self._per_ip[ip]


def is_loopback(ip: str) -> bool:
    """Returns whether an address is this machine's own, also in its IPv6 form (RFC 4291 section 2.5.5)."""
    address = ipaddress.ip_address(ip.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback
