"""What people see of an event: an entry, for a terminal or as plain lines. No I/O.

All that comes from others goes through `text` before it is put into a `Text`, and never is markup of Rich's.
An entry cannot pose as another one: on a terminal everything below its first line is indented, in plain lines
each one says whose it is.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from msgspec import Struct
from rich.text import Text

from chatctl.client.display import moderation
from chatctl.client.display.entry import Entry, Unwrapped, styled
from chatctl.client.display.labels import local_time, name_text, role_label, room_label
from chatctl.client.display.look import Timestamp
from chatctl.client.display.markup import markup, mentions
from chatctl.client.display.shown import Copyable, Failed, Heading, Numbered, SinceYouLeft, ToldTo
from chatctl.client.display.themes import Palette
from chatctl.messages import (
    Away,
    Bans,
    Error,
    Frame,
    Gap,
    Members,
    Mode,
    Moderated,
    Msg,
    Notice,
    Presence,
    Redacted,
    Renamed,
    RoomLine,
    Rooms,
    RoomState,
    Told,
    Topic,
    User,
    Welcome,
)
from chatctl.names import fold
from chatctl.text import REMOVED, one_line, visible

NAMES_SHOWN = 12  # of those who are here, came or went
# Drawing more would keep the one who types waiting.
MEMBERS_SHOWN = 200
ROOMS_SHOWN = 200
LINES_SHOWN = 200  # of what the server itself has to say
SENT, FAILED = "\N{CHECK MARK}", "\N{BALLOT X}"  # in front of what one said oneself

_SPANS = ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


class View(Struct, frozen=True):
    """Where the one who looks is.

    Attributes:
        name: what they are called.
        room: the room they talk in; what happens in others says where that is.
    """

    name: str
    room: str


class Manner(Struct, frozen=True):
    """How things are shown.

    Attributes:
        palette: the colours.
        timestamp: what stands in front of a message.
        marked: for a person at a terminal: texts are shown as they are marked up, one's own as sent.
        links: addresses can be clicked.
    """

    palette: Palette
    timestamp: Timestamp
    marked: bool = False
    links: bool = False


def entry(event: Frame, view: View, manner: Manner) -> Entry | None:
    """Returns how `event` is shown to those who look from `view`; None if there is nothing to see."""
    return _Drawing(view, manner).entry(event)


def day_of(at: int) -> str:
    """Returns the local day of `at`, milliseconds since the epoch, empty if no calendar has it."""
    return local_time(at, "%A, %d %B %Y") or ""


class _Drawing:
    """Entries as they look from one view."""

    def __init__(self, view: View, manner: Manner) -> None:
        self._view = view
        self._manner = manner
        self._palette = manner.palette

    def entry(self, event: Frame) -> Entry | None:
        match event:
            case Msg():
                return self._message(event)
            case Numbered(msg):
                return self._message(msg, f"#{msg.id} ")
            case Told():
                return self._private(event, self._name(event.name), Text("you"), called=True)
            case ToldTo():
                return self._private(event, Text("you"), self._name(event.to), called=False)
            case Presence():
                return self._presence(event)
            case Error():
                return self._alarm("! ", event.text)
            case Failed():
                return self._alarm(f"{FAILED} ", f"{event.reason}; not delivered: {event.text}")
            case Heading():
                return separator(one_line(event.text), self._manner)
            case SinceYouLeft():
                return separator(_since_you_left(event), self._manner)
            case Moderated():
                return self._info("* ", moderation.deed(event, self._view.name, self._palette))
            case Copyable():
                return Unwrapped(Text(), Text(), Text(one_line(event.text)))
            case _:
                body = self._news(event)
                return None if body is None else self._info("— ", body)

    # What is said

    def _message(self, msg: Msg, number: str = "") -> Entry:
        head = styled(number, self._palette.faint)
        if msg.room != self._view.room:
            head.append(f"{room_label(msg.room)} ", self._palette.faint)
        if msg.kind == "action":
            head.append("* ").append_text(self._name(msg.name)).append(" ")
        else:
            head.append_text(self._name(msg.name)).append(": ")
        text = visible(msg.text)
        mine = fold(msg.name) == fold(self._view.name)
        called = self._manner.marked and not mine and mentions(text, self._view.name)
        body = self._text(text) if text else styled(REMOVED, self._palette.faint)
        return Entry(self._clock(msg.at, sent=mine, called=called), head, body)

    def _private(self, event: Told | ToldTo, sender: Text, receiver: Text, *, called: bool) -> Entry:
        head = Text("* " if event.kind == "action" else "").append_text(sender)
        head.append(" → ").append_text(receiver).append(": ")
        text = self._text(visible(event.text))
        return Entry(self._clock(event.at, sent=not called, called=called), head, text)

    def _text(self, text: str) -> Text:
        """Returns what was said, and is cleaned."""
        if not self._manner.marked:
            return Text(text)
        return markup(text, self._palette, name=self._view.name, links=self._manner.links)

    def _clock(self, at: int, *, sent: bool, called: bool) -> Text:
        """Returns the local time of `at`, milliseconds since the epoch, and whether it is one's own."""
        style = self._palette.mention if called and self._manner.marked else self._palette.faint
        clock = styled(self._time(at), style)
        if sent and self._manner.marked:
            return clock.append(SENT, self._palette.sent).append(" ")
        return clock.append("  ") if clock else clock

    def _time(self, at: int) -> str:
        form = {"off": "", "time": "%H:%M", "datetime": "%Y-%m-%d %H:%M:%S"}[self._manner.timestamp]
        return form and (local_time(at, form) or "--:--")

    # What happens

    def _info(self, gutter: str, body: Text) -> Entry:
        body.stylize_before(self._palette.faint)  # So that names keep their colours.
        return Entry(styled(gutter, self._palette.faint), Text(), body)

    def _alarm(self, gutter: str, text: str) -> Entry:
        return Entry(styled(gutter, self._palette.alarm), Text(), styled(one_line(text), self._palette.alarm))

    def _news(self, event: Frame) -> Text | None:
        """Returns what is told about anything that nobody said and nobody did by coming or going."""
        match event:
            case Welcome(motd=str(motd)):
                return _words(motd)
            case Notice():
                return _words(event.text)
            case RoomState():
                return self._room_state(event)
            case Renamed():
                return self._renamed(event)
            case Topic():
                return self._topic(event)
            case Redacted():
                return self._redacted(event)
            case Members():
                return self._members(event)
            case User():
                return self._user(event)
            case Away():
                return self._away(event)
            case Rooms():
                return _rooms(event)
            case Bans():
                return moderation.bans(event)
            case Mode():
                return moderation.mode(event, self._palette)
            case Gap():
                lost = f"{event.after + 1}\u2013{event.before - 1}"
                return Text(f"… messages {lost} of {room_label(event.room)} are no longer kept …")
        return None

    def _presence(self, event: Presence) -> Entry | None:
        joined = [name for name in event.joined if name != self._view.name]
        left = [name for name in event.left if name != self._view.name]
        where = f" {room_label(event.room)}" if event.room != self._view.room else ""
        parts = []
        if joined:
            parts.append(Text("→ ") + self._names(joined, NAMES_SHOWN) + Text(f" joined{where}"))
        if left:
            parts.append(Text("← ") + self._names(left, NAMES_SHOWN) + Text(f" left{where}"))
        return self._info("", Text("  ").join(parts)) if parts else None

    def _room_state(self, event: RoomState) -> Text:
        others = [name for name in event.members if name != self._view.name]
        count = event.count - 1
        body = Text(f"in {room_label(event.room)}")
        if count > 0:
            body.append(f" with {count} other{'s' if count > 1 else ''}: ")
            body.append_text(self._names(others, NAMES_SHOWN, count))
        else:
            body.append(", nobody else is here")
        if event.topic:
            body.append(f" — {one_line(event.topic)}")
        return body

    def _renamed(self, event: Renamed) -> Text:
        if event.to == self._view.name:
            return Text("you are now ") + self._name(event.to)
        return self._name(event.name) + Text(" is now ") + self._name(event.to)

    def _topic(self, event: Topic) -> Text:
        body = self._name(event.name)
        if not event.text:
            return body.append(f" cleared the topic of {room_label(event.room)}")
        return body.append(f" set the topic of {room_label(event.room)}: {one_line(event.text)}")

    def _redacted(self, event: Redacted) -> Text:
        # What was printed cannot be taken back: the number tells which one it was.
        where = f" of {room_label(event.room)}" if event.room != self._view.room else ""
        body = self._name(event.name).append(f" removed message {event.id}{where}")
        return body.append(f": {one_line(event.reason)}") if event.reason else body

    # People

    def _members(self, event: Members) -> Text:
        where = f" in {room_label(event.room)}" if event.room is not None else ""
        body = Text(f"{event.count}{where}: ") + self._names(event.names, MEMBERS_SHOWN, event.count)
        return body + Text(" — away: ") + self._names(event.away, NAMES_SHOWN) if event.away else body

    def _user(self, event: User) -> Text:
        rooms = ", ".join(map(room_label, event.rooms)) or "no room"
        body = self._name(event.name).append(f" is in {rooms}; came in {ago(event.at, time.time())}")
        body.append(f"; silent for {span(event.idle)}" if event.idle >= 1 else "; talking just now")
        if event.away:
            body.append(f"; away: {one_line(event.away)}")
        body.append(_standing(event))
        if event.address:
            body.append(f"; from {one_line(event.address)}")
        return body.append(f"; uses {one_line(event.agent)}") if event.agent else body

    def _away(self, event: Away) -> Text:
        if event.name != self._view.name:
            return self._name(event.name).append(f" is away: {one_line(event.text)}")
        return Text(f"you are away: {one_line(event.text)}" if event.text else "you are back")

    def _name(self, name: str) -> Text:
        return name_text(name, self._palette)

    def _names(self, names: Sequence[str], limit: int, count: int | None = None) -> Text:
        """Returns at most `limit` names, and how many more there are of `count`."""
        shown: Iterable[Text] = map(self._name, names[:limit])
        body = Text(", ").join(shown)
        more = (len(names) if count is None else count) - min(limit, len(names))
        return body.append(f" and {more} more") if more > 0 else body


def _standing(user: User) -> str:
    """Returns what is told of what somebody may do, where that is not the usual."""
    account = ", with an account" if user.account else ""
    if user.role == "member":
        return "; has an account" if user.account else ""
    return f"; {role_label(user.role)}{account}"


def separator(text: str, manner: Manner) -> Entry:
    """Returns a line between what was said before and after."""
    style = manner.palette.separator
    return Entry(styled("── ", style), Text(), styled(f"{text} ──", style))


def _since_you_left(event: SinceYouLeft) -> str:
    count = f"{event.missed} message{'s' if event.missed > 1 else ''}"
    where = f"since you left {room_label(event.room)} {ago(event.at, time.time())}: {count}"
    if event.missed <= event.shown:
        return where
    return f"{where}, the last {event.shown} follow; /history {min(event.missed, 500)} shows more"


def span(seconds: float) -> str:
    """Returns a time span for people: ``3 hours``."""
    size, unit = next((row for row in _SPANS if seconds >= row[0]), _SPANS[-1])
    count = int(seconds // size)
    return f"{count} {unit}{'' if count == 1 else 's'}"


def ago(at: int, now: float) -> str:
    """Returns how long ago `at`, milliseconds since the epoch, was at `now`, seconds since then."""
    seconds = now - max(min(at, 2**53), -(2**53)) / 1000  # A server may send any number.
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def _words(text: str) -> Text:
    lines = visible(text).split("\n")
    more = len(lines) - LINES_SHOWN
    return Text("\n".join([*lines[:LINES_SHOWN], *([f"… and {more} lines more"] if more > 0 else [])]))


def _rooms(event: Rooms) -> Text:
    lines = [_room_line(line) for line in event.rooms[:ROOMS_SHOWN]]
    if more := len(event.rooms) - len(lines):
        lines.append(f"… and {more} more; `chatctl rooms` shows all")
    return Text("\n".join(lines))


def _room_line(line: RoomLine) -> str:
    return f"{room_label(line.room)} ({line.count})" + (f" — {one_line(line.topic)}" if line.topic else "")
