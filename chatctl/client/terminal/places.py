"""The rooms one is in: in which order, who is there, what was not read yet. No I/O.

All of it comes from a server, and is bounded here whatever it sends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from chatctl.messages import Msg, Presence, Redacted, Renamed, RoomState
from chatctl.names import fold

MAX_PLACES = 200
MAX_MEMBERS = 10_000  # of all rooms, that are known by name
MAX_SAID = 500  # messages of a room that are known by who said them


class Place(Struct):
    """A room one is in.

    Attributes:
        room: its name.
        topic: empty if there is none.
        members: those known by name.
        replayed: up to this id it was said before one came in.
        unread: messages that came while one talked elsewhere.
        called: those of them that name one.
        said: ids of the last messages, each with who said it; but for those that were redacted.
    """

    room: str
    topic: str = ""
    members: set[str] = field(default_factory=set)
    replayed: int = 0
    unread: int = 0
    called: int = 0
    said: dict[int, str] = field(default_factory=dict)


class Places:
    """The rooms one is in, by name, in the order in which they were entered.

    Args:
        focus: the room one is about to enter, to talk there.

    Attributes:
        focus: the room that what is said goes to; empty if there is none.
    """

    def __init__(self, focus: str = "") -> None:
        self.focus = focus
        self._places: dict[str, Place] = {}
        self._visited: list[str] = []  # where one talked before, the last one at the end

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, room: str) -> bool:
        return room in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def get(self, room: str) -> Place | None:
        """Returns the room, if one is in it."""
        return self._places.get(room)

    def all(self) -> list[Place]:
        """Returns the rooms in their order."""
        return list(self._places.values())

    def numbered(self, number: int) -> str | None:
        """Returns the room with this number, from 1 on."""
        return next((room for place, room in enumerate(self._places, 1) if place == number), None)

    # Coming and going

    def enter(self, state: RoomState) -> Place | None:
        """Notes that one is in a room, perhaps again; None if there are too many."""
        place = self._places.get(state.room)
        if place is None:
            if len(self._places) >= MAX_PLACES:
                return None
            place = self._places[state.room] = Place(state.room, replayed=state.last)
        elif state.last < place.replayed:
            # The server kept nothing when it was restarted, and numbers anew.
            place.replayed = 0
            place.said.clear()
        place.topic = state.topic
        place.members.clear()
        self.know(place, state.members)
        return place

    def leave(self, room: str, *, asked: bool = True) -> None:
        """Notes that one is no longer in a room; one talks on where one talked before.

        Args:
            room: its name.
            asked: one wanted to; else one talks nowhere, as what is being typed was meant for this room.
        """
        self._places.pop(room, None)
        self._visited = [visited for visited in self._visited if visited in self._places]
        if room != self.focus:
            return
        self.focus = ""
        if asked:
            last = self._visited[-1] if self._visited else next(reversed(self._places), "")
            self.go_to(last)

    def go_to(self, room: str) -> None:
        """Talks in `room`, one of these, from now on; what came there counts as read."""
        self._visited = [*(visited for visited in self._visited if visited != room), room]
        self.focus = room
        if place := self._places.get(room):
            place.unread = place.called = 0

    # What happens there

    def presence(self, event: Presence) -> None:
        """Notes who came and went."""
        if place := self._places.get(event.room):
            self.know(place, event.joined)
            place.members.difference_update(event.left)

    def know(self, place: Place, names: Sequence[str]) -> None:
        """Notes that these are in a room, as far as there is space for their names."""
        known = sum(len(other.members) for other in self._places.values())
        place.members.update(names[: max(MAX_MEMBERS - known, 0)])

    def rename(self, event: Renamed) -> None:
        """Notes that someone has another name."""
        for place in self._places.values():
            if event.name in place.members:
                place.members.discard(event.name)
                place.members.add(event.to)

    def note(self, room: str, number: int, *, mine: bool = False, called: bool = False) -> None:
        """Notes that message `number` of `room` was shown."""
        place = self._places.get(room)
        if place and room != self.focus and not mine and number > place.replayed:
            place.unread += 1
            place.called += called

    def hear(self, msg: Msg) -> None:
        """Notes who said something in one of these rooms."""
        place = self._places.get(msg.room)
        if place is None or not msg.text:
            return
        place.said[msg.id] = fold(msg.name)
        if len(place.said) > MAX_SAID:
            del place.said[next(iter(place.said))]

    def redact(self, event: Redacted) -> None:
        """Notes that a message says nothing any more."""
        if place := self._places.get(event.room):
            place.said.pop(event.id, None)

    def last_of(self, name: str) -> int | None:
        """Returns the id of what somebody said last in the room one talks in, as far as it is known."""
        place = self._places.get(self.focus)
        author = fold(name)
        said = reversed(place.said.items()) if place else ()
        return next((id_ for id_, who in said if who == author), None)

    @property
    def members(self) -> set[str]:
        """All who are known to be in any of these rooms."""
        return set().union(*(place.members for place in self._places.values()))
