"""What a client speaks, as its first bytes say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.server.first_bytes import Kind, kind_of
from chatctl.tls import Channel
from tests.helpers import trusting


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", None),
        (b"\x16", None),
        (b"\x16\x03", Kind.tls),
        (b"\x16\x03\x01\x02\x00", Kind.tls),
        (b"\x16\x02", Kind.plain),
        (b"\x15\x03", Kind.plain),
        (b"\x80\x2e\x01\x03", Kind.plain),  # SSL 2.0
        (b"{", Kind.native),
        (b"\n", None),
        (b"\r\n\n{", Kind.native),
        (b"\nbob", Kind.plain),
        (b"\n\x16\x03", Kind.plain),
        (b"G", None),
        (b"GET", None),
        (b"GET ", Kind.http),
        (b"\r\nPOST / HTTP/1.1", Kind.http),
        (b"PROPPATCH / HTTP/1.1", Kind.http),
        (b"get / HTTP/1.1", Kind.plain),
        (b"GET/", Kind.plain),
        (b"GET\r\n", Kind.plain),
        (b"A" * 16, None),
        (b"A" * 16 + b" ", Kind.http),
        (b"A" * 17, Kind.plain),
        (b"bob\n", Kind.plain),
        (b"\xff\xfb\x1f", Kind.plain),  # telnet
        (b" {", Kind.plain),
    ],
)
def test_kinds(data: bytes, kind: Kind | None) -> None:
    assert kind_of(data) is kind


def test_the_library_begins_as_it_should() -> None:
    assert kind_of(Channel(trusting(), "localhost").start()) is Kind.tls


@given(st.binary(), st.binary())
def test_what_is_known_stays_so(data: bytes, more: bytes) -> None:
    if (kind := kind_of(data)) is not None:
        assert kind_of(data + more) is kind
    else:
        assert len(data.lstrip(b"\r\n")) <= 16
