"""Emoji typed by their names, as ``:smile:``. The names are Rich's, and read when one is first needed."""

from __future__ import annotations

import re

from chatctl.client.display.literals import gaps, literals
from chatctl.text import visible

MAX_COMPLETIONS = 20

# One or more in a row, which touch no letter and no other colon: times, paths and a::b are none.
_SHORTCODES = re.compile(r"(?<![\w:/\\]):[^\s:]++:(?::[^\s:]++:)*+(?![\w:])")
_SHORTCODE = re.compile(r":([^\s:]+):")


def with_emoji(text: str) -> str:
    """Returns `text` with emoji in place of their names, except in code and addresses."""
    if not _SHORTCODES.search(text):
        return text
    parts = literals(text)
    written: list[str] = []
    done = 0
    for start, end in gaps(parts, len(text)):
        written += text[done:start], _SHORTCODES.sub(_replace_row, text[start:end])
        done = end
    return "".join(written)


def complete_emoji(word: str) -> list[str]:
    """Returns what ``:smi`` may become, in order, at most `MAX_COMPLETIONS`: ``:smile:`` and others."""
    prefix = word[1:].lower()
    if not word.startswith(":") or not prefix or ":" in prefix:
        return []
    from rich._emoji_codes import EMOJI

    found = sorted(name for name in EMOJI if name.startswith(prefix) and _is_shown(EMOJI[name]))
    return [f":{name}:" for name in found[:MAX_COMPLETIONS]]


def _replace_row(row: re.Match[str]) -> str:
    return _SHORTCODE.sub(_replace, row[0])


def _replace(found: re.Match[str]) -> str:
    from rich.emoji import Emoji

    emoji = Emoji.replace(found[0])
    return emoji if _is_shown(emoji) else found[0]


def _is_shown(emoji: str) -> bool:
    """Returns whether others will see it: some flags are made of characters that are never shown."""
    return visible(emoji) == emoji
