"""Who is on the server under which name. Knows no sockets.

Somebody with an account may have several devices connected, which share one name. Nobody else gets that name,
or one that looks like it; nor one that belongs to an account, whether its owner is here or not.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol

from chatctl.access.accounts import Account, Accounts
from chatctl.errors import Refused
from chatctl.messages import Frame, Role
from chatctl.names import MAX_DECOMPOSED, MAX_NAME, fold, skeleton

Encode = Callable[[Iterable[Frame]], bytes]


class Member(Protocol):
    """What a room needs of a connection that is in it.

    Attributes:
        person: whose it is.
    """

    name: str
    author: str
    person: Person
    encode: Encode

    def send(self, data: bytes) -> None:
        """Sends encoded frames, without waiting."""

    def caught_up(self) -> bool:
        """Waits until what was sent has left; returns False if the member is not reading."""


class Device(Member, Protocol):
    """What is needed of a connection of somebody who is on the server.

    Attributes:
        at: when it came in, in milliseconds since the Unix epoch.
        agent: what the client calls itself, cleaned; may be empty.
        address: the client's.
    """

    at: int
    agent: str
    address: str

    @property
    def rooms(self) -> Collection[str]:
        """The rooms it is in."""

    @property
    def role(self) -> Role:
        """What whoever uses it may do."""

    def idle(self) -> float:
        """Returns the seconds since something was said on it, or it came in."""

    def fetch_mail(self) -> None:
        """Sends what is kept for the account, as soon as it may."""


class Person:
    """Somebody on the server.

    Args:
        name: what they are called.
        account: that they proved to have, folded; empty without one.

    Attributes:
        author: the name as `names.fold` makes it.
        away: what they say of being away; empty while they are not.
        devices: their connections, in the order in which they came in.
        visits: how often they say something right now without being here, as `People.visit` lets them.
    """

    __slots__ = ("account", "author", "away", "devices", "name", "visits")

    def __init__(self, name: str, account: str = "") -> None:
        self.name = name
        self.author = fold(name)
        self.account = account
        self.away = ""
        self.devices: tuple[Device, ...] = ()
        self.visits = 0


NOBODY = Person("")  # whose connections those are that are not in yet, or no longer


class People:
    """Everybody on a server. Thread-safe; whoever holds its lock asks for no other.

    Args:
        accounts: the names that belong to somebody.
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, accounts: Accounts, clock: Callable[[], float] = time.time) -> None:
        self._accounts = accounts
        self._clock = clock
        self._lock = threading.Lock()
        self._released = threading.Condition(self._lock)
        self._named: dict[str, Person] = {}  # by folded name
        self._looks: dict[str, Person] = {}  # by skeleton
        self._owners: dict[str, Person] = {}  # by the account they have

    # Coming and going

    def come(self, device: Device, name: str, account: str = "") -> None:
        """Lets `device` come in under a name; one of an account that is here under that account's.

        Raises:
            Refused: ``name-taken``, also by a name that looks like it.
        """
        with self._lock:
            person = self._owners.get(account) if account else None
            if person is None:
                self._check_free(name, account, NOBODY)
                person = Person(name, account)
                self._enter(person)
            device.at = int(self._clock() * 1000)
            self._give(person, device)

    def rename(self, device: Device, name: str) -> None:
        """Gives whoever has `device` another name, or another spelling of it.

        Raises:
            Refused: ``name-taken``; ``forbidden``: they are here more than once.
        """
        with self._lock:
            person = device.person
            if len(person.devices) > 1:
                raise Refused("forbidden", "you are connected more than once: leave the other ones first")
            self._check_free(name, person.account, person)
            self._call(person, name, person.account)

    def log_in(self, device: Device, account: Account) -> None:
        """Makes `device` one of an account's owner, under their name.

        Args:
            device: of somebody without an account, or with this one.
            account: that they proved to have.

        Raises:
            Refused: ``name-taken``: somebody has the name who came before there was an account.
        """
        with self._lock:
            person = device.person
            owner = self._owners.get(account.author)
            if owner is None:
                self._check_free(account.name, account.author, person)
                self._call(person, account.name, account.author)
            elif owner is not person:
                self._leave(person)
                person.devices = ()
                self._give(owner, device)

    def release(self, device: Device) -> None:
        """Notes that `device` has gone; the name is free with the last one."""
        with self._lock:
            person = device.person
            person.devices = tuple(other for other in person.devices if other is not device)
            self._leave_unless_here(person)
            device.person = NOBODY
            device.name = device.author = ""
            self._released.notify_all()

    @contextmanager
    def visit(self, name: str, account: str = "") -> Iterator[Person]:
        """Lets somebody have a name for a moment, who says something and is not here.

        Whoever comes with the account meanwhile is the same person, as is whoever visits by the same name.

        Raises:
            Refused: ``name-taken``, also by a name that looks like it.
        """
        with self._lock:
            person = self._owners.get(account) if account else self._visitor(name)
            if person is None:
                self._check_free(name, account, NOBODY)
                person = Person(name, account)
                self._enter(person)
            person.visits += 1
        try:
            yield person
        finally:
            with self._lock:
                person.visits -= 1
                self._leave_unless_here(person)

    def _visitor(self, name: str) -> Person | None:
        """Returns who visits by that very name, and has no account; the lock is held."""
        person = self._named.get(fold(name))
        return person if person and person.visits and not person.account else None

    def _leave_unless_here(self, person: Person) -> None:
        """Has a name free again with the last device and the last visit; the lock is held."""
        if person is not NOBODY and not person.devices and not person.visits:
            self._leave(person)

    def wait_released(self, device: Device, seconds: float) -> None:
        """Waits until `device` has gone, and so has left its rooms, at most `seconds`."""
        with self._lock:
            self._released.wait_for(lambda: not device.name, seconds)

    def _check_free(self, name: str, account: str, person: Person) -> None:
        """Makes sure that `person`, who has `account`, may be called `name`; the lock is held."""
        assert self._lock.locked()
        owner = self._accounts.owner(name)
        if owner and owner.author != account:
            raise Refused("name-taken", "that name, or one that looks like it, belongs to an account")
        if self._named.get(fold(name), person) is not person:
            raise Refused("name-taken", "that name is taken")
        if self._looks.get(skeleton(name), person) is not person:
            raise Refused("name-taken", "that name looks like one that is taken")

    def _call(self, person: Person, name: str, account: str) -> None:
        """Gives somebody another name, or an account."""
        self._leave(person)
        person.name, person.author, person.account = name, fold(name), account
        self._enter(person)
        for device in person.devices:
            device.name, device.author = person.name, person.author

    def _give(self, person: Person, device: Device) -> None:
        person.devices = (*person.devices, device)
        device.person = person
        device.name, device.author = person.name, person.author

    def _enter(self, person: Person) -> None:
        self._named[person.author] = self._looks[skeleton(person.name)] = person
        if person.account:
            self._owners[person.account] = person

    def _leave(self, person: Person) -> None:
        del self._named[person.author]
        del self._looks[skeleton(person.name)]
        if person.account:
            del self._owners[person.account]

    # Questions

    def find(self, name: str) -> Person | None:
        """Returns who is called `name`, in any spelling, or has the account of that name."""
        key = fold(name[: MAX_NAME * MAX_DECOMPOSED])
        with self._lock:
            return self._named.get(key) or self._owners.get(key)

    def account(self, name: str) -> Account | None:
        """Returns the account of `name`, in any spelling."""
        return self._accounts.get(fold(name[: MAX_NAME * MAX_DECOMPOSED]))

    def all(self) -> list[Person]:
        """Returns everybody who is here, in the order in which they came in."""
        with self._lock:
            return [person for person in self._named.values() if person.devices]
