"""What a client has seen of each room, so that it gets everything once. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from chatctl.messages import Ack, Gap, Join, Msg, RoomState


class Place(Struct):
    """A room.

    Attributes:
        newest: the last id seen; None as long as the replay of a fresh join has not begun.
        backlog: earlier messages that a fresh join replays.
        entered: the server said that the client is in the room.
    """

    newest: int | None
    backlog: int
    entered: bool = False


class Seen:
    """The rooms a client is in or asked for, and the newest id of each.

    Args:
        rooms: that the first hello asks for, as `names.check_room` returns them.
        backlog: of that hello.
    """

    def __init__(self, rooms: Mapping[str, int | None], backlog: int) -> None:
        self._backlog = backlog
        self._places = {room: Place(after, backlog, entered=True) for room, after in rooms.items()}

    def wanted(self) -> dict[str, int | None]:
        """Returns what a hello has to ask for now."""
        return {room: place.newest for room, place in self._places.items() if place.entered}

    def came_back(self) -> None:
        """Notes that a hello asked for what was `wanted`."""
        for place in self._places.values():
            place.backlog = self._backlog

    def join(self, frame: Join) -> None:
        """Notes that a room is asked for."""
        self._places.setdefault(frame.room, Place(frame.after, frame.backlog))

    def part(self, room: str) -> None:
        """Notes that the client wants out of a room; what still comes from there is no more kept count of."""
        self._places.pop(room, None)

    def refused(self, room: str) -> None:
        """Notes that the client was not let into a room."""
        if (place := self._places.get(room)) and not place.entered:
            del self._places[room]

    def enter(self, state: RoomState) -> None:
        """Notes that the client is in a room."""
        place = self._places.get(state.room)
        if place is None:
            return
        place.entered = True
        if place.newest is not None and state.last < place.newest:
            # The server kept nothing when it was restarted: it numbers anew, and replays as to a new one.
            place.newest = None
        if place.newest is None and not (state.last and place.backlog):
            place.newest = state.last

    def is_new(self, event: Msg | Ack) -> bool:
        """Returns whether a message was not seen yet, and notes that it is now."""
        place = self._places.get(event.room) if event.room is not None else None
        if place is None or event.id is None:
            return True
        return self._reach(place, event.id)

    def is_new_gap(self, gap: Gap) -> bool:
        """Returns whether a gap was not seen yet, and notes that it is now."""
        place = self._places.get(gap.room)
        return place is None or self._reach(place, gap.before - 1)

    def _reach(self, place: Place, newest: int) -> bool:
        if newest <= (-1 if place.newest is None else place.newest):
            return False
        place.newest = newest
        return True
