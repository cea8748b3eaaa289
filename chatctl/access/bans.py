"""Bans and mutes: of names, and of address ranges. One of a name holds for whoever's name looks like it."""

from __future__ import annotations

import ipaddress
import sqlite3
import time
from collections.abc import Callable
from typing import Literal

from chatctl.access.database import Database
from chatctl.errors import Refused
from chatctl.messages import MAX_BANS_LISTED, MAX_WHOM, Ban
from chatctl.names import check_name, skeleton

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
What = Literal["ban", "mute"]

MAX_BANS = 10_000
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


class Bans:
    """The bans and mutes of a server. Thread-safe; asking takes no disk.

    Args:
        database: keeps them.
        clock: returns seconds since the Unix epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock
        # By what they are, then names by skeleton.
        self._names: dict[What, dict[str, Ban]] = {}
        self._ranges: dict[What, list[tuple[Network, Ban]]] = {}
        database.on_change(self._read)

    def _read(self, connection: sqlite3.Connection) -> None:
        rows = connection.execute("SELECT what, whom, name, at, until, reason, key FROM bans").fetchall()
        names: dict[What, dict[str, Ban]] = {}
        ranges: dict[What, list[tuple[Network, Ban]]] = {}
        for *values, key in rows:
            ban = Ban(*values)
            if network := _network(ban.whom):
                ranges.setdefault(ban.what, []).append((network, ban))
            else:
                names.setdefault(ban.what, {})[key] = ban
        self._names, self._ranges = names, ranges

    def has_any(self, what: What) -> bool:
        """Returns whether there are bans, or mutes, at all."""
        return what in self._names or what in self._ranges

    def find(self, what: What, name: str, address: str) -> Ban | None:
        """Returns the ban, or mute, that holds for a name, or an account's name, or an address.

        Args:
            what: which of both.
            name: may be empty, where only the address is known.
            address: may be empty.
        """
        if not self.has_any(what):
            return None
        now = int(self._clock() * 1000)
        if name and (names := self._names.get(what)):
            found = names.get(skeleton(name))
            if found and _holds(found, now):
                return found
        if address and (ranges := self._ranges.get(what)):
            ip = _address(address)
            return next((ban for network, ban in ranges if ip in network and _holds(ban, now)), None)
        return None

    def put(self, what: What, whom: str, *, by: str, seconds: int | None, reason: str) -> Ban:
        """Bans, or mutes; in place of what was there for the same name or range.

        Args:
            what: which of both.
            whom: a name, or an address or range of addresses.
            by: who does it.
            seconds: for how long; None for good.
            reason: in words; may be empty.

        Raises:
            Refused: ``bad-name``: it is neither name nor range; ``server-full``; ``storage``.
        """
        whom, key = _normal(whom)
        now = int(self._clock() * 1000)
        ban = Ban(what, whom, by, now, None if seconds is None else now + seconds * 1000, reason)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM bans WHERE until <= ?", (now,))
            if connection.execute("SELECT count(*) FROM bans").fetchone()[0] >= MAX_BANS:
                raise Refused("server-full", f"there are {MAX_BANS} bans and mutes already")
            connection.execute(
                "INSERT OR REPLACE INTO bans (what, whom, key, name, at, until, reason)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (ban.what, ban.whom, key, ban.name, ban.at, ban.until, ban.reason),
            )
        return ban

    def lift(self, what: What, whom: str) -> str:
        """Ends a ban, or mute; returns whom it was about.

        Raises:
            Refused: ``bad-name``; ``no-such-user``: there was none; ``storage``.
        """
        whom, key = _normal(whom)
        with self._database.writing() as connection:
            deleted = connection.execute("DELETE FROM bans WHERE what = ? AND key = ?", (what, key))
            if not deleted.rowcount:
                raise Refused("no-such-user", f"{whom} is not {'banned' if what == 'ban' else 'muted'}")
        return whom

    def all(self) -> list[Ban]:
        """Returns those that hold, the newest first, at most as many as fit into one frame."""
        now = int(self._clock() * 1000)
        named = [ban for names in self._names.values() for ban in names.values()]
        ranges = [ban for kept in self._ranges.values() for _, ban in kept]
        holding = [ban for ban in named + ranges if _holds(ban, now)]
        return sorted(holding, key=lambda ban: ban.at, reverse=True)[:MAX_BANS_LISTED]


def _holds(ban: Ban, now: int) -> bool:
    return ban.until is None or ban.until > now


def is_range(whom: str) -> bool:
    """Returns whether `whom` is an address, or a range of them, and no name."""
    return _network(whom) is not None


def covers(whom: str, address: str) -> bool:
    """Returns whether `whom` is a range, and an address is in it."""
    network = _network(whom)
    return network is not None and _address(address) in network


def _network(whom: str) -> Network | None:
    address, slash, mask = whom.partition("/")
    try:
        network = ipaddress.ip_network(address.partition("%")[0] + slash + mask, strict=False)
    except ValueError:
        return None
    if network.version == 6 and network.subnet_of(_MAPPED):
        # As `_address` has them: else it would hold for nobody.
        return ipaddress.IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network


def _address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Returns an address as ranges have it: IPv4 also where it came as IPv6 (RFC 4291 section 2.5.5)."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    return getattr(ip, "ipv4_mapped", None) or ip


def _normal(whom: str) -> tuple[str, str]:
    """Returns whom it is about as it is shown, and as it is kept once."""
    if len(whom) <= MAX_WHOM and (network := _network(whom)):
        single = network.num_addresses == 1
        shown = str(network.network_address if single else network)
        return shown, str(network)
    name = check_name(whom)
    return name, skeleton(name)
