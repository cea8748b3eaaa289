"""Pipelines in a real shell, where ``chatctl`` is the one of this checkout."""

from __future__ import annotations

import fcntl
import os
import pty
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from tests.forked import Forked, forge_for, start
from tests.helpers import SECONDS, RunningServer, environment, fresh

MORE_THAN_WORDS = frozenset("|&;<>()$`*?[\n")  # Where none of them is, a shell does nothing but split.


@cache
def _bin(*command: str) -> tempfile.TemporaryDirectory[str]:
    """Makes a directory that holds ``chatctl``, which is this command of Python, and nothing else."""
    directory = tempfile.TemporaryDirectory(prefix="chatctl-bin-")
    path = Path(directory.name) / "chatctl"
    path.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, *command])} "$@"\n')
    path.chmod(0o755)
    return directory


def shell_environment(server: RunningServer | str, **changes: str) -> dict[str, str]:
    """Returns an environment in which commands go to `server`, or to its address, as eve."""
    address = server if isinstance(server, str) else f"{server.host}:{server.port}"
    given = {"CHATCTL_SERVER": address, "CHATCTL_NAME": "eve", "TZ": "UTC"} | changes
    return environment(PATH=f"{_bin('-m', 'chatctl').name}:{os.environ['PATH']}", **given)


def _forking(env: dict[str, str]) -> dict[str, str]:
    """Returns an environment in which ``chatctl`` is forked, if that does."""
    if not (forge := forge_for(env)):
        return env
    forking = _bin("-IS", str(Path(__file__).with_name("forking_command.py")), forge.path)
    return env | {"PATH": f"{forking.name}:{env['PATH']}"}


def run(
    server: RunningServer | str, line: str, *, stdin: str | int = "", cwd: Path | None = None, **env: str
) -> subprocess.CompletedProcess[str]:
    """Runs a line of shell to its end; `stdin` is what it reads, or a descriptor to read from."""
    given = _forking(shell_environment(server, **env))
    source: dict[str, Any] = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
    return subprocess.run(
        ["/bin/sh", "-c", line],
        env=given,
        cwd=cwd,
        **source,
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
    )


def _begin(
    line: str, env: dict[str, str], streams: Sequence[int], cwd: Path
) -> Forked | subprocess.Popen[bytes]:
    """Starts a line of shell in a session of its own; what it becomes at once can be forked."""
    words = shlex.split(line)
    if words[:2] == ["exec", "chatctl"] and not MORE_THAN_WORDS.intersection(line):
        return start(words[2:], env, streams, cwd=cwd, session=True)
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        ["/bin/sh", "-c", line],
        env=env, cwd=cwd, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True,
    )  # fmt: skip


class Job:
    """A line of shell that runs, with its output in files that can be looked at."""

    def __init__(self, server: RunningServer | str, line: str, cwd: Path, **env: str) -> None:
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - closed by running
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 - closed by running
        reading, writing = os.pipe()
        self.stdin = os.fdopen(writing, "wb")
        with os.fdopen(reading) as source:
            streams = [source.fileno(), self._out.fileno(), self._err.fileno()]
            self.proc = _begin(line, shell_environment(server, **env), streams, cwd)

    @property
    def out(self) -> str:
        """What was printed so far."""
        return os.pread(self._out.fileno(), 1 << 24, 0).decode()

    @property
    def err(self) -> str:
        """What was told so far."""
        return os.pread(self._err.fileno(), 1 << 24, 0).decode()

    def write(self, text: str) -> None:
        """Writes to the shell's standard input."""
        self.stdin.write(text.encode())
        self.stdin.flush()

    def end(self, number: signal.Signals | None = None) -> int:
        """Sends a signal to the shell, or what it became; returns its exit code."""
        if number is not None:
            self.proc.send_signal(number)
        return self.proc.wait(SECONDS)

    def close(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.proc.pid, signal.SIGKILL)
        self.proc.wait(SECONDS)
        for file in (self.stdin, self._out, self._err):
            with suppress(BrokenPipeError):
                file.close()


@contextmanager
def running(server: RunningServer | str, line: str, cwd: Path, **env: str) -> Iterator[Job]:
    """Runs a line of shell; shows what it told if the test fails, and ends all that it started."""
    job = Job(server, line, cwd, **env)
    try:
        yield job
    except BaseException:
        sys.stderr.write(f"{line}\n{job.out}{job.err}")
        raise
    finally:
        job.close()


def on_a_terminal(server: RunningServer, line: str) -> bytes:
    """Runs a line of shell in a terminal of 80 columns, to its end; returns what it prints there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    env = _forking(shell_environment(server, TERM="xterm-256color"))
    shown = b""
    with subprocess.Popen(["/bin/sh", "-c", line], env=env, stdin=slave, stdout=slave) as process:
        os.close(slave)
        with suppress(OSError):  # which is the end of what a terminal shows
            while data := os.read(master, 1 << 16):
                shown += data
    os.close(master)
    assert process.returncode == 0
    return shown


def is_there(server: RunningServer, room: str, name: str = "eve") -> bool:
    """Returns whether somebody is in a room."""
    with server.client(fresh("looker"), rooms={}) as client:
        client.send("who", room=room)
        names: list[str] = client.expect("members")["names"]
    return name in names
