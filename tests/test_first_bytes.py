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
        (b"\x16\x02", Kind.native),
        (b"\x15\x03", Kind.native),
        (b"\x80\x2e\x01\x03", Kind.native),  # SSL 2.0
        (b"{", Kind.native),
        (b"\n", Kind.native),
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
        assert len(data) < 2
