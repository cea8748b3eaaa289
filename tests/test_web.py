"""The web on a real server: its files, WebSockets beside native clients, and whoever means ill."""

from __future__ import annotations

import gzip
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from chatctl.messages import MAX_HANDSHAKE
from chatctl.server.dialects.websocket import MAX_MESSAGE
from chatctl.server.web.request import MAX_BODY
from chatctl.web import files
from tests.helpers import (
    SECONDS,
    RunningServer,
    fresh,
    running_server,
    trusting,
    undisturbed,
    wait_for,
)

SLOW = 30.0  # seconds for what the server waits ten for


@pytest.fixture
def server(shared_server: RunningServer) -> Iterator[RunningServer]:
    """A server on which two others chat, and notice nothing of what the test does; nothing is posted."""
    with shared_server.client(fresh("watcher")) as watcher:
        watcher.settle()
        with undisturbed(shared_server):
            yield shared_server
        assert not [frame for frame in watcher.settle() if frame["t"] in ("msg", "told")]


class Answer:
    """What a server answered over HTTP, taken apart."""

    def __init__(self, data: bytes) -> None:
        head, _, self.body = data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {
            name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)
        }

    @property
    def error(self) -> str:
        """The words of an error, which is one line of JSON."""
        assert self.headers["content-type"] == "application/json"
        assert self.body.count(b"\n") == 1
        words = json.loads(self.body)["error"]["text"]
        assert isinstance(words, str)
        return words


@contextmanager
def line_to(server: RunningServer, *, tls: bool = False) -> Iterator[socket.socket]:
    with server.raw(tls=tls) as client:
        yield client.sock


def exchange(server: RunningServer, data: bytes, *, tls: bool = False) -> bytes:
    """Sends `data`, and returns all that comes until the server closes."""
    with line_to(server, tls=tls) as sock:
        sock.sendall(data)
        sock.settimeout(SLOW)
        return read_all(sock)


def read_all(sock: socket.socket) -> bytes:
    parts = []
    while data := sock.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


def request(
    server: RunningServer, path: str = "/", method: str = "GET", body: bytes = b"", **headers: Any
) -> bytes:
    """Returns the bytes of a request, the last one of its connection."""
    known = {"host": f"{server.host}:{server.port}", "connection": "close"}
    if body or method == "POST":
        known["content_length"] = str(len(body))
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in (known | headers).items() if value]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


def ask(server: RunningServer, *args: Any, tls: bool = False, **keys: Any) -> Answer:
    return Answer(exchange(server, request(server, *args, **keys), tls=tls))


# Files


@pytest.mark.parametrize("path", files())
def test_the_files_of_the_page(shared_server: RunningServer, path: str) -> None:
    kind, body = files()[path]
    answer = ask(shared_server, path)
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == kind
    policy = answer.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(
        policy
    )
    assert not {"unsafe-inline", "unsafe-eval", "*"} & set(
        answer.headers["content-security-policy"].split("'")
    )
    for name, value in {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-cache",
    }.items():
        assert answer.headers[name] == value
    assert "server" not in answer.headers
    tag = answer.headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = ask(shared_server, path, if_none_match=known)
        assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert ask(shared_server, path, if_none_match='"other"').status == 200
    for coding, packed in {"gzip": True, "br, GZIP;q=0.5": True, "gzip; q=0": False, "x": False}.items():
        other = ask(shared_server, path, accept_encoding=coding)
        assert other.headers["vary"] == "Accept-Encoding"
        assert other.headers.get("content-encoding") == ("gzip" if packed else None)
        assert (gzip.decompress(other.body) if packed else other.body) == body
    head = ask(shared_server, path, "HEAD")
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(body)))


def test_files_by_tls() -> None:
    with running_server("--tls", "required") as server:
        assert ask(server, "/main.js", tls=True).status == 200
        answer = ask(server, "/main.js")
        assert answer.status == 426
        assert "encrypted" in answer.error
        assert "TLS" in answer.headers["upgrade"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(
            ("GET", path, 404)
            for path in ("/nothing", "/../etc/passwd", "/%2e%2e/", "//", "/index.html", "/ws/")
        ),
        *(("GET", path, 404) for path in ("/main.js/", "/%6dain.js", "/__init__.py", "/a/../main.js")),
        ("GET", "/index.html", 404),
        *((method, "/", 405) for method in ("DELETE", "OPTIONS", "POST", "PUT", "TRACE", "BREW")),
        ("GET", "/ws", 426),
    ],
)
def test_what_is_not_there(shared_server: RunningServer, method: str, path: str, status: int) -> None:
    answer = ask(shared_server, path, method, b"x" if method == "PUT" else b"")
    assert answer.status == status
    assert answer.error
    if status == 405:
        assert answer.headers["allow"] == "GET, HEAD"


def test_one_connection_does_for_many(shared_server: RunningServer) -> None:
    with line_to(shared_server) as sock, sock.makefile("rb") as stream:
        for path, status in [("/healthz", 200), ("/nothing", 404), ("/healthz", 200)]:
            sock.sendall(request(shared_server, path, connection="keep-alive"))
            assert stream.readline().split()[1] == str(status).encode()
            size = 0
            while (line := stream.readline()) != b"\r\n":
                assert not line.lower().startswith(b"connection: close")
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split()[1])
            stream.read(size)


def test_requests_that_come_at_once_are_answered_in_order(shared_server: RunningServer) -> None:
    first = request(shared_server, "/healthz", connection="")
    data = exchange(shared_server, first * 30 + request(shared_server, "/nothing"))
    assert data.count(b"HTTP/1.1 200 OK") == 30
    assert data.count(b"HTTP/1.1 404 ") == 1
    assert data.rindex(b"200 OK") < data.index(b"404 ")


# Hosts and origins


def test_other_hosts_and_origins_are_refused(server: RunningServer) -> None:
    port = server.port
    for host in ("evil.test", f"127.0.0.1.evil.test:{port}", f"localhost.evil.test:{port}", "127.0.0.1:1"):
        answer = ask(server, host=host)
        assert (answer.status, "--allow-origin" in answer.error) == (403, True)
    foreign: list[Any] = ["null", "http://evil.test", f"http://127.0.0.1.evil.test:{port}"]
    for origin in [*foreign, f"https://127.0.0.1:{port}"]:
        assert ask(server, origin=origin).status == 403
        with pytest.raises(InvalidStatus) as caught:
            connect(f"ws://{server.host}:{port}/ws", origin=origin)
        assert caught.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as caught:
        connect(f"ws://{server.host}:{port}/ws", additional_headers={"Host": "evil.test"})
    assert caught.value.response.status_code == 400  # two of them
    for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}", ""):
        assert ask(server, origin=origin).status == 200
    assert ask(server, host=f"{socket.gethostname()}:{port}").status == 200


def test_an_origin_can_be_allowed() -> None:
    with running_server("--allow-origin", "https://chat.example.org", env={}) as server:
        assert ask(server, host="chat.example.org", origin="https://chat.example.org").status == 200
        assert ask(server, host="chat.example.org", origin="http://chat.example.org").status == 403
        assert ask(server, host="chat.example.org:80").status == 403
    with running_server(env={"CHATCTL_ALLOW_ORIGIN": "http://a.test:81 https://b.test"}) as server:
        assert ask(server, host="a.test:81").status == 200
        assert ask(server, host="b.test").status == 200
        assert ask(server, host="b.test:81").status == 403


def test_all_addresses_of_a_server_are_its_own() -> None:
    with running_server("--host", "0.0.0.0", "--insecure", "--open", "--tls", "off") as server:
        server.host = "127.0.0.2"
        assert ask(server).status == 200
        assert ask(server, host=f"127.0.0.3:{server.port}").status == 403
        assert ask(server, host=f"0.0.0.0:{server.port}").status == 403


# WebSockets


class Web:
    """Somebody in a browser, as far as the server can tell."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line

    def send(self, t: str, **keys: Any) -> None:
        self.line.send(json.dumps({"t": t} | keys))

    def expect(self, t: str) -> dict[str, Any]:
        while True:
            frame = json.loads(self.line.recv(SECONDS))
            assert isinstance(frame, dict)
            if frame["t"] == t:
                return frame
            assert frame["t"] not in ("error", "bye"), frame

    def ends(self) -> tuple[list[str], int]:
        """Returns the codes of what was said in the end, and how it was closed."""
        codes: list[str] = []
        while True:
            try:
                frame = json.loads(self.line.recv(SLOW))
            except ConnectionClosed as closed:
                assert closed.rcvd is not None
                return codes, int(closed.rcvd.code)
            codes += [frame["code"]] if "code" in frame else []


@contextmanager
def browser(
    server: RunningServer, name: str = "", *, tls: bool = False, patience: float = SECONDS
) -> Iterator[Web]:
    """Gives a WebSocket, of somebody who is in if there is a name; with little patience closed at once."""
    scheme, context = ("wss", trusting()) if tls else ("ws", None)
    origin: Any = f"http{'s' if tls else ''}://{server.host}:{server.port}"
    url = f"{scheme}://{server.host}:{server.port}/ws"
    with connect(url, ssl=context, origin=origin, ping_interval=None, close_timeout=patience) as line:
        web = Web(line)
        if name:
            web.send("hello", v=1, name=name)
            web.expect("welcome")
        yield web


@pytest.mark.parametrize("tls", [False, True])
def test_a_browser_and_a_terminal_in_one_room(tls: bool) -> None:
    with (
        running_server("--tls", "required" if tls else "off") as server,
        server.client("ann", tls=tls) as ann,
        browser(server, "bob", tls=tls) as bob,
    ):
        assert not bob.line.protocol.extensions  # although it asks for compression
        bob.expect("room")
        ann.expect("presence", joined=["bob"])
        ann.say("hello", nonce="1")
        assert ann.expect("ack")["id"] == 1
        assert bob.expect("msg")["text"] == "hello"
        bob.send("say", text="two\nlines, and \u00e9\u2028", nonce="2")
        assert bob.expect("ack")["id"] == 2
        assert ann.texts(1) == ["two\nlines, and \u00e9\u2028"]
        bob.send("whois", name="ann")
        assert bob.expect("user")["name"] == "ann"
        large = "x" * 8_000
        bob.send("say", text=large)
        assert ann.texts(1) == [large]
        bob.line.ping().wait(SECONDS)
        bob.line.close(1001)
        ann.expect("presence", left=["bob"])


def test_a_browser_comes_back(shared_server: RunningServer) -> None:
    name = fresh("ann")
    room = fresh("room")
    with browser(shared_server) as first:
        first.send("hello", v=1, name=name, rooms={room: None})
        session = first.expect("welcome")["session"]
        first.send("say", room=room, text="one")
        with browser(shared_server) as second:
            second.send("hello", v=1, name=name, rooms={room: 0}, resume=session)
            assert second.expect("welcome")["resumed"]
            assert second.expect("msg")["text"] == "one"
        assert first.ends() == (["replaced"], 1008)


def test_leaving_and_the_servers_end(shared_server: RunningServer) -> None:
    with browser(shared_server, fresh("ann")) as ann:
        ann.send("bye")
        assert ann.ends() == (["bye"], 1000)
    with running_server() as server, browser(server, "bob") as bob:
        server.proc.terminate()
        assert bob.ends() == (["shutting-down"], 1001)


@pytest.mark.parametrize(
    ("first", "code", "close"),
    [
        ("hello", "bad-frame", 1008),
        ('{"t":"ping"}', "bad-frame", 1008),
        ('{"t":"hello","v":2,"name":"a"}', "unsupported-version", 1008),
        (json.dumps({"t": "hello", "v": 1, "name": "a", "x": "y" * MAX_HANDSHAKE}), "too-long", 1009),
        ("x" * (MAX_MESSAGE + 1), "too-long", 1009),
        (b'{"t":"hello","v":1,"name":"a"}', "bad-frame", 1003),
    ],
)
def test_what_is_no_hello(server: RunningServer, first: str | bytes, code: str, close: int) -> None:
    with browser(server) as web:
        web.line.send(first)
        assert web.ends() == ([code], close)


def masked(opcode: Opcode, data: bytes, *, first: int = 0x80) -> bytes:
    """Returns a frame as clients send it; its first byte has these bits."""
    sent = bytearray(Frame(opcode, data).serialize(mask=True))
    sent[0] = opcode | first
    return bytes(sent)


SAY = b'{"t":"say","text":"never"}'
HOSTILE = {
    "unmasked": (Frame(Opcode.TEXT, SAY).serialize(mask=False), "bad-frame", 1002),
    "compressed": (masked(Opcode.TEXT, SAY, first=0xC0), "bad-frame", 1002),
    "binary": (masked(Opcode.BINARY, SAY), "bad-frame", 1003),
    "oversized": (bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 62) + bytes(4), "too-long", 1009),
    "in parts that are too long together": (
        masked(Opcode.TEXT, b"{" * 9_000, first=0) + masked(Opcode.CONT, b"{" * 9_000),
        "too-long",
        1009,
    ),
    "a part of nothing": (masked(Opcode.CONT, SAY), "bad-frame", 1002),
    "one message within another": (
        masked(Opcode.TEXT, b"{", first=0) + masked(Opcode.TEXT, SAY),
        "bad-frame",
        1002,
    ),
    "not UTF-8": (masked(Opcode.TEXT, SAY[:-3] + b"\xff" + SAY[-3:]), "bad-frame", 1007),
    "a ping in parts": (masked(Opcode.PING, b"x", first=0), "bad-frame", 1002),
    "a ping that is too long": (
        masked(Opcode.TEXT, b"x" * 126).replace(b"\x81", b"\x89", 1),
        "bad-frame",
        1002,
    ),
    "an opcode that is none": (bytes([0x83, 0x80]) + bytes(4), "bad-frame", 1002),
    "HTTP": (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "bad-frame", 1002),
    "native frames": (SAY + b"\n" + SAY + b"\n", "bad-frame", 1002),
}


@pytest.mark.parametrize(("sent", "code", "close"), HOSTILE.values(), ids=HOSTILE.keys())
def test_what_is_no_message_of_a_websocket(server: RunningServer, sent: bytes, code: str, close: int) -> None:
    with browser(server, fresh("eve")) as web:
        web.line.socket.sendall(sent + masked(Opcode.TEXT, SAY))
        assert web.ends() == ([code], close)


def test_a_flood_of_pings_is_answered_as_fast_as_frames_are(server: RunningServer) -> None:
    with running_server("--rate", "50", "--burst", "50") as slow, browser(slow, "eve", patience=0.1) as eve:
        sock = eve.line.socket
        memory = slow.memory()
        flood = masked(Opcode.PING, b"x" * 125) * 500
        sock.settimeout(0.5)
        sent = 0
        with pytest.raises(OSError, match=r"timed out"):
            while sent < 200_000_000:
                sent += sock.send(flood)
        assert slow.memory() - memory < 20_000_000
        with slow.client("ann") as ann:
            ann.settle()


def test_a_flood_of_parts_counts_as_frames_do() -> None:
    with running_server("--rate", "50", "--burst", "50") as slow, browser(slow, "eve", patience=0.1) as eve:
        sock = eve.line.socket
        sock.settimeout(0.5)
        flood = masked(Opcode.CONT, b"", first=0) * 5_000
        with pytest.raises(OSError, match=r"timed out"):
            sock.sendall(masked(Opcode.TEXT, b"", first=0) + flood * 1_000)


def test_handshakes_that_are_none(server: RunningServer) -> None:
    usual: dict[str, Any] = {"connection": "Upgrade", "upgrade": "websocket", "sec_websocket_version": "13"}
    key = {"sec_websocket_key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    for headers, status in [
        (usual | key | {"sec_websocket_version": "8"}, 426),
        (usual | key | {"sec_websocket_version": "13\x1d"}, 400),
        (usual | {"sec_websocket_key": "short"}, 400),
        (usual, 400),
        (usual | key | {"upgrade": "h2c"}, 426),
        (usual | key | {"host": "evil.test"}, 403),
        (usual | key | {"origin": "null"}, 403),
        (usual | key | {"cookie": "a\x1cb"}, 400),
    ]:
        with line_to(server) as sock:
            sock.sendall(request(server, "/ws", **headers))
            assert sock.recv(12) == b"HTTP/1.1 %d" % status
    with line_to(server) as sock:
        sock.sendall(request(server, "/ws", **usual | key | {"sec_websocket_version": "8"}))
        assert b"\r\nSec-WebSocket-Version: 13\r\n" in sock.recv(1024)
    headers = usual | key | {"connection": "close"}
    assert Answer(exchange(server, request(server, "/ws", "POST", b"x", **headers))).status == 405


# Whoever means ill

POSTED = b'{"t":"hello","v":1,"name":"eve"}\n{"t":"say","text":"never"}\n'


def test_frames_in_the_body_of_a_post_are_no_frames(server: RunningServer) -> None:
    for path in ("/", "/ws", "/nothing"):
        data = exchange(server, request(server, path, "POST", POSTED, content_type="text/plain"))
        assert Answer(data).status in (404, 405)
        assert b"welcome" not in data
    chunked = request(server, "/", "POST", transfer_encoding="chunked", content_length="")
    data = exchange(server, chunked + b"%x\r\n%b\r\n0\r\n\r\n" % (len(POSTED), POSTED))
    assert Answer(data).status == 405
    assert b"welcome" not in data


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_request_with_frames_behind_it_is_a_request(server: RunningServer, end: bytes) -> None:
    data = exchange(server, b"GET / HTTP/1.1" + end + b"Host: x" + end + end + POSTED)
    assert b"welcome" not in data
    assert Answer(data).status == 403


def test_a_request_byte_by_byte(server: RunningServer) -> None:
    with line_to(server) as sock:
        for byte in request(server, "/healthz"):
            sock.send(bytes([byte]))
        assert Answer(read_all(sock)).status == 200


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", 400),
        ("Content-Length: 4\r\nContent-Length: 40", 400),
        ("Content-Length: 4\r\nTransfer-Encoding: identity", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding:\x0bchunked\r\nContent-Length: 4", 400),
        ("Content-Length: 4\r\n Transfer-Encoding: chunked", 400),
    ],
)
def test_pairs_of_lengths(server: RunningServer, lengths: str, status: int) -> None:
    hidden = request(server, "/healthz", "GET")
    head = f"POST / HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n{lengths}\r\n\r\n"
    data = exchange(server, head.encode() + b"0\r\n\r\n" + hidden)
    assert Answer(data).status == status
    assert data.count(b"HTTP/1.1 ") == 1


def test_bodies_and_heads_that_are_too_long(server: RunningServer) -> None:
    memory = server.memory()
    for data, status in [
        (request(server, "/", "POST", bytes(MAX_BODY + 1)), 413),
        (request(server, "/", "POST", content_length="99999999999"), 413),
        (request(server, "/" + "x" * 100_000), 414),
        (request(server, a="x" * 100_000), 431),
        (request(server, "/", "POST", content_length=""), 411),
    ]:
        with line_to(server) as sock:
            sock.sendall(data)
            assert sock.recv(12) == b"HTTP/1.1 %d" % status
    assert server.memory() - memory < 20_000_000


def test_slow_requests_end_with_words(server: RunningServer) -> None:
    with line_to(server) as slow, line_to(server) as idle:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        idle.sendall(request(server, "/healthz", connection=""))
        idle.settimeout(SLOW)
        slow.settimeout(0.2)
        answer = b""
        while not answer:  # What drips in buys no time.
            slow.sendall(b"x")
            with suppress(TimeoutError):
                answer = slow.recv(1 << 16)
        assert Answer(answer).status == 408
        assert "seconds" in Answer(answer).error
        answer = read_all(idle)
        assert answer.count(b"HTTP/1.1") == 1
        assert Answer(answer).status == 200


def test_half_open_and_gone(server: RunningServer) -> None:
    with line_to(server) as sock:
        sock.sendall(request(server, "/healthz", connection=""))
        sock.shutdown(socket.SHUT_WR)
        assert Answer(read_all(sock)).status == 200
    threads = server.threads()
    for data in (b"GET / HTTP/1.1\r\n", request(server, "/ws")[:-2], b"POST / HTTP/1.1\r\n"):
        client = server.raw()
        client.send_bytes(data)
        client.reset()
    wait_for(lambda: server.threads() <= threads, "the threads of those who are gone end")


def test_what_is_asked_for_and_never_read(server: RunningServer) -> None:
    memory, threads = server.memory(), server.threads()
    with server.raw(narrow=True) as client:
        client.sock.settimeout(0.5)
        with suppress(OSError):
            client.send_bytes(request(server, "/main.js", connection="") * 2_000)
        assert server.memory() - memory < 20_000_000
    wait_for(lambda: server.threads() <= threads, "its thread ends")


def test_an_answer_of_any_size_arrives_at_whatever_pace(shared_server: RunningServer) -> None:
    with shared_server.raw(narrow=True) as client:
        client.send_bytes(request(shared_server, "/api/openapi.json", connection="") * 20)
        client.send_bytes(request(shared_server, "/main.js"))
        received = 0
        while data := client.sock.recv(2_000):
            received += data.count(b"HTTP/1.1 200")
    assert received >= 19  # but for those that two pieces share
