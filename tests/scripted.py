"""Servers that do what a test tells them: what a real one does not do at will."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

from tests.helpers import SECONDS

LIMITS = dict.fromkeys(
    ("frame", "text", "topic", "name", "room", "nonce", "backlog", "rooms", "outbox", "rate", "burst"), 1
)


def line(t: str, **keys: Any) -> bytes:
    """Returns a frame as it is sent."""
    return json.dumps({"t": t} | keys).encode() + b"\n"


def welcome(name: str = "ann", **keys: Any) -> bytes:
    """Returns what lets `name` in, with further `keys`, or others."""
    frame = {"v": 1, "name": name, "server": "x", "session": "s", "limits": LIMITS} | keys
    return line("welcome", **frame)


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
        assert self._sock is not None
        self._sock.sendall(welcome(self._name, **self._welcome))
        self.send("room", room="lobby", topic="", count=2, members=[self._name, "bob"], last=0)
        self._ready.set()

    def send(self, t: str, **keys: Any) -> None:
        """Sends a frame."""
        assert self._sock is not None
        self._sock.sendall(line(t, **keys))

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


class Script:
    """A server that plays one connection after another; each part gets the connection and the hello."""

    def __init__(self, *parts: Callable[[Line], None]) -> None:
        self._parts = parts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        try:
            for part in self._parts:
                sock, _ = self._listener.accept()
                with sock:
                    sock.settimeout(SECONDS)
                    part(Line(sock))
        except BaseException as failure:  # noqa: BLE001 - shown by the test
            self._failed.append(failure)

    def __enter__(self) -> Script:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.join(SECONDS)
        self._listener.close()
        if self._failed and kind is None:
            raise self._failed[0]
        assert kind or not self._thread.is_alive()


class Line:
    """The server's end of a connection, in a script."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._file = sock.makefile("rb")

    def send(self, t: str, **keys: Any) -> None:
        self._sock.sendall(line(t, **keys))

    def receive(self, t: str) -> dict[str, Any]:
        frame = self.receive_any()
        assert frame["t"] == t, frame
        return frame

    def receive_any(self) -> dict[str, Any]:
        frame = json.loads(self._file.readline())
        assert isinstance(frame, dict)
        return frame

    def welcome(self, session: str, name: str = "ann") -> dict[str, Any]:
        """Lets the client in; returns its hello."""
        hello = self.receive("hello")
        self._sock.sendall(welcome(name, session=session))
        return hello

    def room(self, last: int, room: str = "lobby") -> None:
        self.send("room", room=room, topic="", count=1, members=["ann"], last=last)

    def msg(self, id_: int, **keys: Any) -> None:
        self.send("msg", id=id_, at=1, room="lobby", name="bob", text=f"text {id_}", **keys)

    def pong(self) -> None:
        """Answers the ping behind the hello."""
        self.send("pong", re=self.receive("ping")["n"])

    def bye(self) -> None:
        self.receive("bye")
        self.send("bye", code="bye", text="goodbye")
