"""Which rooms there are, and what people tell each other. Knows no sockets.

Lock order: a room or the hub, then a log, then an outbox. The hub's own lock guards its tables; nobody who
holds it asks for a room's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence

from chatctl.access.mail import Mail
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
    Frame,
    Kind,
    Members,
    Mode,
    RoomLine,
    Rooms,
    Told,
    User,
    Whois,
)
from chatctl.server.people import Device, People, Person
from chatctl.server.room import Room

MAX_LIST_BYTES = 900 * 1024  # of one answer to `list`


class Hub:
    """The rooms of one server, and what goes from person to person.

    Args:
        log: keeps what is said.
        people: who is on the server.
        mail: keeps what is told to accounts that are not there.
        clock: returns seconds since the Unix epoch.
        mode: returns what is allowed in a room; None where everything is.
    """

    def __init__(
        self,
        log: Log,
        people: People,
        mail: Mail,
        clock: Callable[[], float] = time.time,
        mode: Callable[[str], Mode | None] = lambda _: None,
    ) -> None:
        self._log = log
        self.people = people
        self._mail = mail
        self._clock = clock
        self._mode = mode
        self._lock = threading.Lock()
        self._rooms: dict[str, Room] = {LOBBY: Room(LOBBY, log, mode(LOBBY))}
        self._told: RecentNonces[int] = RecentNonces()

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
            people = self.people.all()
            return _members(people[:MAX_NAMES_LISTED], len(people), None, re)
        room = self.room(name)
        inside = room.people(MAX_NAMES_LISTED) if room else []
        return _members(inside, room.count if room else 0, name, re)

    def whois(self, asked: Whois, shown: Callable[[str], bool], *, addresses: bool = False) -> User:
        """Answers ``whois``.

        Args:
            asked: the question.
            shown: returns whether the one who asks may know of a room.
            addresses: they may know where others come from.

        Raises:
            Refused: ``no-such-user``.
        """
        person = self._expect(asked.name)
        devices = person.devices
        if not devices:  # They have just left.
            raise _nobody()
        return User(
            name=person.name,
            rooms=[room for room in _rooms_of(devices) if shown(room)][:MAX_ROOMS_LISTED],
            at=min(device.at for device in devices),
            idle=int(min(device.idle() for device in devices)),
            away=person.away or None,
            agent=devices[-1].agent or None,
            role=devices[-1].role,
            account=bool(person.account),
            address=devices[-1].address if addresses else None,
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

    def tell(self, sender: Device, to: str, text: str, kind: Kind, nonce: str | None) -> tuple[int, bool]:
        """Sends a private message, or keeps it for an account that is not here.

        The sender's other devices get it too. The sender is told if the receiver is away.

        Returns:
            Its time, or that of the first one with the same nonce; and whether it is kept for later.

        Raises:
            Refused: ``no-such-user``; ``server-full``: too much is kept for them; ``storage``.
        """
        now = self._clock()
        at = int(now * 1000)
        if nonce is not None:
            with self._lock:
                first = self._told.get(sender.author, nonce, now)
            if first is not None:
                return first, False
        told = Told(at, sender.name, text, kind)
        receiver = self.people.find(to)
        devices = receiver.devices if receiver else ()
        name = receiver.name if receiver and devices else self._keep(to, told)
        if nonce is not None:
            with self._lock:
                self._told.put(sender.author, nonce, at, now)
        _send(devices, told)
        if receiver and receiver.away:
            sender.send(sender.encode([Away(receiver.name, receiver.away)]))
        if receiver is not sender.person:
            others = (device for device in sender.person.devices if device is not sender)
            _send(others, Told(at, sender.name, text, kind, name))
        return at, not devices

    def _keep(self, to: str, told: Told) -> str:
        """Keeps a private message until the account `to` is here; returns its name."""
        account = self.people.account(to)
        if account is None:
            raise _nobody()
        self._mail.put(account.author, told)
        # They may have come while it was written, and have been given what was kept before.
        if person := self.people.find(account.author):
            for device in person.devices:
                device.fetch_mail()
        return account.name

    def _expect(self, name: str) -> Person:
        found = self.people.find(name)
        if found is None:
            raise _nobody()
        return found


def _nobody() -> Refused:
    return Refused("no-such-user", "nobody here has that name")


def _send(devices: Iterable[Device], frame: Frame) -> None:
    for device in devices:
        device.send(device.encode([frame]))


def _members(people: Sequence[Person], count: int, room: str | None, re: int | None) -> Members:
    # Each is looked at once, for it may take another name, or come back, meanwhile.
    shown = [(person.name, person.away) for person in people]
    away = [name for name, text in shown if text][:MAX_AWAY_LISTED]
    return Members(names=[name for name, _ in shown], count=count, room=room, away=away, re=re)


def _rooms_of(devices: Iterable[Device]) -> Iterable[str]:
    return dict.fromkeys(room for device in devices for room in list(device.rooms))
