"""The colours of names on the page, which ``/style.css`` ends with: those that names have in a terminal."""

from __future__ import annotations

from chatctl.hues import ON_DARK, ON_LIGHT

_LEVELS = (0, 95, 135, 175, 215, 255)  # of red, green and blue, in the cube of 6 x 6 x 6 that begins at 16


def names_css() -> str:
    """Returns a class for each colour, ``n0`` and on, that sets ``--c`` to it."""
    pairs = enumerate(zip(ON_LIGHT, ON_DARK, strict=True))
    return "".join(f".n{n} {{ --c: light-dark({_hex(one)}, {_hex(other)}) }}\n" for n, (one, other) in pairs)


def _hex(number: int) -> str:
    red, rest = divmod(number - 16, 36)
    return "#" + "".join(f"{_LEVELS[level]:02x}" for level in (red, *divmod(rest, 6)))
