"""What people who see plain lines are shown of frames. No I/O.

No line can pose as another one, since it begins with what says whose it is, and no name holds a blank or a
colon, or begins with a mark:

===================  ======================================
``ann: hello``       what somebody said
``* ann waves``      what somebody did, or that they came, left or have a new name
``- in #lobby: …``   what the server says
``! …``              what it refuses
``#ops …``           in front of any of these: not in the lobby
===================  ======================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from chatctl.deeds import DEEDS, OF_A_ROOM
from chatctl.messages import (
    LOBBY,
    Account,
    Ack,
    Away,
    Ban,
    Bans,
    Bye,
    Error,
    Found,
    Frame,
    Gap,
    History,
    Invited,
    Members,
    Mode,
    Moderated,
    Msg,
    Notice,
    Ping,
    Pong,
    Presence,
    Redacted,
    Renamed,
    Rooms,
    RoomState,
    Told,
    Topic,
    User,
    Welcome,
)
from chatctl.names import skeleton
from chatctl.text import REMOVED, one_line, visible

NAMES_SHOWN = 50
LINES_SHOWN = 200  # of a list

# What happens to people is told in these words; who says them of themselves is shown as saying them.
_HAPPENINGS = re.compile(r"(?:joined|left|is now)(?: |$)|.*\bprivate\b")
_LONGEST_HAPPENING = 100  # characters in which its words stand, whatever stands between them
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"  # that are no blanks, and show as such


def encode(frames: Iterable[Frame]) -> bytes:
    """Returns the lines that show frames, in order; empty where there is nothing to see."""
    return "".join([_WORDS[type(frame)](frame) for frame in frames]).encode()


def notes(text: str, room: str = LOBBY) -> str:
    """Returns lines in which the server says something."""
    return _lines(f"{_label(room)}- ", text)


def refusal(text: str) -> str:
    """Returns the line in which the server refuses something."""
    return f"! {_cell(text)}\n"


def _lines(head: str, text: str) -> str:
    """Returns the lines of `text`, whatever is in it, each behind `head`."""
    if text.isprintable():
        return f"{head}{text}\n"
    return "".join([f"{head}{line.expandtabs()}\n" for line in visible(text).split("\n")])


def _cell(text: str) -> str:
    """Returns what is to be a part of a line."""
    return text if text.isprintable() else one_line(text)


def _label(room: str) -> str:
    return "" if room == LOBBY else f"#{_cell(room)} "


def _names(names: Sequence[str], count: int | None = None) -> str:
    """Returns names, the first of them, and how many more there are of `count`."""
    more = (len(names) if count is None else count) - min(len(names), NAMES_SHOWN)
    shown = ", ".join(map(_cell, names[:NAMES_SHOWN]))
    return f"{shown} and {more} more" if more > 0 else shown


def _moment(at: int) -> str:
    """Returns when `at` is, milliseconds since the Unix epoch."""
    try:
        return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (OverflowError, ValueError, OSError):
        return "a time that no calendar has"


# What is said


def _msg(frame: Msg) -> str:
    if frame.kind == "text" and frame.room == LOBBY and frame.text:
        return _lines(f"{_cell(frame.name)}: ", frame.text)
    return _said(_label(frame.room), frame)


def _said(label: str, frame: Msg) -> str:
    name = _cell(frame.name)
    if frame.kind == "text" or not frame.text:
        return _lines(f"{label}{name}: ", frame.text or REMOVED)
    return "".join([_done(f"{label}* {name}", line) for line in frame.text.split("\n")])


def _done(head: str, line: str) -> str:
    return _lines(f"{head}: " if _looks_like_a_happening(line) else f"{head} ", line)


def _looks_like_a_happening(line: str) -> bool:
    """Returns whether `line` behind a name may be taken for what the server tells, or for a private one."""
    start = line[:_LONGEST_HAPPENING]
    return any(_HAPPENINGS.match(_words(start, blank)) for blank in ("", " "))


def _words(text: str, blank: str) -> str:
    """Returns the letters that are read in `text`, and `blank` for what may be seen as one, or not at all."""
    letters = [_letter(c, blank) for c in text]
    return " ".join(skeleton("".join(letters)).split())


def _letter(character: str, blank: str) -> str:
    if character == " ":
        return character
    if character.isspace() or character in _FILLERS:
        return blank
    return character if character.isalnum() else ""


def _told(frame: Told) -> str:
    whose = f"{_cell(frame.name)} to {_cell(frame.to)}" if frame.to else _cell(frame.name)
    if frame.kind == "text":
        return _lines(f"{whose} (private): ", frame.text)
    return _lines(f"* {whose} (private) ", frame.text)


def _messages(messages: Iterable[Msg]) -> str:
    return "".join([_said(f"- {_moment(m.at)} #{_cell(m.room)} {m.id} ", m) for m in messages])


def _history(frame: History) -> str:
    if not frame.messages:
        return notes("nothing was said")
    return _messages(frame.messages)


def _found(frame: Found) -> str:
    if not frame.messages:
        return notes("nothing was found")
    return _messages(reversed(frame.messages))


def _gap(frame: Gap) -> str:
    lost = f"{frame.after + 1} to {frame.before - 1}"
    return notes(f"messages {lost} of #{_cell(frame.room)} are no longer kept")


def _redacted(frame: Redacted) -> str:
    reason = f": {_cell(frame.reason)}" if frame.reason else ""
    return notes(f"{_cell(frame.name)} removed message {frame.id}{reason}", frame.room)


# Who is there


def _welcome(frame: Welcome) -> str:
    role = "" if frame.role == "member" else f", as {_role(frame.role)}"
    words = notes(f"you are {_cell(frame.name)}{role}; /help lists the commands, exit leaves")
    if frame.key:
        words += notes(f"your own key, for the next time: {_cell(frame.key)}")
    return words + (notes(frame.motd) if frame.motd else "")


def _role(role: str) -> str:
    return "an owner" if role == "owner" else f"a {role}"


def _room(frame: RoomState) -> str:
    words = notes(f"in #{_cell(frame.room)}, {frame.count} here: {_names(frame.members, frame.count)}")
    return words + (notes(f"topic: {_cell(frame.topic)}") if frame.topic else "")


def _presence(frame: Presence) -> str:
    label = _label(frame.room)
    came = [f"{label}* {_cell(name)} joined\n" for name in frame.joined]
    return "".join(came + [f"{label}* {_cell(name)} left\n" for name in frame.left])


def _renamed(frame: Renamed) -> str:
    return f"* {_cell(frame.name)} is now {_cell(frame.to)}\n"


def _topic(frame: Topic) -> str:
    if not frame.text:
        return notes(f"{_cell(frame.name)} cleared the topic", frame.room)
    return notes(f"{_cell(frame.name)} set the topic: {_cell(frame.text)}", frame.room)


def _members(frame: Members) -> str:
    where = "" if frame.room is None else f" in #{_cell(frame.room)}"
    away = f"; away: {_names(frame.away)}" if frame.away else ""
    return notes(f"{frame.count}{where}: {_names(frame.names, frame.count)}{away}")


def _user(frame: User) -> str:
    parts = [
        f"{_cell(frame.name)} is in " + (", ".join(f"#{_cell(room)}" for room in frame.rooms) or "no room"),
        f"came in {_moment(frame.at)}",
        f"silent for {frame.idle} s",
        f"away: {_cell(frame.away)}" if frame.away else "",
        "" if frame.role == "member" else _role(frame.role),
        "has an account" if frame.account else "",
        f"from {_cell(frame.address)}" if frame.address else "",
        f"uses {_cell(frame.agent)}" if frame.agent else "",
    ]
    return notes("; ".join(filter(None, parts)))


def _away(frame: Away) -> str:
    return notes(f"{_cell(frame.name)} is " + (f"away: {_cell(frame.text)}" if frame.text else "back"))


def _rooms(frame: Rooms) -> str:
    lines = [
        f"#{_cell(line.room)} ({line.count})" + (f": {_cell(line.topic)}" if line.topic else "")
        for line in frame.rooms[:LINES_SHOWN]
    ]
    return _listed(lines, len(frame.rooms))


def _listed(lines: list[str], count: int) -> str:
    if more := count - len(lines):
        lines.append(f"and {more} more")
    return "".join(map(notes, lines))


# What moderators do, and what is allowed


def _account(frame: Account) -> str:
    account = "logged in" if frame.account else "not logged in"
    return notes(f"{_cell(frame.name)} is {_role(frame.role)}, {account}")


def _moderated(frame: Moderated) -> str:
    before, behind = DEEDS[frame.what]
    words = f"{_cell(frame.name)} {before} {_cell(frame.whom)}{behind}"
    if frame.room is not None and frame.what in OF_A_ROOM:
        words += f" #{_cell(frame.room)}"
    if frame.until is not None:
        words += f" until {_moment(frame.until)}"
    return notes(f"{words}: {_cell(frame.reason)}" if frame.reason else words)


def _bans(frame: Bans) -> str:
    if not frame.bans:
        return notes("nobody is banned or muted")
    return _listed([_ban(ban) for ban in frame.bans[:LINES_SHOWN]], len(frame.bans))


def _ban(ban: Ban) -> str:
    what = "banned" if ban.what == "ban" else "muted"
    until = "for good" if ban.until is None else f"until {_moment(ban.until)}"
    reason = f": {_cell(ban.reason)}" if ban.reason else ""
    return f"{_cell(ban.whom)} {what} {until} by {_cell(ban.name)}{reason}"


def _mode(frame: Mode) -> str:
    choices = {
        "invite-only": frame.invite_only,
        "hidden": frame.hidden,
        "read-only": frame.read_only,
        "topic-locked": frame.topic_locked,
    }
    words = ", ".join(word for word, chosen in choices.items() if chosen) or "open to everybody"
    room = f"#{_cell(frame.room)}"
    return notes(f"{_cell(frame.name)} changed {room}: it is {words}" if frame.name else f"{room} is {words}")


def _invited(frame: Invited) -> str:
    people = "one person" if frame.uses == 1 else f"{frame.uses} people"
    words = f"until {_moment(frame.until)} this key lets {people} into #{_cell(frame.room)}"
    return notes(f"{words}: {_cell(frame.key)}")


def _nothing(_frame: Frame) -> str:
    return ""


_WORDS: dict[type, Callable[[Any], str]] = {
    Msg: _msg,
    Told: _told,
    Ack: _nothing,
    Presence: _presence,
    Welcome: _welcome,
    RoomState: _room,
    Renamed: _renamed,
    Topic: _topic,
    Members: _members,
    Away: _away,
    User: _user,
    Rooms: _rooms,
    History: _history,
    Found: _found,
    Account: _account,
    Moderated: _moderated,
    Bans: _bans,
    Mode: _mode,
    Redacted: _redacted,
    Invited: _invited,
    Gap: _gap,
    Notice: lambda frame: notes(frame.text),
    Error: lambda frame: refusal(frame.text),
    Ping: _nothing,
    Pong: _nothing,
    Bye: lambda frame: notes(frame.text),
}
