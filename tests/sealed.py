"""TLS clients that send and read at the same time, and what Python's own ones cannot do: key updates."""

from __future__ import annotations

import _ssl
import ctypes
import json
import random
import socket
import ssl
import threading
from typing import Any

from chatctl.tls import Channel
from tests.helpers import SECONDS, trusting

# What _ssl itself calls: its library is found among those it needs.
_openssl = ctypes.CDLL(_ssl.__file__)
_openssl.SSL_key_update.argtypes = (ctypes.c_void_p, ctypes.c_int)
_openssl.SSL_renegotiate.argtypes = (ctypes.c_void_p,)
_openssl.SSL_get_version.argtypes = (ctypes.c_void_p,)
_openssl.SSL_get_version.restype = ctypes.c_char_p
_UPDATE_REQUESTED = 1
_POINTER = 24  # where in its object _ssl has OpenSSL's: behind the object's head and a reference


def _pointer(tls: ssl.SSLObject | ssl.SSLSocket) -> int:
    inner: Any = tls._sslobj  # type: ignore[union-attr]  # of one whose handshake is done
    pointer = ctypes.c_void_p.from_address(id(inner) + _POINTER).value
    assert pointer
    assert _openssl.SSL_get_version(pointer).decode() == tls.version()
    return pointer


def update_keys(channel: Channel) -> None:
    """Has what is sealed next come with new keys, and asks the peer for the same (RFC 8446 section 4.6.3)."""
    assert _openssl.SSL_key_update(_pointer(channel._tls), _UPDATE_REQUESTED) == 1


def renegotiate(sock: ssl.SSLSocket) -> None:
    """Begins another handshake, which TLS 1.2 allows (RFC 5246 section 7.4.1.1)."""
    assert _openssl.SSL_renegotiate(_pointer(sock)) == 1
    sock.do_handshake()


BURST = 10  # messages that one client has on their way, at most: all of them together fit into an outbox
_FILLER = "".join(map(chr, range(0xE0, 0x100))) * 60


class BusyClient:
    """Talks in a room and checks all that the others say there, on two threads, over one channel.

    Args:
        address: of the server.
        number: what makes its name.
        others: how many others talk.
        stop: says when to stop talking.
    """

    def __init__(self, address: tuple[str, int], number: int, others: int, stop: threading.Event) -> None:
        self.number = number
        self.said = 0
        self.updates = 0
        self.heard: dict[int, int] = {}  # by number of the one who talked
        self._others = others
        self._stop = stop
        self._random = random.Random(number)
        self._lock = threading.Lock()
        self._acked = threading.Semaphore(0)
        self._sock = socket.create_connection(address, SECONDS)
        self._channel = Channel(trusting(), "localhost")
        self._tail = b""
        self._sock.sendall(self._channel.start())
        while not self._channel.ready:
            self._tail += self._receive()

    def close(self) -> None:
        self._sock.close()

    def _receive(self) -> bytes:
        data = self._sock.recv(1 << self._random.randrange(4, 17))
        assert data, "the server hung up"
        with self._lock:
            said = self._channel.feed(data)
            if answer := self._channel.pending():
                self._sock.sendall(answer)
        return said

    def _send(self, *frames: dict[str, Any]) -> None:
        data = b"".join(json.dumps(frame).encode() + b"\n" for frame in frames)
        with self._lock:
            if self._channel.ready and self._random.random() < 0.3:
                update_keys(self._channel)
                self.updates += 1
            self._sock.sendall(self._channel.seal(data))

    def come_in(self) -> None:
        self._send({"t": "hello", "v": 1, "name": f"busy-{self.number}"})
        while b'"t":"room"' not in self._tail:
            self._tail += self._receive()

    def talk(self) -> None:
        """Says things until it is to stop, then that it has said all."""
        while not self._stop.is_set():
            texts = [text(self.number, self.said + place) for place in range(BURST)]
            self.said += BURST
            frames: list[dict[str, Any]] = [{"t": "say", "text": text} for text in texts]
            frames[-1]["nonce"] = str(self.said)
            self._send(*frames)
            assert self._acked.acquire(timeout=SECONDS), f"{self.number} is not acked"
        self._send({"t": "say", "text": f"over {self.said}"})

    def listen(self) -> None:
        """Checks what the others say, until all have said that it was all, and its own is acked."""
        over = 0
        acked = -1
        while over < self._others or acked < self.said:
            *lines, self._tail = self._tail.split(b"\n")
            for line in lines:
                frame = json.loads(line)
                if frame["t"] == "ack":
                    acked = int(frame["nonce"])
                    self._acked.release()
                elif frame["t"] == "msg":
                    over += self._check(int(frame["name"].removeprefix("busy-")), frame["text"])
                else:
                    assert frame["t"] in ("room", "presence", "welcome", "ping"), frame
            if over < self._others or acked < self.said:
                self._tail += self._receive()

    def _check(self, who: int, said: str) -> bool:
        """Checks one message of another; returns whether it is the last."""
        number = self.heard.setdefault(who, 0)
        if said == f"over {number}":
            return True
        assert said == text(who, number)
        self.heard[who] += 1
        return False


def text(who: int, number: int) -> str:
    """Returns what client `who` says as its message `number`."""
    start = (7 * number + who) % 100
    return f"{who} {number} {_FILLER[start : start + (number * 37) % 1500]}"
