"""The colours of names on the page, which ``/style.css`` ends with: those that names have in a terminal."""

from __future__ import annotations

# By their numbers among a terminal's 256, as `client.display.themes` has them.
ON_LIGHT = (160, 130, 94, 58, 28, 22, 23, 24, 26, 62, 56, 129, 127, 125, 162, 97)
ON_DARK = (203, 208, 214, 184, 148, 77, 42, 44, 39, 69, 105, 141, 177, 207, 211, 180)
_LEVELS = (0, 95, 135, 175, 215, 255)  # of red, green and blue, in the cube of 6 x 6 x 6 that begins at 16


def names_css() -> str:
    """Returns a class for each colour, ``n0`` and on, that sets ``--c`` to it."""
    pairs = enumerate(zip(ON_LIGHT, ON_DARK, strict=True))
    return "".join(f".n{n} {{ --c: light-dark({_hex(one)}, {_hex(other)}) }}\n" for n, (one, other) in pairs)


def _hex(number: int) -> str:
    red, rest = divmod(number - 16, 36)
    return "#" + "".join(f"{_LEVELS[level]:02x}" for level in (red, *divmod(rest, 6)))
