"""What a server offers of TLS, and from whom it asks for it."""

from __future__ import annotations

import logging
import ssl

from chatctl.address import is_loopback
from chatctl.errors import ListenError
from chatctl.server.config import Config
from chatctl.server.tls_mode import TlsMode

log = logging.getLogger(__name__)


class Encryption:
    """The TLS of one server. Thread-safe.

    Args:
        config: what was set.

    Attributes:
        context: what new connections make their handshake by; None where TLS is not offered.
        pin: of the certificate, as `tls.pin_of` returns it; empty where TLS is not offered.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._plain = True
        self.context: ssl.SSLContext | None = None
        self.pin = ""

    def start(self, address: str) -> None:
        """Settles what holds for a server that listens on `address`; to be called before anybody connects.

        Raises:
            DataError: the certificate cannot be used, or made.
            ListenError: others could read everything, and nobody said that they may.
        """
        config = self._config
        ours = is_loopback(address)
        if config.tls is TlsMode.off and not ours and not config.insecure:
            raise ListenError(
                f"will not listen on {address} without TLS, as others could read everything: "
                "leave out --tls off, or add --insecure if that is meant"
            )
        self._plain = config.tls is not TlsMode.required and (ours or config.insecure)
        if config.tls is TlsMode.required or (config.tls is TlsMode.auto and (config.cert or not ours)):
            self._load(address)
            log.info("certificate SHA256:%s", self.pin)

    def _load(self, address: str) -> None:
        # Imported here, since a server that only this machine reaches starts sooner without.
        from chatctl.server import certificate

        config = self._config
        if config.cert is not None:
            found = certificate.read(config.cert, config.key_file or config.cert)
        elif config.data is not None:
            found = certificate.kept_in(config.data, address)
        else:
            found = certificate.fresh(address)
        self.context, self.pin = certificate.context_of(found), found.pin

    def reload(self, address: str) -> None:
        """Takes the certificate that is there now for new connections.

        Raises:
            DataError: it cannot be used; the one before stays in use.
        """
        if self.context is not None and (self._config.cert or self._config.data):
            self._load(address)
            log.info("certificate SHA256:%s", self.pin)

    def allows_plain(self, peer: str) -> bool:
        """Returns whether a client at address `peer` may go without TLS."""
        return self._plain or (self._config.tls is TlsMode.auto and is_loopback(peer))
