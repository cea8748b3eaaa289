"""Floods and silence: who sends too much or nothing at all is turned away, and the others chat on."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT, RawClient, RunningServer, fresh, running_server, undisturbed, wait_for

Frame = dict[str, Any]

STRANGER = "127.0.0.2"
OTHER = "127.0.0.3"
NOISE = b"{]\n"


@contextmanager
def server_among_strangers(tmp_path: Path, *args: str) -> Iterator[RunningServer]:
    """Runs a server to which only 127.0.0.1 is its own machine; the others that are so are strangers."""
    (tmp_path / "sitecustomize.py").write_text(
        "from ipaddress import IPv4Address\n"
        "IPv4Address.is_loopback = property(lambda address: str(address) == '127.0.0.1')\n"
    )
    with running_server(*args, env={"PYTHONPATH": f"{tmp_path}:{ROOT}"}) as server:
        yield server


def answer(server: RunningServer, data: bytes, source: str = "") -> Frame:
    """Returns the first frame that comes to one who sends `data`, and stays no longer."""
    with server.raw(source=source) as client:
        with suppress(ConnectionError):  # It may be turned away before.
            client.send_bytes(data)
        frame = client.receive()
    assert frame is not None
    return frame


def status(server: RunningServer, request: bytes, source: str = "") -> int:
    """Returns what a request is answered."""
    with server.raw(source=source) as client:
        client.send_bytes(request)
        with client.sock.makefile("rb") as lines:
            return int(lines.readline().split()[1])


def hello(**keys: str) -> bytes:
    frame = {"t": "hello", "v": 1, "name": fresh("guest"), "rooms": {}} | keys
    return json.dumps(frame).encode() + b"\n"


def assert_refused(frame: Frame, code: str, words: str) -> None:
    assert (frame["t"], frame["code"], frame["fatal"]) == ("error", code, True)
    assert words in frame["text"]


def say_and_hear(one: RawClient, other: RawClient) -> None:
    text = fresh("text")
    one.say(text)
    other.expect("msg", text=text)


# Silence


def test_five_hundred_silent_connections_keep_nobody_out() -> None:
    with running_server() as server, undisturbed(server), ExitStack() as clients:
        rest = (server.descriptors(), server.threads())
        silent = [clients.enter_context(server.raw()) for _ in range(500)]
        silent[0].send_bytes(b"{")
        guests = [clients.enter_context(server.client(fresh("guest"))) for _ in range(5)]
        say_and_hear(guests[4], guests[0])
        # Those who came first went first, and were told.
        frames = silent[0].all_until_end()
        assert [frame["t"] for frame in frames] == ["error"]
        assert_refused(frames[0], "timeout", "others are waiting")
        for client in (*silent, *guests):
            client.close()
        wait_for(lambda: (server.descriptors(), server.threads()) == rest, "an end to all connections")


def test_of_silent_connections_only_so_many_are_waited_for() -> None:
    with running_server() as server, undisturbed(server), ExitStack() as clients:
        rest = server.threads()
        for _ in range(64):
            clients.enter_context(server.raw())
        wait_for(lambda: server.threads() == rest + 64, "a thread for each connection")
        with server.client(fresh("guest")) as guest:
            guest.settle()
            wait_for(lambda: server.threads() <= rest + 64, "one to make place")


def test_who_says_a_little_now_and_then_keeps_nobody_out_either() -> None:
    over = threading.Event()

    def trickle() -> None:
        while not over.wait(0.1):
            for client in slow:
                with suppress(OSError):
                    client.send_bytes(b"\n")

    with running_server() as server, undisturbed(server), ExitStack() as clients:
        slow = [clients.enter_context(server.raw()) for _ in range(70)]
        trickling = threading.Thread(target=trickle)
        trickling.start()
        try:
            server.client(fresh("guest")).close()
        finally:
            over.set()
            trickling.join()


def test_a_thousand_who_come_at_once_and_say_hello_are_let_in() -> None:
    with running_server() as server, undisturbed(server), ExitStack() as clients:
        guests = []
        for _ in range(1000):
            guests.append(clients.enter_context(server.raw()))
            guests[-1].send_bytes(hello())
        for guest in guests:
            guest.expect("welcome")


def test_as_many_who_shake_hands_are_let_in_though_others_stop_in_the_middle() -> None:
    def come_in(_: int) -> str:
        with server.raw(tls=True) as client:
            return str(client.hello(fresh("guest"), rooms={})["t"])

    with (
        running_server("--tls", "required") as server,
        ExitStack() as clients,
        # Not so many at once that they are slow themselves, and silent for long.
        ThreadPoolExecutor(8) as pool,
    ):
        for _ in range(100):
            clients.enter_context(server.raw()).send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        assert list(pool.map(come_in, range(300))) == ["welcome"] * 300


def test_the_server_can_be_stopped_while_nobody_finds_a_place() -> None:
    with running_server() as server, ExitStack() as clients:
        for _ in range(300):
            clients.enter_context(server.raw())
        assert server.stop() == 0


# Floods


def test_who_floods_with_something_else_is_blocked_while_others_chat(tmp_path: Path) -> None:
    with (
        server_among_strangers(tmp_path, "--max-new-per-ip", "0") as server,
        undisturbed(server),
        server.client("ann") as ann,
        server.raw(source=STRANGER) as before,
    ):
        before.hello("before")
        wait_for(lambda: answer(server, NOISE, STRANGER)["code"] == "rate-limited", "an end to the patience")
        rest = (server.descriptors(), server.threads())
        server.expect_logged(f"{STRANGER} is blocked for 50 seconds: what is not the protocol")
        lines = len(server.log.splitlines())
        for _ in range(500):
            assert_refused(answer(server, hello(), STRANGER), "rate-limited", "try again in ")
            assert server.threads() <= rest[1]
        wait_for(lambda: server.descriptors() <= rest[0], "an end to what was turned away")
        assert len(server.log.splitlines()) <= lines + 1
        # Whoever is in stays in, and others come in.
        say_and_hear(before, ann)
        assert answer(server, hello(), OTHER)["t"] == "welcome"
        assert answer(server, hello())["t"] == "welcome"


def test_this_machine_is_not_blocked_for_what_is_not_the_protocol() -> None:
    with running_server() as server, undisturbed(server):
        for _ in range(100):
            assert answer(server, NOISE, STRANGER)["code"] == "bad-frame"
        assert answer(server, hello(), STRANGER)["t"] == "welcome"
        assert "blocked" not in server.log


HTTP_NOISE = [
    b"GET / HTTP/1.1\r\nHost\r\n\r\n",
    b"GET / nonsense\r\n\r\n",
    b"POST /api/rooms/lobby HTTP/1.1\r\nHost: %b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /api/rooms/lobby HTTP/1.1\r\nHost: %b\r\nContent-Length: 99999\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %b\r\nX: " + b"x" * 90_000 + b"\r\n\r\n",
    b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: %b\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: %b\r\nOrigin: http://evil.test\r\n\r\n",
]
HONEST = [
    b"GET /nothing HTTP/1.1\r\nHost: %b\r\n\r\n",
    b"DELETE / HTTP/1.1\r\nHost: %b\r\n\r\n",
    b"POST /nothing HTTP/1.1\r\nHost: %b\r\nContent-Length: 1\r\n\r\nx",
    b"GET /api/rooms/lobby/messages?limit=x HTTP/1.1\r\nHost: %b\r\n\r\n",
    b"POST /api/rooms/lobby HTTP/1.1\r\nHost: %b\r\nContent-Length: 1\r\n\r\nx",
]


@pytest.fixture(scope="module")
def among_strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    path = tmp_path_factory.mktemp("strangers")
    with server_among_strangers(path, "--max-new-per-ip", "0", "--rate", "0") as server:
        yield server


@pytest.mark.parametrize(("number", "noise"), [*enumerate(HTTP_NOISE)], ids=range(len(HTTP_NOISE)))
def test_noise_over_http_counts_as_broken_frames_do(
    among_strangers: RunningServer, number: int, noise: bytes
) -> None:
    server, source = among_strangers, f"127.0.1.{number}"
    noise = noise.replace(b"%b", f"{server.host}:{server.port}".encode())
    statuses = [status(server, noise, source) for _ in range(49)]
    assert set(statuses) <= {400, 403, 413, 414, 431}
    wait_for(lambda: status(server, noise, source) == 429, "an end to the patience")
    assert_refused(answer(server, hello(), source), "rate-limited", "too many failed attempts")
    server.expect_logged(f"{source} is blocked for 50 seconds: what is not the protocol")
    # This machine may make as much of it as it likes.
    assert 429 not in [status(server, noise) for _ in range(60)]


def test_what_is_not_there_may_be_asked_for(among_strangers: RunningServer) -> None:
    server = among_strangers
    host = f"{server.host}:{server.port}".encode()
    statuses = [status(server, HONEST[n % 5].replace(b"%b", host), STRANGER) for n in range(150)]
    assert set(statuses) == {400, 401, 404, 405}
    assert answer(server, hello(), STRANGER)["t"] == "welcome"


def test_thirty_three_new_connections_are_one_too_many(tmp_path: Path) -> None:
    with (
        server_among_strangers(tmp_path) as server,
        undisturbed(server),
        server.client("ann") as ann,
        server.raw(source=STRANGER) as first,
    ):
        first.hello("first")
        for _ in range(31):
            assert answer(server, hello(), STRANGER)["t"] == "welcome"
        assert_refused(answer(server, hello(), STRANGER), "rate-limited", "too many new connections")
        say_and_hear(first, ann)
        assert answer(server, hello(), OTHER)["t"] == "welcome"
        for _ in range(33):
            assert answer(server, hello())["t"] == "welcome"


@pytest.mark.parametrize("args", [("--max-new-per-ip", "2"), ("--max-new-per-ip", "0")], ids=" ".join)
def test_how_many_are_new_can_be_set(tmp_path: Path, args: tuple[str, ...]) -> None:
    with server_among_strangers(tmp_path, *args) as server:
        answers = [answer(server, hello(), STRANGER)["t"] for _ in range(40)]
        assert answers[:2] == ["welcome"] * 2
        assert set(answers[2:]) == {"error" if args[1] == "2" else "welcome"}


def test_one_more_at_once_than_an_address_may_have(tmp_path: Path) -> None:
    with server_among_strangers(tmp_path, "--max-per-ip", "3") as server, ExitStack() as clients:
        inside = [clients.enter_context(server.raw(source=STRANGER)) for _ in range(3)]
        for client in inside:
            client.hello(fresh("guest"))
        assert_refused(answer(server, hello(), STRANGER), "too-many-connections", "from your address")
        inside[0].close()
        wait_for(lambda: answer(server, hello(), STRANGER)["t"] == "welcome", "a place")


# Keys


def test_a_wrong_key_a_thousand_times_is_refused_at_once_and_the_others_chat_on() -> None:
    with (
        running_server("--key", "the-right-one") as server,
        undisturbed(server, key="the-right-one"),
        server.client("ann", key="the-right-one") as ann,
        server.raw(source=STRANGER) as before,
    ):
        before.hello("before", key="the-right-one")
        rest = server.threads()
        codes = [answer(server, hello(key=f"wrong-key-{n}"), STRANGER)["code"] for n in range(1000)]
        failed = codes.count("auth-failed")
        assert 10 <= failed < 20
        assert codes == ["auth-failed"] * failed + ["rate-limited"] * (1000 - failed)
        wait_for(lambda: server.threads() <= rest, "an end to their threads")
        # Of those who come from there nobody is heard, not even with the right key.
        frame = answer(server, hello(key="the-right-one"), STRANGER)
        assert_refused(frame, "rate-limited", "too many failed attempts from your address: try again in ")
        say_and_hear(before, ann)
        assert answer(server, hello(key="the-right-one"))["t"] == "welcome"
        server.expect_logged(f"{STRANGER} is blocked for 50 seconds: wrong keys or passwords")
        assert "wrong-key-0" not in server.log


def test_browsers_that_do_not_know_the_certificate_use_up_little(tmp_path: Path) -> None:
    with server_among_strangers(tmp_path, "--tls", "required", "--max-new-per-ip", "2") as server:
        rest = server.threads()
        for _ in range(6):
            with server.raw(source=STRANGER) as client, pytest.raises(ssl.SSLCertVerificationError):
                ssl.create_default_context().wrap_socket(client.sock, server_hostname="localhost")
            wait_for(lambda: server.threads() <= rest, "an end to that connection")
        codes = [answer(server, hello(), STRANGER)["code"] for _ in range(2)]
        assert codes == ["tls-required", "rate-limited"]


def test_who_has_a_key_may_come_as_often_as_they_like(tmp_path: Path) -> None:
    with server_among_strangers(tmp_path, "--key", "friends-only", "--max-new-per-ip", "3") as server:
        for _ in range(10):
            assert answer(server, hello(key="friends-only"), STRANGER)["t"] == "welcome"
        for _ in range(3):
            assert answer(server, hello(), STRANGER)["code"] == "auth-required"
        assert answer(server, hello(key="friends-only"), STRANGER)["code"] == "rate-limited"
