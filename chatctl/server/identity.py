"""Who somebody who is in turns out to be: accounts made and logged in to, and what changes about them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import structs

from chatctl.access import roles
from chatctl.access.accounts import Account
from chatctl.access.opened import AccessBook
from chatctl.errors import NotProven, Refused
from chatctl.messages import LOBBY, Login, Register, error_of
from chatctl.messages import Account as AccountFrame
from chatctl.names import check_name, fold
from chatctl.server.entrance import log_in as check_password
from chatctl.server.penalties import Offence
from chatctl.server.proof import Proof, check_ban

if TYPE_CHECKING:
    from chatctl.server.session import Session
    from chatctl.server.shared import Shared

log = logging.getLogger(__name__)

MAX_TRIES = 5  # wrong passwords on one connection


def register(shared: Shared, session: Session, frame: Register) -> None:
    """Makes the client's name an account, or gives the account it has another password.

    Raises:
        Refused: ``forbidden``: guests may not; ``bad-text``: the password; ``name-taken``, ``server-full``,
            ``storage``.
    """
    accounts = shared.book.accounts
    with _proving(shared, session):
        if session.account:
            account = accounts.set_password(session.account, frame.password, session.is_wanted)
        else:
            roles.demand(session.role, roles.REGISTER, "register a name")
            account = accounts.add(session.name, frame.password, session.role, session.is_wanted)
        _become(shared, session, account, frame.n)


def log_in(shared: Shared, session: Session, frame: Login) -> None:
    """Makes the client one of an account's owner.

    Raises:
        Refused: ``auth-failed``; ``forbidden``: it is another one's already; ``banned``, ``bad-name``,
            ``name-taken``, ``server-full``, ``storage``; ``rate-limited``: too many wrong ones came from
            there.
    """
    name = (session.account or session.name) if frame.name is None else check_name(frame.name)
    if session.account and fold(name) != session.account:
        raise Refused("forbidden", "you are logged in already: come in anew to be somebody else")
    with _proving(shared, session):
        check_ban(shared.book, name, session.address)
        shared.admission.demand_tries(session.address)
        try:
            account = check_password(shared.book, name, frame.password, session)
        except NotProven as refusal:
            shared.admission.penalize(session.address, Offence.WRONG_SECRET)
            session.tries += 1
            if session.tries < MAX_TRIES:
                raise
            session.cut(error_of(refusal, frame.n, fatal=True))
            return
        _become(shared, session, account, frame.n)


@contextmanager
def _proving(shared: Shared, session: Session) -> Iterator[None]:
    """Has a session not judged by what is half done."""
    session.proving = True
    try:
        yield
    finally:
        session.proving = False
        recheck(shared, session)


def _become(shared: Shared, session: Session, account: Account, re: int | None) -> None:
    """Makes a session one of the owner of `account`, and tells whom that concerns."""
    old = session.name
    # The account may enter what the key was for, also when it comes without.
    if (grant := session.grant) and grant.room and grant.room != LOBBY:
        shared.book.rules.allow(grant.room, account.author)
    shared.hub.people.log_in(session, account)
    if not session.account and not grant:
        shared.admission.credit(session.address)
    session.proof = Proof(account.author, account.stamp)
    if session.ticket:
        session.ticket.proof = session.proof
    session.tries = 0
    if session.name != old:
        session.tell_name(old)
    extra = {"client": session.name, "address": session.address}
    log.info("%s is logged in to the account %s", session.name, account.name, extra=extra)
    _tell_role(session, re)


def close_room(session: Session, room: str) -> None:
    """Has the key a session came by no longer let it into a room."""
    grant = session.grant
    if grant and grant.room == room:
        session.proof = structs.replace(session.proof, grant=structs.replace(grant, room=None))
        if session.ticket:
            session.ticket.proof = session.proof


def recheck_all(shared: Shared) -> None:
    """Looks at everybody again. To be called whenever it has changed who may do what.

    Raises:
        StorageError: that cannot be found out.
    """
    for session in shared.sessions():
        recheck(shared, session)
    shared.followers.recheck()


def recheck(shared: Shared, session: Session) -> None:
    """Cuts a session off that may no longer be in, or has it leave rooms; tells it if it may do more or less.

    Raises:
        StorageError: that cannot be found out.
    """
    if not session.name or session.told_role is None:
        return
    try:
        _check(shared.book, session)
    except Refused as refusal:
        if refusal.code == "storage":
            raise
        session.cut(error_of(refusal, fatal=True))
        return
    _leave_closed_rooms(shared, session)
    if session.role != session.told_role and not session.proving:
        _tell_role(session, None)


def _check(book: AccessBook, session: Session) -> None:
    if session.proving:
        check_ban(book, session.name, session.address)
    else:
        session.proof.check(book, session.name, session.address)


def _leave_closed_rooms(shared: Shared, session: Session) -> None:
    for room in list(session.rooms.values()):
        if not session.may_enter(room.name):
            room.leave(session, answer=True)
            shared.hub.close_if_unused(room)


def _tell_role(session: Session, re: int | None) -> None:
    session.told_role = role = session.role
    session.send_frame(AccountFrame(name=session.name, role=role, account=bool(session.account), re=re))
