"""Those who follow rooms over HTTP: nobody is told of them, and they hear what is said while they may."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from chatctl.errors import Refused
from chatctl.messages import Bye, Error, Role
from chatctl.server.people import NOBODY

if TYPE_CHECKING:
    from chatctl.server.api.caller import Caller
    from chatctl.server.api.streams import Form
    from chatctl.server.room import Room
    from chatctl.server.session import Session

BEAT_SECONDS = 20.0


class Follower:
    """One who follows a room.

    Args:
        caller: who that is.
        session: theirs.
        form: in which they follow.
    """

    __slots__ = ("_beaten", "_caller", "_form", "_session", "author", "encode", "name", "person", "rooms")

    def __init__(self, caller: Caller, session: Session, form: Form) -> None:
        self._caller = caller
        self._session = session
        self._form = form
        self._beaten = time.monotonic()
        self.person = NOBODY
        self.name = caller.name
        self.author = ""  # Nonces are not shown, their own ones neither.
        self.encode = form.encode
        self.rooms: dict[str, Room] = caller.rooms

    def send(self, data: bytes) -> None:
        """Sends a piece, if there is any of what was encoded."""
        if data:
            self._session.send(data)

    @property
    def role(self) -> Role:
        """What they may do, now."""
        return self._caller.role

    def goes_by(self, author: str) -> bool:
        """Returns whether this is their name, or their account's, as `names.fold` makes it."""
        return author in (self._caller.author, self._caller.account)

    def may_enter(self, room: str) -> bool:
        """Returns whether they may follow a room, now."""
        return self._caller.may_read(room)

    def caught_up(self) -> bool:
        """Waits until what was sent has left; returns False if that does not happen."""
        return self._session.caught_up()

    def begin(self) -> None:
        """Shows that all was sent that was said before: some programs show nothing until something comes."""
        self._session.send(self._form.beat)

    def beat(self, now: float) -> None:
        """Shows now and then that the server is there, and whether they are."""
        if now - self._beaten >= BEAT_SECONDS:
            self._beaten = now
            self._session.send(self._form.beat)

    def recheck(self) -> None:
        """Cuts them off if they may follow no longer.

        Raises:
            StorageError: that cannot be found out.
        """
        try:
            self._caller.check()
            self._check_rooms()
        except Refused as refusal:
            if refusal.code == "storage":
                raise
            self.end(refusal)

    def _check_rooms(self) -> None:
        if not all(map(self.may_enter, list(self.rooms))):
            raise Refused("forbidden", "you may not be in that room any more")

    def end(self, refusal: Refused) -> None:
        """Ends it, since they may not follow."""
        self.cut(Error(code=refusal.code, text=str(refusal), fatal=True))

    def cut(self, ending: Error | Bye) -> None:
        """Ends it, and says why; nothing that is said from now on reaches them."""
        self.leave()
        self._session.cut(ending)

    def leave(self) -> list[Room]:
        """Follows no longer; returns what was followed."""
        rooms = list(self.rooms.values())
        for room in rooms:
            room.leave(self)
        return rooms


class Followers:
    """All who follow rooms of a server. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: dict[Follower, None] = {}

    def add(self, follower: Follower) -> None:
        """Has one looked after, until `remove`."""
        with self._lock:
            self._followers[follower] = None

    def remove(self, follower: Follower) -> None:
        """Has one looked after no longer."""
        with self._lock:
            self._followers.pop(follower, None)

    def all(self) -> list[Follower]:
        """Returns all that there are."""
        with self._lock:
            return list(self._followers)

    def of(self, author: str) -> list[Follower]:
        """Returns those who came under a name, which is folded."""
        return [follower for follower in self.all() if follower.goes_by(author)]

    def beat(self, now: float) -> None:
        """Shows all of them that the server is there. To be called every second."""
        for follower in self.all():
            follower.beat(now)

    def recheck(self) -> None:
        """Cuts those off who may follow no longer. To be called when it has changed who may do what.

        Raises:
            StorageError: that cannot be found out.
        """
        for follower in self.all():
            follower.recheck()
