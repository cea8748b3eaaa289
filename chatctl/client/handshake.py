"""The TLS handshake of a client, and how it is made sure who is at the other end.

Python's `ssl` can verify a certificate only while it shakes hands, and tells nothing of one it did not like.
So what is known by its key is let in unverified and looked at, what was never met is verified first, and
whoever is neither gets a second connection, for the other way. To be imported where there is TLS.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from chatctl.client.ended import LineEnded
from chatctl.client.transport import left, reason
from chatctl.client.trust import UNTRUSTED, Trust, changed
from chatctl.framing import server_frames
from chatctl.messages import MAX_REASON, Error
from chatctl.text import one_line
from chatctl.tls import Channel, pin_of

READ_BYTES = 64 * 1024
# What a server says at once, to whoever connects. No more is believed of one that is not known.
NO_PLACE = {"server-full", "too-many-connections", "rate-limited"}
RECORDS = b"\x15\x16"  # with which the answer to a handshake begins: an alert, or the handshake itself


class Secured(NamedTuple):
    """A connection with the server at its end, and what it has said already."""

    sock: socket.socket
    channel: Channel
    said: bytes


class Handshake:
    """What it takes to be sure of a server.

    Args:
        dial: returns a new connection to it.
        host: its name or address.
        port: its port.
        where: both, for people.
        trust: what is known of it.
        deadline: on the monotonic clock.
    """

    def __init__(
        self,
        dial: Callable[[], socket.socket],
        host: str,
        port: int,
        where: str,
        trust: Trust,
        deadline: float,
    ) -> None:
        self._dial = dial
        self._host = host
        self._port = port
        self._where = where
        self._trust = trust
        self._deadline = deadline

    def run(self, sock: socket.socket) -> Secured:
        """Shakes hands.

        Args:
            sock: a connection on which nothing was said yet.

        Raises:
            LineEnded: it is not the server, or speaks no TLS.
            TimeoutError: it did not answer in time.
        """
        expected = self._trust.expected(self._host, self._port)
        if expected is None:
            return self._vouched(sock) or self._met(self._dial())
        secured = self._shake_hands(sock, _unverified())
        pin = self._pin(secured)
        if pin == expected.pin:
            self._trust.recognized(self._host, self._port, pin)
            return secured
        sock.close()
        vouched = self._vouched(self._dial()) if expected.may_change else None
        if vouched is None:
            raise changed(self._where, pin, expected)
        return vouched

    def _vouched(self, sock: socket.socket) -> Secured | None:
        """Returns a connection to a server that the system's authorities vouch for; None if they do not."""
        try:
            secured = self._shake_hands(sock, ssl.create_default_context())
        except ssl.SSLCertVerificationError:
            sock.close()
            return None
        self._trust.vouched(self._pin(secured))
        return secured

    def _met(self, sock: socket.socket) -> Secured:
        secured = self._shake_hands(sock, _unverified())
        self._trust.met(self._host, self._port, self._pin(secured))
        return secured

    def _pin(self, secured: Secured) -> str:
        try:
            return pin_of(secured.channel.certificate or b"")
        except ValueError:
            text = f"the certificate of {self._where} is none that can be read"
            raise LineEnded(text, code=UNTRUSTED, refused=True) from None

    def _shake_hands(self, sock: socket.socket, context: ssl.SSLContext) -> Secured:
        try:
            # The zone of an address is for this machine alone.
            channel = Channel(context, self._host.partition("%")[0])
            return Secured(sock, channel, self._exchange(sock, channel))
        except (TimeoutError, ssl.SSLCertVerificationError):
            raise
        except ssl.SSLError as error:
            raise self._disagreed(reason(error)) from None
        except OSError as error:
            raise self._ended(error.strerror or str(error)) from None
        except ValueError:
            raise LineEnded(f"a server cannot be called {self._where}") from None

    def _exchange(self, sock: socket.socket, channel: Channel) -> bytes:
        """Goes on until hands are shaken; returns what the server said behind that."""
        sock.settimeout(left(self._deadline))
        sock.sendall(channel.start())
        said = b""
        begun = False
        while not channel.ready:
            sock.settimeout(left(self._deadline))
            data = sock.recv(READ_BYTES)
            if not data:
                raise self._ended("it closed the connection")
            if not begun and data[0] not in RECORDS:
                raise self._no_tls(data)
            begun = True
            said += _fed(sock, channel, data)
        return said

    def _no_tls(self, data: bytes) -> LineEnded:
        """Returns why what answers speaks no TLS: it knows none, or shakes no hands when it has no place."""
        match server_frames().feed(data)[:1]:
            case [Error(code=code, text=text, fatal=True)] if code in NO_PLACE:
                words = one_line(text[:MAX_REASON])
                return LineEnded(f"{self._where} says, not encrypted: {words}", code=code, refused=True)
        return LineEnded(f"{self._where} speaks no TLS: {self._trust.way_out}")

    def _ended(self, how: str) -> LineEnded:
        text = f"{self._where} did not shake hands, {how}: perhaps it speaks no TLS; {self._trust.way_out}"
        return LineEnded(text)

    def _disagreed(self, why: str) -> LineEnded:
        # It is also what a server says that knows what TLS is, and does without.
        refused = why.endswith("alert handshake failure")
        hint = f": perhaps it speaks none; {self._trust.way_out}" if refused else ""
        return LineEnded(f"{self._where} and this client do not agree on TLS ({why}){hint}")


def _fed(sock: socket.socket, channel: Channel, data: bytes) -> bytes:
    try:
        said = channel.feed(data)
    except ssl.SSLError:
        with suppress(OSError):
            sock.sendall(channel.pending())  # why this ends, for the other side
        raise
    if pending := channel.pending():
        sock.sendall(pending)
    return said


@cache
def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
