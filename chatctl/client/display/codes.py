"""What a terminal is told besides what it shows: to ring, a title, a notification; and who understands it.

Control sequences as of ECMA-48, OSC 2 and CSI 22/23 t as of xterm, OSC 9 as of iTerm2 and ConEmu, OSC 777 as
of rxvt-unicode. Each OSC ends with BEL, which every terminal that knows one takes; nothing that others said
can end it before, or begin another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from chatctl.client.display.look import Notify
from chatctl.text import one_line

RING = "\a"
KEEP_TITLE = "\x1b[22;2t"  # puts the window's title aside
# Brings it back; where nothing was put aside, no title lets the terminal have its own again.
RESTORE_TITLE = "\x1b]2;\a\x1b[23;2t"

MAX_TITLE = 80  # characters
MAX_BODY = 200  # characters

# Consoles and old terminals, which show the letters of what they do not understand.
_NOTHING = ("dumb", "unknown", "linux", "ansi", "cons", "cygwin", "emacs", "eterm", "pcansi", "sun", "wsvt")
_NUMBERED = re.compile(r"vt\d")  # vt100 and its like
_VTE_LINKS = 5001  # from this version on; links crash the one before
# What tells of terminals that wrap anew, in the environment.
_REWRAPPING = frozenset(
    {"TMUX", "VTE_VERSION", "KONSOLE_VERSION", "KITTY_WINDOW_ID", "ALACRITTY_WINDOW_ID", "WT_SESSION"}
)
_REWRAPPING_PROGRAMS = ("iTerm.app", "Apple_Terminal", "WezTerm", "ghostty", "vscode", "tmux")


class Abilities(Struct, frozen=True):
    """What a terminal can be told without showing rubbish.

    Attributes:
        links: what an address opens (OSC 8).
        titles: a title (OSC 2), to keep the old one, and to bring it back.
        notifications: OSC 9 and 777; those who know only one of them, or none, ignore the others.
    """

    links: bool
    titles: bool
    notifications: bool


def abilities(term: str, environ: Mapping[str, str]) -> Abilities:
    """Returns what a terminal can be told.

    Args:
        term: its kind, as in ``TERM``.
        environ: the environment, which tells more of some.
    """
    if "WT_SESSION" in environ:  # The terminal of Windows, which has no TERM.
        return Abilities(links=True, titles=True, notifications=True)
    speaks = bool(term) and not term.lower().startswith(_NOTHING) and not _NUMBERED.match(term)
    # GNU screen shows the end of what is longer than it expects. In tmux TERM may be its name too.
    screen = term.startswith("screen") and "TMUX" not in environ
    vte = environ.get("VTE_VERSION", "")
    old = vte.isdecimal() and int(vte) < _VTE_LINKS
    return Abilities(links=speaks and not screen and not old, titles=speaks, notifications=speaks)


def wraps_anew(environ: Mapping[str, str]) -> bool:
    """Returns whether the terminal is known to wrap what it shows anew when its width changes.

    What is taken to be so and is not would cost lines that were said; the other way round, lines of what is
    being typed are left behind.
    """
    return environ.get("TERM_PROGRAM") in _REWRAPPING_PROGRAMS or not _REWRAPPING.isdisjoint(environ)


def title(text: str) -> str:
    """Returns what makes `text` the title of the window."""
    return f"\x1b]2;{_cut(text, MAX_TITLE)}\a"


def notification(kind: Notify, title: str, body: str) -> str:
    """Returns what shows a notification on the desktop, in the way of `kind`; nothing if that is off."""
    # A semicolon would end the title; and with a number before it, OSC 9 means something else.
    heading, said = _cut(title, MAX_TITLE).replace(";", ","), _cut(body, MAX_BODY)
    match kind:
        case Notify.osc9:
            return f"\x1b]9;{heading}: {said}\a"
        case Notify.osc777:
            return f"\x1b]777;notify;{heading};{said}\a"
        case Notify.off:
            return ""


def _cut(text: str, limit: int) -> str:
    shown = one_line(text)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"
