"""The servers that are measured: how each is started, and how one speaks to it."""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.benchmarks.load import PAYLOAD, Speech
from tests.benchmarks.signals import held_back

OWN = "chatctl"
START_SECONDS = 15.0
STOP_SECONDS = 10.0

_NGIRCD = """[Global]
Name = irc.example.org
Info = benchmark
Listen = 127.0.0.1
Ports = {port}
[Limits]
MaxConnections = 0
MaxConnectionsIP = 0
MaxJoins = 0
MaxPenaltyTime = 0
[Options]
DNS = no
Ident = no
PAM = no
"""
_MOSQUITTO = """listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 1000000
"""

# MQTT 3.1.1, sections 3.1 CONNECT (no client id, clean session), 3.8 SUBSCRIBE to "b", 3.3 PUBLISH at QoS 0.
_MQTT = Speech(
    hello=bytes([0x10, 12, 0, 4]) + b"MQTT" + bytes([4, 2, 0, 0, 0, 0]),
    ready=bytes([0x20, 2]),
    join=bytes([0x82, 6, 0, 1, 0, 1]) + b"b" + bytes([0]),
    joined=bytes([0x90, 3]),
    prefix=bytes([0x30, 3 + PAYLOAD, 0, 1]) + b"b",
    suffix=b"",
)


@dataclass(frozen=True)
class Peer:
    """A server.

    Attributes:
        name: what it is called in the report.
        tool: the program it needs.
        arguments: of the program, with ``{port}``, ``{config}`` and ``{data}``, an empty directory.
        speech: how one speaks to it.
        config: what is in its configuration file, with ``{port}``.
        announces: it takes a port of its own, and its first line is ``listening on HOST:PORT``.
    """

    name: str
    tool: str
    arguments: tuple[str, ...]
    speech: Speech
    config: str = ""
    announces: bool = False

    @property
    def path(self) -> str | None:
        """Where the program is; None if it is not installed."""
        return shutil.which(self.tool, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


_SERVE = ("-m", "chatctl", "serve", "--port=0", "--rate=0", "--max-per-ip=0")
_CHAT = Speech(
    hello=b'{"t":"hello","v":1,"name":"b{i}","backlog":0}\n',
    ready=b'"t":"room"',
    prefix=b'{"t":"say","text":"',
    suffix=b'"}\n',
)

PEERS = (
    Peer(OWN, sys.executable, (*_SERVE, "--data={data}"), _CHAT, announces=True),
    Peer(f"{OWN} --ephemeral", sys.executable, (*_SERVE, "--ephemeral"), _CHAT, announces=True),
    Peer(
        "ncat --chat",
        "ncat",
        ("-lk", "--chat", "-m", "20000", "127.0.0.1", "{port}"),
        Speech(ready=b"<announce> already connected"),
    ),
    Peer(
        "nats-server",
        "nats-server",
        ("-a", "127.0.0.1", "-p", "{port}"),
        Speech(
            hello=b'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\nSUB b 1\r\nPING\r\n',
            ready=b"PONG",
            prefix=b"PUB b %d\r\n" % PAYLOAD,
            suffix=b"\r\n",
        ),
    ),
    Peer(
        "ngircd",
        "ngircd",
        ("-n", "-f", "{config}"),
        Speech(
            hello=b"NICK b{i}\r\nUSER b 0 * :b\r\n",
            ready=b" 001 ",
            join=b"JOIN #b\r\n",
            joined=b" 366 ",
            prefix=b"PRIVMSG #b :",
            suffix=b"\r\n",
        ),
        _NGIRCD,
    ),
    Peer("mosquitto", "mosquitto", ("-c", "{config}"), _MQTT, _MOSQUITTO),
)

# These are measured beside the first of the others alone: nobody else encrypts, or speaks several languages.
SEALED = Peer(
    f"{OWN} --tls required",
    sys.executable,
    (*_SERVE, "--data={data}", "--tls=required"),
    replace(_CHAT, tls=True),
    announces=True,
)
PLAIN = Peer(
    f"{OWN}, plain text",
    sys.executable,
    (*_SERVE, "--data={data}"),
    replace(_CHAT, receiving=Speech(hello=b"b{i}\n", ready=b"- in #lobby")),
    announces=True,
)

_HELLO = b'{"t":"hello","v":1,"name":"b{i}","backlog":0}'
_UPGRADING = Speech(
    hello=b"GET /ws HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    ready=b"101 Switching Protocols",
    # A frame whose mask is zero, which changes nothing; a number has two characters more than {i}.
    join=bytes([0x81, 0x80 + len(_HELLO) + 2, 0, 0, 0, 0]) + _HELLO,
    joined=b'"t":"room"',
)
WEBSOCKET = Peer(
    f"{OWN}, WebSockets",
    sys.executable,
    (*_SERVE, "--data={data}"),
    replace(_CHAT, receiving=_UPGRADING),
    announces=True,
)


@contextmanager
def running(peer: Peer) -> Iterator[tuple[tuple[str, int], int]]:
    """Runs a server on a free port; yields its address and its process id.

    Raises:
        RuntimeError: it does not start.
    """
    port = _free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "config"
        config.write_text(peer.config.format(port=port))
        places = {"port": port, "config": config, "data": Path(directory) / "data"}
        arguments = [word.format(**places) for word in peer.arguments]
        with started([str(peer.path), *arguments], announces=peer.announces) as process:
            if peer.announces:
                address = announced(process)
            else:
                address = ("127.0.0.1", port)
                _wait_until_it_listens(peer, process, port)
            yield address, process.pid


@contextmanager
def started(command: list[str], *, announces: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a process, which is stopped and waited for whatever happens; `announces`: its output is read."""
    output = subprocess.PIPE if announces else subprocess.DEVNULL
    with ExitStack() as stack:
        with held_back():
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL, env=environment())
            stack.callback(_stop, process)
        yield process


def announced(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    """Waits for the line that says where a server listens; returns the address.

    Raises:
        RuntimeError: it says something else, or nothing.
    """
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline().decode() if readable else ""
    if not line.startswith("listening on "):
        raise RuntimeError(f"instead of listening: {line!r}")
    host, _, port = line.removeprefix("listening on ").strip().rpartition(":")
    return host, int(port)


def environment() -> dict[str, str]:
    """Returns the environment without what would change chatctl's options.

    Python keeps what it compiled, as it does for what is installed.
    """
    dropped = ("CHATCTL_", "PYTHONDONTWRITEBYTECODE")
    return {key: value for key, value in os.environ.items() if not key.startswith(dropped)}


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def _wait_until_it_listens(peer: Peer, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _listens(port):
            return
        time.sleep(0.02)
    raise RuntimeError(f"{peer.name} does not start")


def _listens(port: int) -> bool:
    """Looks without connecting: ncat ends when its first client is gone before it was accepted."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
