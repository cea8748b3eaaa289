"""What people see of an event: an entry, which Rich draws on a terminal, or plain lines. No I/O.

All that comes from others goes through `text` before it is put into a `Text`, and never is markup. An entry
cannot pose as another one: on a terminal everything below its first line is indented, in plain lines each
one says whose it is.
"""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.style import Style
from rich.text import Text

from chatctl.messages import (
    Error,
    Frame,
    Gap,
    Kind,
    Members,
    Msg,
    Notice,
    Presence,
    Renamed,
    Rooms,
    RoomState,
    Told,
    Topic,
    Welcome,
)
from chatctl.names import fold
from chatctl.text import one_line, visible

# Of the 256 colours that terminals agree on, those that can be read on black and on white.
PALETTE = (160, 166, 130, 100, 64, 28, 29, 31, 27, 99, 129, 165, 162, 197, 131, 97)
GREY = 244  # can be read on both too
NAMES_SHOWN = 12  # of those who are here, came or went
NARROWEST = 8  # columns of text, however narrow the window
LEAST_INDENT = 2  # columns

_WORD = re.compile(r"\s*\S+\s*|\s+")
_FAINT = Style(color=f"color({GREY})")
_ALARM = Style(color="color(160)", bold=True)


class View(Struct, frozen=True):
    """Where the one who looks is.

    Attributes:
        name: what they are called.
        room: the room they talk in.
        several: they are in other rooms too, so that messages say where they come from.
    """

    name: str
    room: str
    several: bool = False


class ToldTo(Frame, tag="told-to"):
    """A private message of one's own, which was accepted; like `Told`, with the one who got it."""

    at: int
    to: str
    text: str
    kind: Kind = "text"


class Entry:
    """One thing to show.

    Args:
        gutter: what stands in front of the first line; those below are indented by its width, or a little.
        head: who says it; plain lines repeat it.
        body: what is said, perhaps of several lines.
    """

    def __init__(self, gutter: Text, head: Text, body: Text) -> None:
        self._gutter = gutter
        self._head = head
        self._body = body

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields its lines, wrapped here: what a terminal wraps begins at the left, where entries begin."""
        width = options.max_width
        indent = max(self._gutter.cell_len, LEAST_INDENT)
        if width - indent < NARROWEST:
            indent = LEAST_INDENT
        lines = self._lines(width, max(width - indent, 1))
        yield next(lines)
        for line in lines:
            yield Text(" " * indent, no_wrap=True, overflow="ignore").append_text(line)

    def _lines(self, first: int, others: int) -> Iterator[Text]:
        """Yields its lines, the first one at most `first` columns wide."""
        for paragraph in (self._gutter + self._head + self._body).split("\n", allow_blank=True):
            paragraph.expand_tabs()
            for line in paragraph.divide(_breaks(paragraph.plain, first, others)):
                line.rstrip()
                line.no_wrap, line.overflow = True, "ignore"
                yield line
            first = others

    def plain(self) -> list[str]:
        """Returns its lines without colours, each with who says it."""
        start = f"{self._gutter.plain}{self._head.plain}"
        return [f"{start}{line}" for line in self._body.plain.split("\n")]


def _breaks(text: str, width: int, others: int) -> list[int]:
    """Returns where to break a line: before a word that fits into the next one whole, else within it.

    Rich would begin every word that is too long on a line of its own. Where no spaces are written, that is
    all that is said.

    Args:
        text: has no line feeds.
        width: of the first line, in columns.
        others: of the other lines.
    """
    breaks: list[int] = []
    used = 0
    for word in _WORD.finditer(text):
        size = cell_len(word[0].rstrip())
        if used and used + size > width and size <= others:
            breaks.append(word.start())
            used, width = 0, others
        for place, character in enumerate(word[0], word.start()):
            size = cell_len(character)
            if used and used + size > width and not character.isspace():
                breaks.append(place)
                used, width = 0, others
            used += size
    return breaks


def entry(event: Frame, view: View) -> Entry | None:
    """Returns how `event` is shown to those who look from `view`; None if there is nothing to see."""
    match event:
        case Msg():
            return _message(event, view)
        case Told():
            return _private(event.at, name_text(event.name), Text("you"), event.text, event.kind)
        case ToldTo():
            return _private(event.at, Text("you"), name_text(event.to), event.text, event.kind)
        case Presence():
            return _presence(event, view)
        case RoomState():
            return _info("— ", _room_state(event, view))
        case Error():
            return Entry(styled("! ", _ALARM), Text(), styled(one_line(event.text), _ALARM))
        case _:
            body = _news(event, view)
            return None if body is None else _info("— ", body)


def _news(event: Frame, view: View) -> Text | None:
    """Returns what is told about anything that nobody said and nobody did by coming or going."""
    match event:
        case Welcome(motd=str(motd)):
            return Text(visible(motd))
        case Notice():
            return Text(visible(event.text))
        case Renamed():
            return _renamed(event, view)
        case Topic():
            return _topic(event)
        case Members():
            where = f" in {room_label(event.room)}" if event.room is not None else ""
            return Text(f"{event.count}{where}: ") + _names(event.names, len(event.names), event.count)
        case Rooms():
            return Text("\n").join(_room_line(r.room, r.count, r.topic) for r in event.rooms)
        case Gap():
            lost = f"{event.after + 1}\u2013{event.before - 1}"
            return Text(f"… messages {lost} of {room_label(event.room)} are no longer kept …")
    return None


# What is said


def _message(msg: Msg, view: View) -> Entry:
    head = Text()
    if view.several and msg.room != view.room:
        head.append(f"{room_label(msg.room)} ", _FAINT)
    if msg.kind == "action":
        head.append("* ").append_text(name_text(msg.name)).append(" ")
    else:
        head.append_text(name_text(msg.name)).append(": ")
    return Entry(_clock(msg.at), head, Text(visible(msg.text)))


def _private(at: int, sender: Text, receiver: Text, text: str, kind: Kind) -> Entry:
    head = Text("* " if kind == "action" else "").append_text(sender).append(" → ").append_text(receiver)
    return Entry(_clock(at), head.append(": "), Text(visible(text)))


def _clock(at: int) -> Text:
    """Returns the local time of `at`, milliseconds since the epoch, with the date where it is not today."""
    try:
        then = time.localtime(at / 1000)
    except (OverflowError, ValueError, OSError):
        return styled("--:--  ", _FAINT)  # A time that no calendar has.
    today = then[:3] == time.localtime()[:3]
    return styled(time.strftime("%H:%M  " if today else "%Y-%m-%d %H:%M  ", then), _FAINT)


# What happens


def _info(gutter: str, body: Text) -> Entry:
    body.stylize_before(_FAINT)  # So that names keep their colours.
    return Entry(styled(gutter, _FAINT), Text(), body)


def _presence(event: Presence, view: View) -> Entry | None:
    joined = [name for name in event.joined if name != view.name]
    left = [name for name in event.left if name != view.name]
    where = f" {room_label(event.room)}" if view.several and event.room != view.room else ""
    parts = []
    if joined:
        parts.append(Text("→ ") + _names(joined, NAMES_SHOWN) + Text(f" joined{where}"))
    if left:
        parts.append(Text("← ") + _names(left, NAMES_SHOWN) + Text(f" left{where}"))
    return _info("", Text("  ").join(parts)) if parts else None


def _room_state(event: RoomState, view: View) -> Text:
    others = [name for name in event.members if name != view.name]
    count = event.count - 1
    body = Text(f"in {room_label(event.room)}")
    if count > 0:
        body.append(f" with {count} other{'s' if count > 1 else ''}: ")
        body.append_text(_names(others, NAMES_SHOWN, count))
    else:
        body.append(", nobody else is here")
    if event.topic:
        body.append(f" — {one_line(event.topic)}")
    return body


def _renamed(event: Renamed, view: View) -> Text:
    if event.to == view.name:
        return Text("you are now ") + name_text(event.to)
    return name_text(event.name) + Text(" is now ") + name_text(event.to)


def _topic(event: Topic) -> Text:
    body = name_text(event.name)
    if not event.text:
        return body.append(f" cleared the topic of {room_label(event.room)}")
    return body.append(f" set the topic of {room_label(event.room)}: {one_line(event.text)}")


def _room_line(room: str, count: int, topic: str) -> Text:
    return Text(f"{room_label(room)} ({count})" + (f" — {one_line(topic)}" if topic else ""))


# Names and rooms


def name_style(name: str) -> Style:
    """Returns the colour of a name: the same one always and everywhere, in any spelling."""
    return Style(color=f"color({PALETTE[zlib.crc32(fold(name).encode('utf-8', 'replace')) % len(PALETTE)]})")


def name_text(name: str) -> Text:
    """Returns a name in its colour."""
    return styled(one_line(name), name_style(name))


def styled(text: str, style: Style) -> Text:
    """Returns a text whose style ends where it ends, not with what is appended to it."""
    return Text().append(text, style)


def room_label(room: str) -> str:
    """Returns a room as people write it."""
    return f"#{one_line(room)}"


def _names(names: Sequence[str], limit: int, count: int | None = None) -> Text:
    """Returns at most `limit` names, and how many more there are of `count`."""
    shown: Iterable[Text] = map(name_text, names[:limit])
    body = Text(", ").join(shown)
    more = (len(names) if count is None else count) - min(limit, len(names))
    return body.append(f" and {more} more") if more > 0 else body
