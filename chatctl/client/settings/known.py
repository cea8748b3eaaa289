"""Which settings there are, and what each of them may be."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from chatctl.address import DEFAULT_HOST, DEFAULT_PORT, is_link, split_address
from chatctl.client.display.look import Bell, Look, Notify, Theme, Timestamp
from chatctl.errors import ChatError
from chatctl.text import one_line

T = TypeVar("T")

Value = str | int  # or a bool, which is an int

DEFAULT_BACKLOG = 50
MAX_BACKLOG = 500
MAX_KEY = 1_024  # characters
FLAGS = {
    **dict.fromkeys(("true", "yes", "on", "t", "y", "1"), True),
    **dict.fromkeys(("false", "no", "off", "f", "n", "0"), False),
}


class Setting(NamedTuple):
    """One of them.

    Attributes:
        default: what holds when nobody says anything; None where that is not known here.
        check: returns a value as it is used, or raises ValueError, which says what it must be.
        words: what it does.
        example: of a value, for the template, where there is no default.
        negated: its variable, CHATCTL_NO_…, says the contrary.
    """

    default: Value | None
    check: Callable[[object], Value]
    words: str
    example: Value = ""
    negated: bool = False

    @property
    def choices(self) -> list[str]:
        """All that it can be, if these are few."""
        if isinstance(self.default, bool):
            return ["true", "false"]
        known = self.default or self.example
        return list(type(known)) if isinstance(known, StrEnum) else []


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f'must be text in quotes, as "…", not {told(value)}')


def _server(value: object) -> str:
    address = _text(value)
    if not is_link(address):
        split_address(address, DEFAULT_PORT)
        return address
    from chatctl.invite import parse_link

    _accepted(parse_link, address)
    return address


def _name(value: object) -> str:
    from chatctl.names import check_name

    return _accepted(check_name, _text(value))


def _room(value: object) -> str:
    from chatctl.names import check_room

    return _accepted(check_room, _text(value))


def _accepted(check: Callable[[str], T], value: str) -> T:
    try:
        return check(value)
    except ChatError as refusal:
        raise ValueError(str(refusal)) from None


def _key(value: object) -> str:
    # A key is a secret: an error does not repeat it.
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= MAX_KEY:
        raise ValueError(f"must be text in quotes: one line of at most {MAX_KEY} characters")
    return value


def _one_of(choices: type[StrEnum]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if value not in list(choices):
            *most, last = choices
            raise ValueError(f"must be {', '.join(most)} or {last}, not {told(value)}")
        return str(value)

    return check


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be true or false, not {told(value)}")


def _backlog(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_BACKLOG:
        raise ValueError(f"must be a whole number from 0 to {MAX_BACKLOG}, not {told(value)}")
    return value


_LOOK = Look()

SETTINGS = {
    "server": Setting(f"{DEFAULT_HOST}:{DEFAULT_PORT}", _server, "Where the server is, or a link to it."),
    "name": Setting(None, _name, "What you are called; else it is your login name.", "bob"),
    "room": Setting("lobby", _room, "The room to enter."),
    "key": Setting(None, _key, "Lets you in, where the server asks for one.", "secret"),
    "insecure": Setting(False, _flag, "Do without TLS, to other machines too."),
    "theme": Setting(_LOOK.theme, _one_of(Theme), "The colours: auto, dark, light, mono or high-contrast."),
    "timestamp": Setting(
        None,
        _one_of(Timestamp),
        "In front of messages: off, time or datetime; else the time, and in a pipe the date too.",
        Timestamp.time,
    ),
    "bell": Setting(_LOOK.bell, _one_of(Bell), "What rings: off, mentions or all."),
    "notify": Setting(_LOOK.notify, _one_of(Notify), "How the desktop is told of it: off, osc9 or osc777."),
    "title": Setting(_LOOK.title, _flag, "The terminal's title counts what was not read yet."),
    "plain": Setting(False, _flag, "Plain lines, as for a screen reader."),
    "backlog": Setting(DEFAULT_BACKLOG, _backlog, "How many earlier messages are shown on coming in."),
    "reconnect": Setting(True, _flag, "Come back when the connection is lost.", negated=True),
}


def variable(name: str) -> str:
    """Returns the environment variable that says the same as a setting, or the contrary."""
    return f"CHATCTL_{'NO_' if SETTINGS[name].negated else ''}{name.upper()}"


def parse(name: str, text: str) -> Value:
    """Returns what `text` means as a setting's value, as people write it outside of TOML.

    Raises:
        ValueError: says what it must be.
    """
    setting = SETTINGS[name]
    value: object = text
    if isinstance(setting.default, bool):
        value = FLAGS.get(text.lower(), text)
    elif isinstance(setting.default, int) and text.isascii() and text.isdigit():
        value = int(text[:9])
    return setting.check(value)


def told(value: object) -> str:
    """Returns a value as TOML and people write it, in one line."""
    match value:
        case str():
            import json

            return json.dumps(one_line(value), ensure_ascii=False)
        case bool():
            return str(value).lower()
        case dict():
            return "a table"
        case list():
            return "a list"
    return str(value)
