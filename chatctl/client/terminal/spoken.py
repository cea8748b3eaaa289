"""Which message was whose last one in a room, so that it can be named by who said it. No I/O."""

from __future__ import annotations

from collections import OrderedDict

from chatctl.messages import Msg
from chatctl.names import fold

MOST = 2_000  # people, counted in each room; a server can send any


class Spoken:
    """The last message of each person in each room, of those who spoke last."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()

    def note(self, msg: Msg) -> None:
        """Notes a message; an older one than is known changes nothing."""
        key = (msg.room, fold(msg.name))
        self._last[key] = max(msg.id, self._last.pop(key, 0))
        if len(self._last) > MOST:
            self._last.popitem(last=False)

    def last(self, room: str, name: str) -> int | None:
        """Returns the id of somebody's last message in a room, if it is known."""
        return self._last.get((room, fold(name)))
