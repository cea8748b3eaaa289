"""The password that `/register` and `/login` need: what is asked, and the frame that it makes. No I/O."""

from __future__ import annotations

from chatctl import commands
from chatctl.commands import UsageError
from chatctl.messages import MAX_PASSWORD, Login, Register
from chatctl.names import check_name
from chatctl.text import one_line

CANCELLED = "nothing was changed"


class Question:
    """Asks for a password, for a new one twice.

    Args:
        action: what it is for.
        name: what one is called.

    Attributes:
        prompt: what stands in front of the answer.

    Raises:
        Refused: the name to log in by is none.
    """

    def __init__(self, action: commands.Register | commands.Login, name: str) -> None:
        self._login = None if isinstance(action, commands.Register) else check_name(action.name or name)
        self._first = ""
        whose = one_line(self._login or name)
        self.prompt = f"new password for {whose}: " if self._login is None else f"password of {whose}: "

    def answer(self, password: str) -> Register | Login | None:
        """Takes an answer; returns what is to be sent, or None if there is more to ask.

        Raises:
            UsageError: that is the end of it, and why.
        """
        if not password:
            raise UsageError(f"there is no password: {CANCELLED}")
        if len(password.encode(errors="replace")) > MAX_PASSWORD:
            raise UsageError(f"a password has at most {MAX_PASSWORD} bytes: {CANCELLED}")
        if self._login is not None:
            return Login(password, self._login)
        if not self._first:
            self._first, self.prompt = password, "the same again: "
            return None
        if password != self._first:
            raise UsageError(f"those were two passwords: {CANCELLED}")
        return Register(password)
