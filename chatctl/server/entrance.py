"""What is asked of whoever comes in: the first frame, and by what they may have the name they want.

In this order: a session that comes back is as good as before; a password makes whoever has it the owner of an
account; a name that belongs to an account, or looks like one that does, is nobody else's; where the server is
closed, a key is needed. Those who are banned are not asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from msgspec import UNSET, Struct

import chatctl
from chatctl.access.accounts import Account
from chatctl.access.keys import Key, new_key
from chatctl.access.opened import AccessBook
from chatctl.address import is_loopback
from chatctl.errors import NotProven, Refused
from chatctl.framing import Fault
from chatctl.messages import (
    LOBBY,
    MAX_BACKLOG,
    MAX_CLIENT_FRAME,
    MAX_NONCE,
    MAX_WORDS,
    VERSION,
    Bye,
    ClientFrame,
    Hello,
    Limits,
    Welcome,
)
from chatctl.names import MAX_NAME, MAX_ROOM, check_name, check_room, fold
from chatctl.server.admission import Admission
from chatctl.server.config import Config
from chatctl.server.penalties import Offence
from chatctl.server.people import People
from chatctl.server.proof import Proof, check_ban
from chatctl.server.resumption import Resumption, Ticket
from chatctl.text import MAX_TEXT, MAX_TOPIC

if TYPE_CHECKING:
    from chatctl.server.session import Session

MAX_ROOMS_JOINED = 100
TAKE_OVER_SECONDS = 10.0  # for the session that is replaced to end


class Entry(Struct, frozen=True):
    """How somebody came in.

    Attributes:
        resumed: they took their own session over.
        key: is theirs from now on, in place of the invitation they used up; None if they used none.
    """

    resumed: bool = False
    key: str | None = None


class Entrance:
    """Lets people in, or not. Thread-safe.

    Args:
        config: what was set.
        book: who may.
        people: those who are in.
        admission: is told of those who try wrong keys and passwords.
        resumption: whose session is whose.

    Attributes:
        closed: a key is needed.
    """

    def __init__(
        self,
        config: Config,
        book: AccessBook,
        people: People,
        admission: Admission,
        resumption: Resumption[Session],
    ) -> None:
        self._config = config
        self._book = book
        self._admission = admission
        self._people = people
        self._resumption = resumption
        self.closed = False

    def settle_key(self, host: str) -> str:
        """Decides whether a key is needed, and sees to it that the server has one then.

        Args:
            host: where it listens.

        Returns:
            The server's key, where it is known, since it is new; else an empty one.

        Raises:
            StorageError: it cannot be kept.
        """
        config = self._config
        self.closed = not (is_loopback(host) if config.open is None else config.open)
        if not self.closed or not (config.key or config.new_key or not self._book.keys.has_server_key()):
            return ""
        key = config.key or new_key()
        self._book.keys.set_server_key(key)
        return key

    def enter(self, session: Session, hello: Hello, name: str) -> Entry:
        """Lets a session in, under the name it asks for or the one it had.

        Args:
            session: gets its name, and its proof.
            hello: what it asks for.
            name: of it, checked.

        Raises:
            Refused: it may not come in.
        """
        shows = hello.password is not None or (self.closed and hello.key is not None)
        with self._penalizing(session, shows=shows):
            entry = self._enter(session, hello, name)
        if session.account or session.grant:
            self._admission.credit(session.address)
        return entry

    def prove(self, session: Session, name: str, secret: str | None) -> Proof:
        """Returns by what somebody may ask for something who does not come in.

        Args:
            session: theirs; it gets its proof.
            name: checked; empty for somebody without one.
            secret: the password of the account of that name, if there is one, else a key. None for neither.

        Raises:
            Refused: they may not ask for anything.
        """
        self._book.refresh()
        check_ban(self._book, name, session.address)
        with self._penalizing(session, shows=secret is not None):
            proof = self._prove(session, name, secret)
        if (proof.account or proof.grant) and not (session.account or session.grant):
            self._admission.credit(session.address)
            session.proof = proof
        return proof

    @contextmanager
    def _penalizing(self, session: Session, *, shows: bool) -> Iterator[None]:
        """Counts a wrong key or password against the address it comes from.

        Args:
            session: whose address it is.
            shows: there is one that counts, so that there must be tries left.
        """
        if shows:
            self._admission.demand_tries(session.address)
        try:
            yield
        except NotProven as refusal:
            if refusal.code == "auth-failed":
                self._admission.penalize(session.address, Offence.WRONG_SECRET)
            raise

    def _prove(self, session: Session, name: str, secret: str | None) -> Proof:
        if not self._book.accounts.owner(name):
            return Proof(grant=self._find_key(secret, name, self._redeem))
        if secret is None:
            raise _account_refused()
        account = log_in(self._book, name, secret, session)
        return Proof(account.author, account.stamp)

    def _redeem(self, key: str, name: str) -> Key:
        """Returns the key by which somebody asks; an invitation is used up the first time it is given."""
        keys, author = self._book.keys, fold(name)
        found = keys.recall(key, author)
        if found.kind != "invitation":
            return found
        with self._people.visit(name):  # Only who can have the name uses an invitation up.
            return keys.redeem(key, author)

    def _enter(self, session: Session, hello: Hello, name: str) -> Entry:
        self._book.refresh()
        check_ban(self._book, name, session.address)
        if hello.resume is not None and self._take_over(session, hello.resume):
            return Entry(resumed=True)
        if hello.password is not None:
            self._enter_by_password(session, name, hello.password, hello.key)
            return Entry()
        if self._book.accounts.owner(name):
            raise _account_refused()
        return self._enter_by_key(session, name, hello.key)

    def _enter_by_password(self, session: Session, name: str, password: str, key: str | None) -> None:
        account = log_in(self._book, name, password, session)
        session.proof = Proof(account.author, account.stamp)
        self._people.come(session, account.name, account.author)
        if key is not None:
            self._honour(key, account.author)

    def _honour(self, key: str, author: str) -> None:
        """Lets an account into the room that an invitation is for, which it does not need otherwise."""
        with suppress(Refused):
            room = self._book.keys.check(key, author).room
            if room and room != LOBBY and not self._book.rules.is_allowed(room, author):
                self._book.keys.spend(key, author)
                self._book.rules.allow(room, author)

    def _enter_by_key(self, session: Session, name: str, key: str | None) -> Entry:
        grant = self._find_key(key, fold(name), self._book.keys.check)
        session.proof = Proof(grant=grant)
        self._people.come(session, name)
        # Only who has the name uses an invitation up.
        if key is None or grant is None or grant.kind != "invitation":
            return Entry()
        try:
            personal = self._book.keys.spend(key, session.author)
            grant = self._book.keys.check(personal or key, session.author)
        except Refused as refusal:
            self._people.release(session)
            raise _key_refused(refusal) from None
        session.proof = Proof(grant=grant)
        return Entry(key=personal)

    def _find_key(self, key: str | None, who: str, check: Callable[[str, str], Key]) -> Key | None:
        """Returns the key somebody comes by; None where none is needed, and they have none that is good."""
        if key is None:
            if self.closed:
                raise NotProven("auth-required", "a key is needed to come in: ask for an invitation", "key")
            return None
        try:
            return check(key, who)
        except Refused as refusal:
            if self.closed or refusal.code != "auth-failed":
                raise _key_refused(refusal) from None
            return None

    def welcome(self, session: Session, hello: Hello, entry: Entry) -> Welcome:
        """Returns what a session that has just come in is greeted with."""
        secret, ticket = self._resumption.issue(session, session.name, session.ticket)
        ticket.proof = session.proof
        session.ticket = ticket
        session.told_role = session.role
        return Welcome(
            v=VERSION,
            name=session.name,
            server=f"chatctl/{chatctl.__version__}",
            session=secret,
            limits=_limits(self._config),
            resumed=entry.resumed,
            motd=self._config.motd[:MAX_WORDS] or None,
            role=session.told_role,
            account=bool(session.account),
            key=entry.key,
            re=hello.n,
        )

    # Coming back

    def _take_over(self, session: Session, secret: str) -> bool:
        """Takes the session over that `secret` belongs to, which ends first, if it has not.

        Whatever that session was still to post is posted before this one comes in, or never.

        Returns:
            False if the secret is not known, somebody else has the name by now, or what that session was let
            in by no longer holds.

        Raises:
            Refused: ``banned``.
        """
        ticket = self._resumption.find(secret)
        if ticket is None or not self._still_holds(ticket, session.address):
            return False
        deadline = time.monotonic() + TAKE_OVER_SECONDS
        # Of two that come with one secret, the later one replaces the other.
        if not ticket.taking_over.acquire(timeout=TAKE_OVER_SECONDS):
            return False
        try:
            if holder := ticket.holder:
                holder.cut(Bye(code="replaced", text="you came back on another connection"))
                self._people.wait_released(holder, deadline - time.monotonic())
            session.proof = ticket.proof.renewed(self._book)
            self._people.come(session, ticket.name, ticket.proof.account)
            session.ticket = ticket
            ticket.holder = session
        except Refused:
            session.proof = Proof()
            return False
        finally:
            ticket.taking_over.release()
        return True

    def _still_holds(self, ticket: Ticket[Session], address: str) -> bool:
        try:
            ticket.proof.check(self._book, ticket.name, address)
        except Refused as refusal:
            if refusal.code == "banned":
                raise
            return False
        return True


def check_hello(frame: ClientFrame | Fault) -> tuple[Hello, str, dict[str, int | None]]:
    """Returns the hello that the first frame must be, the name and the rooms it asks for.

    Raises:
        Refused: it is none, or asks for what cannot be.
    """
    if isinstance(frame, Fault):
        raise Refused(frame.code, frame.text)
    if not isinstance(frame, Hello):
        raise Refused("bad-frame", "the first frame must be a hello")
    if frame.v != VERSION:
        raise Refused("unsupported-version", f"this server speaks version {VERSION}")
    wanted = {LOBBY: None} if frame.rooms is UNSET else frame.rooms
    if len(wanted) > MAX_ROOMS_JOINED:
        raise Refused("forbidden", f"at most {MAX_ROOMS_JOINED} rooms at once")
    return frame, check_name(frame.name), {check_room(room): after for room, after in wanted.items()}


def log_in(book: AccessBook, name: str, password: str, session: Session) -> Account:
    """Returns the account whose password it is, which takes its time and its turn.

    Raises:
        Refused: ``auth-failed``; ``server-full``: the session's turn did not come; ``storage``.
    """
    book.refresh()
    try:
        return book.accounts.log_in(name, password, session.is_wanted)
    except Refused as refusal:
        if refusal.code != "auth-failed":
            raise
        raise NotProven(refusal.code, str(refusal), "password") from None


def _limits(config: Config) -> Limits:
    return Limits(
        frame=MAX_CLIENT_FRAME,
        text=MAX_TEXT,
        topic=MAX_TOPIC,
        name=MAX_NAME,
        room=MAX_ROOM,
        nonce=MAX_NONCE,
        backlog=MAX_BACKLOG,
        rooms=MAX_ROOMS_JOINED,
        outbox=config.outbox,
        rate=config.rate,
        burst=config.burst,
    )


def _account_refused() -> NotProven:
    text = "that name, or one that looks like it, has an account: give its password"
    return NotProven("auth-required", text, "password")


def _key_refused(refusal: Refused) -> Refused:
    return NotProven(refusal.code, str(refusal), "key") if refusal.code == "auth-failed" else refusal
