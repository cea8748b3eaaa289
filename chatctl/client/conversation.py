"""Where someone is in the chat: the rooms they are in, who else is there, what they asked for.

Turns what the server sends into what is shown, and what is typed into what is sent. Knows no terminal.
Not for two threads at once.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from chatctl import commands
from chatctl.client.connection import ChatClient
from chatctl.client.events import CaughtUp, Disconnected, Event, Reconnected
from chatctl.client.render import ToldTo, View, room_label
from chatctl.commands import UsageError
from chatctl.messages import (
    Ack,
    Error,
    Frame,
    Join,
    ListRooms,
    Members,
    Msg,
    Notice,
    Part,
    Presence,
    Rename,
    Renamed,
    Rooms,
    RoomState,
    ServerFrame,
    SetTopic,
    Tell,
    Told,
    Topic,
    Who,
)
from chatctl.names import check_room

# However many a server tells of, no more are remembered, all rooms together.
MAX_PLACES = 100
MAX_MEMBERS = 20_000


class Place(Struct):
    """What is known of a room one is in."""

    topic: str
    members: set[str]


class Conversation:
    """What one person sees of the chat, and says in it.

    Args:
        client: connected; whoever owns it reads from it and closes it.
        room: the room it entered, as `names.check_room` returns it.

    Attributes:
        client: the connection.
        name: what one is called; the client itself may have read on, and know a newer one.
        room: the room that what is said goes to; empty if there is none.
        connected: there is a line to the server.
    """

    def __init__(self, client: ChatClient, room: str) -> None:
        self.client = client
        self.name = client.welcome.name
        self.room = room
        self.connected = True
        self._returning = False  # what was missed is coming
        self._wanted = room
        self._places: dict[str, Place] = {}  # the one gone to last at the end
        self._parting: set[str] = set()
        self._listed: list[str] = []
        self._teller = ""

    @property
    def view(self) -> View:
        """How things look from here."""
        return View(self.name, self.room, len(self._places) > 1)

    @property
    def names(self) -> set[str]:
        """The other people one may want to name."""
        known = set().union(*(place.members for place in self._places.values()), {self._teller})
        return known - {self.name, ""}

    @property
    def rooms(self) -> set[str]:
        """The rooms one may want to name."""
        return {*self._places, *self._listed}

    # What comes

    def receive(self, event: Event) -> Iterator[Frame]:
        """Takes in an event; yields what is to be shown of it."""
        match event:
            case Disconnected():
                if self.connected:
                    yield Notice(f"{event.text}; what you say now is sent when the server is back")
                self.connected = False
                return
            case Reconnected():
                self.connected = self._returning = True
                return
            case CaughtUp():
                self._returning = False
                yield Notice(_back(event.messages))
                return
            case RoomState() if self._returning and event.room in self._places:
                self._enter(event)
                return
            case Ack():
                yield from self._acked(event)
                return
            case Error(nonce=str(nonce)) if nonce in self.client.unacked:
                lost = self.client.unacked[nonce].text
                yield Error(code=event.code, text=f"{event.text}; not delivered: {lost}")
                return
            case RoomState():
                self._enter(event)
            case Presence():
                yield from self._came_and_went(event)
            case Renamed():
                self._rename(event)
            case _:
                self._learn(event)
        yield event

    def _acked(self, ack: Ack) -> Iterator[Frame]:
        post = self.client.unacked.get(ack.nonce)
        if isinstance(post, Tell):
            yield ToldTo(ack.at, post.to, post.text, post.kind)
        elif post:
            room = ack.room or post.room
            yield Msg(ack.id or 0, ack.at, room, self.name, post.text, post.kind)

    def _enter(self, state: RoomState) -> None:
        if state.room not in self._places and len(self._places) >= MAX_PLACES:
            return
        self._places[state.room] = Place(state.topic, set(state.members))
        if state.room == self._wanted:
            self._go_to(state.room)

    def _go_to(self, room: str) -> None:
        self.room = room
        self._places[room] = self._places.pop(room)

    def _came_and_went(self, event: Presence) -> Iterator[Frame]:
        place = self._places.get(event.room)
        if place:
            if sum(len(other.members) for other in self._places.values()) < MAX_MEMBERS:
                place.members |= set(event.joined)
            place.members -= set(event.left)
        if event.room in self._parting and self.name in event.left:
            self._parting.discard(event.room)
            self._places.pop(event.room, None)
            if event.room == self.room:
                self.room = self._wanted = next(reversed(self._places), "")
            yield Notice(f"you left {room_label(event.room)}")

    def _rename(self, event: Renamed) -> None:
        for place in self._places.values():
            if event.name in place.members:
                place.members.discard(event.name)
                place.members.add(event.to)
        if event.name == self._teller:
            self._teller = event.to
        if event.name == self.name:
            self.name = event.to

    def _learn(self, event: ServerFrame) -> None:
        match event:
            case Told():
                self._teller = event.name
            case Topic() if place := self._places.get(event.room):
                place.topic = event.text
            case Members(room=str(room)) if place := self._places.get(room):
                place.members = set(event.names)
            case Rooms():
                self._listed = [line.room for line in event.rooms]

    def undelivered(self) -> Iterator[str]:
        """Yields a line for each thing said that nobody confirmed; for when the connection is over."""
        for nonce, post in self.client.unacked.items():
            # What was sent may have arrived, and is not to be said again without a look.
            perhaps = "perhaps " if self.client.was_sent(nonce) else ""
            yield f"{perhaps}not delivered: {post.text}"

    # What is typed

    def perform(self, action: commands.Action) -> Iterator[Frame]:
        """Does what was asked for, but for clearing the screen; yields what is to be shown at once.

        Raises:
            ChatError: it cannot be done; ConnectionFailed, if the connection is over.
        """
        match action:
            case commands.Say(text):
                self.client.post(text, self._here())
            case commands.Me(text):
                self.client.post(text, self._here(), "action")
            case commands.Msg(name, text):
                self.client.post_private(name, text)
            case commands.Reply(text):
                self._reply(text)
            case commands.Help():
                yield Notice(commands.help_text())
            case commands.Topic(""):
                yield Notice(self._topic())
            case commands.Quit():
                self.client.leave()
            case _:
                self._ask(action)

    def _ask(self, action: commands.Action) -> None:
        """Sends what the server answers with something to show."""
        match action:
            case commands.Nick(name):
                self.client.send(Rename(name))
            case commands.Who(room):
                self.client.send(Who(room or self._here()))
            case commands.Rooms():
                self.client.send(ListRooms())
            case commands.Join(room):
                self._wanted = check_room(room)
                self.client.send(Join(self._wanted))
            case commands.Part(room):
                self._part(check_room(room or self._here()))
            case commands.Topic(text):
                self.client.send(SetTopic(self._here(), text))

    def _here(self) -> str:
        if not self.room:
            raise UsageError("you are in no room; /join ROOM enters one")
        return self.room

    def _reply(self, text: str) -> None:
        if not self._teller:
            raise UsageError("nobody has written to you yet")
        self.client.post_private(self._teller, text)

    def _topic(self) -> str:
        room = self._here()
        place = self._places.get(room)
        if place and place.topic:
            return f"the topic of {room_label(room)}: {place.topic}"
        return f"{room_label(room)} has no topic"

    def _part(self, room: str) -> None:
        self._parting.add(room)
        self.client.send(Part(room))


def _back(missed: int) -> str:
    if not missed:
        return "back: you missed nothing"
    return f"back: you missed {missed} message{'s' if missed > 1 else ''}"
