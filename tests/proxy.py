"""A line between clients and a server that fails in every way a line can, at moments left to chance."""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import suppress
from types import TracebackType

CHUNK = 4096
EARLY_BYTES = 400  # that get through before a connection fails in its first moments
MOST_BYTES = 60_000  # that get through, before it fails later
MOST_DELAY = 0.03  # seconds, of one chunk in five
LOOK_SECONDS = 0.2  # after which a connection looks whether the proxy is closed
HELD_SECONDS = 3.0  # at most, for which the server is not told that a client gave up a dead line
STUCK_SECONDS = 30.0
FATES = ("half", "reset", "hole", "freeze")


class Proxy:
    """Forwards connections to a server, until each meets its fate; to be used in a ``with`` statement.

    Chunks are late now and then, and after some of them the connection

    - ends in the middle of a frame: ``half``,
    - is ``reset``, and what is on its way gets lost,
    - falls into a ``hole``: both ends stay open, but whatever they send disappears,
    - or does ``freeze``: what the server sends is not even read any more.

    Out of the last two only the client's own impatience helps. The server learns of that later, or when the
    client is back.

    Args:
        port: of the server.
        seed: of its chance.

    Attributes:
        port: to connect to.
        fates: how many connections met which fate; under ``replaced``, how many farewells with that code
            disappeared in a hole.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.fates: Counter[str] = Counter()
        self._server_port = port
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._reliable = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.settimeout(LOOK_SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="proxy")
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Proxy:
        self._acceptor.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def become_reliable(self) -> None:
        """Lets all connections live from now on, but those that are dead already."""
        self._reliable.set()

    def _accept(self) -> None:
        while not self._over.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                chance = random.Random(self._chance.getrandbits(32))
                thread = threading.Thread(target=self._serve, args=(client, chance), name="proxied")
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket, chance: random.Random) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._server_port)) as server:
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(STUCK_SECONDS)
            last = self._forward(client, server, chance)
            if last is None:
                return
            fate = chance.choice(FATES)
            self.fates[fate] += 1
            match fate:
                case "half":
                    self._halve(*last, chance)
                case "reset":
                    for sock in (client, server):
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                case _:
                    self._swallow([client] if fate == "freeze" else [client, server], until=client)
                    self._hold(server, chance.uniform(0, HELD_SECONDS), read=fate == "hole")

    def _forward(
        self, client: socket.socket, server: socket.socket, chance: random.Random
    ) -> tuple[socket.socket, bytes] | None:
        """Forwards both ways until it is time.

        Returns:
            What would be forwarded next, and where to; None if one of them ended the connection.
        """
        left = chance.randrange(EARLY_BYTES if chance.random() < 0.3 else MOST_BYTES)
        while not self._over.is_set():
            for sock in select.select([client, server], [], [], LOOK_SECONDS)[0]:
                data = sock.recv(CHUNK)
                if not data:
                    return None
                if chance.random() < 0.2:
                    self._over.wait(chance.uniform(0, MOST_DELAY))
                to = server if sock is client else client
                left -= len(data)
                if left < 0 and not self._reliable.is_set():
                    return to, data
                to.sendall(data)
        return None

    def _halve(self, to: socket.socket, data: bytes, chance: random.Random) -> None:
        """Forwards a part of `data` that ends inside a frame, and then the end of the stream."""
        part = data[: chance.randrange(1, len(data))] if len(data) > 1 else b""
        to.sendall(part.removesuffix(b"\n"))
        to.shutdown(socket.SHUT_WR)
        self._swallow([to], until=to)

    def _swallow(self, socks: list[socket.socket], until: socket.socket) -> None:
        """Reads from `socks`, to no purpose, as long as `until`, one of them, has not ended."""
        open_ones = list(socks)
        while until in open_ones and not self._over.is_set():
            for sock in select.select(open_ones, [], [], LOOK_SECONDS)[0]:
                if not self._drop(sock):
                    open_ones.remove(sock)

    def _hold(self, server: socket.socket, seconds: float, *, read: bool) -> None:
        """Keeps the server's end open for a while, or until the server ends it."""
        if not read:
            self._over.wait(seconds)
            return
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._over.is_set():
            if select.select([server], [], [], min(left, LOOK_SECONDS))[0] and not self._drop(server):
                return

    def _drop(self, sock: socket.socket) -> bool:
        """Reads what comes next, for nobody to see; returns whether there was anything."""
        try:
            data = sock.recv(CHUNK)
        except ConnectionError:
            return False
        self.fates["replaced"] += b'"code":"replaced"' in data
        return bool(data)
