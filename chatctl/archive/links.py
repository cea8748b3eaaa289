"""The addresses of web pages in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator

# Nothing that could end an address in HTML or Markdown, nothing that does not show; a backslash is what
# `text.visible` writes for that.
_LINK = re.compile(
    r"""(?<!\w)https?://\w[^\s<>"'`\\^{|}\[\]*\u00ad\u200b-\u200f\u2060-\u206f\ufeff]*""", re.IGNORECASE
)
_AFTER = ".,;:!?"  # belongs to the sentence, at the end of an address


def split_links(text: str) -> Iterator[tuple[str, bool]]:
    """Yields the pieces of `text`, and for each whether it is an address."""
    done = 0
    for found in _LINK.finditer(text):
        end = found.start() + _length(found[0])
        if found.start() > done:
            yield text[done : found.start()], False
        yield text[found.start() : end], True
        done = end
    if done < len(text):
        yield text[done:], False


def _length(link: str) -> int:
    """Returns how much of `link` is the address, and not of the sentence around it."""
    surplus = link.count(")") - link.count("(")
    end = len(link)
    while link[end - 1] in _AFTER or (link[end - 1] == ")" and surplus > 0):
        surplus -= link[end - 1] == ")"
        end -= 1
    return end
