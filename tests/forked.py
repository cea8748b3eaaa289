"""Processes of chatctl that are there at once: forked from one that has imported all of it.

What they do is done as in any other process, with standard streams, an environment and an end of their
own. Only the start is left out, which takes most of the time of a short command. How chatctl starts is seen
in those that are started with ``subprocess``.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
STREAMS = 3
# What the interpreter, or a module while it is imported, reads from the environment.
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "FORCE_COLOR", "PY_COLORS", "TERMINAL_WIDTH")


def read_at_start(env: dict[str, str]) -> dict[str, str]:
    """Returns what of an environment counts for good once a process has started."""
    return {key: value for key, value in env.items() if key.startswith(READ_AT_START)}


class Forge:
    """The process that others are forked from.

    Args:
        env: in which it starts; others can only be forked where what is read at the start is the same.
    """

    def __init__(self, env: dict[str, str]) -> None:
        env = env | {"PYTHONPATH": str(ROOT)}
        self.counts = read_at_start(env)
        self._directory = tempfile.TemporaryDirectory(prefix="chatctl-forge-")
        self.path = f"{self._directory.name}/socket"
        self._lives, theirs = socket.socketpair()
        with theirs, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.path)
            listener.listen(100)
            descriptors = [theirs.fileno(), listener.fileno()]
            self._proc = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", *map(str, descriptors)],
                cwd=ROOT,
                env=env,
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def fork(self, request: dict[str, Any], streams: Sequence[int]) -> socket.socket:
        """Returns what tells the number of the new process, and then how it ended."""
        told = socket.socket(socket.AF_UNIX)
        told.connect(self.path)
        socket.send_fds(told, [b"f"], streams)
        told.sendall(json.dumps(request).encode() + b"\n")
        return told

    def close(self) -> None:
        """Ends it, and whatever was forked and has not ended."""
        self._lives.close()
        self._proc.wait()
        self._directory.cleanup()


_forges: list[Forge] = []


def close_forge() -> None:
    """Ends the process that others were forked from, if there is one."""
    while _forges:
        _forges.pop().close()


def forge_for(env: dict[str, str]) -> Forge | None:
    """Returns what can fork a process with this environment."""
    if not _forges:
        _forges.append(Forge(env))
    return _forges[0] if _forges[0].counts == read_at_start(env) else None


class Forked:
    """A forked process, to be used like a ``subprocess.Popen`` that has no pipes."""

    def __init__(self, args: Sequence[str], told: socket.socket) -> None:
        self.args = args
        self.stdin: Any = None
        self.stdout: Any = None
        self.returncode: int | None = None
        self._told = told
        self._lines = told.makefile("r")
        self.pid = int(self._lines.readline())

    def poll(self) -> int | None:
        """Returns the exit code if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Returns the exit code, minus the number of the signal that ended it.

        Raises:
            subprocess.TimeoutExpired: it has not ended within `timeout` seconds.
        """
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
            self.returncode = int(self._lines.readline())
            self._lines.close()
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def start(
    args: Sequence[str],
    env: dict[str, str],
    streams: Sequence[int],
    *,
    cwd: Path | None = None,
    session: bool = False,
    terminal: bool = False,
    preexec: Callable[[], None] | None = None,
    fork: bool = True,
) -> Forked | subprocess.Popen[bytes]:
    """Starts ``chatctl`` with these arguments, by forking if that does.

    Args:
        args: of the command.
        env: all of its environment.
        streams: descriptors of its standard input, output and error; if one is to be a new pipe, the
            process is not forked.
        cwd: where it starts, if not where this process is.
        session: whether it has a session of its own.
        terminal: whether its standard error is the terminal of that.
        preexec: called in the new process before it becomes chatctl; a forked one is chatctl already.
        fork: whether it may be forked.
    """
    if fork and not preexec and subprocess.PIPE not in streams and (forge := forge_for(env)):
        request = {
            "args": list(args),
            "env": env,
            "cwd": str(cwd or Path.cwd()),
            "session": session,
            "terminal": terminal,
        }
        return Forked(args, forge.fork(request, streams))
    return subprocess.Popen(
        [sys.executable, "-m", "chatctl", *args],
        env=env,
        cwd=cwd,
        stdin=streams[0],
        stdout=streams[1],
        stderr=streams[2],
        start_new_session=session,
        preexec_fn=_take_terminal if terminal else preexec,  # noqa: PLW1509 - limits are set before exec
    )


def run(
    args: Sequence[str],
    env: dict[str, str],
    *,
    stdin: str = "",
    timeout: float,
    preexec: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs ``chatctl`` with these arguments to its end, as ``subprocess.run`` would.

    Args:
        args: of the command.
        env: all of its environment.
        stdin: what it reads.
        timeout: seconds after which it is killed, and the test fails.
        preexec: as of ``start``.
    """
    done = run_on_bytes(args, env, stdin=stdin.encode(), timeout=timeout, preexec=preexec)
    return subprocess.CompletedProcess(args, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_on_bytes(
    args: Sequence[str],
    env: dict[str, str],
    *,
    stdin: bytes = b"",
    timeout: float,
    preexec: Callable[[], None] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Does what ``run`` does with text that need not be UTF-8."""
    pipes = [os.pipe() for _ in range(STREAMS)]
    (reading, writing), (out, to_out), (err, to_err) = pipes
    process = start(args, env, [reading, to_out, to_err], preexec=preexec)
    for theirs in (reading, to_out, to_err):
        os.close(theirs)
    with os.fdopen(out, "rb") as output, os.fdopen(err, "rb") as errors, ThreadPoolExecutor(3) as pool:
        pool.submit(_write, writing, stdin)
        printed, told = pool.submit(output.read), pool.submit(errors.read)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        return subprocess.CompletedProcess(args, code, printed.result(), told.result())


def _write(descriptor: int, data: bytes) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as file:
        file.write(data)


# In the process that others are forked from


def _warm_up() -> None:
    """Has all imported, also what is imported where it is used, and what is made once made."""
    import pkgutil
    from importlib import import_module

    from typer.testing import CliRunner

    import chatctl
    from chatctl import names
    from chatctl.access import passwords
    from chatctl.cli import app
    from chatctl.server.web.table import routes

    for module in pkgutil.walk_packages(chatctl.__path__, "chatctl."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    for name in ("prompt_toolkit.shortcuts", "rich.markdown", "rich.panel", "rich.table", "tomlkit", "segno"):
        import_module(name)
    names.prepare()
    passwords.prepare()
    routes()
    _build_commands()
    for args in (["config", "path"], ["--help"], ["serve", "--no-such-option"], ["join", "--help"]):
        CliRunner().invoke(app, args)


def _build_commands() -> None:
    """Has each command built once and for all, with what checks the values of its options."""
    from chatctl.cli import commands

    commands._build = cache(commands._build)
    known = commands.Commands()
    for name in known.list_commands(None):
        _prepare_options(known.get_command(None, name))


def _prepare_options(command: Any) -> None:
    for parameter in command.params:
        parameter.get_runtime_param()
    for inner in getattr(command, "commands", {}).values():
        _prepare_options(inner)


def _fork_for(lives: socket.socket, listener: socket.socket) -> dict[str, Any]:
    """Forks whenever it is asked to; returns in the new processes alone, with what they are asked for."""
    ended, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    running: dict[int, socket.socket] = {}
    while True:
        ready = select.select([lives, listener, ended], [], [])[0]
        if lives in ready:
            _end_all(running)
        if ended in ready:
            ended.recv(1 << 10)
            _tell_ends(running)
        if listener in ready:
            told, _ = listener.accept()
            _, streams, *_ = socket.recv_fds(told, 1, STREAMS)
            if not streams:  # It could not give them away.
                told.close()
                continue
            with told.makefile("r") as lines:
                request: dict[str, Any] = json.loads(lines.readline())
            pid = os.fork()
            if not pid:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for other in (lives, listener, ended, wake, told, *running.values()):
                    other.close()
                request["streams"] = streams
                return request
            for stream in streams:
                os.close(stream)
            told.sendall(f"{pid}\n".encode())
            running[pid] = told


def _tell_ends(running: dict[int, socket.socket]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as told, suppress(BrokenPipeError):
            told.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _end_all(running: dict[int, socket.socket]) -> None:
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    os._exit(0)


def _become(request: dict[str, Any]) -> None:
    """Makes a process that was just forked what it would be if it had been started."""
    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    if request["session"]:
        os.setsid()
    if request["terminal"]:
        _take_terminal()
    sys.argv = ["chatctl", *request["args"]]
    sys.stdin = sys.__stdin__ = _stream(sys.stdin, "r")  # type: ignore[misc]  # final, but for whoever starts
    sys.stdout = sys.__stdout__ = _stream(sys.stdout, "w")  # type: ignore[misc]  # as above
    sys.stderr = sys.__stderr__ = _stream(sys.stderr, "w")  # type: ignore[misc]  # as above


class Ending:
    """Ends the process as the interpreter does, but without throwing all modules away, which takes long."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> NoReturn:
        code = error.code if isinstance(error, SystemExit) else int(error is not None)
        if kind and error and not isinstance(error, SystemExit):
            sys.excepthook(kind, error, traceback)
        threading._shutdown()  # type: ignore[attr-defined]  # what the interpreter calls at its end
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream:
                    stream.flush()
            except OSError as failure:
                print(f"Exception ignored in: {stream!r}\n{failure!r}", file=sys.stderr)
                code = 120
        os._exit(code if isinstance(code, int) else int(code is not None))


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(2, termios.TIOCSCTTY, 0)


def _stream(like: Any, mode: str) -> Any:
    made: Any = os.fdopen(like.fileno(), mode, encoding=like.encoding, errors=like.errors, closefd=False)
    made.reconfigure(line_buffering=like is sys.stderr or made.isatty(), write_through=like.write_through)
    return made


if __name__ == "__main__":
    import gc

    _warm_up()
    gc.freeze()
    _become(_fork_for(*(socket.socket(fileno=int(number)) for number in sys.argv[1:])))

    from chatctl.cli import main

    with Ending():
        main()
