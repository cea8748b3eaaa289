"""Whose session is whose: the secrets by which a client that lost its line takes its own session over."""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from chatctl.names import fold
from chatctl.server.proof import Proof

S = TypeVar("S")

KEPT_SECONDS = 600.0  # after the session has ended
MAX_KEPT = 20_000
MAX_EARLIER_NAMES = 8
MAX_SECRETS = 16  # of one client: one that loses line after line before its welcome comes has an older one


class Ticket(Generic[S]):
    """A client's sessions, each of which took over from the one before.

    Attributes:
        holder: the session it has now; None once that has ended.
        name: what the client is called.
        proof: by what it was let in.
        earlier_names: what it was called before, folded: the last `MAX_EARLIER_NAMES`.
        silenced_as: those of its earlier names under which it was muted; it stays so for as long as they are.
        revoked: nobody comes back by it any more.
        taking_over: held by the one that takes over, which may wait for the holder to end.
    """

    __slots__ = (
        "earlier_names",
        "ended",
        "holder",
        "name",
        "proof",
        "revoked",
        "secrets",
        "silenced_as",
        "taking_over",
    )

    def __init__(self, holder: S, name: str) -> None:
        self.holder: S | None = holder
        self.name = name
        self.proof = Proof()
        self.ended = 0.0
        self.taking_over = threading.Lock()
        self.secrets: tuple[str, ...] = ()
        self.earlier_names: tuple[str, ...] = ()
        self.silenced_as: tuple[str, ...] = ()
        self.revoked = False

    def rename(self, name: str, *, muted: bool = False) -> None:
        """Notes another name of the client.

        Args:
            name: the new one.
            muted: the client is, under the one it had.
        """
        self.earlier_names = (*self.earlier_names[1 - MAX_EARLIER_NAMES :], fold(self.name))
        if muted and self.name not in self.silenced_as:
            self.silenced_as = (*self.silenced_as, self.name)
        self.name = name


class Resumption(Generic[S]):
    """The tickets of a server. Thread-safe.

    Args:
        clock: returns seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket[S]] = {}
        self._ended: deque[tuple[float, Ticket[S]]] = deque()

    def find(self, secret: str) -> Ticket[S] | None:
        """Returns the ticket that `secret` belongs to; None if it is not known, or no longer."""
        with self._lock:
            return self._tickets.get(secret)

    def issue(self, holder: S, name: str, ticket: Ticket[S] | None = None) -> tuple[str, Ticket[S]]:
        """Gives `holder` a ticket, or the one it takes over; returns a fresh secret for it."""
        secret = secrets.token_urlsafe(16)
        with self._lock:
            if ticket is None:
                ticket = Ticket(holder, name)
            ticket.holder, ticket.name = holder, name
            if not ticket.revoked:
                self._tickets[secret] = ticket
            for gone in ticket.secrets[: 1 - MAX_SECRETS]:
                self._tickets.pop(gone, None)
            ticket.secrets = (*ticket.secrets[1 - MAX_SECRETS :], secret)
        return secret, ticket

    def revoke(self, ticket: Ticket[S]) -> None:
        """Makes a ticket worth nothing: nobody takes over by it any more."""
        with self._lock:
            ticket.revoked = True
            for secret in ticket.secrets:
                self._tickets.pop(secret, None)

    def retire(self, holder: S, name: str, ticket: Ticket[S]) -> None:
        """Notes that `holder`, which was called `name` last, has ended."""
        now = self._clock()
        with self._lock:
            if ticket.holder is holder:
                ticket.holder, ticket.name, ticket.ended = None, name, now
                self._ended.append((now, ticket))
            while self._ended and (len(self._ended) > MAX_KEPT or now - self._ended[0][0] > KEPT_SECONDS):
                ended, old = self._ended.popleft()
                # It may have been taken over since, and ended again.
                if old.holder is None and old.ended == ended:
                    for secret in old.secrets:
                        self._tickets.pop(secret, None)
