"""What people, rooms, roles and times are called where they are shown. No I/O."""

from __future__ import annotations

import time

from rich.text import Text

from chatctl.client.display.entry import styled
from chatctl.client.display.themes import Palette
from chatctl.messages import Role
from chatctl.text import one_line


def name_text(name: str, colours: Palette) -> Text:
    """Returns a name in its colour."""
    return styled(one_line(name), colours.name_style(name))


def room_label(room: str) -> str:
    """Returns a room as people write it."""
    return f"#{one_line(room)}"


def role_label(role: Role) -> str:
    """Returns what somebody of that role is."""
    return "an owner" if role == "owner" else f"a {role}"


def local_time(at: int, form: str) -> str | None:
    """Returns a local time; None if no calendar has it, as a server may send any number.

    Args:
        at: milliseconds since the Unix epoch.
        form: as `time.strftime` has it.
    """
    try:
        return time.strftime(form, time.localtime(at / 1000))
    except (OverflowError, ValueError, OSError):
        return None
