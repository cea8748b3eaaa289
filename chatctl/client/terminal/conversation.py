"""One person in the chat: what they see of what the server sends, and what becomes of what they type.

Knows no terminal. Not for two threads at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from msgspec import structs

from chatctl import commands
from chatctl.client.connection import ChatClient
from chatctl.client.display.labels import room_label
from chatctl.client.display.look import Look
from chatctl.client.display.markup import mentions
from chatctl.client.display.render import View
from chatctl.client.display.shown import Failed, Numbered, SinceYouLeft, ToldTo
from chatctl.client.events import CaughtUp, Disconnected, Event, Reconnected
from chatctl.client.terminal.administering import invited
from chatctl.client.terminal.inquiries import Inquiries
from chatctl.client.terminal.places import Places
from chatctl.client.terminal.remembered import Ignored, LastSeen, Spot
from chatctl.client.terminal.standing import Standing
from chatctl.commands import UsageError
from chatctl.measures import measure_of
from chatctl.messages import (
    Account,
    Ack,
    Away,
    Error,
    Found,
    Frame,
    History,
    Invited,
    Join,
    ListRooms,
    Members,
    Msg,
    Notice,
    Part,
    Presence,
    Redact,
    Redacted,
    Rename,
    Renamed,
    Rooms,
    RoomState,
    ServerFrame,
    SetAway,
    SetTopic,
    Tell,
    Told,
    Topic,
    Who,
    Whois,
)
from chatctl.names import check_name, check_room, fold
from chatctl.text import one_line


class Conversation:
    """What one person sees of the chat, and says in it.

    Args:
        client: connected; whoever owns it reads from it and closes it.
        room: the room it entered, as `names.check_room` returns it.
        ignored: whose words are not shown.
        last_seen: where they were when they left last.
        look: how the chat looks and sounds at first.

    Attributes:
        client: the connection.
        name: what one is called; the client itself may have read on, and know a newer one.
        places: the rooms one is in.
        look: how the chat looks and sounds now.
        standing: what one is on the server.
        connected: there is a line to the server.
        away: what those are told who write privately; empty if one is here.
    """

    def __init__(
        self, client: ChatClient, room: str, ignored: Ignored, last_seen: LastSeen, look: Look
    ) -> None:
        self.client = client
        self.name = client.welcome.name
        self.places = Places(room)
        self.standing = Standing(client.welcome)
        self.look = look
        self.connected = True
        self.away = ""
        self._ignored = ignored
        self._last_seen = last_seen
        self._returning = False  # what was missed is coming
        self._renewing = False  # the server is being told again that one is away
        self._wanted = room
        self._left: dict[str, Spot] = {}  # where one was in rooms whose replay has not come that far yet
        self._parting: set[str] = set()
        self._absent: set[str] = set()  # rooms one was in when the line was lost, and not yet again
        self._listed: list[str] = []
        self._teller = ""
        self._inquiries = Inquiries(time.time)

    @property
    def view(self) -> View:
        """How things look from here."""
        return View(self.name, self.places.focus)

    @property
    def names(self) -> set[str]:
        """The other people one may want to name."""
        return (self.places.members | {self._teller}) - {self.name, ""}

    @property
    def rooms(self) -> set[str]:
        """The rooms one may want to name."""
        return {*self.places, *self._listed}

    # What comes

    def receive(self, event: Event) -> Iterator[Frame]:
        """Takes in an event; yields what is to be shown of it."""
        match event:
            case Disconnected() | Reconnected() | CaughtUp():
                yield from self._line(event)
            case Msg() | Told() if event.name in self._ignored:
                self._pass_over(event)
            case Msg():
                yield from self._said(event)
            case Told(to=str(to)):
                yield ToldTo(event.at, to, event.text, event.kind)
            case Account():
                yield from self._became(event)
            case Invited():
                yield from invited(event, self.client.address)
            case Ack():
                yield from self._acked(event)
            case Error(nonce=str(nonce)) if nonce in self.client.unacked:
                yield Failed(self.client.unacked[nonce].text, event.text)
            case RoomState():
                yield from self._entered(event)
            case Presence():
                yield from self._came_and_went(event)
            case History() | Found() if self._inquiries.answers(event):
                yield from self._inquiries.shown(event, self._looked_up)
            case Renamed() if event.name in self._ignored:
                self._ignored.follow(event.name, event.to)
                self.places.rename(event)
            case Error(re=int(number)):
                self._inquiries.forget(number)
                yield event
            case Away() if self._renewing and event.name == self.name:
                self._renewing = False
            case _:
                self._learn(event)
                yield event

    def _line(self, event: Disconnected | Reconnected | CaughtUp) -> Iterator[Frame]:
        match event:
            case Disconnected():
                if self.connected:
                    yield Notice(f"{event.text}; what you say now is sent when the server is back")
                self.connected = False
            case Reconnected():
                self.connected = self._returning = True
                self.standing.renew(event.welcome)
                self._absent = set(self.places)
                if self.away:
                    self.client.send(SetAway(self.away))
                    self._renewing = True
            case CaughtUp():
                self._returning = False
                yield Notice(_back(event.messages))
                for room in sorted(self._absent):
                    yield self._gone(room)

    def _said(self, msg: Msg) -> Iterator[Frame]:
        spot = self._left.get(msg.room)
        if spot and msg.id > spot.id:
            del self._left[msg.room]
            place = self.places.get(msg.room)
            if place and msg.id <= place.replayed:
                last = place.replayed
                yield SinceYouLeft(msg.room, spot.at, last - spot.id, last - msg.id + 1)
        self._note(msg)
        yield msg

    def _note(self, msg: Msg) -> None:
        quiet = self._is_me(msg.name) or not msg.text
        self.places.note(msg.room, msg.id, mine=quiet, called=self.weight(msg) == "called")
        self._note_spot(msg)

    def _note_spot(self, msg: Msg) -> None:
        if msg.room in self.places:  # A server can send any room.
            self._last_seen.note(msg.room, Spot(msg.id, msg.at))
            self.places.hear(msg)

    def _pass_over(self, event: Msg | Told) -> None:
        """Notes what is not shown."""
        if isinstance(event, Msg):
            self.places.note(event.room, event.id, mine=True)
            self._note_spot(event)

    def weight(self, frame: Frame) -> Literal["", "said", "called"]:
        """Returns whether what is shown was said just now by somebody else, and whether it calls one."""
        if isinstance(frame, Told):
            return "called"
        if not isinstance(frame, Msg) or self._is_me(frame.name) or not frame.text:
            return ""
        place = self.places.get(frame.room)
        if place is None or frame.id <= place.replayed:
            return ""
        return "called" if mentions(frame.text, self.name) else "said"

    def _looked_up(self, msg: Msg) -> Frame | None:
        """Returns how a message is shown that was looked for: with its id, for who may take it away."""
        if msg.name in self._ignored:
            return None
        return Numbered(msg) if self.standing.may_redact else msg

    def _is_me(self, name: str) -> bool:
        return name == self.name or fold(name) == fold(self.name)

    def _acked(self, ack: Ack) -> Iterator[Frame]:
        post = self.client.unacked.get(ack.nonce)
        if isinstance(post, Tell):
            yield ToldTo(ack.at, post.to, post.text, post.kind)
        elif post:
            room = ack.room or post.room
            msg = Msg(ack.id or 0, ack.at, room, self.name, post.text, post.kind)
            self._note(msg)
            yield msg

    def _entered(self, state: RoomState) -> Iterator[Frame]:
        known = state.room in self.places
        place = self.places.enter(state)
        self._absent.discard(state.room)
        if place is None:
            return
        spot = self._last_seen.get(state.room)
        if not known and spot and 0 < spot.id < state.last:
            self._left[state.room] = spot
        if state.room == self._wanted:
            self.places.go_to(state.room)
            self._wanted = ""
        if not (known and self._returning):
            yield state

    def _came_and_went(self, event: Presence) -> Iterator[Frame]:
        self.places.presence(event)
        if self.name in event.left:
            yield self._gone(event.room)
        elif shown := self._unignored(event):
            yield shown

    def _gone(self, room: str) -> Notice:
        """Notes that one is in a room no more."""
        asked = room in self._parting
        self._parting.discard(room)
        self.places.leave(room, asked=asked)
        return Notice(f"you {'left' if asked else 'are no longer in'} {room_label(room)}")

    def _unignored(self, event: Presence) -> Presence | None:
        """Returns who came and went, but for those who are ignored; None if nobody else did."""
        joined = [name for name in event.joined if name not in self._ignored]
        left = [name for name in event.left if name not in self._ignored]
        return structs.replace(event, joined=joined, left=left) if joined or left else None

    def _learn(self, event: ServerFrame) -> None:
        match event:
            case Told():
                self._teller = event.name
            case Renamed():
                self._rename(event)
            case Topic() if place := self.places.get(event.room):
                place.topic = event.text
            case Redacted():
                self.places.redact(event)
            case Members(room=str(room)) if place := self.places.get(room):
                place.members.clear()
                self.places.know(place, event.names)
            case Rooms():
                self._listed = [line.room for line in event.rooms]
            case Away() if event.name == self.name:
                self.away = event.text

    def _became(self, event: Account) -> Iterator[Frame]:
        """Takes in who one is from now on."""
        if event.name != self.name:
            self._rename(Renamed(self.name, event.name))
        if news := self.standing.learn(event):
            yield Notice(news)

    def _rename(self, event: Renamed) -> None:
        self.places.rename(event)
        if event.name == self._teller:
            self._teller = event.to
        if event.name == self.name:
            self.name = event.to

    def undelivered(self) -> Iterator[str]:
        """Yields a line for each thing said that nobody confirmed; for when the connection is over."""
        for nonce, post in self.client.unacked.items():
            # What was sent may have arrived, and is not to be said again without a look.
            perhaps = "perhaps " if self.client.was_sent(nonce) else ""
            yield f"{perhaps}not delivered: {post.text}"

    def save(self, *, now: bool = False) -> None:
        """Keeps where one is, now or if that was not done for long.

        Raises:
            DataError: it cannot be written.
        """
        self._last_seen.save(now=now)

    # What is typed

    def perform(self, action: commands.Action) -> Iterator[Frame]:
        """Does what was asked for, but for what needs the terminal or the disk; yields what is to be shown.

        Raises:
            ChatError: it cannot be done; ConnectionFailed, if the connection is over.
        """
        match action:
            case commands.Say(text):
                self.client.post(_typed(text), self.here())
            case commands.Me(text):
                self.client.post(_typed(text), self.here(), "action")
            case commands.Msg(name, text):
                self.client.post_private(name, _typed(text))
            case commands.Reply(text):
                self._reply(_typed(text))
            case commands.Quit():
                self.client.leave()
            case _:
                yield from self._answer(action)

    def _answer(self, action: commands.Action) -> Iterator[Frame]:
        """Does what is answered here."""
        match action:
            case commands.Help():
                yield Notice(commands.help_text(self.standing.role))
            case commands.Topic(""):
                yield Notice(self._shown_topic())
            case commands.Focus(room):
                self._focus(room)
            case commands.Ignore(name):
                yield Notice(self._ignore(name))
            case commands.Unignore(name):
                yield Notice(self._unignore(name))
            case commands.Choose(what, value):
                yield Notice(self._choose(what, value))
            case _:
                self._ask(action)

    def _ask(self, action: commands.Action) -> None:
        """Sends what the server answers with something to show."""
        match action:
            case commands.Nick(name):
                self.client.send(Rename(name))
            case commands.Who(room):
                self.client.send(Who(room or self.here()))
            case commands.Whois(name):
                self.client.send(Whois(name))
            case commands.Away(text):
                self.client.send(SetAway(_typed(text)))
            case commands.Back():
                self.client.send(SetAway())
            case commands.Rooms():
                self.client.send(ListRooms())
            case commands.Join(room):
                self._wanted = check_room(room)
                self.client.send(Join(self._wanted))
            case commands.Part(room):
                self._part(check_room(room or self.here()))
            case commands.Topic(text):
                self.client.send(SetTopic(self.here(), text))
            case commands.History(since):
                self.client.send(self._inquiries.history(self.here(), since))
            case commands.Search(text):
                self.client.send(self._inquiries.search(text))
            case commands.Redact(what, reason):
                self.client.send(Redact(self.here(), self._find(what), reason))
            case _:
                if measure := measure_of(action, self.here):
                    self.client.send(measure)

    def _find(self, what: str) -> int:
        """Returns the id of a message that is meant by that, or by who said it last in this room.

        Raises:
            UsageError: nothing is known of them.
        """
        number = what.removeprefix("#")
        if number.isascii() and number.isdecimal() and len(number) < 16:
            return int(number)
        if id_ := self.places.last_of(what):
            return id_
        raise UsageError(f"{one_line(what)} has said nothing in {room_label(self.here())} that you saw")

    def here(self) -> str:
        """Returns the room one talks in.

        Raises:
            UsageError: there is none.
        """
        if not self.places.focus:
            others = ", or goes to one of yours" if self.places else ""
            raise UsageError(f"you are in no room; /join ROOM enters one{others}")
        return self.places.focus

    def _reply(self, text: str) -> None:
        if not self._teller:
            raise UsageError("nobody has written to you yet")
        self.client.post_private(self._teller, text)

    def topic(self, room: str) -> str:
        """Returns the topic of a room, as far as it is known; empty if there is none."""
        place = self.places.get(room)
        return place.topic if place else ""

    def _shown_topic(self) -> str:
        label, topic = room_label(self.here()), self.topic(self.here())
        return f"the topic of {label}: {topic}" if topic else f"{label} has no topic"

    def _part(self, room: str) -> None:
        self._parting.add(room)
        self.client.send(Part(room))

    def _focus(self, room: str) -> None:
        room = check_room(room)
        if room not in self.places and room.isdecimal():
            room = self.places.numbered(int(room)) or room
        if room not in self.places:
            raise UsageError(f"you are not in {room_label(room)}; /join {room} enters it")
        self.places.go_to(room)

    # Choosing

    def _ignore(self, name: str) -> str:
        if not name:
            hidden = self._ignored.names()
            return f"you ignore {', '.join(hidden)}" if hidden else "you ignore nobody"
        name = check_name(name)
        if self._is_me(name):
            raise UsageError("you cannot ignore yourself")
        self._ignored.add(name)
        return f"you do not see any more what {name} says; /unignore {name} shows it again"

    def _unignore(self, name: str) -> str:
        if not self._ignored.remove(name):
            raise UsageError(f"you do not ignore {one_line(name)}")
        return f"you see again what {one_line(name)} says"

    def _choose(self, what: str, value: str) -> str:
        if not value:
            return f"{what}: {getattr(self.look, what)}"
        self.look = self.look.changed(what, value)
        return f"{what}: {value}; `chatctl config set {what} {value}` makes it last"


def exported(count: int, room: str, path: Path) -> str:
    """Returns what is said once a room was written to a file."""
    return f"{count} message{'' if count == 1 else 's'} of {room_label(room)} are in {one_line(str(path))}"


def _typed(text: str) -> str:
    """Returns a text that was typed, with emoji where their names stand."""
    from chatctl.client.display.emoji import with_emoji

    return with_emoji(text)


def _back(missed: int) -> str:
    if not missed:
        return "back: you missed nothing"
    return f"back: you missed {missed} message{'s' if missed > 1 else ''}"
