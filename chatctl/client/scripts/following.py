"""Hands out what is said in rooms, once and in order, from a place in the past on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from chatctl.client.complaint import complain
from chatctl.client.connection import ChatClient
from chatctl.client.events import CaughtUp, Disconnected, Event
from chatctl.errors import Refused
from chatctl.messages import (
    MAX_BACKLOG,
    MAX_PAGE,
    Error,
    Gap,
    Join,
    Msg,
    Notice,
    Presence,
    Redacted,
    RoomState,
    Told,
)
from chatctl.since import Since

Message = Msg | Gap | Told | Redacted


class Start(Struct, frozen=True):
    """Where to begin in a room: behind an id or at a time, else with its last messages.

    Attributes:
        since: the place.
        lines: how many of the last messages.
        kept: the place is known from an earlier run, so that one the server does not know means that it
            counts anew; one that a person asks for is more likely a slip.
    """

    since: Since | None = None
    lines: int = 0
    kept: bool = False


class Follower:
    """Follows rooms.

    Args:
        client: connected, in no room, and with as large a backlog as can be.
        note: called with a room and an id once all up to that id was handled.
    """

    def __init__(self, client: ChatClient, note: Callable[[str, int], None]) -> None:
        self._client = client
        self._note = note
        self._places: dict[str, int] = {}  # of each room the id that was handled last
        self._backlogs: dict[str, int] = {}  # of each room how much was to be replayed on coming in
        self._anew: set[str] = set()  # rooms whose messages are numbered anew, and none of them came yet
        self._connected = True

    def enter(self, starts: Mapping[str, Start]) -> None:
        """Enters rooms, each from its own place on.

        Raises:
            Refused: the server does not tell what was said.
            ConnectionFailed: the connection is over.
        """
        for room, start in starts.items():
            after = None if start.since is None else self._find(room, start.since, kept=start.kept)
            self._backlogs[room] = start.lines
            if after is not None:
                self._places[room] = after
            # Where the id is unknown to the server, it may have been started anew: all is wanted then.
            self._client.send(Join(room, after, start.lines if after is None else MAX_BACKLOG))

    def _find(self, room: str, since: Since, *, kept: bool) -> int:
        """Returns the id behind which something begins."""
        if since.after is not None and kept:
            return since.after
        # What is said between the two questions must be found by the second one.
        page = self._client.history(room, limit=1).messages
        newest = page[-1].id if page else 0
        if since.after is not None:
            if since.after > newest:
                complain(f"the last message of #{room} is {newest}, not {since.after}: from now on")
            return min(since.after, newest)
        found = self._client.history(room, since=since.at, limit=1).messages
        return found[0].id - 1 if found else newest

    def messages(self) -> Iterator[Message]:
        """Yields what is said, what is missing and what is taken away, until the connection is closed.

        Each has been handled when the next one is asked for.

        Raises:
            Refused: the server does not let the client into a room, or no longer.
            ConnectionFailed: the server went away for good.
        """
        while events := self._client.receive():
            for event in events:
                yield from self._take(event)

    def _take(self, event: Event) -> Iterator[Message]:
        match event:
            case Msg() if event.room in self._places:
                yield from self._skipped(event)
                yield event
                self.reach(event)
            case Told(to=None):
                yield event
            case Redacted() if event.room in self._places:
                yield event
            case Gap() if event.room in self._places:
                yield event
                self._reach(event.room, event.before - 1)
            case RoomState() if event.room in self._backlogs:
                self._enter(event)
            case Presence() if self._client.name in event.left and event.room in self._backlogs:
                raise Refused("not-in-room", f"you are no longer in #{event.room}")
            case Error():
                raise Refused(event.code, event.text)
            case _:
                self._tell(event)

    def reach(self, message: Msg) -> None:
        """Notes that a message was handled."""
        self._reach(message.room, message.id)

    def _reach(self, room: str, id_: int) -> None:
        self._places[room] = id_
        self._note(room, id_)

    def _enter(self, state: RoomState) -> None:
        room = state.room
        place = self._places.get(room)
        if place is None:
            self._reach(room, max(0, state.last - self._backlogs[room]))
        elif state.last < place:
            complain(f"the server has counted #{room} anew since message {place}: from its first one on")
            self._anew.add(room)
            self._reach(room, 0)

    def _skipped(self, message: Msg) -> Iterator[Msg]:
        """Yields what was said before `message` in a room that is counted anew: its replay has an end."""
        if message.room not in self._anew:
            return
        self._anew.remove(message.room)
        after = self._places[message.room]
        while after + 1 < message.id:
            page = self._client.history(message.room, after=after, before=message.id, limit=MAX_PAGE)
            yield from page.messages
            if not page.more:
                break
            after = page.messages[-1].id

    def _tell(self, event: Event) -> None:
        match event:
            case Disconnected():
                if self._connected:
                    complain(event.text)
                self._connected = False
            case CaughtUp():
                complain("the server is back")
                self._connected = True
            case Notice():
                complain(event.text)
