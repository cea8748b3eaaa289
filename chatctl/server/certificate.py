"""The server's certificate: one that was given, or one of its own making, which is kept or lasts for the run.

A certificate of its own is made once: clients know the server by its key. The private key is never in a file
that others can read, not even for a moment, and with `fresh` in none at all.
"""

from __future__ import annotations

import fcntl
import ipaddress
import logging
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from chatctl.address import is_unspecified
from chatctl.durable import put_file
from chatctl.errors import DataError
from chatctl.history.directory import CERTIFICATE, CERTIFICATE_KEY
from chatctl.reached import seen_by
from chatctl.tls import pin_of

log = logging.getLogger(__name__)

LIFE = timedelta(days=3650)
MAX_FILE = 48 * 1024  # bytes of a chain or a key: what fits into a pipe that nobody reads yet
_SIOCGIFADDR = 0x8915  # Linux: the IPv4 address of an interface
_MAX_COMMON_NAME = 64  # characters (RFC 5280 appendix A.1)


@dataclass(frozen=True)
class Certificate:
    """A certificate with its private key.

    Attributes:
        chain: in PEM, the server's own certificate first.
        key: in PEM.
        pin: as `tls.pin_of` returns it.
    """

    chain: bytes
    key: bytes
    pin: str


def read(chain: Path, key: Path) -> Certificate:
    """Returns a certificate that was given as files; warns if it has expired.

    Raises:
        DataError: there is none, it cannot be read, or the key does not fit.
    """
    chain_data, key_data = _read_file(chain, "certificate"), _read_file(key, "key")
    try:
        first = x509.load_pem_x509_certificates(chain_data)[0]
        pin = pin_of(first.public_bytes(Encoding.DER))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise DataError(f"there is no certificate in {chain}, or a broken one: it must be in PEM") from None
    if _public(_load_key(key_data, key).public_key()) != _public(first.public_key()):
        raise DataError(f"the key in {key} does not fit the certificate in {chain}")
    if first.not_valid_after_utc < datetime.now(UTC):
        log.warning("the certificate in %s expired on %s", chain, f"{first.not_valid_after_utc:%Y-%m-%d}")
    return Certificate(chain_data, key_data, pin)


def _load_key(data: bytes, path: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(data, None)
    except TypeError:
        raise DataError(
            f"the key in {path} is encrypted, and nobody is asked for its password: "
            "openssl pkey writes it without one"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise DataError(
            f"there is no key in {path}, or a broken one: it must be in PEM, there or in --key-file"
        ) from None


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read_file(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise DataError(f"cannot read the {what} {path}: {error.strerror}") from None
    if len(data) > MAX_FILE:
        raise DataError(f"{path} is no {what}: it has more than {MAX_FILE:,} bytes")
    return data


def kept_in(directory: Path, address: str) -> Certificate:
    """Returns the certificate kept in a data directory, which is made if there is none.

    Args:
        directory: of the data; this process has its lock.
        address: where the server listens.

    Raises:
        DataError: it cannot be made, or read.
    """
    chain, key = directory / CERTIFICATE, directory / CERTIFICATE_KEY
    if not chain.exists():
        made = fresh(address)
        # The key comes first: a certificate that is there has one.
        _write(key, made.key, 0o600)
        _write(chain, made.chain, 0o644)
    elif not key.exists():
        raise DataError(
            f"{chain} has no key: put {CERTIFICATE_KEY} back, or remove {CERTIFICATE} too to have another "
            "one made, which clients do not know"
        )
    return read(chain, key)


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        put_file(path, data, mode)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}") from None


def fresh(address: str) -> Certificate:
    """Makes a certificate for this machine, signed by itself, which is in no file.

    Args:
        address: where the server listens.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    host = socket.gethostname()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:_MAX_COMMON_NAME] or "chatctl")])
    public = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # Clocks differ.
        .not_valid_after(now + LIFE)
        .add_extension(x509.SubjectAlternativeName(_names(host, address)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(public, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(public.digest, None, None), critical=False)
    )
    signed = builder.sign(key, hashes.SHA256())
    return Certificate(
        signed.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        pin_of(signed.public_bytes(Encoding.DER)),
    )


def _names(host: str, address: str) -> list[x509.GeneralName]:
    """Returns what clients may call this machine."""
    names = [name for name in dict.fromkeys(("localhost", host)) if name and name.isascii()]
    addresses = {ipaddress.ip_address(text) for text in ("127.0.0.1", "::1", *_own_addresses(address))}
    return [
        *(x509.DNSName(name) for name in names),
        *(x509.IPAddress(found) for found in sorted(addresses, key=lambda ip: (ip.version, ip))),
    ]


def _own_addresses(address: str) -> Iterator[str]:
    """Yields the addresses this machine is reached by, as far as it can be asked without the network."""
    if not is_unspecified(address):
        yield address.partition("%")[0]
    yield from filter(None, map(seen_by, (socket.AF_INET, socket.AF_INET6)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            with suppress(OSError):  # It has none, or this is not Linux.
                answer = fcntl.ioctl(probe, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                yield socket.inet_ntoa(answer[20:24])


def context_of(certificate: Certificate) -> ssl.SSLContext:
    """Returns what servers make handshakes by, with this certificate.

    Raises:
        DataError: certificate or key cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    # Nobody comes back often enough for tickets to be worth the bytes of each handshake.
    context.num_tickets = 0
    with _readable(certificate.chain) as chain, _readable(certificate.key) as key:
        try:
            context.load_cert_chain(chain, key)
        except OSError as error:  # As ssl.SSLError is: OpenSSL wants more of it than we looked for.
            raise DataError(
                f"the certificate, or its key, is too weak or too new for OpenSSL: {error}"
            ) from None
    return context


@contextmanager
def _readable(data: bytes) -> Iterator[str]:
    """Yields a path at which `data` can be read once, as OpenSSL takes no bytes; it is in no file."""
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)
