"""By which addresses a server is reached, and what is sent to those who may come."""

from __future__ import annotations

import ipaddress
import shlex
import socket

import pytest

from chatctl import reached
from chatctl.invite import Invitation, join_line, parse_link
from chatctl.reached import addresses, browser_line, links

PIN = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def test_the_line_is_what_comes_in() -> None:
    (link,) = links("192.168.1.5", 12345, PIN, "ops", "secret")
    line = join_line(link)
    assert line == f"chatctl join 'chat://192.168.1.5:12345/ops?pin={PIN}#secret'"
    assert parse_link(shlex.split(line)[-1]) == Invitation("192.168.1.5", 12345, "ops", PIN, "secret")


def test_an_ipv6_address_has_brackets() -> None:
    assert [join_line(link) for link in links("2001:db8::5", 1, "")] == [
        "chatctl join 'chat://[2001:db8::5]:1/lobby'"
    ]


@pytest.mark.parametrize(
    ("link", "tls", "expected"),
    [
        ("chat://192.168.1.5:12345/lobby", False, "http://192.168.1.5:12345/"),
        (f"chat://192.168.1.5:12345/lobby?pin={PIN}#a%2Fb", True, "https://192.168.1.5:12345/#a%2Fb"),
        ("chat://[2001:db8::5]:1/%C3%A9quipe#k", True, "https://[2001:db8::5]:1/?room=%C3%A9quipe#k"),
    ],
)
def test_where_a_browser_goes(link: str, tls: bool, expected: str) -> None:
    assert browser_line(link, tls=tls) == f"in a browser: {expected}"


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "192.168.1.5", "chat.example.org"])
def test_one_address_is_that_one(host: str) -> None:
    assert addresses(host) == [host]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "0:0::0"])
def test_all_addresses_are_those_of_this_machine(host: str) -> None:
    found = addresses(host)
    assert found
    assert host not in found
    assert not any(ipaddress.ip_address(one).is_loopback for one in filter(is_address, found))


def test_the_name_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "den.example")
    assert addresses("0.0.0.0")[-1] == "den.example"


@pytest.mark.parametrize("name", ["", "x'; rm -rf ~", "-x", "a b", "\x1b[2J"])
def test_a_name_that_is_none_is_left_out(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    monkeypatch.setattr(reached, "seen_by", lambda _family: None)
    assert addresses("0.0.0.0") == ["localhost"]


def test_only_addresses_of_the_kind_that_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "")
    monkeypatch.setattr(reached, "seen_by", lambda family: family.name)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: True)
    assert addresses("0.0.0.0") == ["AF_INET"]
    assert addresses("::") == ["AF_INET", "AF_INET6"]
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    assert addresses("::") == ["AF_INET6"]


def test_without_a_route_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "gethostname", lambda: "den")
    assert addresses("::") == ["den"]


def test_a_line_for_a_server_without_tls_says_so_where_a_client_would_ask_for_it() -> None:
    line = join_line("chat://192.168.1.5:1/lobby", tls=False)
    assert line == "chatctl join chat://192.168.1.5:1/lobby --insecure"
    assert join_line("chat://192.168.1.5:1/lobby") == "chatctl join chat://192.168.1.5:1/lobby"
    assert join_line("chat://127.0.0.1:1/lobby", tls=False) == "chatctl join chat://127.0.0.1:1/lobby"
