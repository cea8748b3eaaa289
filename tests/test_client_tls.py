"""The client's end of a TLS connection: how it begins, what goes through it, and every way it breaks."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from chatctl.client.connection import ChatClient
from chatctl.client.transport import MAX_ANSWERS, Transport
from chatctl.client.trust import Tls, Trust
from chatctl.errors import ConnectionFailed
from chatctl.messages import MAX_SERVER_FRAME, Ack, Msg, Notice
from chatctl.tls import Channel
from tests.helpers import SECONDS, environment
from tests.scripted import line, welcome
from tests.test_hostile_server import Hostile
from tests.tls_server import Certificate, TlsServer, answer, gone, let_in, refuse

OURS = Certificate("127.0.0.1")
INSECURE = "--insecure does without"


def connect(
    server: TlsServer | Hostile, trust: Trust | None = None, *, timeout: float = SECONDS
) -> ChatClient:
    host, port = server.address
    trust = trust or Trust(pin=OURS.pin)
    return ChatClient.connect(host, port, "ann", trust=trust, reconnect=False, timeout=timeout)


def failure(
    server: TlsServer | Hostile, trust: Trust | None = None, *, timeout: float = SECONDS
) -> ConnectionFailed:
    with pytest.raises(ConnectionFailed) as caught:
        connect(server, trust, timeout=timeout)
    assert str(caught.value).isprintable()
    return caught.value


# When there is TLS


@pytest.mark.parametrize(
    ("tls", "address", "wanted"),
    [
        ("auto", "127.0.0.1", False),
        ("auto", "127.1.2.3", False),
        ("auto", "::1", False),
        ("auto", "::ffff:127.0.0.1", False),
        ("auto", "192.168.1.5", True),
        ("auto", "::2", True),
        ("auto", "::ffff:10.0.0.1", True),
        ("auto", "fe80::1%eth0", True),
        ("on", "127.0.0.1", True),
        ("off", "192.168.1.5", False),
    ],
)
def test_to_which_addresses_there_is_tls(tls: Tls, address: str, wanted: bool) -> None:
    assert Trust(tls).wants_tls(address) is wanted
    assert Trust(tls, pin=OURS.pin).wants_tls(address)


def test_where_it_is_plain_nothing_of_tls_is_imported() -> None:
    code = (
        "import sys, chatctl.client.connection, chatctl.client.coming_in, chatctl.client.known_hosts\n"
        "print({'ssl', 'cryptography', 'chatctl.tls'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("set()\n", "")


def tls_required(sock: socket.socket) -> None:
    refuse("tls-required", "TLS only")(sock)


def test_a_server_of_this_machine_may_want_it() -> None:
    def swap(sock: socket.socket) -> None:
        server.certificate = OURS
        tls_required(sock)

    trust = Trust(pin=None)
    trust.vouched(OURS.pin)
    with TlsServer(None, swap, let_in()) as server, connect(server, trust) as ann:
        assert (ann.say("hello").id, len(server.hellos)) == (1, 2)


def test_a_server_that_wants_it_and_says_so_under_tls_is_not_believed() -> None:
    with TlsServer(OURS, tls_required) as server:
        assert failure(server).code == "tls-required"
    assert server.connections == 1


def test_where_it_was_turned_off_it_stays_off() -> None:
    with TlsServer(None, tls_required) as server:
        error = failure(server, Trust("off"))
    assert (error.code, error.refused) == ("tls-required", True)
    assert "speaks only TLS: leave out --insecure" in str(error)


# Where there is no server, or none that speaks it


@pytest.mark.parametrize(
    "answers",
    [
        line("error", code="bad-frame", text="not a JSON object", fatal=True),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x1b[2J",
    ],
)
def test_a_server_that_speaks_none(answers: bytes) -> None:
    with Hostile(lambda sock: sock.sendall(answers)) as server:
        error = failure(server, Trust("on"))
    assert f"127.0.0.1:{server.address[1]} speaks no TLS: {INSECURE}" in str(error)
    assert (error.code, error.exit_code) == ("internal", 3)


@pytest.mark.parametrize("code", ["server-full", "too-many-connections", "rate-limited"])
def test_a_server_that_has_no_place_says_so_without_tls(code: str) -> None:
    answers = line("error", code=code, text="try again\x1b[2J in 50 seconds" + "!" * 1000, fatal=True)
    with Hostile(lambda sock: sock.sendall(answers)) as server:
        error = failure(server, Trust("on"))
    assert "says, not encrypted: try again\\x1b[2J in 50 seconds!" in str(error)
    assert len(str(error)) < 500
    assert (error.code, error.refused) == (code, True)


@pytest.mark.parametrize("code", ["banned", "bye", "replaced", "auth-failed"])
def test_what_else_is_said_without_tls_is_not_believed(code: str) -> None:
    with Hostile(lambda sock: sock.sendall(line("error", code=code, text="go away", fatal=True))) as server:
        error = failure(server, Trust("on"))
    assert "speaks no TLS" in str(error)
    assert (error.code, error.refused) == ("internal", False)


@pytest.mark.parametrize("answers", [b"", b"\x16", b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"])
def test_a_server_that_closes_in_the_handshake(answers: bytes) -> None:
    with Hostile(lambda sock: sock.sendall(answers)) as server:
        error = failure(server, Trust("on"))
    assert "did not shake hands" in str(error)
    assert INSECURE in str(error)
    assert error.exit_code == 3


@pytest.mark.parametrize("answers", [b"", b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"])
def test_a_server_that_leaves_the_handshake_half_done(answers: bytes) -> None:
    def dawdle(sock: socket.socket) -> None:
        sock.sendall(answers)
        gone(sock)

    with Hostile(dawdle) as server:
        error = failure(server, Trust("on"), timeout=0.3)
    assert "did not shake hands in time" in str(error)
    assert error.code == "timeout"


def test_a_server_whose_bytes_trickle_has_one_time_for_all() -> None:
    over = threading.Event()

    def trickle(sock: socket.socket) -> None:
        with suppress(OSError):
            sock.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\x00")
            while not over.wait(0.01):
                sock.sendall(b"x")

    with Hostile(trickle) as server:
        assert failure(server, Trust("on"), timeout=0.3).code == "timeout"
        over.set()


def test_a_server_that_shakes_hands_and_says_nothing() -> None:
    with TlsServer(OURS, gone) as server:
        error = failure(server, timeout=0.5)
    assert "does not answer as a chat server does" in str(error)
    assert error.code == "timeout"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda sock: None, "closed the connection"),
        (lambda sock: sock.sendall(b"\x1b[2J" * 400_000), "is not a chatctl server"),
        (lambda sock: sock.sendall(b"x" * MAX_SERVER_FRAME * 2), "is not a chatctl server"),
        (refuse("banned", "go \x1b[2Jaway"), r"says: go \x1b[2Jaway"),
    ],
)
def test_what_is_said_in_place_of_a_welcome(act: Callable[[socket.socket], None], words: str) -> None:
    def quietly(sock: socket.socket) -> None:
        with suppress(OSError):
            act(sock)

    with TlsServer(OURS, quietly) as server:
        assert words in str(failure(server))


def test_a_plain_client_at_a_server_that_speaks_only_tls() -> None:
    def alert(sock: socket.socket) -> None:
        sock.sendall(b"\x15\x03\x01\x00\x02\x02\x28\n")

    with Hostile(alert) as server:
        assert "is not a chatctl server" in str(failure(server, Trust("auto")))


def test_a_server_that_knows_what_tls_is_and_does_without() -> None:
    with Hostile(lambda sock: sock.sendall(b"\x15\x03\x01\x00\x02\x02\x28")) as server:
        text = str(failure(server, Trust("on")))
    assert "do not agree on TLS" in text
    assert f"perhaps it speaks none; {INSECURE}" in text


def test_a_server_of_old_tls_is_refused() -> None:
    def act(sock: socket.socket) -> None:
        sock.sendall(b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01" + bytes(32) + b"\x00\xc0\x13\x00")
        gone(sock)

    with Hostile(act) as server:
        text = str(failure(server, Trust("on")))
    assert "do not agree on TLS (unsupported protocol)" in text
    assert INSECURE not in text


def test_what_a_certificate_says_of_itself_is_not_shown() -> None:
    certificate = Certificate("127.0.0.1", common_name="\x1b[2J", organization_name="\x1b]0;x\x07")
    with TlsServer(certificate, let_in()) as server:
        text = str(failure(server))
    assert "[2J" not in text
    assert certificate.pin in text


# What goes through it


def test_large_messages_go_both_ways() -> None:
    texts = ["x" * 8_000, "\u00e9" * 4_000]

    def act(sock: socket.socket) -> None:
        frames = [
            line("msg", id=number, at=1, room="lobby", name="bob", text=texts[number % 2])
            for number in range(1, 201)
        ]
        sock.sendall(welcome() + b"".join(frames) + line("notice", text="x" * 16_384))
        answer(sock)

    with TlsServer(OURS, act) as server, connect(server) as ann:
        answers = [ann.post(text) for text in texts * 100]
        events: list[Msg | Notice] = []
        while not isinstance(events[-1:] and events[-1], Notice):
            events += [event for event in ann.receive(SECONDS) if isinstance(event, Msg | Notice)]
        assert [event.text for event in events[:-1]] == [texts[number % 2] for number in range(1, 201)]
        assert all(isinstance(answer.result(SECONDS), Ack) for answer in answers)


def test_threads_that_say_something_at_the_same_time() -> None:
    with TlsServer(OURS, let_in()) as server, connect(server) as ann:
        threads = [
            threading.Thread(target=lambda: [ann.say("x" * 3_000, timeout=SECONDS) for _ in range(50)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        ann.leave()
        assert sum(isinstance(event, Ack) for event in ann.events()) == 200


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda sock: sock.sendall(b"x" * MAX_SERVER_FRAME), "too-long"),
        (lambda sock: sock.sendall(b"rubbish\n"), "bad-frame"),
        (lambda sock: socket.socket.sendall(sock, b"\x17\x03\x03\x00\x20" + b"x" * 32), "internal"),
        (lambda sock: sock.unwrap(), "internal"),
    ],
    ids=["endless line", "no frame", "broken record", "an end without a bye"],
)
def test_what_ends_a_connection(act: Callable[[ssl.SSLSocket], None], code: str) -> None:
    def quietly(sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        sock.sendall(welcome())
        sock.recv(65536)
        with suppress(OSError):
            act(sock)
        gone(sock)

    with TlsServer(OURS, quietly) as server, connect(server) as ann:
        ann.post("hello")
        with pytest.raises(ConnectionFailed) as caught:
            list(ann)
        ann.close()
    assert caught.value.code == code
    assert str(caught.value).isprintable()


def test_what_tls_itself_answers_has_a_bound() -> None:
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        transport = Transport("a", 1, Trust())
        transport._sock, transport._channel = near, _Asked()
        with pytest.raises(ConnectionFailed, match="wants answers, and does not read them"):
            for _ in range(100):
                far.send(b"x")
                transport.receive(SECONDS)


class _Asked(Channel):
    """Is asked for an answer all the time."""

    def __init__(self) -> None:
        self.ended = False

    def feed(self, data: bytes | memoryview) -> bytes:
        return b""

    def pending(self) -> bytes:
        return bytes(MAX_ANSWERS // 10)

    def seal(self, data: bytes | memoryview) -> bytes:
        return bytes(data)
