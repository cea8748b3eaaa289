"""What people are asked who type lines: who they are, and passwords. No I/O."""

from __future__ import annotations

from typing import Protocol

from chatctl.framing import Fault
from chatctl.messages import VERSION, ClientFrame, Error, Hello, Login, Register

TRIES = 3  # of each: the name, the key, the password
AGENT = "plain text"

_LEFT = Fault("bye", "goodbye")
_ABOUT_THE_NAME = {"bad-name", "name-taken"}


class Question(Protocol):
    """Something that is asked."""

    @property
    def prompt(self) -> str:
        """As it is shown."""

    @property
    def is_secret(self) -> bool:
        """Whether nobody is to see what is typed."""

    def answer(self, line: str) -> ClientFrame | Fault | None:
        """Returns what follows from an answer; None if there is more to ask."""


class ComingIn:
    """Asks for a name, and for a key and a password if the server says that they are needed."""

    __slots__ = ("_asked", "_given", "_tries")

    def __init__(self) -> None:
        self._asked = "name"
        self._given: dict[str, str] = {}
        self._tries = dict.fromkeys(("name", "key", "password"), TRIES)

    @property
    def prompt(self) -> str:
        """As it is shown."""
        return f"{self._asked}: "

    @property
    def is_secret(self) -> bool:
        """Whether nobody is to see what is typed."""
        return not self.asks_name

    @property
    def asks_name(self) -> bool:
        """Whether it is the name that is asked for."""
        return self._asked == "name"

    def answer(self, line: str) -> Hello | Fault | None:
        """Returns the hello that an answer makes, or that they leave; None if it says nothing."""
        if leaves(line):
            return _LEFT
        value = line if self._asked == "password" else line.strip()
        if not value:
            return None
        if self._asked == "name":
            self._given.clear()
        self._given[self._asked] = value
        name, key, password = (self._given.get(what) for what in ("name", "key", "password"))
        return Hello(v=VERSION, name=name or "", key=key, password=password, agent=AGENT)

    def refused(self, error: Error) -> bool:
        """Notes that a hello was refused; returns whether there is something else to ask."""
        asked = "name" if error.code in _ABOUT_THE_NAME else error.wants
        if asked is None:
            return False
        if asked in self._given:  # It was wrong.
            self._tries[asked] -= 1
        self._asked = asked
        return self._tries[asked] > 0


def leaves(answer: str) -> bool:
    """Returns whether whoever is asked who they are goes instead."""
    return answer.strip() in ("exit", "/quit")


class LoggingIn:
    """Asks for the password of an account."""

    __slots__ = ("_name",)
    prompt = "password: "
    is_secret = True

    def __init__(self, name: str | None) -> None:
        self._name = name

    def answer(self, line: str) -> Login:
        """Returns what logs them in."""
        return Login(line, self._name)


class Registering:
    """Asks for a new password, twice, since it may not be seen."""

    __slots__ = ("_password", "prompt")
    is_secret = True

    def __init__(self) -> None:
        self.prompt = "new password: "
        self._password: str | None = None

    def answer(self, line: str) -> Register | Fault | None:
        """Returns what makes the account; None after the first answer."""
        if self._password is None:
            self._password = line
            self.prompt = "once more: "
            return None
        if line != self._password:
            return Fault("bad-text", "the two passwords differ: nothing is changed", fatal=False)
        return Register(line)
