"""Whom a client takes for its server, and when it asks: from the first connection of a run to the last.

A server is known by its public key, from the link that led to it, from this run, or from the file of known
hosts; or its certificate is one that the system's authorities vouch for, under the name it is called by; or
it is met for the first time, and known from then on. No I/O but that file.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from chatctl.address import is_loopback, join_address
from chatctl.client.ended import LineEnded
from chatctl.client.known_hosts import MARK, KnownHosts
from chatctl.errors import DataError
from chatctl.text import one_line

Tls = Literal["auto", "on", "off"]

UNTRUSTED = "untrusted"  # the code of what ends a connection to somebody else than the server


class Expected(NamedTuple):
    """The key that a server must have.

    Attributes:
        pin: as `tls.pin_of` returns it.
        origin: where that is known from, for people.
        may_change: the authorities may vouch for another one.
        advice: what a person can do if it has another one, and that is meant.
    """

    pin: str
    origin: str
    may_change: bool
    advice: str


class Trust:
    """What is known of one server. Not for two threads at once.

    Args:
        tls: ``auto`` for TLS to other machines, and to this one where the server wants it; ``on``; ``off``.
        pin: of the server's key, as `tls.pin_of` returns it: it must be this one, and TLS is on.
        known_hosts: the servers met before. Without it, no server is trusted at first sight.
    """

    def __init__(
        self, tls: Tls = "auto", *, pin: str | None = None, known_hosts: KnownHosts | None = None
    ) -> None:
        self._news = ""
        self._tls: Tls = "on" if pin else tls
        self._pin = pin
        self._learnt: str | None = None
        self._known_hosts = known_hosts

    # Whether there is TLS

    def wants_tls(self, address: str) -> bool:
        """Returns whether a connection to this numeric address is to have TLS."""
        return self._tls == "on" or (self._tls == "auto" and not is_loopback(address))

    def turn_on(self) -> bool:
        """Notes that the server wants TLS, also on this machine; returns whether it gets it."""
        if self._tls == "auto":
            self._tls = "on"
        return self._tls == "on"

    @property
    def way_out(self) -> str:
        """What a person can do who has to reach a server without TLS."""
        if self._pin:
            return "the link asks for it"
        return "--insecure does without, and anyone on the way can read along"

    # Who it is

    def expected(self, host: str, port: int) -> Expected | None:
        """Returns the key that the server must have; None where it was never met.

        Raises:
            LineEnded: the file of known hosts cannot be read.
        """
        if self._pin:
            return Expected(self._pin, "in the link", may_change=False, advice="or the link is an old one")
        if self._learnt:
            return Expected(
                self._learnt, "before", may_change=True, advice="or its key was changed: start anew"
            )
        if self._known_hosts is None:
            return None
        try:
            known = self._known_hosts.find(host, port)
        except DataError as error:
            raise LineEnded(str(error), code=UNTRUSTED, refused=True) from None
        if known is None:
            return None
        place = f"{self._known_hosts}:{known.line}"
        advice = f"if the change is meant, remove line {known.line} of {self._known_hosts}"
        return Expected(known.pin, f"in {place}", may_change=True, advice=advice)

    def vouched(self, pin: str) -> None:
        """Notes the key of a server that the authorities vouch for: for this run."""
        self._learnt = pin

    def recognized(self, host: str, port: int, pin: str) -> None:
        """Notes that the server has the key that was expected."""
        self._learnt = pin
        if self._pin and self._known_hosts and self._known_hosts.adds:
            try:
                self._known_hosts.remember(host, port, pin)
            except DataError as error:
                self._news = f"{error}; so this server will be known by its link alone"

    def met(self, host: str, port: int, pin: str) -> None:
        """Notes the key of a server that was never met, and that nobody vouches for.

        Raises:
            LineEnded: it is not to be trusted just so.
        """
        where = one_line(join_address(host, port))
        if self._known_hosts is None or not self._known_hosts.adds:
            text = f"nobody vouches for {where}, which has the key {MARK}{pin}: is that its pin?"
            raise LineEnded(text, code=UNTRUSTED, refused=True)
        self._learnt = pin
        try:
            self._known_hosts.remember(host, port, pin)
        except DataError as error:
            self._news = f"this server is new here: {MARK}{pin}, and not remembered: {error}"
        else:
            self._news = f"this server is new here: {MARK}{pin}, remembered in {self._known_hosts}"

    def take_news(self) -> str:
        """Returns what a person should be told of the server, in one line, and only once."""
        news, self._news = self._news, ""
        return news


def changed(where: str, pin: str, expected: Expected) -> LineEnded:
    """Returns what ends a connection to a server that has another key than expected, both of them shown."""
    text = (
        f"{where} may be somebody else: its key is {MARK}{pin} now, and {MARK}{one_line(expected.pin)} "
        f"{expected.origin}; {expected.advice}"
    )
    return LineEnded(text, code=UNTRUSTED, refused=True)
