"""What may be a text, and what may reach a terminal, a log or a line of plain text.

Texts are stored and delivered exactly as sent, so whatever shows one to a person cleans it first: `visible`
for anything shown, `one_line` where a line break would let a text pose as something else.
"""

from __future__ import annotations

import re

from chatctl.errors import Refused

MAX_TEXT = 8_000  # bytes of UTF-8
MAX_TOPIC = 400  # bytes of UTF-8
REMOVED = "(removed)"  # what people see in place of a text that was redacted

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds in what a duration ends with
_DURATION = re.compile(r"(\d{1,9})([smhdw])", re.ASCII)
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# C0, DEL and C1; the bidirectional controls of UAX #9; line and paragraph separators; interlinear
# annotations; tag characters; lone surrogates. Zero-width joiners stay: emoji are made with them.
UNSHOWN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def check_text(text: str, limit: int = MAX_TEXT) -> None:
    r"""Accepts a text of 1 to `limit` bytes without controls other than ``\n`` and ``\t``.

    Raises:
        Refused: ``bad-text``, saying what is wrong.
    """
    # isprintable() is the quick way to a yes: all it rejects is looked at again.
    if not text.isprintable() and (found := _REFUSED.search(text)):
        raise Refused("bad-text", f"a text cannot hold the character U+{ord(found[0]):04X}")
    if not text:
        raise Refused("bad-text", "a text cannot be empty")
    if len(text) * 4 > limit and len(text.encode()) > limit:
        raise Refused("bad-text", f"a text has at most {limit} bytes")


def parse_duration(text: str) -> int:
    """Returns the seconds that ``90s``, ``10m``, ``2h``, ``7d`` or ``4w`` mean.

    Raises:
        ValueError: it is none of these.
    """
    found = _DURATION.fullmatch(text)
    if not found or not int(found[1]):
        raise ValueError(f"{one_line(text)} is no time like 30m, 12h or 90d")
    return int(found[1]) * UNITS[found[2]]


def visible(text: str) -> str:
    r"""Returns `text` with everything that could act on a terminal written as an escape (``\x1b``).

    Line feeds and tabs are kept: they are part of a text.
    """
    if text.isprintable():
        return text
    return UNSHOWN.sub(_escape, text)


def one_line(text: str) -> str:
    r"""Returns `text` as `visible` does, with line feeds and tabs as ``\n`` and ``\t`` too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
