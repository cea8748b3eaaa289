"""A server with TLS as clients meet it: good ones, old ones, hostile ones, and those that speak plainly."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import trustme

from chatctl.access import address
from chatctl.server.dialects.alert import ALERT
from chatctl.tls import PIECE, Channel, pin_of
from tests import forked
from tests.helpers import (
    SECONDS,
    RawClient,
    RunningServer,
    environment,
    fresh,
    running_server,
    trusting,
    wait_for,
)
from tests.sealed import renegotiate

MANY = 200


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--tls", "required", "--rate", "0") as running:
        yield running


@pytest.fixture(scope="module")
def plain() -> Iterator[RunningServer]:
    """One that offers no TLS, as only this machine reaches it."""
    with running_server() as running:
        yield running


def older(version: ssl.TLSVersion) -> ssl.SSLContext:
    """Returns a context that knows nothing newer than `version`."""
    context = trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    return context


def opened(server: RunningServer, context: ssl.SSLContext | None = None) -> tuple[RawClient, Channel]:
    """Returns a client that has made the handshake itself, and what it seals by."""
    client = server.raw()
    channel = Channel(context or trusting(), "localhost")
    client.send_bytes(channel.start())
    while not channel.ready:
        channel.feed(client.sock.recv(1 << 16))
        client.send_bytes(channel.pending())
    return client, channel


def rest(sock: socket.socket) -> bytes:
    """Returns all that comes until the server closes."""
    data = b""
    with suppress(ConnectionError):
        while piece := sock.recv(1 << 16):
            data += piece
    return data


def hello(name: str, **keys: Any) -> bytes:
    return json.dumps({"t": "hello", "v": 1, "name": name, "rooms": {}} | keys).encode() + b"\n"


# Coming in


def test_a_chat_through_tls(server: RunningServer) -> None:
    with server.client("ann", tls=True) as ann, server.client("bob", tls=True) as bob:
        ann.say("hello", nonce="1")
        assert bob.expect("msg")["text"] == "hello"
        ann.expect("ack")
        bob.send("bye")
        assert bob.all_until_end()[-1]["t"] == "bye"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_versions_that_are_spoken(server: RunningServer, version: ssl.TLSVersion) -> None:
    client, channel = opened(server, older(version))
    with client:
        client.send_bytes(channel.seal(hello(f"v{version.value}")))
        assert b"welcome" in channel.feed(client.sock.recv(1 << 16))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_older_versions_are_refused(server: RunningServer, version: ssl.TLSVersion) -> None:
    with server.raw() as client, pytest.raises(ssl.SSLError, match="TLSV1_ALERT_PROTOCOL_VERSION"):
        older(version).wrap_socket(client.sock)
    wait_for(lambda: "a connection ended (127.0.0.1): tls: unsupported protocol" in server.log, "the reason")


def test_bytes_that_come_one_by_one(server: RunningServer) -> None:
    channel = Channel(trusting(), "localhost")
    with server.raw() as client:

        def drip(data: bytes) -> None:
            for place in range(len(data)):
                client.send_bytes(data[place : place + 1])

        drip(channel.start())
        while not channel.ready:
            channel.feed(client.sock.recv(1))
            drip(channel.pending())
        drip(channel.seal(hello("drop")))
        said = b""
        while not said:
            said = channel.feed(client.sock.recv(1))
        assert b"welcome" in said


def test_several_frames_in_one_record_and_one_frame_in_several(server: RunningServer) -> None:
    client, channel = opened(server)
    with client:
        frames = [{"t": "say", "room": "pack", "text": str(i)} for i in range(5)]
        lines = hello("packer", rooms={"pack": None}) + b"".join(
            json.dumps(f).encode() + b"\n" for f in frames
        )
        client.send_bytes(channel.seal(lines))
        client.send_bytes(b"".join(channel.seal(bytes([byte])) for byte in b'{"t":"ping","n":1}\n'))
        said = b""
        while b'"pong"' not in said:
            said += channel.feed(client.sock.recv(1 << 16))
        client.send_bytes(channel.seal(b'{"t":"history","room":"pack"}\n'))
        while b'"history"' not in said:
            said += channel.feed(client.sock.recv(1 << 16))
    messages = json.loads(said.splitlines()[-1])["messages"]
    assert [message["text"] for message in messages] == ["0", "1", "2", "3", "4"]


def test_a_hello_and_what_follows_it_may_be_long_together(server: RunningServer) -> None:
    with server.raw(tls=True) as client:
        client.send_bytes(hello("long-winded", rooms={"long": None}) + b'{"t":"ping","n":1}\n' * 600)
        assert [client.expect("pong")["re"] for _ in range(600)] == [1] * 600


def test_a_hello_that_is_too_long(server: RunningServer) -> None:
    with server.raw(tls=True) as client:
        client.send_bytes(hello("x", agent="y" * 10_000))
        (error,) = client.all_until_end()
    assert (error["code"], error["fatal"]) == ("too-long", True)


def test_a_frame_of_a_mebibyte(server: RunningServer) -> None:
    with server.client("novelist", tls=True, rooms={"novel": None}) as client:
        for _ in range(150):
            client.say("x" * 8000, room="novel")
        client.send("history", room="novel", limit=500)
        answer = client.expect("history")
    assert 900_000 < len(json.dumps(answer)) <= 1 << 20


def test_the_client_ends_what_it_says(server: RunningServer) -> None:
    client, channel = opened(server)
    with client:
        client.send_bytes(channel.seal(hello("curt")))
        client.send_bytes(channel.close())
        assert b"welcome" in channel.feed(rest(client.sock))
    assert channel.ended
    wait_for(lambda: "curt left (127.0.0.1): closed the connection" in server.log, "it has left")


def test_who_does_not_read_is_cut_off_with_a_farewell(server: RunningServer) -> None:
    with (
        server.raw(narrow=True) as client,
        server.client("loud", tls=True, rooms={"noise": None}) as loud,
    ):
        channel = Channel(trusting(), "localhost")
        client.send_bytes(channel.start())
        while not channel.ready:
            channel.feed(client.sock.recv(1 << 16))
            client.send_bytes(channel.pending())
        client.send_bytes(channel.seal(hello("sleepy", rooms={"noise": None})))
        loud.expect("presence", joined=["sleepy"])
        for number in range(1000):
            loud.say(str(number).ljust(4000, "."), room="noise")
            if number % 20 == 19 and any(frame["t"] == "presence" for frame in loud.settle()):
                break
        *frames, last = [json.loads(line) for line in channel.feed(rest(client.sock)).splitlines()]
    assert channel.ended
    assert (last["t"], last["code"]) == ("bye", "slow-consumer")
    texts = [frame["text"] for frame in frames if frame["t"] == "msg"]
    assert texts == [str(number).ljust(4000, ".") for number in range(len(texts))]
    assert texts


def test_many_at_once(server: RunningServer) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(16) as pool:

        def come(number: int) -> RawClient:
            return server.client(f"one-{number}", tls=True, rooms={f"crowd-{number % 9}": None})

        clients = [stack.enter_context(client) for client in pool.map(come, range(MANY))]
        for client in clients:
            client.send("ping", n=9)
        assert [client.expect("pong")["re"] for client in clients] == [9] * MANY
    wait_for(lambda: server.threads() < 20, "their threads have ended")


# What is no good


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("size", [1, 2, 5, 100, 10_000])
def test_a_handshake_broken_off_harms_nobody(server: RunningServer, size: int, reset: bool) -> None:
    begun = server.log.count("a connection ended")
    with server.raw() as client:
        client.send_bytes(Channel(trusting(), "localhost").start()[:size])
        with server.client(fresh("other"), tls=True) as other:
            other.settle()
        if reset:
            client.reset()
    wait_for(lambda: server.log.count("a connection ended") > begun, "it is noticed")


def test_whoever_says_no_hello_is_given_up_in_time(server: RunningServer) -> None:
    begun = time.monotonic()
    with server.raw() as half, server.raw(tls=True) as sealed:
        half.send_bytes(Channel(trusting(), "localhost").start()[:100])
        sealed.send_bytes(b"{")
        (error,) = sealed.all_until_end()
        assert (error["code"], error["fatal"]) == ("timeout", True)
        assert rest(half.sock) == b""
    assert time.monotonic() - begun > 9
    wait_for(
        lambda: server.log.count("you did not say who you are within 10 seconds") == 2, "each is told of"
    )


def test_whoever_is_silent_is_told_in_words_that_tls_is_needed(server: RunningServer) -> None:
    with server.raw() as silent:
        assert b"takes encrypted connections only" in rest(silent.sock)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff" + bytes(100),
        b"\x16\x03\x03\x00\x01\x00",
        b"\x16\x03" + bytes(9000),
    ],
)
def test_what_only_begins_like_tls_gets_an_alert(server: RunningServer, data: bytes) -> None:
    with server.raw() as client:
        client.send_bytes(data)
        client.sock.shutdown(socket.SHUT_WR)
        assert rest(client.sock)[:2] in (b"\x15\x03", b"")
    with server.client(fresh("unmoved"), tls=True) as other:
        other.settle()


def test_a_handshake_without_end_is_given_up(server: RunningServer) -> None:
    # A hello of 120 000 bytes, which would be allowed: in records as long as they may be.
    message = b"\x01" + (120_000).to_bytes(3, "big") + bytes(120_000)
    records = [message[start : start + PIECE] for start in range(0, len(message), PIECE)]
    with server.raw() as client:
        with suppress(ConnectionError):
            for record in records:
                client.send_bytes(b"\x16\x03\x01" + len(record).to_bytes(2, "big") + record)
        assert rest(client.sock) == b""
    wait_for(lambda: "too-long: the first 65536 bytes of TLS say nothing" in server.log, "the reason")


def test_too_much_that_is_no_hello(server: RunningServer) -> None:
    client, channel = opened(server)
    with client:
        client.send_bytes(channel.seal(b"{" + b" " * 9000))
        assert b"too-long" in channel.feed(rest(client.sock))


def test_tls_in_tls(server: RunningServer) -> None:
    with server.raw(tls=True) as client:
        client.send_bytes(Channel(trusting(), "localhost").start())
        (error,) = client.all_until_end()
    assert (error["code"], error["fatal"]) == ("bad-frame", True)


def test_renegotiation_is_refused(server: RunningServer) -> None:
    with server.raw() as client:
        tls = older(ssl.TLSVersion.TLSv1_2).wrap_socket(client.sock)
        tls.sendall(hello("again"))
        assert b"welcome" in tls.recv(1 << 16)
        with pytest.raises(ssl.SSLError, match="NO_RENEGOTIATION"):
            renegotiate(tls)
        tls.close()


# Without TLS


def test_who_speaks_plainly_is_told_what_to_do(server: RunningServer) -> None:
    with server.raw() as client:
        client.send_bytes(hello("plain"))
        (error,) = client.all_until_end()
    assert (error["code"], error["fatal"]) == ("tls-required", True)
    for first, begins in (
        (b"hello? is there anybody?\n", b"! "),
        (b"x", b"! "),
        (b"", b"! "),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 426 "),
    ):
        with server.raw() as client:
            client.send_bytes(first)
            words = rest(client.sock)
        assert words.startswith(begins)
        ways = [b"https://"] if first.startswith(b"GET") else [b"chatctl join", b"openssl s_client"]
        assert all(way in words for way in ways)


def test_where_there_is_no_tls_a_client_of_it_is_told(plain: RunningServer) -> None:
    with plain.raw() as client, pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        trusting().wrap_socket(client.sock)
    with plain.raw() as client:
        client.send_bytes(Channel(trusting(), "localhost").start())
        assert rest(client.sock) == ALERT
    wait_for(lambda: "asked for TLS, which is not offered here" in plain.log, "the reason")
    assert "certificate" not in plain.log


def test_on_this_machine_both_are_taken_where_there_is_a_certificate(given: Path) -> None:
    with (
        running_server("--cert", str(given)) as server,
        server.client("plain") as plain,
        server.client("sealed", tls=True) as sealed,
    ):
        sealed.say("hello")
        assert plain.expect("msg")["text"] == "hello"


def test_others_than_this_machine_are_asked_for_tls() -> None:
    with running_server("--host", "0.0.0.0", "--open") as server:
        server.expect_logged("certificate SHA256:")
        for tls in (True, False):  # This machine may do without.
            with RawClient("127.0.0.1", server.port, tls=tls) as client:
                client.hello(f"tls-{tls}".lower())


def serve(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a server that is not to start."""
    args = ("serve", "--port", "0", "--log-level", "error", *args)
    return forked.run(args, environment(**env), timeout=SECONDS)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_without_tls_others_are_not_served_unless_that_is_meant(host: str) -> None:
    done = serve("--host", host, "--tls", "off", "--ephemeral")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "--insecure" in done.stderr
    with running_server("--host", host, "--tls", "off", "--insecure", "--open") as server:
        with RawClient("127.0.0.1", server.port) as client:
            client.hello("brave")
        wait_for(lambda: "read along" in server.log, "the warning")


def test_variables_say_the_same(given: Path) -> None:
    env = {"CHATCTL_TLS": "required", "CHATCTL_CERT": str(given), "CHATCTL_KEY_FILE": str(given)}
    with running_server(env=env) as server, server.raw() as client:
        client.send_bytes(b"{")
        assert client.all_until_end()[0]["code"] == "tls-required"
    done = serve("--host", "0.0.0.0", "--ephemeral", CHATCTL_TLS="off", CHATCTL_INSECURE="")
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--key-file", "x"), "--cert"),
        (("--cert", "x", "--tls", "off"), "of no use"),
        (("--tls", "maybe"), "required"),
    ],
)
def test_options_that_do_not_go_together(args: tuple[str, ...], words: str) -> None:
    done = serve(*args)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


# The certificate


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """A file with a certificate and its key."""
    return issue(tmp_path / "given.pem")


def issue(path: Path) -> Path:
    """Writes another certificate and its key into a file."""
    trustme.CA().issue_cert("chat.example.org").private_key_and_cert_chain_pem.write_to_path(path)
    return path


def pin_shown(server: RunningServer) -> str:
    """Returns the pin of the certificate that a new connection is shown."""
    with server.raw(tls=True) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        shown = client.sock.getpeercert(binary_form=True)
    assert shown
    return pin_of(shown)


def test_a_restart_keeps_the_certificate_and_the_pin_is_logged(tmp_path: Path) -> None:
    pins = []
    for _ in range(2):
        with running_server("--tls", "required", "--data", str(tmp_path)) as server:
            pins.append(pin_shown(server))
            server.expect_logged(f"certificate SHA256:{pins[-1]}")
    assert pins[0] == pins[1]
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("certificate*")}
    assert modes == {"certificate.pem": 0o644, "certificate.key": 0o600}


def test_nothing_secret_is_logged_or_in_the_process_list(tmp_path: Path) -> None:
    args = ("--tls", "required", "--data", str(tmp_path), "--log-level", "debug")
    with running_server(*args) as server, server.client("ann", tls=True) as ann:
        ann.say("for nobody else", nonce="1")
        ann.expect("ack")
        process = Path(f"/proc/{server.pid}")
        seen = server.log + (process / "cmdline").read_text() + (process / "environ").read_text()
    key = (tmp_path / "certificate.key").read_text()
    assert "PRIVATE KEY" in key
    assert not [line for line in key.splitlines() if line in seen]
    assert "for nobody else" not in seen


def test_without_a_data_directory_no_file_is_left(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    env = {"TMPDIR": str(tmp_path / "tmp"), "XDG_DATA_HOME": str(tmp_path / "data"), "HOME": str(tmp_path)}
    pins = []
    for _ in range(2):
        with running_server("--tls", "required", "--ephemeral", env=env) as server:
            pins.append(pin_shown(server))
            server.proc.send_signal(signal.SIGHUP)
            pins.append(pin_shown(server))
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert pins[0] == pins[1] != pins[2] == pins[3]


def test_a_new_certificate_is_for_new_connections(given: Path, tmp_path: Path) -> None:
    with running_server("--tls", "required", "--cert", str(given), "--data", str(tmp_path)) as server:
        old = pin_shown(server)
        with server.client("early", tls=True) as early:
            issue(given)
            server.proc.send_signal(signal.SIGHUP)
            wait_for(lambda: server.log.count("certificate SHA256:") == 2, "the new one is there")
            new = pin_shown(server)
            assert new != old
            server.expect_logged(f"certificate SHA256:{new}")
            wait_for(lambda: (left := address.read(tmp_path)) and left.pin == new, "who is invited knows it")
            given.write_text("no certificate")
            server.proc.send_signal(signal.SIGHUP)
            wait_for(
                lambda: "the certificate stays as it is: there is no certificate in" in server.log, "a word"
            )
            assert pin_shown(server) == new
            early.settle()
        assert server.stop() == 0


def test_without_tls_a_hangup_changes_nothing() -> None:
    with running_server() as server, server.client("ann") as ann:
        for _ in range(3):
            server.proc.send_signal(signal.SIGHUP)
        ann.settle()
        assert server.stop() == 0


@pytest.mark.parametrize("broken", ["missing", "unfit", "encrypted", "no key", "no certificate", "half"])
def test_a_certificate_that_will_not_do_is_told_in_one_line(broken: str, given: Path, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    match broken:
        case "missing":
            given.unlink()
        case "unfit":
            issue(key)
        case "encrypted":
            command = ["openssl", "pkey", "-aes128", "-passout", "pass:x"]
            subprocess.run([*command, "-in", str(given), "-out", str(key)], check=True)
        case "no key":
            key.write_text("")
        case "no certificate":
            given.write_text("hello")
        case "half":
            key.write_text(given.read_text()[:100])
    args = ("--key-file", str(key)) if key.exists() else ()
    done = serve("--ephemeral", "--cert", str(given), *args)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1, done.stderr
    words = {
        "missing": "No such file",
        "unfit": "does not fit",
        "encrypted": "is encrypted",
        "no key": "there is no key in",
        "no certificate": "there is no certificate in",
        "half": "there is no key in",
    }
    assert words[broken] in done.stderr
