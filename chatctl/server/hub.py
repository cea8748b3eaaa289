"""Who is on the server under which name, and which rooms there are. Knows no sockets.

Lock order: a room or the hub, then a log, then an outbox. The hub's own lock guards its tables; nobody who
holds it asks for a room's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from chatctl.errors import Refused
from chatctl.history.log import Log
from chatctl.history.nonces import RecentNonces
from chatctl.messages import (
    LOBBY,
    MAX_AWAY_LISTED,
    MAX_KEPT_ROOMS,
    MAX_NAMES_LISTED,
    MAX_ROOMS,
    MAX_ROOMS_LISTED,
    Away,
    Kind,
    Members,
    Mode,
    RoomLine,
    Rooms,
    Told,
    User,
    Whois,
)
from chatctl.names import MAX_DECOMPOSED, MAX_NAME, fold, skeleton
from chatctl.server.room import Member, Room

MAX_LIST_BYTES = 900 * 1024  # of one answer to `list`


class Person(Member, Protocol):
    """What a hub needs of those who are on the server.

    Attributes:
        at: when they came in, in milliseconds since the Unix epoch.
        agent: what their client calls itself, cleaned; may be empty.
    """

    at: int
    agent: str

    def idle(self) -> float:
        """Returns the seconds since they said something, or came in."""


class Hub:
    """The people and rooms of one server.

    Args:
        log: keeps what is said.
        clock: returns seconds since the Unix epoch.
        mode: returns what is allowed in a room; None where everything is.
    """

    def __init__(
        self,
        log: Log,
        clock: Callable[[], float] = time.time,
        mode: Callable[[str], Mode | None] = lambda _: None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._mode = mode
        self._lock = threading.Lock()
        self._released = threading.Condition(self._lock)
        self._people: dict[str, Person] = {}  # by folded name
        self._looks: dict[str, Person] = {}  # by skeleton
        self._rooms: dict[str, Room] = {LOBBY: Room(LOBBY, log, mode(LOBBY))}
        self._told: RecentNonces[int] = RecentNonces()

    # Names

    def claim(self, member: Person, name: str) -> None:
        """Gives `name` to `member`, who comes in by it, or had another one, or another spelling, up to now.

        Raises:
            Refused: ``name-taken``, also by a name that looks like it.
        """
        key, look = fold(name), skeleton(name)
        with self._lock:
            if self._people.get(key, member) is not member:
                raise Refused("name-taken", "that name is taken")
            if self._looks.get(look, member) is not member:
                raise Refused("name-taken", "that name looks like one that is taken")
            self._drop_names(member)
            if not member.name:
                member.at = int(self._clock() * 1000)
            member.name, member.author = name, key
            self._people[key] = self._looks[look] = member

    def release(self, member: Person) -> None:
        """Gives the name of `member` back."""
        with self._lock:
            self._drop_names(member)
            member.name = member.author = ""
            self._released.notify_all()

    def wait_released(self, member: Person, seconds: float) -> None:
        """Waits until `member` has given its name back, and so has left its rooms, at most `seconds`."""
        with self._lock:
            self._released.wait_for(lambda: not member.name, seconds)

    def _drop_names(self, member: Person) -> None:
        if member.name:
            del self._people[member.author]
            del self._looks[skeleton(member.name)]

    def find(self, name: str) -> Person | None:
        """Returns who is called `name`, in any spelling."""
        with self._lock:
            return self._people.get(fold(name[: MAX_NAME * MAX_DECOMPOSED]))

    # Rooms

    def room(self, name: str) -> Room | None:
        """Returns the room called `name`, if there is one."""
        return self._rooms.get(name)

    def has_room(self, name: str) -> bool:
        """Returns whether somebody is in a room, or something is kept of it."""
        return name in self._rooms or name in self._log.rooms()

    def open_room(self, name: str) -> Room:
        """Returns the room called `name`, made now if there is none.

        Raises:
            Refused: ``server-full``: there are too many rooms, and somebody is in each; ``storage``.
        """
        if room := self.room(name):
            return room
        kept = self._log.rooms()
        if name not in kept and len(kept) >= MAX_KEPT_ROOMS:
            raise Refused("server-full", f"there are {MAX_KEPT_ROOMS} rooms already")
        if len(self._rooms) >= MAX_ROOMS:
            self._make_place()
        with self._lock:
            if name not in self._rooms:
                self._rooms[name] = Room(name, self._log, self._mode(name))
            return self._rooms[name]

    def _make_place(self) -> None:
        """Drops the oldest room that nobody is in, with its messages where they are not kept for good."""
        for room in self._open_rooms():
            if room.name != LOBBY and not room.count and room.close_if_idle(even_with_messages=True):
                self._drop_room(room)
                return
        raise Refused("server-full", f"there are {MAX_ROOMS} rooms, and somebody is in each")

    def close_if_unused(self, room: Room) -> None:
        """Drops a room that nobody is in and nothing was ever said in."""
        if room.name != LOBBY and not room.count and room.close_if_idle():
            self._drop_room(room)

    def _drop_room(self, room: Room) -> None:
        with self._lock:
            if self._rooms.get(room.name) is room:
                del self._rooms[room.name]
                self._log.release(room.name)

    def flush_presence(self) -> None:
        """Tells the members of large rooms who came and went. To be called once a second."""
        for room in self._open_rooms():
            room.flush_presence()

    # Questions and private messages

    def who(self, name: str | None, re: int | None) -> Members:
        """Answers ``who``, about one room or about everyone."""
        if name is None:
            with self._lock:
                people = list(self._people.values())
            return _members(people[:MAX_NAMES_LISTED], len(people), None, re)
        room = self.room(name)
        inside = room.members(MAX_NAMES_LISTED) if room else []
        return _members(inside, room.count if room else 0, name, re)

    def whois(self, asked: Whois, shown: Callable[[str], bool]) -> User:
        """Answers ``whois``.

        Args:
            asked: the question.
            shown: returns whether the one who asks may know of a room.

        Raises:
            Refused: ``no-such-user``.
        """
        person = self._expect(asked.name)
        return User(
            name=person.name,
            rooms=[room for room in list(person.rooms) if shown(room)][:MAX_ROOMS_LISTED],
            at=person.at,
            idle=int(person.idle()),
            away=person.away or None,
            agent=person.agent or None,
            re=asked.n,
        )

    def list_rooms(self, shown: Callable[[str], bool], re: int | None) -> Rooms:
        """Answers ``list``: the rooms, the fullest first, as many as fit into one frame.

        Args:
            shown: returns whether the one who asks may know of a room.
            re: the number of the question.
        """
        lines: list[RoomLine] = []
        size = 0
        open_ = [RoomLine(room.name, room.count, room.topic, room.newest) for room in self._open_rooms()]
        every = [line for line in open_ + self._kept_rooms() if shown(line.room)]
        for line in sorted(every, key=lambda line: (-line.count, line.room)):
            lines.append(line)
            size += 80 + 4 * len(line.room) + 4 * len(line.topic)
            if size > MAX_LIST_BYTES:
                break
        return Rooms(lines, re)

    def _open_rooms(self) -> list[Room]:
        return list(self._rooms.values())

    def _kept_rooms(self) -> list[RoomLine]:
        """Returns the rooms that are in the log alone."""
        kept = {name: last for name, last in self._log.rooms().items() if name not in self._rooms}
        topics = {name: self._log.topic(name) for name in kept}
        return [
            RoomLine(name, 0, topic.text if (topic := topics[name]) else "", last)
            for name, last in kept.items()
        ]

    def tell(self, sender: Member, to: str, text: str, kind: Kind, nonce: str | None) -> int:
        """Sends a private message; returns its time, or that of the first one with the same nonce.

        The sender is told if the receiver is away.

        Raises:
            Refused: ``no-such-user``.
        """
        now = self._clock()
        at = int(now * 1000)
        if nonce is not None:
            with self._lock:
                first = self._told.get(sender.author, nonce, now)
            if first is not None:
                return first
        receiver = self._expect(to)
        if nonce is not None:
            with self._lock:
                self._told.put(sender.author, nonce, at, now)
        receiver.send(receiver.encode([Told(at, sender.name, text, kind)]))
        if away := receiver.away:
            sender.send(sender.encode([Away(receiver.name, away)]))
        return at

    def _expect(self, name: str) -> Person:
        found = self.find(name)
        if found is None:
            raise Refused("no-such-user", "nobody here has that name")
        return found


def _members(people: Sequence[Member], count: int, room: str | None, re: int | None) -> Members:
    # Each is looked at once, for it may take another name, or come back, meanwhile.
    shown = [(person.name, person.away) for person in people]
    away = [name for name, text in shown if text][:MAX_AWAY_LISTED]
    return Members(names=[name for name, _ in shown], count=count, room=room, away=away, re=re)
