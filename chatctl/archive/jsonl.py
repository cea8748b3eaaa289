r"""The format that can be imported again: frames of the protocol, one a line (PROTOCOL.md).

Room by room: a ``gap``, if its first messages are no longer kept, a ``topic``, if it was ever set and who did
is known, and a ``msg`` for each message, with an empty text if it was redacted. Characters that could act on
a terminal are written as JSON escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatctl.archive.source import R, Source
from chatctl.framing import encode, encode_all
from chatctl.messages import Gap

# What `text.visible` would write in another way, which in JSON is the same character still.
_UNSHOWN = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def write(history: Source[R]) -> Iterator[bytes]:
    """Yields the file, piece by piece."""
    for room in history.rooms:
        if room.oldest > 1:
            yield encode(Gap(room.name, 0, room.oldest))
        if room.topic is not None and room.topic.name:  # Else it could not be imported.
            yield _shown(encode(room.topic))
        for messages in history.messages(room):
            yield _shown(encode_all(messages))


def _shown(lines: bytes) -> bytes:
    if lines.isascii() and b"\x7f" not in lines:
        return lines
    return _UNSHOWN.sub(_escape, lines.decode()).encode()


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
