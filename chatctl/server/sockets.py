"""How the server's sockets are opened, tuned and taken leave of. Knows no protocol."""

from __future__ import annotations

import errno
import resource
import socket
import time
from contextlib import suppress

from chatctl import keepalive
from chatctl.errors import ListenError

ACCEPT_SECONDS = 1.0  # after which an accept() that nobody wakes looks up
READ_BYTES = 64 * 1024
LINGER_SECONDS = 1.0
LINGER_BYTES = 1 << 20
LINGER_PAUSE = 0.01
_TCP_UNSURE = {1, 4, 11}  # ESTABLISHED, FIN_WAIT1 and CLOSING in Linux' tcp_states.h
BACKLOG = 4096  # connections the kernel holds for us until we accept them


def open_listener(host: str, port: int) -> socket.socket:
    """Returns a socket that listens on `port` of `host`, which may be a name.

    Raises:
        ListenError: with one line that says why not, and what to do.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError):
        raise ListenError(f"cannot listen on {host}: there is no such host or address") from None
    family, _, _, _, address = found[0]
    both = family == socket.AF_INET6 and address[0] == "::" and socket.has_dualstack_ipv6()
    try:
        listener = socket.create_server(address, family=family, backlog=BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise ListenError(_why_not(error, host, port)) from None
    # Shutting a listener down wakes its accept() on Linux only; elsewhere it looks up every second.
    listener.settimeout(ACCEPT_SECONDS)
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"port {port} of {host} is in use: stop what listens there, or choose another with --port"
        case errno.EADDRNOTAVAIL:
            return f"cannot listen on {host}: this machine does not have that address"
        case errno.EACCES | errno.EPERM:
            return f"not allowed to listen on port {port}: choose one above 1023 with --port"
    return f"cannot listen on port {port} of {host}: {error.strerror}"


def raise_file_limit() -> None:
    """Allows as many open files, and so clients, as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # macOS gives "unlimited" as the hard limit and refuses it as a soft one.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def tune(sock: socket.socket) -> None:
    """Sends at once, and notices a peer that is gone: within two minutes when there is something unsent."""
    keepalive.tune(sock, idle=60, interval=15, count=4, unsent=120)


def linger(sock: socket.socket) -> None:
    """Lets the farewell arrive.

    Bytes that were never read would turn the close into a reset, which may overtake what was sent last
    (RFC 1122 section 4.2.2.13).
    """
    deadline = time.monotonic() + LINGER_SECONDS
    left = LINGER_BYTES
    try:
        sock.shutdown(socket.SHUT_WR)
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            sock.settimeout(seconds)
            data = sock.recv(READ_BYTES)
            left -= len(data)
            # Where a thread was woken by ending its reading, nothing to read does not mean that all is read.
            if not data and _is_taken(sock):
                return
            if not data:
                time.sleep(LINGER_PAUSE)
    except OSError:
        return  # The client is gone, or stays silent.


def _is_taken(sock: socket.socket) -> bool:
    """Returns whether the client's system has all that was sent, and knows that nothing follows."""
    if not hasattr(socket, "TCP_INFO"):
        return True
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] not in _TCP_UNSURE
