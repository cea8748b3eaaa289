r"""Markdown for people: a heading for each room and each day, a paragraph for each message.

A text stays text: what would mean something is written as an entity, where any Markdown knows that, or behind
a backslash. Its lines end in one too, which keeps them in the message's paragraph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from chatctl.archive.links import split_links
from chatctl.archive.moments import moment, zone
from chatctl.archive.source import R, Room, Source
from chatctl.messages import Msg
from chatctl.text import REMOVED, one_line, visible

_SPECIAL = re.compile(r"[\\`*_{}\[\]|~$]")
# What makes a heading, a list or a rule of a line that starts so.
_START = re.compile(r"(\d*)([-#+=:!%^.)])")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_SPACE = "&nbsp;"
_INDENTS = str.maketrans({" ": _SPACE, "\t": _SPACE * 4})


def write(history: Source[R]) -> Iterator[bytes]:
    """Yields the file, piece by piece."""
    yield f"Times are in {_line(one_line(zone()))}.\n".encode()
    for room in history.rooms:
        yield _head(room).encode()
        day = ""
        for messages in history.messages(room):
            parts = []
            for message in messages:
                when = moment(message.at)
                if when.day != day:
                    day = when.day
                    parts.append(f"\n## {day}\n")
                parts.append(_message(message, when.clock))
            yield "".join(parts).encode()


def _head(room: Room) -> str:
    label = f"\\#{_line(one_line(room.name))}"
    head = f"\n# {label}\n"
    if room.topic is not None and room.topic.text:
        head += f"\nTopic: {_line(one_line(room.topic.text))}\n"
    if room.oldest > 1:
        head += f"\nMessages 1\u2013{room.oldest - 1} of {label} are no longer kept.\n"
    return head


def _message(message: Msg, clock: str) -> str:
    first, *others = visible(message.text).split("\n")
    mark = r"\* " if message.kind == "action" else ""
    said = _line(first) if message.text else f"*{REMOVED}*"
    lines = [f"{mark}**{_line(one_line(message.name))}** {clock} {said}"]
    lines += map(_later_line, others)
    return "\n" + "\\\n".join(lines) + "\n"


def _later_line(line: str) -> str:
    """Returns a line that is not the first of its message, as it stands in the paragraph."""
    rest = line.lstrip(" \t")
    indent = line[: len(line) - len(rest)].translate(_INDENTS)
    if not rest:
        return indent or _SPACE  # An empty line would end the paragraph.
    if found := _START.match(rest):
        return f"{indent}{found[1]}\\{found[2]}{_line(rest[found.end() :])}"
    return indent + _line(rest)


def _line(text: str) -> str:
    """Returns what shows `text`, which has no line feeds, behind something else."""
    return "".join(f"<{part}>" if is_link else _escape(part) for part, is_link in split_links(text))


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).translate(_ENTITIES)
