"""How connections are set up: told to the system, where it knows how."""

from __future__ import annotations

import socket

import pytest

from chatctl.keepalive import tune


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="this system cannot do it all")
def test_the_system_is_told() -> None:
    with socket.socket() as sock:
        tune(sock, idle=30, interval=10, count=3, unsent=60)
        options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT", "TCP_NODELAY")
        values = [sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) for option in options]
        assert values == [30, 10, 3, 60_000, 1]
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_what_a_system_cannot_do_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("socket.TCP_USER_TIMEOUT", raising=False)
    monkeypatch.setattr("socket.TCP_KEEPALIVE", 0x7FFF, raising=False)
    with socket.socket() as sock:
        tune(sock, idle=30, interval=10, count=3, unsent=60)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
