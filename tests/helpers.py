"""What tests share: a real server in a process of its own, a raw client, and waiting with a deadline."""

from __future__ import annotations

import json
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from tests.forked import start

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 20.0  # for what takes milliseconds on a machine that is not busy
CHAT_SECONDS = 10.0  # in which a message must get through, whatever others do to the server

_numbers = count()


def wait_for(condition: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """Returns what `condition` returns as soon as that is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} seconds: {what}")
        time.sleep(0.01)
    return value


def fresh(word: str) -> str:
    """Returns a name that no other test has."""
    return f"{word}-{next(_numbers)}"


def environment(**changes: str) -> dict[str, str]:
    """Returns the environment without what steers chatctl, Rich or the terminal, and with `changes`."""
    dropped = (
        *("CHATCTL_", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_", "TERM", "TMUX", "WT_", "VTE_"),
        *("KITTY_", "KONSOLE_", "ALACRITTY_"),
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(dropped)}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"} | changes


def fixed_port() -> int:
    """Returns a free port that the system gives to nobody who does not ask for it.

    Of those it does give away, a client that tries to connect while the server is down may get that very
    one, and be connected to itself.
    """
    for port in random.sample(range(20_000, 30_000), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


class RunningServer:
    """``chatctl serve`` in a process of its own, with a data directory of its own unless `args` name one.

    Args:
        args: of the command, after ``--port 0``.
        env: environment variables to set.
        preexec: called in the new process before it becomes chatctl.
        fork: whether the process may be a forked one, which is there at once.
    """

    def __init__(
        self,
        *args: str,
        env: dict[str, str] | None = None,
        preexec: Callable[[], None] | None = None,
        fork: bool = True,
    ) -> None:
        self.always: dict[str, Any] = {}  # keys of each client's hello
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by running_server
        self._data = tempfile.TemporaryDirectory(prefix="chatctl-")
        kept = {"--data", "--ephemeral"}.intersection(args)
        where = () if kept else ("--data", self._data.name)
        reading, writing = os.pipe()
        self.stdout = os.fdopen(reading)
        with Path(os.devnull).open() as nothing, os.fdopen(writing) as output:
            self.proc = start(
                ["serve", "--port", "0", *where, *args],
                environment(**(env or {})),
                [nothing.fileno(), output.fileno(), self._log.fileno()],
                preexec=preexec,
                fork=fork,
            )
        line = self.stdout.readline()
        if not line.startswith("listening on "):
            self.kill()
            log = self.log
            self._log.close()
            self._data.cleanup()
            raise AssertionError(f"instead of listening: {line!r}\n{log}")
        self.host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
        self.host = self.host.strip("[]")
        self.port = int(port)

    @property
    def log(self) -> str:
        """What was written to standard error so far."""
        return os.pread(self._log.fileno(), 1 << 24, 0).decode() if not self._log.closed else ""

    def expect_logged(self, words: str) -> None:
        """Waits until this was logged; once, by then: the log is written apart from what it tells of."""
        wait_for(lambda: words in self.log, f"{words} in the log")
        assert self.log.count(words) == 1

    @property
    def pid(self) -> int:
        return self.proc.pid

    def client(self, name: str, *, tls: bool = False, **hello: Any) -> RawClient:
        """Returns a client that has its welcome."""
        client = RawClient(self.host, self.port, tls=tls)
        try:
            client.hello(name, **self.always | hello)
        except BaseException:
            client.close()
            raise
        return client

    def raw(self, *, narrow: bool = False, tls: bool = False, source: str = "") -> RawClient:
        """Returns a connection on which nothing was said; a `narrow` one soon takes no more unless read.

        On Linux any address that begins with 127 can be its `source`.
        """
        return RawClient(self.host, self.port, narrow=narrow, tls=tls, source=source)

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def threads(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/task").iterdir()))

    def memory(self) -> int:
        """Returns resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu(self) -> float:
        """Returns the seconds of processor time used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Ends the server as an administrator would; returns its exit code."""
        self.proc.terminate()
        try:
            code = self.proc.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._clean_up()
        return code

    def kill(self) -> None:
        """Ends the server as a power cut would."""
        self.proc.kill()
        self.proc.wait()
        self._clean_up()

    def _clean_up(self) -> None:
        self.stdout.close()


@contextmanager
def running_server(
    *args: str,
    env: dict[str, str] | None = None,
    preexec: Callable[[], None] | None = None,
    fork: bool = True,
) -> Iterator[RunningServer]:
    """Runs a server; shows its log if the test fails, and fails if the server made a mistake."""
    server = RunningServer(*args, env=env, preexec=preexec, fork=fork)
    try:
        yield server
    except BaseException:
        sys.stderr.write(server.log)
        raise
    finally:
        if server.proc.poll() is None:
            server.stop()
        server._clean_up()
        log = server.log
        server._log.close()
        server._data.cleanup()
    assert "Traceback" not in log, log


def trusting() -> ssl.SSLContext:
    """Returns what clients that verify nothing make TLS handshakes by."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class RawClient:
    """Speaks the protocol over a bare socket, or over TLS that verifies nothing, and sees every byte."""

    def __init__(
        self, host: str, port: int, *, narrow: bool = False, tls: bool = False, source: str = ""
    ) -> None:
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.settimeout(SECONDS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if narrow:
            # Small segments keep the server's send buffer small too: some 100 KB fit into both.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        try:
            if source:
                self.sock.bind((source, 0))
            self.sock.connect((host, port))
            if tls:
                self.sock = trusting().wrap_socket(self.sock)
        except OSError:
            self.sock.close()
            raise
        self._tail = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.sock.close()

    def hello(self, name: str, **keys: Any) -> dict[str, Any]:
        """Comes in; returns the welcome."""
        self.send("hello", v=1, name=name, **keys)
        return self.expect("welcome")

    def send(self, t: str, **keys: Any) -> None:
        line = json.dumps({"t": t} | keys, ensure_ascii=False)
        try:
            self.send_bytes(line.encode() + b"\n")
        except UnicodeEncodeError:  # Lone surrogates can only be sent as escapes.
            self.send_bytes(json.dumps({"t": t} | keys).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self.sock.sendall(data)

    def receive(self) -> dict[str, Any] | None:
        """Returns the next frame; None at the end of the stream."""
        while b"\n" not in self._tail:
            data = self.sock.recv(1 << 16)
            if not data:
                assert not self._tail, f"the stream ends inside a frame: {self._tail!r}"
                return None
            self._tail += data
        line, _, self._tail = self._tail.partition(b"\n")
        frame = json.loads(line)
        assert isinstance(frame, dict)
        assert line.startswith(b'{"t":'), line
        return frame

    def expect(self, t: str, **keys: Any) -> dict[str, Any]:
        """Returns the next frame of type `t`, leaving out others; `keys` must be in it."""
        while (frame := self.receive()) is not None:
            if frame["t"] == t:
                assert keys.items() <= frame.items(), (keys, frame)
                return frame
            assert frame["t"] not in ("error", "bye"), frame
        raise AssertionError(f"the stream ended before {t}")

    def reset(self) -> None:
        """Closes as a crash would: what is on its way is lost, and the server is told nothing but that."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def leave(self) -> None:
        """Says bye, and waits until the server has closed: the name is free then."""
        self.send("bye")
        self.all_until_end()

    def all_until_end(self) -> list[dict[str, Any]]:
        """Returns all frames that come until the server closes."""
        frames: list[dict[str, Any]] = []
        while (frame := self.receive()) is not None:
            frames.append(frame)
        return frames

    def say(self, text: str, **keys: Any) -> None:
        self.send("say", text=text, **keys)

    def expect_error(self, code: str, **keys: Any) -> dict[str, Any]:
        """Returns the next error, which must not be fatal; `code` and `keys` must be in it."""
        while (frame := self.receive()) is not None:
            if frame["t"] == "error":
                assert {"code": code}.items() | keys.items() <= frame.items(), (code, keys, frame)
                assert "fatal" not in frame
                return frame
        raise AssertionError(f"the stream ended before {code}")

    def messages(self, count: int) -> list[dict[str, Any]]:
        """Returns the next `count` messages."""
        return [self.expect("msg") for _ in range(count)]

    def texts(self, count: int) -> list[str]:
        """Returns the texts of the next `count` messages."""
        return [message["text"] for message in self.messages(count)]

    def settle(self) -> list[dict[str, Any]]:
        """Returns all frames that come before the answer to a ping sent now."""
        self.send("ping", n=4711)
        frames: list[dict[str, Any]] = []
        while (frame := self.receive()) is not None:
            if frame["t"] == "pong" and frame.get("re") == 4711:
                return frames
            frames.append(frame)
        raise AssertionError(f"the stream ended: {frames}")


@contextmanager
def undisturbed(server: RunningServer, **hello: Any) -> Iterator[None]:
    """Lets two people chat all the while, who must not notice what else happens to the server.

    They are in a room of their own: a message takes its usual way there in good time, and nothing else
    reaches them. `hello` is what they say besides to come in.
    """
    room = fresh("aside")
    over = threading.Event()
    with (
        server.client(fresh("ann"), rooms={room: None}, **hello) as ann,
        server.client(fresh("bob"), rooms={room: None}, **hello) as bob,
        ThreadPoolExecutor(1) as pool,
    ):
        # Whoever was in first is told of the other one: that must not come in the middle of the chat.
        for client in (ann, bob, ann):
            client.settle()
            client.sock.settimeout(CHAT_SECONDS)
        chatting = pool.submit(_chat, ann, bob, room, over)
        try:
            yield
        finally:
            over.set()
        chatting.result()


def _chat(ann: RawClient, bob: RawClient, room: str, over: threading.Event) -> None:
    last = False
    while True:
        text = fresh("text")
        ann.say(text, room=room, nonce=text)
        assert [(frame["t"], frame.get("nonce")) for frame in ann.settle()] == [("ack", text)]
        assert [(frame["t"], frame.get("text")) for frame in bob.settle()] == [("msg", text)]
        if last:
            return
        last = over.wait(0.3)  # Two frames each time: slower than the server's default rate.
