"""What is typed without being seen, where there is no input line: by the terminal's own means."""

from __future__ import annotations

import sys
from typing import Any


class HiddenInput:
    """Reads from the terminal without echo, which can be brought back from another thread."""

    def __init__(self) -> None:
        self._before: list[Any] | None = None

    def ask(self, prompt: str) -> str:
        """Returns a line that is typed; an empty one at the end of what is typed."""
        import getpass
        import termios

        descriptor = sys.stdin.fileno()
        self._before = termios.tcgetattr(descriptor)
        try:
            return getpass.getpass(prompt)
        except EOFError:
            return ""
        finally:
            self._before = None

    def restore(self) -> None:
        """Lets what is typed be seen again, if somebody is being asked: nobody will wait for the answer."""
        if self._before is not None:
            import termios

            termios.tcsetattr(sys.stdin.fileno(), termios.TCSAFLUSH, self._before)
