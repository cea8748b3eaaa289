"""A server under TLS that says what a test wants, and the certificates for it."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import trustme

from chatctl.tls import pin_of
from tests.helpers import SECONDS
from tests.scripted import line, welcome

Act = Callable[[socket.socket], None]


class Certificate:
    """A server's certificate, and who vouches for it.

    Args:
        names: that it is for.
        ca: who vouches; an own authority that nobody knows, if left out.
    """

    def __init__(self, *names: str, ca: trustme.CA | None = None, **kinds: Any) -> None:
        self.ca = ca or trustme.CA()
        self._issued = self.ca.issue_cert(*(names or ("127.0.0.1",)), **kinds)
        pem = self._issued.cert_chain_pems[0].bytes().decode()
        self.pin = pin_of(ssl.PEM_cert_to_DER_cert(pem))

    def context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._issued.configure_cert(context)
        return context


def authorities(directory: Path, *certificates: Certificate) -> str:
    """Returns the path of a file with those who vouch for these."""
    path = directory / "authorities.pem"
    path.write_bytes(b"".join(certificate.ca.cert_pem.bytes() for certificate in certificates))
    return str(path)


class TlsServer:
    """Lets `acts` treat one client after the other once its hello was read.

    A client that does not like the certificate takes none of them.

    Args:
        certificate: its own; None for no TLS. It may be exchanged between two connections.
        acts: each is given the socket. The last one is done again and again.
        host: to listen on.
    """

    def __init__(self, certificate: Certificate | None, *acts: Act, host: str = "127.0.0.1") -> None:
        self.certificate = certificate
        self._acts = list(acts)
        self._listener = socket.create_server((host, 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.hellos: list[dict[str, Any]] = []
        self.connections = 0
        self.plain = 0  # of them, though there is a certificate
        self.refusals: list[str] = []
        self.failures: list[Exception] = []
        self._sock: socket.socket | None = None
        self._over = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def host(self) -> str:
        return self.address[0]

    @property
    def port(self) -> int:
        return self.address[1]

    @property
    def where(self) -> str:
        return f"{self.host}:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                self._sock, _ = self._listener.accept()
            except OSError:
                return
            if self._over:
                self._sock.close()
                return
            self.connections += 1
            try:
                self._treat(self._sock)
            except Exception as failure:  # noqa: BLE001 - shown by the test
                self.failures.append(failure)

    def _treat(self, sock: socket.socket) -> None:
        sock.settimeout(SECONDS)
        with sock:
            if self.certificate is not None:
                if sock.recv(1, socket.MSG_PEEK) == b"{":
                    self._send_away(sock)
                    return
                try:
                    sock = self.certificate.context().wrap_socket(sock, server_side=True)
                    # Under TLS 1.3 the client refuses when this side has done its part.
                    hello = sock.recv(65536)
                except OSError as error:
                    self.refusals.append(str(getattr(error, "reason", error)))
                    return
            else:
                hello = sock.recv(65536)
            with sock:
                self._greet(sock, hello)

    def _send_away(self, sock: socket.socket) -> None:
        """Tells one who speaks no TLS to come again."""
        sock.recv(65536)
        self.plain += 1
        sock.sendall(line("error", code="tls-required", text="this server speaks TLS only", fatal=True))

    def _greet(self, sock: socket.socket, hello: bytes) -> None:
        if not hello:
            self.refusals.append("closed")
            return
        if hello.startswith(b"{"):
            self.hellos.append(json.loads(hello))
        act = self._acts.pop(0) if len(self._acts) > 1 else self._acts[0]
        act(sock)

    def __enter__(self) -> TlsServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._over = True
        with suppress(OSError):
            socket.create_connection(self.address).close()
        self._listener.close()
        self._thread.join(SECONDS)
        for failure in self.failures:
            traceback.print_exception(failure)
        assert kind or not (self.failures or self._thread.is_alive())


def let_in(*frames: bytes, **keys: Any) -> Act:
    """Returns what lets a client in, sends it frames, and answers what it asks until it leaves."""

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome(**keys) + b"".join(frames))
        answer(sock)

    return act


def answer(sock: socket.socket) -> None:
    """Answers pings, says, lists and byes until the client has gone."""
    with suppress(OSError), sock.makefile("rb") as lines:
        for text in lines:
            frame = json.loads(text)
            sock.sendall(_answer(frame))
            if frame["t"] == "bye":
                return


def _answer(frame: dict[str, Any]) -> bytes:
    re = {"re": frame["n"]} if "n" in frame else {}
    match frame["t"]:
        case "ping":
            return line("pong", **re)
        case "say":
            return line("ack", nonce=frame["nonce"], at=1, room=frame.get("room", "lobby"), id=1)
        case "tell":
            return line("ack", nonce=frame["nonce"], at=1)
        case "join":
            return line("room", room=frame["room"], topic="", count=1, members=["ann"], last=0, **re)
        case "who":
            return line("members", names=["ann", "bob"], count=2, **re)
        case "list":
            return line("rooms", rooms=[{"room": "lobby", "count": 1, "topic": "", "last": 0}], **re)
        case "history":
            message = {"id": 1, "at": 1, "room": frame["room"], "name": "bob", "text": "found"}
            return line("history", room=frame["room"], messages=[message], more=False, **re)
        case "search":
            message = {"id": 1, "at": 1, "room": "lobby", "name": "bob", "text": "found"}
            return line("found", messages=[message], more=False, **re)
        case "bye":
            return line("bye", code="bye", text="goodbye", **re)
    return b""


def refuse(code: str, text: str, **keys: Any) -> Act:
    """Returns what refuses a client."""
    return lambda sock: sock.sendall(line("error", code=code, text=text, fatal=True, **keys))


def gone(sock: socket.socket) -> None:
    """Waits until the client has gone."""
    with suppress(OSError):
        while sock.recv(65536):
            pass
