"""Which hosts are the machine itself: what listens there, or comes from there, is trusted more."""

from __future__ import annotations

import pytest

from chatctl.address import is_loopback, is_unspecified


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "127.0.0.2", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::1%lo"),
        *("::ffff:127.0.0.1", "::ffff:7f00:1", "::FFFF:127.9.9.9", "localhost", "LocalHost"),
    ],
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1.evil.test", "127.evil.test", "::ffff:127.evil.test", "localhost.evil.test", "127.1", ""),
        *(
            "128.0.0.1",
            "192.0.2.127",
            "0.0.0.0",
            "::",
            "::2",
            "fe80::1%lo",
            "::ffff:192.0.2.1",
            "::127.0.0.1",
        ),
    ],
)
def test_others(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::", "0:0:0:0:0:0:0:0"])
def test_these_mean_all_addresses(host: str) -> None:
    assert is_unspecified(host)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "192.0.2.1", "localhost", "0.0.0.0.evil.test"])
def test_these_mean_one(host: str) -> None:
    assert not is_unspecified(host)
