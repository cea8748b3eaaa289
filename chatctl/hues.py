"""The colours of names, which a terminal and the page have the same. No I/O."""

from __future__ import annotations

# By their numbers among a terminal's 256, as they can be read on light and on dark ground.
ON_LIGHT = (160, 130, 94, 58, 28, 22, 23, 24, 26, 62, 56, 129, 127, 125, 162, 97)
ON_DARK = (203, 208, 214, 184, 148, 77, 42, 44, 39, 69, 105, 141, 177, 207, 211, 180)
