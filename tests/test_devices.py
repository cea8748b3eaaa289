"""Accounts made and logged in to in the chat, on several devices, on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chatctl.access.opened import AccessBook
from tests.helpers import RawClient, RunningServer, running_server

PASSWORD = "correct horse"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    """A server on which ann has an account, and nobody is."""
    with running_server("--rate", "0") as running:
        with running.client("Ann") as ann:
            register(ann)
            ann.leave()
        yield running


def register(client: RawClient, password: str = PASSWORD) -> dict[str, Any]:
    client.send("register", password=password, n=9)
    return client.expect("account", re=9)


def ann(server: RunningServer, **hello: Any) -> RawClient:
    return server.client("ann", password=PASSWORD, **hello)


def kinds(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["t"] for frame in frames]


# Registering and logging in


def test_who_registers_is_logged_in_and_may_change_the_password() -> None:
    with running_server() as server:
        with server.client("Ann") as one:
            assert register(one) == {"t": "account", "name": "Ann", "role": "member", "re": 9}
            register(one, "another password")
            one.settle()
        with server.raw() as other:
            other.hello("ann", password="another password")


def test_a_new_password_ends_the_other_devices(server: RunningServer) -> None:
    with ann(server) as one, ann(server) as other:
        register(one, "another password")
        end = other.all_until_end()[-1]
        assert (end["code"], end["wants"]) == ("auth-required", "password")
        one.settle()


@pytest.mark.parametrize("password", ["", "short", "x" * 2000])
def test_passwords_that_will_not_do(server: RunningServer, password: str) -> None:
    with server.client("bob") as bob:
        bob.send("register", password=password, n=1)
        bob.expect_error("bad-text", re=1)
        bob.send("whois", name="bob")
        assert "account" not in bob.expect("user")


def test_guests_do_not_register(tmp_path: Path) -> None:
    with running_server("--data", str(tmp_path)) as server, AccessBook(tmp_path) as book:
        key = book.keys.invite(None, uses=1, seconds=None, role="guest", by="")
        with server.client("eve", key=key) as eve:
            eve.send("register", password=PASSWORD, n=1)
            eve.expect_error("forbidden", re=1)


def test_who_registers_keeps_the_role_of_the_key(tmp_path: Path) -> None:
    with running_server("--data", str(tmp_path)) as server, AccessBook(tmp_path) as book:
        key = book.keys.invite(None, uses=1, seconds=None, role="moderator", by="")
        with server.client("eve", key=key) as eve:
            assert register(eve)["role"] == "moderator"


def test_a_login_gives_the_name_of_the_account(server: RunningServer) -> None:
    with server.client("guest") as guest, server.client("bob") as bob:
        guest.settle()
        bob.settle()
        guest.send("login", name="aNN", password=PASSWORD, n=5)
        assert guest.expect("renamed") == {"t": "renamed", "name": "guest", "to": "Ann"}
        assert guest.expect("account") == {"t": "account", "name": "Ann", "role": "member", "re": 5}
        assert bob.settle() == [{"t": "renamed", "name": "guest", "to": "Ann"}]
        with server.client("guest"):
            pass


def test_a_login_on_one_more_device_makes_one_of_two(server: RunningServer) -> None:
    with server.client("guest") as guest, server.client("bob") as bob, ann(server) as one:
        for client in (guest, bob, one):
            client.settle()
        guest.send("login", name="ann", password=PASSWORD)
        guest.expect("account")
        gone = {"t": "presence", "room": "lobby", "joined": [], "left": ["guest"], "count": 2}
        assert bob.settle() == one.settle() == [gone]
        bob.send("who", room="lobby")
        assert bob.expect("members")["names"] == ["bob", "Ann"]


def test_a_wrong_password_is_not_fatal_at_first(server: RunningServer) -> None:
    with server.client("bob") as bob:
        for _ in range(4):
            bob.send("login", name="ann", password="wrong", n=3)
            assert bob.expect_error("auth-failed", re=3)["wants"] == "password"
        bob.send("login", name="ann", password="wrong", n=3)
        end = bob.all_until_end()[-1]
        assert (end["code"], end["fatal"]) == ("auth-failed", True)


def test_logins_that_cannot_be(server: RunningServer) -> None:
    with server.client("bob") as bob:
        bob.send("login", password=PASSWORD, n=1)
        bob.expect_error("auth-failed", re=1)
        bob.send("login", name="a b", password=PASSWORD, n=2)
        bob.expect_error("bad-name", re=2)
        register(bob)
        bob.send("login", name="ann", password=PASSWORD, n=3)
        bob.expect_error("forbidden", re=3)
        bob.send("login", password=PASSWORD, n=4)
        bob.expect("account", re=4)


# Several devices


def test_each_device_gets_everything(server: RunningServer) -> None:
    with ann(server) as one, ann(server) as other, server.client("bob") as bob:
        for client in (one, other, bob):
            client.settle()
        bob.say("hi all")
        assert one.texts(1) == other.texts(1) == ["hi all"]
        one.say("hi bob", nonce="n")
        assert kinds(one.settle()) == ["ack"]
        assert other.texts(1) == bob.texts(1) == ["hi bob"]
        bob.send("tell", to="ann", text="psst")
        for client in (one, other):
            assert "to" not in client.expect("told", name="bob", text="psst")
        one.send("tell", to="BOB", text="what?", nonce="n")
        assert kinds(one.settle()) == ["ack"]
        other.expect("told", name="Ann", text="what?", to="bob")
        assert "to" not in bob.expect("told", name="Ann", text="what?")
        one.send("tell", to="ann", text="note to myself")
        assert [len(client.settle()) for client in (one, other)] == [1, 1]


def test_people_are_counted_and_named_once(server: RunningServer) -> None:
    with server.client("bob") as bob, ExitStack() as stack:
        bob.settle()
        devices = [stack.enter_context(ann(server)) for _ in range(3)]
        assert bob.settle() == [{"t": "presence", "room": "lobby", "joined": ["Ann"], "left": [], "count": 2}]
        state = devices[2].expect("room")
        assert (state["count"], state["members"]) == (2, ["bob", "Ann"])
        bob.send("who")
        bob.send("who", room="lobby")
        for _ in range(2):
            members = bob.expect("members")
            assert (members["names"], members["count"]) == (["bob", "Ann"], 2)
        bob.send("list")
        assert bob.expect("rooms")["rooms"][0]["count"] == 2
        for device in devices[:2]:
            device.leave()
        assert bob.settle() == []
        devices[2].leave()
        assert bob.settle() == [{"t": "presence", "room": "lobby", "joined": [], "left": ["Ann"], "count": 1}]


def test_whois_is_about_all_devices(server: RunningServer) -> None:
    with ann(server) as one, ann(server, rooms={"tea": None, "lobby": None}) as other:
        one.send("away", text="lunch")
        assert other.expect("away")["text"] == "lunch"
        with server.client("bob") as bob:
            bob.send("whois", name="ann")
            user = bob.expect("user")
            assert sorted(user["rooms"]) == ["lobby", "tea"]
            assert (user["away"], user["account"], user["name"]) == ("lunch", True, "Ann")
            bob.send("tell", to="ann", text="hi")
            assert bob.expect("away")["name"] == "Ann"


def test_a_name_is_changed_on_one_device_only(server: RunningServer) -> None:
    with ann(server) as one:
        with ann(server) as other:
            one.send("rename", name="annie", n=1)
            one.expect_error("forbidden", re=1)
            other.leave()
        one.send("rename", name="annie", n=2)
        one.expect("renamed", re=2)
        # It is the same account: one more device has its name of now, and others find it by both.
        with ann(server) as other, server.client("bob") as bob:
            bob.send("tell", to="Ann", text="old")
            bob.send("tell", to="annie", text="new")
            for client in (one, other):
                assert [client.expect("told")["text"] for _ in range(2)] == ["old", "new"]
            bob.send("rename", name="ann", n=3)
            bob.expect_error("name-taken", re=3)


def test_each_device_comes_back_as_itself(server: RunningServer) -> None:
    with ann(server) as one, server.raw() as other, server.raw() as again:
        secret = other.hello("ann", password=PASSWORD)["session"]
        welcome = again.hello("whoever", resume=secret)
        assert (welcome["name"], welcome["resumed"], welcome["account"]) == ("Ann", True, True)
        assert other.all_until_end()[-1]["code"] == "replaced"
        one.settle()


# Mail


def test_mail_waits_for_an_account_until_it_has_arrived(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path), "--rate", "0")
    with running_server(*data) as server:
        with server.client("Ann") as client:
            register(client)
            client.leave()
        with server.client("bob") as bob:
            for text in ("one", "two"):
                bob.send("tell", to="ann", text=text, nonce=text)
                assert bob.expect("ack")["nonce"] == text
                assert bob.expect("notice")["text"] == "ann is not here, and gets it on coming back"
            bob.send("tell", to="ann", text="one", nonce="one")
            assert kinds(bob.settle()) == ["ack"]
    with running_server(*data) as server:
        for _ in range(2):
            with ann(server) as client:  # which does not say that it has them
                frames = client.settle()
                assert kinds(frames) == ["room", "told", "told", "ping"]
                assert [frame["text"] for frame in frames[1:3]] == ["one", "two"]
                client.leave()
        with ann(server) as client:
            frames = client.settle()
            client.send("pong", re=frames[-1]["n"])
            client.settle()
        with ann(server) as client:
            assert kinds(client.settle()) == ["room"]


def test_mail_comes_to_who_logs_in_and_to_nobody_else(server: RunningServer) -> None:
    with server.client("bob") as bob, server.client("guest") as guest:
        bob.send("tell", to="ANN", text="psst")
        bob.expect("notice")
        assert "told" not in kinds(guest.settle())
        guest.send("login", name="ann", password=PASSWORD)
        assert guest.expect("told")["text"] == "psst"
        bob.send("tell", to="nobody", text="psst", n=1)
        bob.expect_error("no-such-user", re=1)


def test_much_mail_reaches_who_reads(server: RunningServer) -> None:
    with server.client("bob") as bob:
        for number in range(200):
            bob.send("tell", to="ann", text=f"{number} " + "x" * 7000, nonce=str(number))
            bob.expect("ack")
        bob.send("tell", to="ann", text="too much", n=1)
        bob.expect_error("server-full", re=1)
    with ann(server) as client:
        numbers = [client.expect("told")["text"].split()[0] for _ in range(200)]
    assert numbers == [str(number) for number in range(200)]
