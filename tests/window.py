"""``chatctl join`` in a real terminal, whose screen can be looked at."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
from types import TracebackType
from typing import Self

import pyte

from tests.forked import start
from tests.helpers import RunningServer, environment, wait_for

STAMP = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?= )")  # in front of plain lines
CLOCK = re.compile(r"^\d\d:\d\d(?=[ \u2713])")


def address(server: RunningServer) -> str:
    return f"{server.host}:{server.port}"


def command(server: RunningServer | str, name: str, *args: str) -> list[str]:
    where = server if isinstance(server, str) else address(server)
    return [sys.executable, "-m", "chatctl", "join", where, "--name", name, *args]


class Window:
    """``chatctl join`` in a terminal of its own.

    Args:
        server: that it joins, or its address.
        name: to join by.
        args: of the command.
        columns: of the window, which has 24 lines.
        env: environment variables to set.
        stdin: where its input comes from, if not from the terminal.
        stdout: where its output goes, if not to the terminal.
    """

    def __init__(
        self,
        server: RunningServer | str,
        name: str,
        *args: str,
        columns: int = 80,
        env: dict[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
    ) -> None:
        self.screen = pyte.Screen(columns, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.sent = b""  # all that the terminal was ever sent
        self._shown: list[str] = []  # as it was when the last of that came
        self._master, self._slave = pty.openpty()
        self.resize(columns)
        self.proc = start(
            command(server, name, *args)[3:],
            environment(**({"TERM": "xterm-256color"} | (env or {}))),
            [self._slave if stdin is None else stdin, self._slave if stdout is None else stdout, self._slave],
            session=True,
            terminal=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error:
            sys.stderr.write("\n".join(["the screen:", *self.lines(), ""]))
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.hang_up()
        os.close(self._slave)
        for stream in (self.proc.stdin, self.proc.stdout):
            if stream:
                stream.close()

    def hang_up(self) -> None:
        """Takes the terminal away."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def resize(self, columns: int) -> None:
        """Makes the window as wide as `columns`, which its program is told."""
        self.screen.resize(columns=columns)
        self._shown = []
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def enter(self, line: str) -> None:
        self.type(f"{line}\r")

    def lines(self) -> list[str]:
        """Returns the screen as it is now, without the empty lines at its end, times as ``HH:MM``."""
        if self._take_what_came() or not self._shown:
            self._shown = [CLOCK.sub("HH:MM", line.rstrip()) for line in self.screen.display]
            while self._shown and not self._shown[-1]:
                self._shown.pop()
        return self._shown

    def _take_what_came(self) -> bool:
        """Returns whether anything came since the last time."""
        before = len(self.sent)
        while self._master >= 0 and select.select([self._master], [], [], 0)[0]:
            data = os.read(self._master, 1 << 16)
            self.sent += data
            self._stream.feed(data)
        return len(self.sent) > before

    def text(self) -> str:
        """Returns the whole screen as it is now."""
        self.lines()
        return "\n".join(line.rstrip() for line in self.screen.display)

    def expect(self, *wanted: str) -> None:
        """Waits until these lines stand together at the end of the screen."""
        wait_for(lambda: self.lines()[-len(wanted) :] == list(wanted), f"{wanted} at the end of the screen")

    def expect_above(self, *wanted: str) -> None:
        """Waits until these lines stand together above the last one, whatever that is."""
        wait_for(
            lambda: self.lines()[-len(wanted) - 1 : -1] == list(wanted),
            f"{wanted} above the end of the screen",
        )

    def expect_somewhere(self, text: str) -> None:
        """Waits until `text` stands anywhere on the screen."""
        wait_for(lambda: text in "\n".join(self.lines()), f"{text!r} on the screen")

    def end(self) -> int:
        """Waits for the end of the program; returns its exit code."""
        wait_for(self._ended, "the end of the program")
        self.lines()
        assert b"Traceback" not in self.sent
        flags = termios.tcgetattr(self._slave)[3]
        assert flags & termios.ECHO, "what is typed next would not be seen"
        assert flags & termios.ICANON
        return self.proc.wait()

    def _ended(self) -> bool:
        self.lines()  # Nobody can write to a terminal that nobody reads.
        return self.proc.poll() is not None
