"""Serves the page of the browser, and relays its WebSocket to a chat server: what that will do itself."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from chatctl.messages import MAX_CLIENT_FRAME
from chatctl.web import HEADERS, files


class Bridge:
    """Serves the page, and relays frames to a chat server on this machine.

    Attributes:
        url: of the page.
        target: the port of the chat server.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.url = ""
        self._lines: set[socket.socket] = set()

    @contextmanager
    def running(self) -> Iterator[Bridge]:
        """Serves until the block ends."""
        with serve(
            self._relay,
            "127.0.0.1",
            0,
            process_request=_page,
            compression=None,
            max_size=MAX_CLIENT_FRAME,
            ping_interval=None,
        ) as server:
            self.url = f"http://127.0.0.1:{server.socket.getsockname()[1]}/"
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield self
            finally:
                self.cut()
                server.shutdown()
                thread.join()

    def cut(self) -> None:
        """Ends all lines as a broken network would."""
        for line in list(self._lines):
            with _quietly():
                line.shutdown(socket.SHUT_RDWR)

    def _relay(self, browser: ServerConnection) -> None:
        try:
            line = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            return
        with line:
            self._lines.add(line)
            back = threading.Thread(target=_to_browser, args=(line, browser))
            back.start()
            with _quietly():
                for frame in browser:
                    assert isinstance(frame, str)
                    line.sendall(frame.encode() + b"\n")
            with _quietly():
                line.shutdown(socket.SHUT_RDWR)
            back.join()
            self._lines.discard(line)


def _to_browser(line: socket.socket, browser: ServerConnection) -> None:
    with _quietly(), line.makefile("rb") as frames:
        for frame in frames:
            browser.send(frame.decode().rstrip("\n"))
    with _quietly():
        browser.close()


def _quietly() -> suppress:
    """Lets either side be gone already."""
    return suppress(OSError, ConnectionClosed)


def _page(_browser: ServerConnection, request: Request) -> Response | None:
    path = request.path.partition("?")[0]
    if path == "/ws":
        return None
    kind, body = files().get(path, ("text/plain", b"there is no such page\n"))
    headers = Headers(HEADERS | {"Content-Type": kind, "Content-Length": str(len(body))})
    headers["Connection"] = "close"
    known = path in files()
    return Response(200 if known else 404, "OK" if known else "Not Found", headers, body)
