"""The load: receivers and senders in one room of any server, counting what arrives, exactly.

One thread and one selector serve all connections. Each payload holds the marker once, so that counting
deliveries is counting bytes, which keeps up with millions a second.
"""

from __future__ import annotations

import re
import resource
import selectors
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

MARKER = b"%"
PAYLOAD = 64  # bytes of text in a message
CONNECTING = 200  # connections that are on their way in at once
READ_BYTES = 256 * 1024
QUIET_SECONDS = 0.3  # nothing came for so long: what coming in caused is over
GIVE_UP_SECONDS = 30.0  # nothing came for so long: what is missing is lost

_STAMP = re.compile(rb"%([0-9a-f]{16})")


@dataclass(frozen=True)
class Speech:
    """How one speaks to a server.

    Attributes:
        hello: what to send first, with ``{i}`` for the number of the connection.
        ready: what the answer to it holds; empty if there is none.
        join: what to send then; empty if that was all.
        joined: what the answer to that holds.
        prefix: what stands before a payload.
        suffix: what ends a message.
    """

    hello: bytes = b""
    ready: bytes = b""
    join: bytes = b""
    joined: bytes = b""
    prefix: bytes = b""
    suffix: bytes = b"\n"


@dataclass(frozen=True)
class Plan:
    """What the load is.

    Attributes:
        receivers: connections that only listen.
        senders: connections that send.
        messages: that each sender sends.
        window: messages that each sender is ahead of the slowest receiver, at most.
        interval: seconds between two messages, to measure latency; None for as fast as the window lets.
    """

    receivers: int = 50
    senders: int = 4
    messages: int = 4000
    window: int = 64
    interval: float | None = None


@dataclass
class Result:
    """What came of it.

    Attributes:
        connect_s: seconds until everybody was in the room.
        elapsed_s: seconds from the first message to the last delivery.
        wanted: deliveries there should have been.
        delivered: deliveries there were.
        latencies: seconds from sending to delivery, sorted.
    """

    connect_s: float
    elapsed_s: float
    wanted: int
    delivered: int
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.delivered / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def lost(self) -> int:
        """Deliveries that never came, or, below zero, came twice."""
        return self.wanted - self.delivered

    def percentile(self, share: float) -> float:
        """Returns the latency, in seconds, that `share` of the deliveries did not pass."""
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


@dataclass(eq=False)
class _Connection:
    """One client.

    Attributes:
        unmet: what is still to be waited for, each with what to send then.
        seen: deliveries.
        tail: the end of what was read, in which an answer or a stamp may begin.
        unsent: bytes the socket did not take yet.
    """

    sock: socket.socket
    unmet: list[tuple[bytes, bytes]]
    seen: int = 0
    tail: bytes = b""
    unsent: bytes = b""


def run(address: tuple[str, int], speech: Speech, plan: Plan) -> Result:
    """Connects everybody, lets the senders send, and counts what the receivers get.

    Raises:
        ConnectionError: the server closed a connection.
    """
    _raise_file_limit()
    load = _Load(speech, plan)
    try:
        load.connect(address)
        load.settle()
        return load.measure()
    finally:
        load.close()


class _Load:
    def __init__(self, speech: Speech, plan: Plan) -> None:
        self._speech = speech
        self._plan = plan
        self._selector = selectors.DefaultSelector()
        self._all: list[_Connection] = []
        self._buffer = bytearray(READ_BYTES)
        self._connect_s = 0.0

    def close(self) -> None:
        for connection in self._all:
            connection.sock.close()
        self._selector.close()

    # Coming in

    def connect(self, address: tuple[str, int]) -> None:
        """Brings everybody into the room, a few at a time."""
        begun = time.perf_counter()
        for number in range(self._plan.receivers + self._plan.senders):
            self._open(address, number)
            while sum(bool(c.unmet) for c in self._all[-CONNECTING:]) >= CONNECTING:
                self._advance()
        while any(connection.unmet for connection in self._all):
            self._advance()
        self._connect_s = time.perf_counter() - begun

    def _open(self, address: tuple[str, int], number: int) -> None:
        speech = self._speech
        unmet = [
            (awaited, then)
            for awaited, then in [(speech.ready, speech.join), (speech.joined, b"")]
            if awaited
        ]
        sock = socket.create_connection(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if speech.hello:
            sock.sendall(speech.hello.replace(b"{i}", b"%d" % number))
        sock.setblocking(False)
        connection = _Connection(sock, unmet)
        self._all.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _advance(self) -> None:
        for connection, size in self._read(GIVE_UP_SECONDS):
            if not connection.unmet:
                continue
            connection.tail += self._buffer[:size]
            awaited, then = connection.unmet[0]
            if awaited in connection.tail:
                connection.tail = b""
                del connection.unmet[0]
                if then:
                    connection.sock.sendall(then)

    def settle(self) -> None:
        """Reads what everybody's coming in caused."""
        last = time.perf_counter()
        while time.perf_counter() - last < QUIET_SECONDS:
            for _ in self._read(QUIET_SECONDS):
                last = time.perf_counter()

    def _read(self, timeout: float) -> Iterable[tuple[_Connection, int]]:
        """Yields each connection that something came for, and how many bytes of it are in the buffer."""
        for key, _ in self._selector.select(timeout):
            try:
                size = key.data.sock.recv_into(self._buffer)
            except BlockingIOError:
                continue
            if not size:
                raise ConnectionError("the server closed a connection")
            yield key.data, size

    # Measuring

    def measure(self) -> Result:
        """Sends what is planned, until all has arrived or nothing comes any more."""
        plan = self._plan
        receivers, senders = self._all[: plan.receivers], self._all[plan.receivers :]
        wanted = plan.receivers * plan.senders * plan.messages
        latencies: list[float] = []
        begun = last = time.perf_counter()
        if plan.interval is None:
            for now in self._send_ahead(receivers, senders, wanted):
                last = now
        else:
            for now in self._send_slowly(receivers, senders, wanted, latencies):
                last = now
        delivered = sum(receiver.seen for receiver in receivers)
        return Result(self._connect_s, last - begun, wanted, delivered, sorted(latencies))

    def _send_ahead(
        self, receivers: list[_Connection], senders: list[_Connection], wanted: int
    ) -> Iterable[float]:
        """Keeps the window full; yields the time whenever something arrived."""
        plan = self._plan
        message = self._speech.prefix + MARKER.ljust(PAYLOAD, b"x") + self._speech.suffix
        sent = [0] * len(senders)
        got = 0
        last = time.perf_counter()
        is_receiver = set(map(id, receivers))
        while got < wanted and time.perf_counter() - last < GIVE_UP_SECONDS:
            share = min(receiver.seen for receiver in receivers) // len(senders)
            for number, sender in enumerate(senders):
                count = min(plan.messages, share + plan.window) - sent[number]
                sent[number] += max(count, 0)
                _send(sender, message * count)
            for connection, size in self._read(0.001 if any(s.unsent for s in senders) else 1):
                if id(connection) in is_receiver:
                    count = self._buffer.count(MARKER, 0, size)
                    connection.seen += count
                    got += count
                    last = time.perf_counter()
            yield last

    def _send_slowly(
        self, receivers: list[_Connection], senders: list[_Connection], wanted: int, latencies: list[float]
    ) -> Iterable[float]:
        """Sends one message at a time; notes how long each took to each receiver."""
        plan = self._plan
        assert plan.interval is not None
        total = plan.messages * len(senders)
        sent = 0
        last = due = time.perf_counter()
        is_receiver = set(map(id, receivers))
        while len(latencies) < wanted and time.perf_counter() - last < GIVE_UP_SECONDS:
            if sent < total and time.perf_counter() >= due:
                _send(senders[sent % len(senders)], self._stamped())
                sent += 1
                due += plan.interval
            wait = max(due - time.perf_counter(), 0) if sent < total else 1
            for connection, size in self._read(wait):
                if id(connection) in is_receiver:
                    last = time.perf_counter()
                    latencies += self._stamps(connection, size)
            yield last

    def _stamped(self) -> bytes:
        payload = b"%%%016x" % time.perf_counter_ns()
        return self._speech.prefix + payload.ljust(PAYLOAD, b"x") + self._speech.suffix

    def _stamps(self, connection: _Connection, size: int) -> list[float]:
        """Returns how long the messages took that were just read from a connection."""
        data = connection.tail + self._buffer[:size]
        now = time.perf_counter_ns()
        found = [(now - int(stamp, 16)) / 1e9 for stamp in _STAMP.findall(data)]
        connection.seen += len(found)
        start = data.rfind(MARKER)
        connection.tail = data[start:] if start >= 0 and len(data) - start < 17 else b""
        return found


def _send(connection: _Connection, data: bytes) -> None:
    """Sends what the socket takes, and keeps the rest for the next time."""
    connection.unsent += data
    if connection.unsent:
        try:
            connection.unsent = connection.unsent[connection.sock.send(connection.unsent) :]
        except BlockingIOError:
            return


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
