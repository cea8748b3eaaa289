"""The load: receivers and senders in one room of any server, counting what arrives, exactly.

One thread and one selector serve all connections. Each payload holds the marker once, so that counting
deliveries is counting bytes, which keeps up with millions a second. Receivers acknowledge at once: several
servers leave Nagle's algorithm on, and would otherwise be idle most of the time, waiting for the 40 ms timer
of the receiver's delayed acknowledgement (RFC 1122 section 4.2.3.2), so that only this timer was measured.

With TLS everything that each receiver gets is decrypted before it is counted. That costs the load less than
what it measures costs the server.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chatctl.tls import Channel
from tests.helpers import trusting

MARKER = b"%"
PAYLOAD = 64  # bytes of text in a message
CONNECTING = 8  # on their way in at once: more overflow the shorter accept queues, and wait a second each
CONNECT_SECONDS = 60.0  # for everybody to come in
LOAD_SECONDS = 120.0  # for everything to arrive
READ_BYTES = 256 * 1024
QUIET_SECONDS = 0.3  # nothing came for so long: what coming in caused is over
RETRY_SECONDS = 0.001  # until a socket that was full is tried again
GIVE_UP_SECONDS = 30.0  # nothing came for so long: what is missing is lost

_STAMP = re.compile(rb"%([0-9a-f]{16})")


@dataclass(frozen=True)
class Speech:
    """How one speaks to a server.

    Attributes:
        hello: what to send first, with ``{i}`` for the number of the connection, which has five digits, and
            ``{port}`` for the server's port.
        ready: what the answer to it holds; empty if there is none.
        join: what to send then, as `hello`; empty if that was all.
        joined: what the answer to that holds.
        prefix: what stands before a payload.
        suffix: what ends a message.
        tls: it is spoken through TLS, verifying nothing.
        receiving: how those speak who only listen, where that is another way.
    """

    hello: bytes = b""
    ready: bytes = b""
    join: bytes = b""
    joined: bytes = b""
    prefix: bytes = b""
    suffix: bytes = b"\n"
    tls: bool = False
    receiving: Speech | None = None


@dataclass(frozen=True)
class Plan:
    """What the load is.

    Attributes:
        receivers: connections that only listen.
        senders: connections that send.
        messages: that each sender sends.
        window: messages in flight for each sender, at most, before the slowest receiver has them.
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
        wanted: deliveries each receiver should have had.
        seen: deliveries each receiver had.
        latencies: seconds from sending to delivery, sorted.
        memory_each: resident bytes that each client costs the server, while all are in; 0 if not asked for.
    """

    connect_s: float
    elapsed_s: float
    wanted: int
    seen: list[int]
    latencies: list[float] = field(default_factory=list)
    memory_each: float = 0.0

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return sum(self.seen) / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def lost(self) -> int:
        """Deliveries that never came. What one receiver has twice does not make up for another's loss."""
        return sum(max(self.wanted - seen, 0) for seen in self.seen)

    @property
    def doubled(self) -> int:
        """Deliveries that came once too often."""
        return sum(max(seen - self.wanted, 0) for seen in self.seen)

    def percentile(self, share: float) -> float:
        """Returns the latency, in seconds, that `share` of the deliveries did not pass."""
        return self.latencies[min(int(share * len(self.latencies)), len(self.latencies) - 1)]


@dataclass(eq=False)
class _Connection:
    """One client.

    Attributes:
        number: its place among all; receivers come first.
        unmet: what is still to be waited for, each with what to send then.
        sent: messages handed to it.
        tail: the end of what was read, in which an answer or a stamp may begin.
        unsent: bytes the socket did not take yet.
        channel: what is said goes through this, if it is TLS.
        hello: what is to be said after the handshake.
    """

    sock: socket.socket
    number: int
    unmet: list[tuple[bytes, bytes]]
    sent: int = 0
    tail: bytes = b""
    unsent: bytes = b""
    channel: Channel | None = None
    hello: bytes = b""

    def sealed(self, data: bytes) -> bytes:
        """Returns what is to be sent to say `data`."""
        return self.channel.seal(data) if self.channel and data else data


def run(address: tuple[str, int], speech: Speech, plan: Plan, pid: int | None = None) -> Result:
    """Connects everybody, lets the senders send, and counts what the receivers get.

    Args:
        address: of the server.
        speech: how one speaks to it.
        plan: what to send.
        pid: the server's process, to learn what a client costs it.

    Raises:
        OSError: the server closed a connection, or was too slow.
        RuntimeError: it delivered something twice.
    """
    load = _Load(speech, plan)
    try:
        before = memory(pid) if pid else 0
        load.connect(address)
        load.settle()
        # While everybody is in: what a client cost is soon given back when it leaves.
        cost = memory(pid) - before if pid else 0
        result = load.measure()
        result.memory_each = cost / (plan.receivers + plan.senders)
        return result
    finally:
        load.close()


def memory(pid: int) -> int:
    """Returns the resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _Load:
    def __init__(self, speech: Speech, plan: Plan) -> None:
        self._speech = speech
        self._plan = plan
        self._selector = selectors.DefaultSelector()
        self._all: list[_Connection] = []
        self._context = trusting() if speech.tls else None
        self._buffer = bytearray(READ_BYTES)
        self._entering = 0
        self._connect_s = 0.0
        self._message = speech.prefix + MARKER.ljust(PAYLOAD, b"x") + speech.suffix
        self._seen = [0] * plan.receivers
        self._latencies: list[float] = []
        self._last = self._due = 0.0
        self._stamps_sent = 0

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
            self._advance_until(CONNECTING - 1, begun + CONNECT_SECONDS)
        self._advance_until(0, begun + CONNECT_SECONDS)
        self._connect_s = time.perf_counter() - begun

    def _open(self, address: tuple[str, int], number: int) -> None:
        speech = self._speech
        if number < self._plan.receivers:
            speech = speech.receiving or speech
        hello, join = (_filled(words, number, address[1]) for words in (speech.hello, speech.join))
        steps = [(speech.ready, join), (speech.joined, b"")]
        sock = socket.create_connection(address, CONNECT_SECONDS)
        connection = _Connection(sock, number, [step for step in steps if step[0]])
        self._all.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)
        self._entering += bool(connection.unmet)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context:
            connection.channel = Channel(self._context, "localhost")
            connection.hello = hello
            hello = connection.channel.start()
        sock.sendall(hello)
        sock.setblocking(False)

    def _advance_until(self, entering: int, deadline: float) -> None:
        """Reads until at most so many connections are still on their way in."""
        while self._entering > entering:
            if time.perf_counter() > deadline:
                inside = len(self._all) - self._entering
                raise TimeoutError(f"only {inside:,} clients are in after {CONNECT_SECONDS:.0f} seconds")
            for connection, size in self._read(1):
                if connection.unmet:
                    self._advance(connection, size)

    def _advance(self, connection: _Connection, size: int) -> None:
        awaited, then = connection.unmet[0]
        data = connection.tail + self._buffer[:size]
        connection.tail = data[1 - len(awaited) :]
        if awaited in data:
            connection.tail = b""
            del connection.unmet[0]
            self._entering -= not connection.unmet
            connection.sock.sendall(connection.sealed(then))

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
                size = key.data.sock.recv_into(self._buffer, READ_BYTES)
            except BlockingIOError:
                continue
            if not size:
                raise ConnectionError("the server closed a connection")
            yield key.data, self._opened(key.data, key.data.channel, size) if key.data.channel else size

    def _opened(self, connection: _Connection, channel: Channel, size: int) -> int:
        """Opens what was read; what it says, which may be nothing yet, is in the buffer then."""
        said = channel.feed(memoryview(self._buffer)[:size])
        self._buffer[: len(said)] = said
        if connection.hello and channel.ready:
            connection.sock.sendall(connection.sealed(connection.hello))
            connection.hello = b""
        return len(said)

    # Measuring

    def measure(self) -> Result:
        """Sends what is planned, until all has arrived or nothing comes any more.

        Raises:
            OSError: nothing arrived, or too slowly.
            RuntimeError: something arrived twice.
        """
        plan = self._plan
        wanted = plan.senders * plan.messages
        send = self._send_ahead if plan.interval is None else self._send_slowly
        begun = self._last = self._due = time.perf_counter()
        self._collect_until(wanted, send, begun)
        result = Result(self._connect_s, self._last - begun, wanted, self._seen, sorted(self._latencies))
        if result.doubled:
            raise RuntimeError(f"{result.doubled:,} messages came twice")
        if not any(self._seen):
            raise TimeoutError("nothing arrived")
        return result

    def _collect_until(self, wanted: int, send: Callable[[int], float], begun: float) -> None:
        """Sends and counts until every receiver has what is wanted, or nothing comes any more."""
        while (slowest := min(self._seen)) < wanted:
            now = time.perf_counter()
            if now - self._last > GIVE_UP_SECONDS:
                return
            if now - begun > LOAD_SECONDS:
                raise TimeoutError(f"not everything arrived within {LOAD_SECONDS:.0f} seconds")
            self._collect(send(slowest))

    def _collect(self, wait: float) -> None:
        for connection, size in self._read(wait):
            if connection.number < len(self._seen):
                self._last = time.perf_counter()
                # Linux forgets it with every acknowledgement.
                connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                self._seen[connection.number] += self._buffer.count(MARKER, 0, size)
                if self._plan.interval is not None:
                    self._note_stamps(connection, size)

    def _send_ahead(self, slowest: int) -> float:
        """Keeps the window full; returns for how many seconds nothing else is to be sent."""
        senders = self._all[self._plan.receivers :]
        allowed = min(self._plan.messages, slowest // len(senders) + self._plan.window)
        for sender in senders:
            _send(sender, self._message * (allowed - sender.sent))
            sender.sent = allowed
        return _flush(senders)

    def _send_slowly(self, slowest: int) -> float:
        """Sends a message if one is due, whatever the slowest receiver has; returns as `_send_ahead`."""
        plan = self._plan
        assert plan.interval is not None
        senders = self._all[plan.receivers :]
        now = time.perf_counter()
        more = self._stamps_sent < plan.senders * plan.messages
        if more and now >= self._due:
            _send(senders[self._stamps_sent % plan.senders], self._stamped())
            self._stamps_sent += 1
            self._due += plan.interval
        return max(self._due - now, 0) if more else _flush(senders)

    def _stamped(self) -> bytes:
        payload = b"%%%016x" % time.perf_counter_ns()
        return self._speech.prefix + payload.ljust(PAYLOAD, b"x") + self._speech.suffix

    def _note_stamps(self, connection: _Connection, size: int) -> None:
        """Notes how long the messages took that were just read from a connection."""
        now = time.perf_counter_ns()
        data = connection.tail + self._buffer[:size]
        self._latencies += [(now - int(stamp, 16)) / 1e9 for stamp in _STAMP.findall(data)]
        start = data.rfind(MARKER)
        connection.tail = data[start:] if start >= 0 and len(data) - start < 17 else b""


def _filled(words: bytes, number: int, port: int) -> bytes:
    return words.replace(b"{i}", b"%05d" % number).replace(b"{port}", b"%d" % port)


def _send(connection: _Connection, data: bytes) -> None:
    """Sends what the socket takes, and keeps the rest for the next time."""
    connection.unsent += connection.sealed(data)
    if connection.unsent:
        try:
            connection.unsent = connection.unsent[connection.sock.send(connection.unsent) :]
        except BlockingIOError:
            return


def _flush(senders: list[_Connection]) -> float:
    """Sends what the sockets did not take; returns how many seconds to wait before that is done again."""
    for sender in senders:
        _send(sender, b"")
    return RETRY_SECONDS if any(sender.unsent for sender in senders) else 1.0
