"""Who may come in and how fast they may go: caps, rates and penalties. The clock is passed in."""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from chatctl.address import is_loopback
from chatctl.errors import Refused, TryLater
from chatctl.server.penalties import Offence, Penalties
from chatctl.server.sums import Sums

log = logging.getLogger(__name__)

NEW_SECONDS = 600.0  # in which a source may make so many new connections
CONNECTIONS = 6  # that a browser makes to one server at once, at most, where others make one
GRAIN = 1e-6  # seconds: what adding up loses


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
    """Decides who may connect, by where they come from. Thread-safe.

    Args:
        max_clients: connections in all, at most; 0 for no limit.
        max_per_ip: connections from one source, at most; 0 for no limit. Loopback has none.
        max_new_per_ip: new connections from one source in `NEW_SECONDS`; 0 for no limit. Loopback has none.
        clock: returns seconds, from any start.
    """

    def __init__(
        self,
        max_clients: int,
        max_per_ip: int,
        max_new_per_ip: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_clients = max_clients
        self._max_per_ip = max_per_ip
        # Each new connection is as many seconds: a source that has used them up gets them back one by one.
        self._new_seconds = NEW_SECONDS / max_new_per_ip if max_new_per_ip else 0.0
        self._lock = threading.Lock()
        self._count = 0
        self._per_source: Counter[str] = Counter()
        self._newcomers = Sums(clock)
        self._penalties = Penalties(clock)

    def admit(self, ip: str) -> None:
        """Counts a connection in, until `release`.

        Raises:
            Refused: ``rate-limited``, ``server-full`` or ``too-many-connections``, fatal; the connection is
                not counted.
        """
        source = source_of(ip)
        local = is_loopback(ip)
        with self._lock:
            refusal = self._refusal(source, local)
            if refusal is None:
                self._count += 1
                self._per_source[source] += 1
                if not local:
                    self._newcomers.set(source, self._newcomers.get(source) + self._new_seconds)
        if refusal:
            if refusal.code == "too-many-connections":
                self.penalize(ip, Offence.CROWDING)
            raise refusal

    def _refusal(self, source: str, local: bool) -> Refused | None:
        """Returns why one more from `source` may not come; the lock is held."""
        assert self._lock.locked()
        if not local and (seconds := self._penalties.blocked(source)):
            return _blocked(seconds)
        if self._max_clients and self._count >= self._max_clients:
            return Refused("server-full", "the server is full, try again later")
        if local:
            return None
        if self._max_per_ip and self._per_source[source] >= self._max_per_ip:
            return Refused("too-many-connections", "too many connections from your address")
        seconds = self._newcomers.get(source) + self._new_seconds - NEW_SECONDS
        return TryLater("too many new connections from your address", seconds) if seconds > GRAIN else None

    def demand_tries(self, ip: str) -> None:
        """Lets somebody show a key or a password, which those may not whose address is blocked.

        Raises:
            TryLater: it is, for what came from there.
        """
        with self._lock:
            seconds = self._penalties.blocked(source_of(ip))
        if seconds:
            raise _blocked(seconds)

    def release(self, ip: str) -> None:
        """Counts an admitted connection out."""
        source = source_of(ip)
        with self._lock:
            self._count -= 1
            self._per_source[source] -= 1
            if self._per_source[source] <= 0:
                del self._per_source[source]

    def credit(self, ip: str, share: float = 1.0) -> None:
        """Counts a connection, or a share of one, as no newcomer's. Once for each.

        It belongs here, by a key or a password; or is one of several that are made where others make one.
        """
        source = source_of(ip)
        with self._lock:
            self._newcomers.set(source, self._newcomers.get(source) - share * self._new_seconds)

    def penalize(self, ip: str, offence: Offence) -> None:
        """Notes an offence; a source with too many is blocked for a while. Whoever is in stays in.

        Of this machine only wrong keys and passwords count, and only for those who show some: tunnels end
        here, too.
        """
        if offence is not Offence.WRONG_SECRET and is_loopback(ip):
            return
        source = source_of(ip)
        with self._lock:
            seconds = self._penalties.add(source, offence)
        if seconds:
            extra = {"address": source, "reason": offence.value[1]}
            log.warning("%s is blocked for %.0f seconds: %s", source, seconds, offence.value[1], extra=extra)


def _blocked(seconds: float) -> TryLater:
    return TryLater("too many failed attempts from your address", seconds)


def source_of(ip: str) -> str:
    """Returns what an address counts as: IPv4 as itself, IPv6 as its network of 64 bits (RFC 6177).

    Whoever has one address of such a network has all of them.
    """
    address = ipaddress.ip_address(ip.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        if not address.is_loopback:
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)
