"""How people who chat fare while many others log in at once, each by a password that takes long to check."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from statistics import median

from tests.benchmarks.peers import announced, environment, started

LOGINS = 200
QUIET_SECONDS = 2.0  # of chatting before the storm, to compare with
PAUSE = 0.005  # seconds between two messages
TIMEOUT = 60.0
_CHATCTL = [sys.executable, "-m", "chatctl"]
_PASSWORD = "correct horse"


def measure(rounds: int, logins: int = LOGINS) -> dict[str, tuple[float, float, float]]:
    """Returns for each time of the chat its p50, p99 and longest, in milliseconds: medians of the rounds.

    Raises:
        RuntimeError: somebody was not let in.
    """
    measured: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(rounds):
        for name, figures in _measure_once(logins).items():
            measured.setdefault(name, []).append(figures)
    return {name: _medians(figures) for name, figures in measured.items()}


def _medians(figures: list[tuple[float, float, float]]) -> tuple[float, float, float]:
    first, second, third = zip(*figures, strict=True)
    return median(first), median(second), median(third)


def _measure_once(logins: int) -> dict[str, tuple[float, float, float]]:
    with tempfile.TemporaryDirectory() as data:
        _add_account(Path(data))
        command = [*_CHATCTL, "serve", "--port=0", "--rate=0", f"--data={data}"]
        with started(command, announces=True) as process:
            address = announced(process)
            with _Chat(address) as chat:
                time.sleep(QUIET_SECONDS)
                quiet = chat.take()
                begun = time.perf_counter()
                _storm(address, logins)
                seconds = time.perf_counter() - begun
                busy = chat.take()
    return {
        "nobody else": _figures(quiet),
        f"{logins:,} logins at once": _figures(busy),
        "all of them logged in after": (seconds * 1000,) * 3,
    }


def _add_account(data: Path) -> None:
    command = [*_CHATCTL, "user", "add", "crowd", f"--data={data}"]
    quiet = subprocess.DEVNULL
    subprocess.run(
        command, env=environment(), input=_PASSWORD.encode(), stdout=quiet, stderr=quiet, check=True
    )


class _Chat:
    """Two people of whom one says something all the while, and the other notes how long it took."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._over = threading.Event()
        self._taken: list[float] = []
        self._reader = _come_in(address, b'"name":"ann"')
        self._writer = _come_in(address, b'"name":"bob"')
        self._threads = [threading.Thread(target=self._read), threading.Thread(target=self._write)]

    def __enter__(self) -> _Chat:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._threads[1].join()
        self._reader.shutdown(socket.SHUT_RD)
        self._threads[0].join()
        self._reader.close()
        self._writer.close()

    def take(self) -> list[float]:
        """Returns the seconds that messages took since the last time."""
        taken, self._taken = self._taken, []
        return taken

    def _write(self) -> None:
        while not self._over.wait(PAUSE):
            self._writer.sendall(b'{"t":"say","text":"%f"}\n' % time.perf_counter())

    def _read(self) -> None:
        with self._reader.makefile("rb") as lines:
            for line in lines:
                if b'"t":"msg"' in line:
                    said = float(line.partition(b'"text":"')[2].partition(b'"')[0])
                    self._taken.append(time.perf_counter() - said)


def _come_in(address: tuple[str, int], keys: bytes) -> socket.socket:
    """Returns a connection that has its welcome."""
    sock = socket.create_connection(address, TIMEOUT)
    sock.sendall(b'{"t":"hello","v":1,"backlog":0,%s}\n' % keys)
    data = sock.recv(4096)
    if b'"t":"welcome"' not in data:
        raise RuntimeError(f"not let in: {data[:200]!r}")
    return sock


def _storm(address: tuple[str, int], logins: int) -> None:
    failures: list[Exception] = []

    def log_in() -> None:
        try:
            with closing(
                _come_in(address, b'"name":"crowd","password":"%s","rooms":{}' % _PASSWORD.encode())
            ):
                pass
        except (OSError, RuntimeError) as error:
            failures.append(error)

    threads = [threading.Thread(target=log_in) for _ in range(logins)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} of {logins} logins failed: {failures[0]}")


def _figures(seconds: list[float]) -> tuple[float, float, float]:
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(share * (len(ordered) - 1))] for share in (0.5, 0.99))
    return p50 * 1000, p99 * 1000, ordered[-1] * 1000
