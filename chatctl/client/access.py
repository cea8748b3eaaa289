"""Where a client goes, and as whom. Plain data, quick to import."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chatctl.address import join_address

if TYPE_CHECKING:
    from chatctl.client.known_hosts import KnownHosts
    from chatctl.client.own_keys import OwnKeys
    from chatctl.client.trust import Trust


@dataclass(frozen=True, slots=True)
class Access:
    """What it takes to come in.

    Attributes:
        host: the server's name or address.
        port: its port.
        name: what to be called.
        key: what lets this person in, where the server asks for it; never shown.
        named: it has to be this name; else it may get a number where it is taken.
        password: of the account of that name; never shown.
        pin: of the server's key, if the link that led here says it.
        insecure: without TLS, to any machine.
        room: that the link leads to, if there was one.
        known_hosts: the servers met before.
        own_keys: the keys that servers gave to this person.
    """

    host: str
    port: int
    name: str
    key: str | None = field(default=None, repr=False)
    named: bool = True
    password: str | None = field(default=None, repr=False)
    pin: str | None = None
    insecure: bool = False
    room: str | None = None
    known_hosts: KnownHosts | None = field(default=None, compare=False)
    own_keys: OwnKeys | None = field(default=None, compare=False)

    @property
    def server(self) -> str:
        """Host and port in one."""
        return join_address(self.host, self.port)

    def trust(self) -> Trust:
        """Returns what is known of the server, for one run."""
        from chatctl.client.trust import Trust

        return Trust("off" if self.insecure else "auto", pin=self.pin, known_hosts=self.known_hosts)
