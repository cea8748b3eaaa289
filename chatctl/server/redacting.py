"""Who may take away what a message says, and the record of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from chatctl.access import roles
from chatctl.errors import Refused
from chatctl.messages import Msg, Redact
from chatctl.names import check_room, fold
from chatctl.server import permissions
from chatctl.server.moderation import check_reason

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)


def redact(shared: Shared, session: Session, frame: Redact) -> None:
    """Acts on ``redact``. Moderators may redact all; others what they said by their account.

    Raises:
        Refused: ``forbidden``, ``no-such-message``, ``bad-room``, ``bad-text``, ``storage``.
    """
    shared.book.refresh()
    room = check_room(frame.room)
    check_reason(frame.reason)
    message = _find(shared, session, room, frame.id)
    if not _is_own(shared, session, message):
        roles.demand(session.role, roles.REDACT, "redact what others said")
    _note(shared, session, frame, message)
    shared.hub.open_room(room).redact(session, frame.id, frame.reason, frame.n)


def _note(shared: Shared, session: Session, frame: Redact, message: Msg) -> None:
    whom = f"{message.id} of {message.name}"
    why = f": {frame.reason}" if frame.reason else ""
    extra = {"client": session.name, "address": session.address}
    log.info("%s redacts message %s in #%s%s", session.name, whom, message.room, why, extra=extra)
    shared.book.audit.add(session.name, "redact", whom, room=message.room, reason=frame.reason)


def _find(shared: Shared, session: Session, room: str, id_: int) -> Msg:
    """Returns the message, of a room that one may read."""
    found = []
    if permissions.sees_open(shared.book, session, room):
        found = shared.log.read(room, id_ - 1, 1)
    if not found or found[0].id != id_:
        raise Refused("no-such-message", f"no message {id_} is kept in #{room}")
    return found[0]


def _is_own(shared: Shared, session: Session, message: Msg) -> bool:
    """Returns whether it was said by somebody's account, and not by whoever had the name before."""
    account = shared.book.accounts.get(session.account) if session.account else None
    return account is not None and fold(message.name) == account.author and message.at >= account.at
