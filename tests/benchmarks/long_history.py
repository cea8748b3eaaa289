"""What a long history costs: starting, joining, searching and catching up, with a million messages kept."""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median

from chatctl.history.log import Post
from chatctl.history.sqlite import SqliteLog
from tests.benchmarks.peers import announced, started

KEPT = 1_000_000  # messages
BATCH = 1_000
BEHIND = 10_000  # messages that a client missed
RARE = "needle"  # in one message of all
WORDS = tuple(f"word{number}" for number in range(2_000))
READ_BYTES = 256 * 1024
ANSWER_SECONDS = 60.0


def measure(rounds: int, kept: int = KEPT) -> dict[str, tuple[float, float]]:
    """Returns each figure's medians: with an empty history, and with `kept` messages."""
    with tempfile.TemporaryDirectory() as directory:
        empty, full = Path(directory) / "empty", Path(directory) / "full"
        for data in (empty, full):
            data.mkdir()
        _fill(full, kept)
        measured: dict[str, tuple[list[float], list[float]]] = {}
        for _ in range(rounds):
            for side, data in enumerate((empty, full)):
                for name, value in _measure_once(data).items():
                    measured.setdefault(name, ([], []))[side].append(value)
    return {name: (median(before), median(after)) for name, (before, after) in measured.items()}


def _fill(data: Path, kept: int) -> None:
    """Makes a history of `kept` messages in the lobby, as the server itself would."""
    with closing(SqliteLog(data)) as log:
        for first in range(0, kept, BATCH):
            log.append("lobby", [_post(number) for number in range(first, min(first + BATCH, kept))])
        log.append("lobby", [Post("ann", "ann", f"a {RARE} in the hay")])
        log.search(RARE, ["lobby"], 1)  # completes the index


def _post(number: int) -> Post:
    words = (WORDS[number * factor % len(WORDS)] for factor in (7, 31, 113, 257, 911))
    return Post("bob", "bob", f"{' '.join(words)} number {number}")


def _measure_once(data: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "chatctl", "serve", "--port=0", "--rate=0", f"--data={data}"]
    begun = time.perf_counter()
    with started(command, announces=True) as process:
        address = announced(process)
        figures = {"start to listen, ms": 1000 * (time.perf_counter() - begun)}
        with _client(address, {"lobby": None}) as (_, seconds, last, _):
            figures["join with the last 50, ms"] = 1000 * seconds
        behind = min(last, BEHIND)
        with _client(address, {"lobby": last - behind}) as (sock, seconds, _, replayed):
            if replayed != behind:
                raise RuntimeError(f"{replayed} messages were replayed instead of {behind}")
            figures[f"catch up on {BEHIND:,}, ms"] = 1000 * seconds
            begun = time.perf_counter()
            sock.sendall(b'{"t":"search","text":"%s"}\n' % RARE.encode())
            _read_until(sock, b'"t":"found"')
            figures["search for a rare word, ms"] = 1000 * (time.perf_counter() - begun)
        figures["memory, MB"] = _memory(process.pid) / 1e6
    return figures


@contextmanager
def _client(
    address: tuple[str, int], rooms: dict[str, int | None]
) -> Iterator[tuple[socket.socket, float, int, int]]:
    """Joins; yields the connection, the seconds until all was replayed, the newest id, and how many came."""
    begun = time.perf_counter()
    with socket.create_connection(address, ANSWER_SECONDS) as sock:
        hello = {"t": "hello", "v": 1, "name": "reader", "rooms": rooms}
        sock.sendall(json.dumps(hello).encode() + b'\n{"t":"ping"}\n')
        lines = _read_until(sock, b'{"t":"pong"').splitlines()
        seconds = time.perf_counter() - begun
        state = next(json.loads(line) for line in lines if line.startswith(b'{"t":"room"'))
        yield sock, seconds, state["last"], sum(line.startswith(b'{"t":"msg"') for line in lines)
        sock.sendall(b'{"t":"bye"}\n')
        _read_until(sock, b'{"t":"bye"')


def _read_until(sock: socket.socket, mark: bytes) -> bytes:
    """Reads up to the line that holds `mark`.

    Raises:
        ConnectionError: the server closed before.
    """
    read = bytearray()
    while mark not in read[-READ_BYTES - len(mark) :] or not read.endswith(b"\n"):
        data = sock.recv(READ_BYTES)
        if not data:
            raise ConnectionError("the server closed the connection")
        read += data
    return bytes(read)


def _memory(pid: int) -> int:
    """Returns the resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
