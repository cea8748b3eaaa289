"""How a person is called: by the bell, the desktop, the terminal's title. Makes what is written; no I/O."""

from __future__ import annotations

from chatctl.client.display import codes
from chatctl.client.display.labels import room_label
from chatctl.client.display.look import Bell, Look, Notify
from chatctl.client.terminal.places import Places
from chatctl.messages import Frame, Msg, Told

QUIET_SECONDS = 1.0  # between two calls


class Alerts:
    """What there is to call for since it was last done.

    Args:
        abilities: what the terminal understands.
    """

    def __init__(self, abilities: codes.Abilities) -> None:
        self._abilities = abilities
        self._rings = False
        self._news: tuple[str, str] | None = None  # who calls, and what they said
        self._called_at = -QUIET_SECONDS
        self._title = ""

    def hear(self, frame: Frame, weight: str, look: Look) -> None:
        """Takes note of what is shown.

        Args:
            frame: what.
            weight: `Conversation.weight` of it.
            look: what rings.
        """
        called = weight == "called"
        self._rings |= look.bell != Bell.off and (called or (bool(weight) and look.bell == Bell.all))
        if called and isinstance(frame, Msg | Told):
            where = f" in {room_label(frame.room)}" if isinstance(frame, Msg) else ""
            self._news = f"{frame.name}{where}", frame.text

    def call(self, look: Look, now: float) -> str:
        """Returns what calls for what was heard, at most once a second.

        Args:
            look: how.
            now: seconds, from any start.
        """
        if not (self._rings or self._news) or now - self._called_at < QUIET_SECONDS:
            return ""
        written = codes.RING if self._rings else ""
        if self._news and look.notify != Notify.off and self._abilities.notifications:
            written += codes.notification(look.notify, *self._news)
        self._rings, self._news, self._called_at = False, None, now
        return written

    def title(self, look: Look, places: Places) -> str:
        """Returns what sets the terminal's title, if it is to change."""
        if not look.title or not self._abilities.titles:
            return ""
        title = _title(places)
        if title == self._title:
            return ""
        self._title = title
        return codes.title(title)


def _title(places: Places) -> str:
    unread = sum(place.unread for place in places.all())
    called = sum(place.called for place in places.all())
    news = f"({unread}{f', {called} for you' if called else ''}) " if unread else ""
    return f"{news}{room_label(places.focus) if places.focus else 'chatctl'}"
