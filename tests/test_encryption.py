"""Where TLS is offered, and from whom it is asked for."""

from __future__ import annotations

import pytest

from chatctl.errors import ListenError
from chatctl.server.config import Config
from chatctl.server.encryption import Encryption
from chatctl.server.tls_mode import TlsMode

HERE, THERE = "127.0.0.1", "192.0.2.1"


@pytest.mark.parametrize(
    ("mode", "insecure", "address", "offered", "plain_here", "plain_there"),
    [
        ("auto", False, "127.0.0.1", False, True, True),
        ("auto", False, "::1", False, True, True),
        ("auto", False, "0.0.0.0", True, True, False),
        ("auto", False, "192.0.2.5", True, True, False),
        ("auto", True, "::", True, True, True),
        ("required", False, "127.0.0.1", True, False, False),
        ("required", False, "0.0.0.0", True, False, False),
        ("required", True, "0.0.0.0", True, False, False),
        ("off", False, "127.0.0.1", False, True, True),
        ("off", True, "0.0.0.0", False, True, True),
    ],
)
def test_who_may_go_without(
    mode: str, insecure: bool, address: str, offered: bool, plain_here: bool, plain_there: bool
) -> None:
    encryption = Encryption(Config(tls=TlsMode(mode), insecure=insecure))
    encryption.start(address)
    assert (encryption.context is not None) is bool(encryption.pin) is offered
    assert encryption.allows_plain(HERE) is plain_here
    assert encryption.allows_plain(f"::ffff:{HERE}") is plain_here
    assert encryption.allows_plain(THERE) is plain_there


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "192.0.2.1"])
def test_others_are_not_left_without_by_mistake(address: str) -> None:
    with pytest.raises(ListenError, match="--insecure"):
        Encryption(Config(tls=TlsMode.off)).start(address)


def test_before_it_is_settled_nobody_is_asked() -> None:
    encryption = Encryption(Config())
    encryption.reload(HERE)
    assert (encryption.context, encryption.pin) == (None, "")
