"""TLS without a socket: bytes from the peer go in, and bytes for the peer come out, whoever carries them.

Both sides use it, the server on many threads. Reading and writing share one state, so that they must not
happen at the same time: whoever has a channel holds a lock around each call. Nothing here waits.
"""

from __future__ import annotations

import base64
import hashlib
import ssl
from contextlib import suppress

PIECE = 16 * 1024  # bytes of one record (RFC 8446 section 5.1)
SEQUENCE = 0x30  # tags of DER (X.690)
VERSION = 0xA0  # which is left out of a certificate of the first one


class Channel:
    """One end of a TLS connection. Not for two threads at once.

    Args:
        context: says which end this is, by its protocol, and what is accepted.
        host: what the client connects to; None on the server's side.

    Attributes:
        ready: the handshake is over: from now on there may be something to read, and to seal.
        ended: the peer has said that nothing more comes.
    """

    __slots__ = ("_incoming", "_outgoing", "_tls", "ended", "ready")

    def __init__(self, context: ssl.SSLContext, host: str | None = None) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, host is None, host)
        self.ready = False
        self.ended = False

    def start(self) -> bytes:
        """Begins the handshake; returns what is to be sent first, which on the server's side is nothing."""
        self._shake_hands()
        return self._outgoing.read()

    def feed(self, data: bytes | memoryview) -> bytes:
        """Takes what the peer sent; returns what that says, which may be nothing yet.

        `pending` may have something to send afterwards, also where this raises: an alert.

        Raises:
            ssl.SSLError: it is not what it should be; the connection cannot go on.
        """
        if len(data) <= PIECE:
            return self._feed(data)
        view = memoryview(data)
        return b"".join([self._feed(view[start : start + PIECE]) for start in range(0, len(view), PIECE)])

    def _feed(self, data: bytes | memoryview) -> bytes:
        # A piece at a time, as in `seal`: a MemoryBIO keeps for ever the room it once needed.
        self._incoming.write(data)
        if not self.ready:
            self._shake_hands()
        parts: list[bytes] = []
        try:
            while self.ready and not self.ended:
                part = self._tls.read(PIECE)
                parts.append(part)
                # Nothing is what Python returns, where it raises no error, once the peer has said its last.
                self.ended = not part
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(parts)

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.ready = True

    def seal(self, data: bytes | memoryview) -> bytes:
        """Returns what is to be sent to say `data`, with what was pending before it. The channel is ready."""
        if len(data) <= PIECE:
            self._tls.write(data)
            return self._outgoing.read()
        view = memoryview(data)
        parts: list[bytes] = []
        while view:
            view = view[self._tls.write(view[:PIECE]) :]
            parts.append(self._outgoing.read())
        return b"".join(parts)

    def pending(self) -> bytes:
        """Returns what is to be sent besides: parts of the handshake, alerts, answers to key updates."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """Returns what is to be sent to say that nothing follows."""
        if self.ready:
            with suppress(ssl.SSLError):  # The peer has still to say the same; nobody waits for that.
                self._tls.unwrap()
        return self.pending()

    @property
    def certificate(self) -> bytes | None:
        """The peer's certificate, in DER; None if it sent none, or not yet."""
        return self._tls.getpeercert(binary_form=True)


def pin_of(certificate: bytes) -> str:
    """Returns the pin of a certificate in DER: the SHA-256 of its public key, as base64url (RFC 7469).

    Raises:
        ValueError: it is no certificate.
    """
    digest = hashlib.sha256(_public_key(certificate)).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _public_key(certificate: bytes) -> bytes:
    """Returns the subjectPublicKeyInfo (RFC 5280 section 4.1).

    To import what parses all of a certificate takes longer than a whole command of the client.
    """
    _, start, _ = _element(certificate, 0)  # Certificate
    _, place, end = _element(certificate, start)  # TBSCertificate
    tag, _, behind = _element(certificate, place)
    if tag == VERSION:
        place = behind
    for _ in range(5):  # serialNumber, signature, issuer, validity, subject
        _, _, place = _element(certificate, place)
    tag, _, behind = _element(certificate, place)
    if tag != SEQUENCE or behind > end:
        raise ValueError("it has no public key")
    return certificate[place:behind]


def _element(data: bytes, place: int) -> tuple[int, int, int]:
    """Returns the tag of the DER element at `place`, where its content begins, and where it ends."""
    if len(data) < place + 2:
        raise ValueError("it is cut")
    tag, size, start = data[place], data[place + 1], place + 2
    if size & 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[place + 2 : start])
    if start + size > len(data):
        raise ValueError("it is cut")
    return tag, start, start + size
