"""A server that does what a test tells it, for one client: what a real one does not do at will."""

from __future__ import annotations

import json
import socket
import threading
from queue import Queue
from typing import Any

from tests.helpers import SECONDS

LIMITS = dict.fromkeys(
    ("frame", "text", "topic", "name", "room", "nonce", "backlog", "rooms", "outbox", "rate", "burst"), 1
)


class Scripted:
    """Lets one client into the lobby, and keeps what it sends.

    Args:
        name: what the client is called.
        welcome: further keys of the welcome.
    """

    def __init__(self, name: str = "ann", **welcome: Any) -> None:
        self._name = name
        self._welcome = welcome
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self.port: int = self._listener.getsockname()[1]
        self.received: Queue[dict[str, Any]] = Queue()
        self._sock: socket.socket | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def where(self) -> str:
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Scripted:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._sock:
            self._sock.close()
        self._listener.close()
        self._thread.join(SECONDS)

    def _serve(self) -> None:
        self._sock, _ = self._listener.accept()
        try:
            for number, line in enumerate(self._sock.makefile("rb")):
                frame = json.loads(line)
                if number == 0:
                    self._let_in()
                elif frame["t"] == "bye":
                    self.send("bye", code="bye", text="")
                    return
                else:
                    self.received.put(frame)
        except OSError:  # The client is gone, or the test is over.
            return
        finally:
            self._sock.close()

    def _let_in(self) -> None:
        keys = {"v": 1, "name": self._name, "server": "x", "session": "s", "limits": LIMITS} | self._welcome
        self.send("welcome", **keys)
        self.send("room", room="lobby", topic="", count=2, members=[self._name, "bob"], last=0)
        self._ready.set()

    def send(self, t: str, **keys: Any) -> None:
        """Sends a frame."""
        assert self._sock is not None
        self._sock.sendall(json.dumps({"t": t} | keys).encode() + b"\n")

    def tell(self, t: str, **keys: Any) -> None:
        """Sends a frame as soon as the client is in."""
        assert self._ready.wait(SECONDS)
        self.send(t, **keys)

    def expect(self, t: str) -> dict[str, Any]:
        """Returns the next frame of that type, without its number, leaving out others."""
        while True:
            frame = self.received.get(timeout=SECONDS)
            if frame["t"] == t:
                return {key: value for key, value in frame.items() if key not in ("t", "n")}
