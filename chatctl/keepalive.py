"""How both sides set up a TCP connection: it sends at once, and notices a peer that vanished."""

from __future__ import annotations

import socket
from contextlib import suppress


def tune(sock: socket.socket, *, idle: int, interval: int, count: int, unsent: int) -> None:
    """Sets it up, as far as the system can.

    Args:
        sock: is connected.
        idle: seconds without a word, after which the system asks the peer's system for a sign of life.
        interval: seconds until it asks again.
        count: of the questions without an answer that end the connection.
        unsent: seconds for which something may be on its way without being received.
    """
    for level, option, value in [
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", idle),
        (socket.IPPROTO_TCP, "TCP_KEEPALIVE", idle),  # the same, on macOS
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", interval),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", count),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", unsent * 1000),
    ]:
        if number := getattr(socket, option, None):
            # Not every system can do all that it has a number for; some refuse where the peer has gone.
            with suppress(OSError):
                sock.setsockopt(level, number, value)
