"""How the chat looks and sounds on one's own terminal: what can be chosen. Plain data, quick to import."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Theme(StrEnum):
    """The colours."""

    auto = "auto"  # can be read on black and on white
    dark = "dark"
    light = "light"
    mono = "mono"
    high_contrast = "high-contrast"


class Timestamp(StrEnum):
    """What stands in front of a message."""

    off = "off"
    time = "time"
    datetime = "datetime"


class Bell(StrEnum):
    """What rings."""

    off = "off"
    mentions = "mentions"  # what names this person, or is sent to them alone
    all = "all"


class Notify(StrEnum):
    """How the desktop is told of what rings: by which escape sequence, if at all."""

    off = "off"
    osc9 = "osc9"
    osc777 = "osc777"


@dataclass(frozen=True, slots=True)
class Look:
    """All of it.

    Attributes:
        theme: the colours.
        timestamp: what stands in front of a message; None for the time on a terminal, and both in a pipe.
        bell: what rings.
        notify: whether the desktop is told.
        title: the terminal's title shows what was not read yet.
    """

    theme: Theme = Theme.auto
    timestamp: Timestamp | None = None
    bell: Bell = Bell.mentions
    notify: Notify = Notify.off
    title: bool = True

    def changed(self, what: str, value: str) -> Look:
        """Returns a look of which one attribute is another.

        Raises:
            ValueError: there is no such attribute to be changed while one chats, or it cannot be `value`.
        """
        match what:
            case "theme":
                return replace(self, theme=Theme(value))
            case "timestamp":
                return replace(self, timestamp=Timestamp(value))
            case "bell":
                return replace(self, bell=Bell(value))
            case "notify":
                return replace(self, notify=Notify(value))
        raise ValueError(f"there is no {what} to be changed")
