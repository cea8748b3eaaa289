"""Who comes in: by keys, passwords and names, on a real server, and what is left of their secrets."""

from __future__ import annotations

import json
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from chatctl.access import passwords
from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.history.memory import MemoryLog
from chatctl.messages import Hello, Role, Told
from chatctl.server.config import Config
from chatctl.server.entrance import Entrance, Entry
from chatctl.server.people import Device, People
from chatctl.server.server import Server
from chatctl.server.session import Session
from tests.fuzz.session import serve
from tests.helpers import SECONDS, RawClient, RunningServer, running_server, undisturbed

KEY = "the-key-of-the-house"
PASSWORD = "correct horse"
HOUR = 3600


def refused(server: RunningServer, name: str, **hello: Any) -> tuple[str, str | None]:
    """Returns the code with which a hello is refused, and what it lacks."""
    with server.raw() as client:
        client.send("hello", v=1, name=name, **hello)
        (error,) = client.all_until_end()
    assert (error["t"], error["fatal"]) == ("error", True)
    return error["code"], error.get("wants")


class House:
    """A server that asks for a key, and what it keeps of who may come in."""

    def __init__(self, server: RunningServer, book: AccessBook, directory: Path) -> None:
        self.server = server
        self.book = book
        self.directory = directory

    def invite(self, *, uses: int | None = 1, seconds: float | None = HOUR, role: Role = "member") -> str:
        return self.book.keys.invite(None, uses=uses, seconds=seconds, role=role, by="")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    arguments = ("--data", str(tmp_path), "--rate", "0")
    with running_server(*arguments, env={"CHATCTL_KEY": KEY}) as server, AccessBook(tmp_path) as book:
        yield House(server, book, tmp_path)


# Keys


def test_a_key_is_needed_and_the_right_one(house: House) -> None:
    assert refused(house.server, "ann") == ("auth-required", "key")
    for key in ("", "x", KEY + "x", KEY[:-1], "\ud800"):
        assert refused(house.server, "ann", key=key) == ("auth-failed", "key")
    with house.server.client("ann", key=KEY) as ann, house.server.client("bob", key=KEY) as bob:
        assert ann.settle()
        assert bob.settle()


@pytest.mark.parametrize(
    ("refusal", "got"), [(None, ["welcome", "told"]), (Refused("storage", ""), ["error"])]
)
def test_what_others_send_to_whoever_has_just_got_a_name_does_not_come_first(
    monkeypatch: pytest.MonkeyPatch, refusal: Refused | None, got: list[str]
) -> None:
    enter = Entrance.enter

    def enter_and_hear(entrance: Entrance, session: Session, hello: Hello, name: str) -> Entry:
        entry = enter(entrance, session, hello, name)
        session.send_frame(Told(0, "bob", "hi"))
        if refusal:
            raise refusal
        return entry

    monkeypatch.setattr(Entrance, "enter", enter_and_hear)
    lines = serve(b'{"t":"hello","v":1,"name":"ann","rooms":{}}\n').splitlines()
    assert [json.loads(line)["t"] for line in lines] == got


def test_a_session_that_comes_back_needs_no_key(house: House) -> None:
    with house.server.raw() as ann:
        secret = ann.hello("ann", key=KEY)["session"]
    with house.server.raw() as again:
        assert again.hello("ann", resume=secret)["resumed"] is True
    assert refused(house.server, "ann", resume="unknown") == ("auth-required", "key")


def test_an_invitation_is_used_once_and_leaves_a_personal_key(house: House) -> None:
    invitation = house.invite(role="guest")
    with house.server.raw() as ann:
        welcome = ann.hello("Ann", key=invitation)
        assert welcome["role"] == "guest"
        ann.leave()
    personal = welcome["key"]
    assert refused(house.server, "bob", key=invitation) == ("auth-failed", "key")
    assert refused(house.server, "Ann", key=invitation) == ("auth-failed", "key")
    assert refused(house.server, "bob", key=personal) == ("auth-failed", "key")
    for _ in range(2):
        with house.server.raw() as again:
            welcome = again.hello("ANN", key=personal)
            assert (welcome["role"], "key" in welcome) == ("guest", False)
            again.leave()


def test_who_does_not_get_the_name_does_not_use_the_invitation_up(house: House) -> None:
    invitation = house.invite()
    with house.server.client("ann", key=KEY):
        assert refused(house.server, "ann", key=invitation) == ("name-taken", None)
    with house.server.raw() as bob:
        assert bob.hello("bob", key=invitation)["key"]


def test_of_many_who_come_by_one_invitation_one_gets_in(house: House) -> None:
    invitation = house.invite()
    with ExitStack() as stack:
        clients = [stack.enter_context(house.server.raw()) for _ in range(6)]
        for number, client in enumerate(clients):
            client.send("hello", v=1, name=f"guest{number}", key=invitation)
        answers = [client.receive() for client in clients]
    codes = sorted(answer.get("code", answer["t"]) for answer in answers if answer)
    assert codes == ["auth-failed"] * 5 + ["welcome"]


def test_an_invitation_that_is_over(house: House) -> None:
    with AccessBook(house.directory, lambda: time.time() - HOUR) as then:
        over = then.keys.invite(None, uses=None, seconds=HOUR - 60, role="member", by="")
    assert refused(house.server, "ann", key=over) == ("auth-failed", "key")


def test_an_invitation_that_is_revoked_cuts_off_who_came_by_it(house: House) -> None:
    invitation = house.invite(uses=2)
    with house.server.raw() as ann, house.server.client("bob", key=KEY) as bob:
        welcome = ann.hello("ann", key=invitation)
        assert house.book.keys.revoke(house.book.keys.invitations()[0].id)
        end = ann.all_until_end()[-1]
        assert (end["code"], end["wants"], end["fatal"]) == ("auth-failed", "key", True)
        for key in (invitation, welcome["key"]):
            assert refused(house.server, "ann", key=key, resume=welcome["session"])[0] == "auth-failed"
        bob.settle()


def test_a_key_that_is_revoked_while_its_session_is_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_released = People.wait_released

    def revoke_meanwhile(people: People, device: Device, seconds: float) -> None:
        assert book.keys.revoke(book.keys.invitations()[0].id)
        wait_released(people, device, seconds)

    with AccessBook(None) as book, ExitStack() as ends:
        running = Server(Config(port=0, rate=0, open=False), MemoryLog(), book)
        running.start()
        ends.callback(running.stop)
        invitation = book.keys.invite(None, uses=1, seconds=HOUR, role="member", by="")
        ann, again = (ends.enter_context(RawClient(*running.address)) for _ in range(2))
        secret = ann.hello("ann", key=invitation)["session"]
        monkeypatch.setattr(People, "wait_released", revoke_meanwhile)
        again.send("hello", v=1, name="ann", resume=secret)
        assert again.all_until_end()[-1]["code"] == "auth-failed"


def test_an_open_server_takes_any_key(tmp_path: Path) -> None:
    with running_server("--data", str(tmp_path)) as server, AccessBook(tmp_path) as book:
        with server.client("ann", key="of another server"):
            pass
        guests = book.keys.invite(None, uses=1, seconds=None, role="guest", by="")
        with server.raw() as bob:
            assert bob.hello("bob", key=guests)["role"] == "guest"


def test_a_thousand_wrong_keys_while_others_chat(house: House) -> None:
    house.server.always = {"key": KEY}
    with undisturbed(house.server):
        codes = {refused(house.server, f"guest{number}", key=f"wrong{number}")[0] for number in range(1000)}
    assert codes == {"auth-failed", "rate-limited"}
    assert "wrong1" not in house.server.log


def test_wrong_keys_from_this_machine_are_held_only_against_those_who_show_one() -> None:
    with running_server("--key", KEY) as server:
        with server.raw() as ann:
            welcome = ann.hello("ann", key=KEY)
        while refused(server, "eve", key="wrong")[0] != "rate-limited":
            pass
        assert refused(server, "bob", key=KEY) == ("rate-limited", None)
        assert refused(server, "bob") == ("auth-required", "key")
        with server.raw() as again:
            assert again.hello("ann", resume=welcome["session"])["resumed"]


def test_wrong_passwords_from_this_machine_keep_nobody_else_out() -> None:
    with running_server() as server, server.client("ann") as ann:
        ann.send("register", password=PASSWORD, n=1)
        ann.expect("account", re=1)
        while refused(server, "ann", password="wrong")[0] != "rate-limited":
            pass
        with server.client("bob") as bob:
            bob.send("login", name="ann", password=PASSWORD, n=1)
            bob.expect_error("rate-limited", re=1)


# Names and passwords


LOOK_ALIKES = ["Paypal", "PAYPAL", "\uff30aypal", "p\u0430yp\u0430l", "paypa1", "\u03a1aypal", "paypaI"]


def test_a_registered_name_is_nobody_elses_after_its_owner_left() -> None:
    with running_server("--rate", "0") as server, server.client("bob") as bob:
        with server.client("paypal") as owner:
            owner.send("register", password=PASSWORD, n=1)
            owner.expect("account", re=1)
            assert_nobody_elses(bob, "paypal")
        for name in LOOK_ALIKES:
            assert refused(server, name, key="x") == ("auth-required", "password")
            assert_nobody_elses(bob, name)
        with server.raw() as again:
            welcome = again.hello("paypal", password=PASSWORD)
            assert (welcome["name"], welcome["account"]) == ("paypal", True)


def assert_nobody_elses(client: RawClient, name: str) -> None:
    client.send("rename", name=name, n=2)
    client.expect_error("name-taken", re=2)


def test_characters_that_show_nothing_are_in_no_name() -> None:
    with running_server() as server:
        for name in ("pay\u200bpal", "pay\u034fpal", "paypal\ufe0f", "pay\u2060pal"):
            assert refused(server, name) == ("bad-name", None)


def test_a_password_is_enough_and_the_name_is_spelled_as_it_was_made(house: House) -> None:
    house.book.accounts.add("Ann", PASSWORD, "owner")
    with house.server.raw() as ann:
        welcome = ann.hello("aNN", password=PASSWORD)
        assert (welcome["name"], welcome["role"], welcome["account"]) == ("Ann", "owner", True)
    assert refused(house.server, "ann", key=KEY) == ("auth-required", "password")
    assert refused(house.server, "ann", password="") == ("auth-failed", "password")
    assert refused(house.server, "nobody", password=PASSWORD) == ("auth-failed", "password")
    assert refused(house.server, "ann", password="x" * 2000) == ("auth-failed", "password")


def test_accounts_and_keys_are_kept_over_a_restart(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    with running_server(*data) as server, server.client("ann") as ann:
        ann.send("register", password=PASSWORD)
        ann.expect("account")
    with running_server(*data, env={"CHATCTL_KEY": KEY}) as server:
        assert refused(server, "ann") == ("auth-required", "password")
        with server.raw() as again:
            assert again.hello("ann", password=PASSWORD)["account"] is True
    with running_server(*data, "--host", "127.0.0.1", "--new-key") as server:
        assert refused(server, "bob", key=KEY) == ("auth-failed", "key")


@pytest.mark.parametrize("by", ["removed", "password", "ban"])
def test_who_may_no_longer_be_in_is_cut_off_and_does_not_come_back(house: House, by: str) -> None:
    house.book.accounts.add("Ann", PASSWORD)
    with house.server.raw() as ann, house.server.client("bob", key=KEY) as bob:
        secret = ann.hello("ann", password=PASSWORD)["session"]
        if by == "removed":
            house.book.accounts.remove("ann")
        elif by == "password":
            house.book.accounts.set_password("ann", "another one")
        else:
            house.book.bans.put("ban", "ann", by="", seconds=HOUR, reason="spam")
        end = ann.all_until_end()[-1]
        expected = "banned" if by == "ban" else "auth-required"
        assert (end["t"], end["code"], end["fatal"]) == ("error", expected, True)
        bob.settle()
    code, _ = refused(house.server, "ann", resume=secret, password=PASSWORD)
    assert code == ("banned" if by == "ban" else "auth-failed")


def test_a_ban_says_until_when_and_why(house: House) -> None:
    house.book.bans.put("ban", "ann", by="", seconds=HOUR, reason="spam")
    with house.server.raw() as client:
        client.send("hello", v=1, name="\u0430nn", key=KEY)
        (error,) = client.all_until_end()
    assert error["code"] == "banned"
    assert "until 2" in error["text"]
    assert error["text"].endswith(": spam")
    house.book.bans.lift("ban", "ann")
    house.book.bans.put("ban", "127.0.0.0/8", by="", seconds=None, reason="")
    assert refused(house.server, "bob", key=KEY) == ("banned", None)


def test_a_name_that_gets_an_account_meanwhile_is_its_owners(house: House) -> None:
    with house.server.client("ann", key=KEY) as ann:
        house.book.accounts.add("Ann", PASSWORD)
        end = ann.all_until_end()[-1]
    assert (end["code"], end["wants"]) == ("auth-required", "password")


def test_a_new_role_is_told_at_once(house: House) -> None:
    house.book.accounts.add("Ann", PASSWORD)
    with (
        house.server.client("ann", password=PASSWORD) as one,
        house.server.client("ann", password=PASSWORD) as other,
    ):
        for role in ("moderator", "guest"):
            house.book.accounts.set_role("ann", role)
            for client in (one, other):
                told = client.expect("account")
                assert (told["name"], told["role"]) == ("Ann", role)


# Many at once


def test_a_login_storm_leaves_those_who_chat_alone(house: House) -> None:
    house.server.always = {"key": KEY}
    for number in range(4):
        house.book.accounts.add(f"user{number}", PASSWORD)
    with undisturbed(house.server), ExitStack() as stack:
        clients = [stack.enter_context(house.server.raw()) for _ in range(20)]
        for number, client in enumerate(clients):
            client.send("hello", v=1, name=f"user{number % 4}", password=PASSWORD)
        for client in clients:
            assert client.expect("welcome")["account"] is True


class Hashing:
    """Has nobody get a turn to have a password checked, until `free`."""

    def __init__(self) -> None:
        self._held = threading.Event()
        self._begun = threading.Barrier(3)
        args = (self._hold, passwords.always)
        self._holders = [threading.Thread(target=passwords._in_turn, args=args) for _ in range(2)]
        for holder in self._holders:
            holder.start()
        self._begun.wait(SECONDS)

    def _hold(self) -> None:
        self._begun.wait(SECONDS)
        self._held.wait()

    def free(self) -> None:
        self._held.set()
        for holder in self._holders:
            holder.join()


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, Hashing]]:
    """A server in this process with an account, that has no time to check its password."""
    monkeypatch.setattr("chatctl.server.dialects.native.Native.seconds", 0.5)
    monkeypatch.setattr("chatctl.access.passwords.ASK_SECONDS", 0.05)
    with AccessBook(None) as book:
        book.accounts.add("ann", PASSWORD)
        running = Server(Config(port=0, rate=0), MemoryLog(), book)
        running.start()
        hashing = Hashing()
        try:
            yield running, hashing
        finally:
            hashing.free()
            running.stop()


def test_who_waits_for_a_turn_is_not_cut_off_for_it(busy: tuple[Server, Hashing]) -> None:
    running, hashing = busy
    with RawClient(*running.address) as ann, RawClient(*running.address) as silent:
        ann.send("hello", v=1, name="ann", password=PASSWORD)
        silent.send_bytes(b"{")  # Else it is taken for a person at a terminal.
        # The deadline for hellos is over once it has ended this one, which came later.
        assert silent.all_until_end()[-1]["code"] == "timeout"
        hashing.free()
        assert ann.expect("welcome")["name"] == "ann"


def test_waiting_for_a_turn_has_an_end(busy: tuple[Server, Hashing], monkeypatch: pytest.MonkeyPatch) -> None:
    running, _ = busy
    monkeypatch.setattr("chatctl.server.session.PATIENCE_SECONDS", 0.1)
    with RawClient(*running.address) as ann:
        ann.send("hello", v=1, name="ann", password=PASSWORD)
        (end,) = ann.all_until_end()
    assert (end["code"], end["fatal"]) == ("server-full", True)


# Secrets


def test_no_secret_is_logged_shown_or_readable(tmp_path: Path) -> None:
    secrets = [KEY, PASSWORD, "a wrong password", "a-wrong-key", "another password"]
    arguments = ("--data", str(tmp_path), "--log-level", "debug")
    with running_server(*arguments, env={"CHATCTL_KEY": KEY}, fork=False) as server:
        with server.raw() as ann:
            secrets.append(ann.hello("ann", key=KEY)["session"])
            ann.send("register", password=PASSWORD)
            ann.expect("account")
            ann.send("register", password="another password")
            ann.expect("account")
        refused(server, "ann", password="a wrong password")
        refused(server, "bob", key="a-wrong-key")
        with server.client("bob", key=KEY) as bob:
            bob.send("login", name="ann", password="a wrong password")
            bob.expect_error("auth-failed")
        with AccessBook(tmp_path) as book:
            secrets.append(book.keys.invite(None, uses=1, seconds=None, role="member", by=""))
        with server.raw() as eve:
            secrets.append(eve.hello("eve", key=secrets[-1])["key"])
        arguments_seen = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode()
        seen = server.log + arguments_seen
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    for secret in secrets:
        assert secret not in seen
        assert secret.encode() not in kept
    assert {name: mode for name, mode in modes.items() if mode != 0o600} == {}
    assert {"access.db", "address.json", "chatctl.db", "lock"} <= modes.keys()
