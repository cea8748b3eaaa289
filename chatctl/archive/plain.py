"""Text for people: each line says when, and whose it is, so that no text can pose as another's."""

from __future__ import annotations

from collections.abc import Iterator

from chatctl.archive.moments import moment, zone
from chatctl.archive.source import R, Room, Source
from chatctl.messages import Msg
from chatctl.text import REMOVED, one_line, visible


def write(history: Source[R]) -> Iterator[bytes]:
    """Yields the file, piece by piece."""
    yield f"— times are in {one_line(zone())}\n".encode()
    for room in history.rooms:
        yield _head(room).encode()
        for messages in history.messages(room):
            yield "".join(map(_lines, messages)).encode()


def _head(room: Room) -> str:
    label = f"#{one_line(room.name)}"
    head = f"\n— {label}"
    if room.topic is not None and room.topic.text:
        head += f" — {one_line(room.topic.text)}"
    if room.oldest > 1:
        head += f"\n… messages 1\u2013{room.oldest - 1} of {label} are no longer kept …"
    return head + "\n"


def _lines(message: Msg) -> str:
    when = moment(message.at)
    name = one_line(message.name)
    who = f"* {name} " if message.kind == "action" else f"{name}: "
    start = f"{when.date} {when.clock}  {who}"
    return "".join(f"{start}{line}\n" for line in (visible(message.text) or REMOVED).split("\n"))
