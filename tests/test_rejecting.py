"""Who cannot come in is told so in their own language; only a few are waited for, and not for long."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatctl.errors import Refused, TryLater
from chatctl.server.rejecting import Rejecter
from chatctl.tls import Channel
from tests.curl import Api, curl
from tests.helpers import SECONDS, RawClient, RunningServer, running_server, trusting, undisturbed, wait_for
from tests.test_floods import STRANGER, server_among_strangers

FULL = Refused("server-full", "the server is full, try again later")
FRAME = b'{"t":"error","code":"server-full","text":"the server is full, try again later","fatal":true}\n'
LINE = b"! the server is full, try again later\n"
NEVER = 1000.0


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def rejecter(clients: ExitStack) -> Rejecter:
    return started(clients, places=3, seconds=NEVER)


def started(clients: ExitStack, places: int, seconds: float) -> Rejecter:
    rejecter = Rejecter(places, seconds)
    rejecter.start()
    clients.callback(rejecter.stop)
    return rejecter


def sent_away(
    clients: ExitStack, rejecter: Rejecter, said: bytes = b"", why: Refused = FULL
) -> socket.socket:
    """Returns a client that is sent away after it said something."""
    client, server = socket.socketpair()
    clients.enter_context(client).settimeout(SECONDS)
    client.sendall(said)
    rejecter.send_away(server, why)
    return client


def heard(client: socket.socket) -> bytes:
    """Returns all that a client is told."""
    parts = []
    while data := client.recv(1 << 16):
        parts.append(data)
    return b"".join(parts)


HELLO_BY_TLS = Channel(trusting(), "localhost").start()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b'{"t":"hello","v":1,"name":"ann"}\n', FRAME),
        (b"\n{", FRAME),
        (b"bob\nhello\nexit\n", LINE),
        (b"\xff\xfb\x1f", LINE),
        (HELLO_BY_TLS, FRAME),
        (b"\n" * 9000, LINE),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_each_is_told_in_its_language(
    clients: ExitStack, rejecter: Rejecter, said: bytes, told: bytes, late: bool
) -> None:
    client = sent_away(clients, rejecter, b"" if late else said)
    if late:
        client.sendall(said)
    assert heard(client) == told
    wait_for(lambda: not len(rejecter), "an end to the waiting")


@pytest.mark.parametrize(
    ("why", "status", "retry"),
    [
        (FULL, 503, "1"),
        (TryLater("too many failed attempts from your address", 41.2), 429, "42"),
        (Refused("too-many-connections", "too many connections from your address"), 429, "1"),
    ],
)
def test_who_asks_by_http_is_answered_by_it(
    clients: ExitStack, rejecter: Rejecter, why: Refused, status: int, retry: str
) -> None:
    client = sent_away(clients, rejecter, b"GE", why)
    client.sendall(b"T / HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = heard(client).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    assert {f"Retry-After: {retry}", "Connection: close", f"Content-Length: {len(body)}"} <= set(lines)
    assert json.loads(body) == {"error": {"code": why.code, "text": str(why)}}
    assert body.endswith(b"}\n")


def test_who_is_silent_for_long_enough_reads_plain_text(clients: ExitStack) -> None:
    rejecter = started(clients, places=3, seconds=0.01)
    silent = [sent_away(clients, rejecter, said) for said in (b"", b"\r\n", b"GET")]
    assert [heard(client) for client in silent] == [LINE] * 3


def test_so_does_who_says_nothing_more(clients: ExitStack, rejecter: Rejecter) -> None:
    client = sent_away(clients, rejecter)
    client.shutdown(socket.SHUT_WR)
    assert heard(client) == LINE


def test_only_so_many_are_waited_for(clients: ExitStack, rejecter: Rejecter) -> None:
    waiting = [sent_away(clients, rejecter) for _ in range(3)]
    assert [heard(sent_away(clients, rejecter)) for _ in range(100)] == [FRAME] * 100
    assert len(rejecter) == 3
    waiting[1].sendall(b"bob\n")
    assert heard(waiting[1]) == LINE
    wait_for(lambda: len(rejecter) == 2, "a place")
    last = sent_away(clients, rejecter)
    last.sendall(b"{")
    assert heard(last) == FRAME
    # Who is known at once needs no place.
    assert heard(sent_away(clients, rejecter, b"bob\n")) == LINE


def test_who_has_gone_takes_no_place(clients: ExitStack, rejecter: Rejecter) -> None:
    for _ in range(10):
        sent_away(clients, rejecter).close()
        wait_for(lambda: not len(rejecter), "a place")


def test_those_who_are_waited_for_are_told_when_the_server_stops(clients: ExitStack) -> None:
    rejecter = Rejecter(3, NEVER)
    rejecter.start()
    client = sent_away(clients, rejecter)
    rejecter.stop()
    assert heard(client) == FRAME


# A server


@pytest.fixture(scope="module")
def full() -> Iterator[RunningServer]:
    with running_server("--max-clients", "1") as server, server.client("ann"):
        yield server


def test_a_full_server_says_so_to_curl(full: RunningServer) -> None:
    answer = Api(full, "bot:").post("lobby", "hello")
    assert (answer.status, answer.code, answer.headers["retry-after"]) == (503, "server-full", "1")


def test_a_full_server_says_so_to_the_others(full: RunningServer) -> None:
    for said, told in ((b"", LINE), (b"bob\nhello\nexit\n", LINE), (b"{", FRAME), (HELLO_BY_TLS, FRAME)):
        with full.raw() as client:
            client.send_bytes(said)
            assert heard(client.sock) == told


def test_a_block_is_told_to_curl(tmp_path: Path) -> None:
    with server_among_strangers(tmp_path, "--max-new-per-ip", "1") as server:
        url = f"http://{server.host}:{server.port}/api/rooms"
        assert curl(url, "--interface", STRANGER).status == 200
        answer = curl(url, "--interface", STRANGER)
        assert (answer.status, answer.code) == (429, "rate-limited")
        assert 590 < int(answer.headers["retry-after"]) <= 600


def test_a_flood_of_those_who_cannot_come_in_takes_nothing() -> None:
    with running_server("--max-clients", "3") as server, server.client("ann"), undisturbed(server):
        rest = (server.descriptors(), server.threads())
        before = server.memory()
        for _ in range(5):
            with ExitStack() as silent:
                flood = [silent.enter_context(RawClient(server.host, server.port)) for _ in range(100)]
                assert {heard(client.sock) for client in flood[-10:]} <= {FRAME, LINE}
                assert server.threads() == rest[1]
                # Those who are waited for, one that comes, and one that is told.
                assert server.descriptors() <= rest[0] + 64 + 2
        assert server.memory() - before < 8 << 20
        wait_for(lambda: server.descriptors() == rest[0], "an end to what was turned away")
