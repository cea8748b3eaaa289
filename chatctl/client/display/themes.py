"""The colours of each theme: plain data. What they are put on is the terminal's, and known only roughly.

All are of the 256 colours that terminals agree on, without the first sixteen, which people choose themselves.
How well each one can be read (WCAG 2's contrast, on the backgrounds its theme is for) is held by the tests.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rich.style import Style

from chatctl.client.display.look import Theme
from chatctl.hues import ON_DARK, ON_LIGHT
from chatctl.names import fold


@dataclass(frozen=True, slots=True)
class Palette:
    """What each part of the chat looks like.

    Attributes:
        names: of people, one of which each name has.
        faint: times, and what happens without anybody saying anything.
        separator: the lines between days, and above what is new.
        alarm: errors.
        mention: one's own name in a text, and the mark of such a message.
        code: within a line.
        code_block: lines of it.
        link: an address that can be opened.
        prompt: the room, before what is typed.
        unread: a room with messages not read yet.
        unread_mention: a room in which one of them is for this person.
        sent: the mark of a message of one's own that was accepted.
        waiting: of one that was not yet.
        failed: of one that will not be.
    """

    names: tuple[Style, ...]
    faint: Style
    separator: Style
    alarm: Style
    mention: Style
    code: Style
    code_block: Style
    link: Style
    prompt: Style
    unread: Style
    unread_mention: Style
    sent: Style
    waiting: Style
    failed: Style

    def name_style(self, name: str) -> Style:
        """Returns what a name looks like: the same always and everywhere, in any spelling."""
        return self.names[zlib.crc32(fold(name).encode("utf-8", "replace")) % len(self.names)]


class _Colours(NamedTuple):
    """Numbers of colours."""

    names: tuple[int, ...]
    faint: int
    alarm: int
    mention: int
    code: int
    link: int
    unread: int
    waiting: int


_COLOURS = {
    # Each at least 3:1 on black and on white, where nothing can have more than 4.6:1.
    Theme.auto: _Colours(
        names=(160, 166, 130, 100, 64, 28, 29, 31, 27, 99, 129, 165, 162, 197, 131, 97),
        faint=244,
        alarm=160,
        mention=163,
        code=32,
        link=26,
        unread=30,
        waiting=136,
    ),
    Theme.dark: _Colours(
        names=ON_DARK,
        faint=246,
        alarm=203,
        mention=227,
        code=116,
        link=75,
        unread=80,
        waiting=179,
    ),
    Theme.light: _Colours(
        names=ON_LIGHT,
        faint=242,
        alarm=124,
        mention=161,
        code=25,
        link=21,
        unread=23,
        waiting=94,
    ),
}


@cache
def palette(theme: Theme) -> Palette:
    """Returns the colours of a theme."""
    match theme:
        case Theme.mono:
            return _mono()
        case Theme.high_contrast:
            return _high_contrast()
        case _:
            return _coloured(_COLOURS[theme])


def _coloured(colours: _Colours) -> Palette:
    faint, code = _style(colours.faint), _style(colours.code)
    mention = _style(colours.mention, bold=True)
    alarm = _style(colours.alarm, bold=True)
    return Palette(
        names=tuple(map(_style, colours.names)),
        faint=faint,
        separator=faint,
        alarm=alarm,
        mention=mention,
        code=code,
        code_block=code,
        link=Style(color=f"color({colours.link})", underline=True),
        prompt=Style(bold=True),
        unread=_style(colours.unread),
        unread_mention=mention,
        sent=faint,
        waiting=_style(colours.waiting),
        failed=alarm,
    )


def _style(colour: int, *, bold: bool | None = None) -> Style:
    return Style(color=f"color({colour})", bold=bold)


def _mono() -> Palette:
    loud, plain = Style(bold=True, reverse=True), Style()
    return Palette(
        names=(Style(bold=True),),
        faint=plain,
        separator=plain,
        alarm=Style(bold=True),
        mention=loud,
        code=Style(reverse=True),
        code_block=plain,
        link=Style(underline=True),
        prompt=Style(bold=True),
        unread=Style(underline=True),
        unread_mention=loud,
        sent=plain,
        waiting=Style(underline=True),
        failed=loud,
    )


def _high_contrast() -> Palette:
    """Where a colour is used, it brings its own background: none is 7:1 on both black and white."""
    called = Style(color="color(16)", bgcolor="color(226)", bold=True)
    alarm = Style(color="color(231)", bgcolor="color(88)", bold=True)
    plain = Style()
    return Palette(
        names=(Style(bold=True),),
        faint=plain,
        separator=plain,
        alarm=alarm,
        mention=called,
        code=Style(reverse=True),
        code_block=plain,
        link=Style(underline=True),
        prompt=Style(bold=True),
        unread=Style(bold=True, underline=True),
        unread_mention=called,
        sent=plain,
        waiting=Style(underline=True),
        failed=alarm,
    )


def prompt_styles(shown: Palette) -> dict[str, str]:
    """Returns what the parts of the prompt look like, as prompt_toolkit's ``Style.from_dict`` takes it."""
    return {
        "prompt": _spelled(shown.prompt),
        "unread": _spelled(shown.unread),
        "unread-mention": _spelled(shown.unread_mention),
        "faint": _spelled(shown.faint),
        "sent": _spelled(shown.sent),
        "waiting": _spelled(shown.waiting),
        "failed": _spelled(shown.failed),
    }


def _spelled(style: Style) -> str:
    """Returns a style in prompt_toolkit's words, which brings these colours back to the same of the 256."""
    words = [word for word in ("bold", "italic", "underline", "reverse") if getattr(style, word)]
    if style.color is not None:
        words.append(f"fg:{style.color.get_truecolor().hex}")
    if style.bgcolor is not None:
        words.append(f"bg:{style.bgcolor.get_truecolor().hex}")
    return " ".join(words)
