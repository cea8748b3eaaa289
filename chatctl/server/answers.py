"""What is asked of a server, and is answered to the one who asks: about people, rooms and messages.

What changes who may do what is in modules of its own, and in the same table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chatctl.access import roles
from chatctl.messages import (
    AskBans,
    AskHistory,
    Away,
    Invite,
    ListRooms,
    Members,
    Moderate,
    Redact,
    Search,
    SetAway,
    SetMode,
    Who,
    Whois,
)
from chatctl.names import check_room
from chatctl.server import inviting, lookup, moderation, modes, permissions, redacting
from chatctl.text import MAX_TOPIC, check_text

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared


def who(shared: Shared, session: Session, frame: Who) -> None:
    """Says who is in a room that the one who asks may know of, or on the server.

    Raises:
        Refused: ``bad-room``.
    """
    room = None if frame.room is None else check_room(frame.room)
    if room is None or permissions.sees_open(shared.book, session, room):
        session.send_frame(shared.hub.who(room, frame.n))
    else:
        session.send_frame(Members(names=[], count=0, room=room, re=frame.n))


def set_away(_: Shared, session: Session, frame: SetAway) -> None:
    """Notes what somebody says of being away, and tells their other devices.

    Raises:
        Refused: ``bad-text``.
    """
    if frame.text:
        check_text(frame.text, MAX_TOPIC)
    session.person.away = frame.text
    session.send_frame(Away(session.name, frame.text, frame.n))
    for device in session.person.devices:
        if device is not session:
            device.send(device.encode([Away(session.name, frame.text)]))


def whois(shared: Shared, session: Session, frame: Whois) -> None:
    """Says what is known of somebody.

    Raises:
        Refused: ``no-such-user``.
    """
    addresses = roles.is_at_least(session.role, roles.SEE_ADDRESSES)
    session.send_frame(shared.hub.whois(frame, _shown(shared, session), addresses=addresses))


def list_rooms(shared: Shared, session: Session, frame: ListRooms) -> None:
    """Says which rooms there are that the one who asks may know of."""
    session.send_frame(shared.hub.list_rooms(_shown(shared, session), frame.n))


def history(shared: Shared, session: Session, frame: AskHistory) -> None:
    """Sends a page of messages.

    Raises:
        Refused: ``forbidden``, ``bad-room``, ``storage``.
    """
    session.send(session.encode(lookup.history(shared.log, shared.book, frame, session)))


def search(shared: Shared, session: Session, frame: Search) -> None:
    """Sends the messages that are looked for.

    Raises:
        Refused: ``forbidden``, ``bad-room``, ``bad-text``, ``storage``.
    """
    session.send_frame(lookup.search(shared.log, shared.book, frame, session))


def _shown(shared: Shared, session: Session) -> Callable[[str], bool]:
    return lambda room: permissions.may_read(shared.book, session, room)


ANSWERS: dict[type, Callable[[Shared, Session, Any], None]] = {
    Who: who,
    SetAway: set_away,
    Whois: whois,
    ListRooms: list_rooms,
    AskHistory: history,
    Search: search,
    Moderate: moderation.moderate,
    AskBans: moderation.answer_bans,
    SetMode: modes.set_mode,
    Redact: redacting.redact,
    Invite: inviting.invite,
}
