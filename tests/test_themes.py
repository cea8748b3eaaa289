"""The colours can be read on what they are for, on terminals with 256 colours and with 16."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import fields
from itertools import product, repeat

import pytest
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Attrs
from prompt_toolkit.styles import Style as PromptStyle
from rich.color import Color, ColorSystem
from rich.color_triplet import ColorTriplet
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from chatctl.client.display.look import Theme
from chatctl.client.display.themes import Palette, palette, prompt_styles

BLACK, WHITE = ColorTriplet(0, 0, 0), ColorTriplet(255, 255, 255)
BACKGROUNDS = {
    Theme.auto: (BLACK, WHITE),
    Theme.dark: (BLACK, ColorTriplet(0x1E, 0x1E, 0x1E)),
    Theme.light: (WHITE, ColorTriplet(0xFA, 0xFA, 0xFA)),
    Theme.high_contrast: (BLACK, WHITE),
    Theme.mono: (BLACK, WHITE),
}
LEAST = {Theme.auto: 3.0, Theme.dark: 4.5, Theme.light: 4.5, Theme.high_contrast: 7.0, Theme.mono: 7.0}
# The first sixteen colours of the Linux console; those of Windows are known to Rich.
CONSOLE = TerminalTheme(
    background=(0, 0, 0),
    foreground=(170, 170, 170),
    normal=[(r, 85 if (r, g, b) == (170, 170, 0) else g, b) for b, g, r in product((0, 170), repeat=3)],
    bright=[(r, g, b) for b, g, r in product((85, 255), repeat=3)],
)
COLOURED = (Theme.auto, Theme.dark, Theme.light)


def xterm(number: int) -> ColorTriplet:
    """One of the 256 colours above the first sixteen, as xterm has them."""
    assert 16 <= number <= 255
    if number >= 232:
        return ColorTriplet(*[8 + 10 * (number - 232)] * 3)
    steps = (0, 95, 135, 175, 215, 255)
    red, rest = divmod(number - 16, 36)
    return ColorTriplet(steps[red], steps[rest // 6], steps[rest % 6])


def luminance(colour: ColorTriplet) -> float:
    """Relative luminance (WCAG 2.2)."""
    channels = [value / 255 for value in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: ColorTriplet, other: ColorTriplet) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


def styles(shown: Palette) -> Iterator[tuple[str, Style]]:
    for field in fields(shown):
        value = getattr(shown, field.name)
        yield from zip(repeat(field.name), value if isinstance(value, tuple) else [value])


ALL = [(theme, part, style) for theme in Theme for part, style in styles(palette(theme))]
USED = [(theme, style) for theme, _, style in ALL if style.color is not None]


def number_of(colour: Color | None) -> int:
    assert colour is not None
    assert colour.number is not None
    return colour.number


def test_contrast_is_what_wcag_says() -> None:
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, ColorTriplet(0x77, 0x77, 0x77)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(("theme", "style"), USED, ids=str)
def test_every_colour_can_be_read(theme: Theme, style: Style) -> None:
    own = [xterm(number_of(style.bgcolor))] if style.bgcolor else []
    for background in own or BACKGROUNDS[theme]:
        assert contrast(xterm(number_of(style.color)), background) >= LEAST[theme]


@pytest.mark.parametrize(("theme", "part", "style"), ALL, ids=str)
def test_there_is_no_background_without_a_colour_nor_what_many_terminals_lack(
    theme: Theme, part: str, style: Style
) -> None:
    assert style.bgcolor is None or style.color is not None
    assert not (style.dim or style.blink or style.conceal or style.strike)
    assert style.color is None or style.color.name == f"color({style.color.number})"


@pytest.mark.parametrize("system", [ColorSystem.STANDARD, ColorSystem.WINDOWS])
@pytest.mark.parametrize(("theme", "style"), USED, ids=str)
def test_nothing_vanishes_on_a_console_of_sixteen_colours(
    theme: Theme, style: Style, system: ColorSystem
) -> None:
    def shown(colour: Color) -> ColorTriplet:
        return colour.downgrade(system).get_truecolor(CONSOLE)

    assert style.color is not None
    own = [shown(style.bgcolor)] if style.bgcolor else []
    for background in own or BACKGROUNDS[theme]:
        assert contrast(shown(style.color), background) >= 2


@pytest.mark.parametrize("theme", COLOURED)
def test_names_are_told_apart(theme: Theme) -> None:
    names = palette(theme).names
    assert len({style.color for style in names}) == 16
    assert len({style.color.downgrade(ColorSystem.STANDARD).number for style in names if style.color}) >= 6
    assert len({palette(theme).name_style(f"guest{number}") for number in range(200)}) == 16


@pytest.mark.parametrize("theme", Theme)
def test_a_name_looks_the_same_in_any_spelling(theme: Theme) -> None:
    look = palette(theme).name_style
    assert look("Ann") == look("ann") == look("\uff21nn")


def test_mono_has_no_colour_at_all() -> None:
    assert not [theme for theme, style in USED if theme is Theme.mono]


@pytest.mark.parametrize("theme", Theme)
def test_what_matters_does_not_look_like_the_rest(theme: Theme) -> None:
    shown = palette(theme)
    for style in (shown.alarm, shown.mention, shown.link, shown.code, shown.unread, shown.failed):
        assert style != Style()
    assert len({shown.unread, shown.unread_mention, shown.prompt}) == 3
    assert shown.failed != shown.waiting != shown.sent


# The same in the prompt


def written(attributes: Attrs) -> str:
    """What prompt_toolkit sends to a terminal of 256 colours."""
    file = io.StringIO()
    output = Vt100_Output(file, lambda: Size(24, 80))
    output.set_attributes(attributes, ColorDepth.DEPTH_8_BIT)
    output.flush()
    return file.getvalue()


@pytest.mark.parametrize("theme", Theme)
def test_the_prompt_has_the_same_colours(theme: Theme) -> None:
    shown = palette(theme)
    prompt = PromptStyle.from_dict(prompt_styles(shown))
    for part in ("prompt", "unread", "unread-mention", "faint", "sent", "waiting", "failed"):
        style: Style = getattr(shown, part.replace("-", "_"))
        attributes = prompt.get_attrs_for_style_str(f"class:{part}")
        assert (attributes.bold, attributes.reverse) == (bool(style.bold), bool(style.reverse))
        assert attributes.underline == bool(style.underline)
        if style.color is not None:
            assert f"38;5;{style.color.number}" in written(attributes)
        if style.bgcolor is not None:
            assert f"48;5;{style.bgcolor.number}" in written(attributes)
