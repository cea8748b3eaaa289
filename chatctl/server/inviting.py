"""Invitations that moderators make from inside the chat."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatctl.access import roles
from chatctl.errors import Refused
from chatctl.messages import Invite, Invited
from chatctl.names import check_room

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)


def invite(shared: Shared, session: Session, frame: Invite) -> None:
    """Answers ``invite``.

    Raises:
        Refused: ``forbidden``, ``bad-room``, ``server-full``, ``storage``.
    """
    shared.book.refresh()
    roles.demand(session.role, roles.INVITE, "invite others")
    if frame.role == "owner" or not roles.is_at_least(session.role, frame.role):
        raise Refused("forbidden", f"you cannot invite anybody as {frame.role}")
    room = check_room(frame.room)
    keys = shared.book.keys
    key = keys.invite(room, uses=frame.uses, seconds=frame.seconds, role=frame.role, by=session.name)
    made = keys.check(key, "")
    assert made.until is not None
    whom = f"{frame.uses} as {frame.role}"
    extra = {"client": session.name, "address": session.address}
    log.info("%s invited %s into #%s", session.name, whom, room, extra=extra)
    # By its number the administrator finds it in the list, and can revoke it.
    shared.book.audit.add(session.name, "invite", str(made.id), room=room, until=made.until, reason=whom)
    session.send_frame(
        Invited(
            key=key,
            room=room,
            uses=frame.uses,
            until=made.until,
            role=frame.role,
            pin=shared.encryption.pin or None,
            re=frame.n,
        )
    )
