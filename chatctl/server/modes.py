"""What moderators allow in rooms, and who may be in those that are for a few."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec import structs

from chatctl.access import roles
from chatctl.access.rules import Rule
from chatctl.messages import Mode, SetMode
from chatctl.names import check_room
from chatctl.server import identity, permissions
from chatctl.server.moderation import demand_room

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)


def set_mode(shared: Shared, session: Session, frame: SetMode) -> None:
    """Acts on ``mode``: tells what is allowed in a room, or changes it.

    Raises:
        Refused: ``forbidden``, ``not-in-room``, ``bad-room``, ``storage``.
    """
    changes = _changes(frame)
    if not changes:
        session.send_frame(structs.replace(_seen(shared, session, check_room(frame.room)), re=frame.n))
        return
    shared.book.refresh()
    roles.demand(session.role, roles.SET_MODES, "say what is allowed in a room")
    room = demand_room(shared, frame.room)

    def change() -> Mode:
        rules = shared.book.rules
        rules.set(room, structs.replace(rules.get(room), **changes))
        _note(shared, session, room, changes)
        return structs.replace(permissions.mode_of(shared.book, room), name=session.name)

    while not shared.hub.open_room(room).set_mode(session, change, frame.n):
        pass  # The room was dropped meanwhile.
    identity.recheck_all(shared)


def _changes(frame: SetMode) -> dict[str, bool]:
    asked = {field: getattr(frame, field) for field in Rule.__struct_fields__}
    return {field: value for field, value in asked.items() if value is not None}


def _seen(shared: Shared, session: Session, room: str) -> Mode:
    """Returns what is allowed in a room, as far as somebody may know."""
    known = permissions.may_see(shared.book, session, room)
    return permissions.mode_of(shared.book, room) if known else Mode(room=room)


def _note(shared: Shared, session: Session, room: str, changes: dict[str, bool]) -> None:
    what = ", ".join(f"{field.replace('_', '-')} {'on' if on else 'off'}" for field, on in changes.items())
    extra = {"client": session.name, "address": session.address}
    log.info("%s made #%s %s", session.name, room, what, extra=extra)
    shared.book.audit.add(session.name, "mode", what, room=room)
