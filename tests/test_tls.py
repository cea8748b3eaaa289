"""TLS without a socket, and the pin of a certificate."""

from __future__ import annotations

import base64
import hashlib
import ssl
from contextlib import suppress

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from chatctl.tls import pin_of

CA = trustme.CA()
CERTIFICATES = [
    ssl.PEM_cert_to_DER_cert(CA.issue_cert(name, key_type=kind).cert_chain_pems[0].bytes().decode())
    for name in ("chat.example.org", "127.0.0.1")
    for kind in (trustme.KeyType.ECDSA, trustme.KeyType.RSA)
]


@pytest.mark.parametrize("certificate", CERTIFICATES)
def test_the_pin_is_that_of_the_public_key(certificate: bytes) -> None:
    key = load_der_x509_certificate(certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    assert pin_of(certificate) == base64.urlsafe_b64encode(digest).decode().rstrip("=")


@given(st.one_of(st.binary(), st.sampled_from(CERTIFICATES).map(lambda whole: whole[:200])))
def test_what_is_no_certificate_has_no_pin(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it is cut|it has no public key"):
        pin_of(data)


@given(st.sampled_from(CERTIFICATES), st.data())
def test_a_damaged_certificate_has_a_pin_or_none(certificate: bytes, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(certificate) - 1))
    damaged = certificate[:place] + data.draw(st.binary(max_size=8)) + certificate[place + 1 :]
    with suppress(ValueError):
        assert len(pin_of(damaged)) == 43
