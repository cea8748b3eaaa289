"""The server's certificate: what is in it, who may read its key, and what is not taken for one."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from chatctl.errors import DataError
from chatctl.server import certificate
from chatctl.tls import Channel, pin_of
from tests.helpers import trusting


def parsed(made: certificate.Certificate) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.chain)


def shown(context: ssl.SSLContext) -> bytes:
    """Returns the certificate that a client is shown, in DER, after a whole handshake."""
    server, client = Channel(context), Channel(trusting(), "localhost")
    sent = client.start()
    while not client.ready:
        server.feed(sent)
        client.feed(server.pending())
        sent = client.pending()
    assert client.certificate
    return client.certificate


# Its own


def test_what_is_in_it() -> None:
    made = parsed(certificate.fresh("192.0.2.7"))
    now = datetime.now(UTC)
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"
    assert made.issuer == made.subject
    assert made.not_valid_before_utc < now < made.not_valid_after_utc
    assert timedelta(days=3640) < made.not_valid_after_utc - now < timedelta(days=3660)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", socket.gethostname()} <= set(names.get_values_for_type(x509.DNSName))
    addresses = {str(found) for found in names.get_values_for_type(x509.IPAddress)}
    assert {"127.0.0.1", "::1", "192.0.2.7"} <= addresses
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    made.verify_directly_issued_by(made)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "fe80::1%eth0", "::ffff:192.0.2.1"])
def test_addresses_listened_on(address: str) -> None:
    names = parsed(certificate.fresh(address)).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    found = names.value.get_values_for_type(x509.IPAddress)
    assert ipaddress.ip_address("0.0.0.0") not in found
    assert ipaddress.ip_address("::") not in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize("host", ["", "h" * 64, "h\u00f6st", "with_underscore", "x" * 200])
def test_a_machine_may_be_called_anything(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    certificate.context_of(certificate.fresh("127.0.0.1"))


def test_no_two_are_the_same() -> None:
    one, other = certificate.fresh("127.0.0.1"), certificate.fresh("127.0.0.1")
    assert one.pin != other.pin
    assert parsed(one).serial_number != parsed(other).serial_number


def test_it_verifies_for_who_trusts_it() -> None:
    made = certificate.fresh("127.0.0.1")
    client_context = ssl.create_default_context(cadata=made.chain.decode())
    server, client = Channel(certificate.context_of(made)), Channel(client_context, "127.0.0.1")
    server.feed(client.start())
    client.feed(server.pending())
    assert client.ready


def test_what_is_kept_is_kept(tmp_path: Path) -> None:
    old = os.umask(0)  # That the key is nobody else's does not hang on this.
    try:
        first = certificate.kept_in(tmp_path, "127.0.0.1")
    finally:
        os.umask(old)
    assert certificate.kept_in(tmp_path, "192.0.2.1") == first
    assert first.pin == pin_of(shown(certificate.context_of(first)))
    files = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert files["certificate.key"] == 0o600
    assert files.keys() == {"certificate.pem", "certificate.key"}


def test_a_crash_between_the_two_files_is_made_good(tmp_path: Path) -> None:
    (tmp_path / "certificate.key").write_text("a key whose certificate was not written")
    certificate.context_of(certificate.kept_in(tmp_path, "127.0.0.1"))


def test_a_certificate_without_its_key_is_not_replaced(tmp_path: Path) -> None:
    certificate.kept_in(tmp_path, "127.0.0.1")
    (tmp_path / "certificate.key").unlink()
    with pytest.raises(DataError, match="has no key"):
        certificate.kept_in(tmp_path, "127.0.0.1")


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot write"):
        certificate.kept_in(tmp_path / "missing", "127.0.0.1")


# Given


def test_a_chain_that_is_given(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("chat.example.org")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    given = certificate.read(chain, key)
    assert pin_of(shown(certificate.context_of(given))) == given.pin


def test_one_that_has_expired_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    past = datetime(2020, 2, 3, tzinfo=UTC)
    issued = trustme.CA().issue_cert("chat.example.org", not_before=past, not_after=past + timedelta(days=1))
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "all.pem")
    with caplog.at_level(logging.WARNING):
        certificate.read(tmp_path / "all.pem", tmp_path / "all.pem")
    assert [record.message for record in caplog.records] == [
        f"the certificate in {tmp_path}/all.pem expired on 2020-02-04"
    ]


@pytest.mark.parametrize("size", [0, 100, certificate.MAX_FILE, certificate.MAX_FILE + 1, 1 << 20])
def test_what_is_no_certificate(tmp_path: Path, size: int) -> None:
    path = tmp_path / "x.pem"
    path.write_bytes(b"-" * size)
    with pytest.raises(DataError, match=r"there is no certificate in|is no certificate"):
        certificate.read(path, path)


def test_a_directory_is_no_certificate(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read the certificate"):
        certificate.read(tmp_path, tmp_path)


def test_a_key_that_is_too_weak(tmp_path: Path) -> None:
    made = certificate.fresh("127.0.0.1")
    weak = rsa.generate_private_key(65537, 1024)
    signed = (
        x509.CertificateBuilder(
            parsed(made).subject, parsed(made).subject, weak.public_key(), 1,
            parsed(made).not_valid_before_utc, parsed(made).not_valid_after_utc,
        )
        .sign(weak, hashes.SHA256())
    )  # fmt: skip
    pem = Encoding.PEM
    key = weak.private_bytes(pem, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "weak.pem").write_bytes(signed.public_bytes(pem) + key)
    with pytest.raises(DataError, match="too weak"):
        certificate.context_of(certificate.read(tmp_path / "weak.pem", tmp_path / "weak.pem"))


# What handshakes are made by


def test_what_is_offered() -> None:
    context = certificate.context_of(certificate.fresh("127.0.0.1"))
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.options & ssl.OP_NO_RENEGOTIATION
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.num_tickets == 0
    assert context.verify_mode is ssl.CERT_NONE
