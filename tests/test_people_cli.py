"""``chatctl invite``, ``user`` and ``audit`` as processes, beside a server and without one."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import os
import pty
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chatctl.access import address
from chatctl.access.address import Address
from chatctl.access.database import FILE
from chatctl.access.opened import AccessBook
from chatctl.errors import Refused
from chatctl.invite import Invitation, parse_link
from chatctl.reached import addresses
from tests import forked
from tests.helpers import SECONDS, RunningServer, environment, running_server, wait_for

PIN = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
DAY_MS = 86_400_000


def chatctl(data: Path, *args: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Runs a command on a data directory to its end."""
    given = environment(CHATCTL_DATA=str(data), TZ="UTC", **env)
    return forked.run(args, given, stdin=stdin, timeout=SECONDS * 2)


def done(data: Path, *args: str, stdin: str = "", **env: str) -> str:
    """Returns what a command printed that had nothing to complain of."""
    ended = chatctl(data, *args, stdin=stdin, **env)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def complaint(data: Path, *args: str, stdin: str = "", **env: str) -> str:
    """Returns the one line of complaint of a command that did nothing."""
    ended = chatctl(data, *args, stdin=stdin, **env)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    return line.removeprefix("chatctl: ")


def links(printed: str) -> list[Invitation]:
    """Returns what the lines to send say; behind them stands one for browsers, with the first one's key."""
    found = []
    *lines, last = printed.splitlines()
    for line in lines:
        *command, link = shlex.split(line)
        assert command == ["chatctl", "join"]
        found.append(parse_link(link))
    assert last.startswith("in a browser: http")
    assert last.endswith((f"/#{found[0].key}", f"/?room={found[0].room}#{found[0].key}"))
    return found


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "new" / "data"


# Invitations


def test_an_invitation_to_a_server_that_listens_on_one_address(data: Path) -> None:
    data.mkdir(parents=True)
    address.write(data, Address("192.168.1.5", 4711, PIN, tls=True))
    (link,) = links(done(data, "invite", "--room", "#Ops", "--role", "guest", "--ttl", "2h"))
    assert (link.host, link.port, link.room, link.pin) == ("192.168.1.5", 4711, "ops", PIN)
    with AccessBook(data) as book:
        key = book.keys.check(link.key, "bob")
    assert (key.room, key.role, key.uses, key.by) == ("ops", "guest", 1, "")
    assert key.until == key.at + 7_200_000


def test_one_to_a_server_that_listens_on_all(data: Path) -> None:
    data.mkdir(parents=True)
    address.write(data, Address("0.0.0.0", 4711, PIN, tls=True))
    found = links(done(data, "invite"))
    assert [link.host for link in found] == addresses("0.0.0.0")
    assert len({link.key for link in found}) == 1
    assert {link.port for link in found} == {4711}


def test_the_host_can_be_said(data: Path) -> None:
    data.mkdir(parents=True)
    address.write(data, Address("0.0.0.0", 4711, PIN, tls=True))
    (link,) = links(done(data, "invite", "--host", "chat.example.org"))
    assert (link.host, link.port, link.pin) == ("chat.example.org", 4711, PIN)
    (link,) = links(done(data, "invite", "--host", "[2001:db8::5]:99"))
    assert (link.host, link.port) == ("2001:db8::5", 99)


def test_one_to_a_server_without_tls_is_a_line_that_works(data: Path) -> None:
    data.mkdir(parents=True)
    address.write(data, Address("192.168.1.5", 4711))
    assert done(data, "invite").splitlines()[0].endswith(" --insecure")


def make_certificate() -> tuple[bytes, str]:
    """Returns a certificate in PEM, and the SHA-256 of its public key as base64url."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(1))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.urlsafe_b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM), pin


def test_where_no_server_runs_its_certificate_and_the_usual_port_count(data: Path) -> None:
    data.mkdir(parents=True)
    certificate, pin = make_certificate()
    (data / "certificate.pem").write_bytes(certificate + b"something else")
    found = links(done(data, "invite"))
    assert [(link.host, link.port, link.pin) for link in found] == [(h, 12345, pin) for h in addresses("::")]
    (data / "certificate.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----")
    assert links(done(data, "invite"))[0].pin == ""


def test_the_directory_is_made_for_this_user_alone(data: Path) -> None:
    assert links(done(data, "invite"))
    assert data.stat().st_mode & 0o777 == 0o700
    assert (data / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("ttl", ["never", "0"])
def test_any_number_for_good(data: Path, ttl: str) -> None:
    (link,) = links(done(data, "invite", "--uses", "0", "--ttl", ttl, "--host", "h"))
    with AccessBook(data) as book:
        key = book.keys.check(link.key, "bob")
    assert (key.uses, key.until, key.room, key.role) == (None, None, "lobby", "member")


@pytest.mark.parametrize(
    "args",
    [["--ttl", "5"], ["--ttl", "-1h"], ["--uses", "-1"], ["--role", "king"], ["--host", "a/b"], ["now"]],
)
def test_what_makes_no_sense_makes_no_invitation(data: Path, args: list[str]) -> None:
    ended = chatctl(data, "invite", *args)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert not data.exists()


def test_a_room_that_is_none(data: Path) -> None:
    assert complaint(data, "invite", "--room", "a b") == "a room cannot hold a space"


def test_invitations_are_listed_and_revoked(data: Path) -> None:
    (first,) = links(done(data, "invite", "--room", "ops", "--uses", "2", "--host", "h"))
    done(data, "invite", "--uses", "0", "--ttl", "never", "--host", "h")
    with AccessBook(data) as book:
        personal = book.keys.spend(first.key, "bob")
    rows = [line.split("\t") for line in done(data, "invite", "list").splitlines()]
    assert rows[0] == ["2", "#lobby", "member", "any number", "for good", ""]
    assert [rows[1][place] for place in (0, 1, 2, 3, 5)] == ["1", "#ops", "member", "1", "bob"]
    items = [json.loads(line) for line in done(data, "invite", "list", "--json").splitlines()]
    assert [(item["id"], item["uses"], item["people"]) for item in items] == [(2, None, []), (1, 1, ["bob"])]
    assert items[1]["until"] - items[1]["at"] == DAY_MS
    assert done(data, "invite", "revoke", "1") == "invitation 1 lets nobody in any more\n"
    assert complaint(data, "invite", "revoke", "1").startswith("there is no invitation 1")
    assert personal
    with AccessBook(data) as book, pytest.raises(Refused):
        book.keys.check(personal, "bob")


def test_options_of_an_invitation_are_not_those_of_the_list(data: Path) -> None:
    ended = chatctl(data, "invite", "--room", "ops", "list")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "--room" in ended.stderr


def test_a_key_is_in_no_list_and_no_audit(data: Path) -> None:
    (link,) = links(done(data, "invite", "--host", "h"))
    shown = done(data, "invite", "list", "--json") + done(data, "audit", "--json")
    assert link.key not in shown
    assert link.key.encode() not in (data / FILE).read_bytes()


# Accounts


def test_accounts_come_and_go(data: Path) -> None:
    assert done(data, "user", "add", "Ann", "--role", "owner", stdin="secret 1\n") == (
        "Ann has an account now, as owner\n"
    )
    done(data, "user", "add", "bob", CHATCTL_PASSWORD="secret 2")
    assert complaint(data, "user", "add", "\u0430nn", stdin="secret\n") == "there is an account Ann already"
    assert done(data, "user", "role", "BOB", "moderator") == "bob is moderator now\n"
    done(data, "user", "passwd", "ann", stdin="secret 3\nmore\n")
    rows = [line.split("\t") for line in done(data, "user", "list").splitlines()]
    assert [(row[0], row[1], row[3]) for row in rows] == [("Ann", "owner", "-"), ("bob", "moderator", "-")]
    items = [json.loads(line) for line in done(data, "user", "list", "--json").splitlines()]
    assert [item["name"] for item in items] == ["Ann", "bob"]
    assert {key for item in items for key in item} == {"name", "role", "at", "seen"}
    with AccessBook(data) as book:
        assert book.accounts.log_in("ann", "secret 3")
        assert book.accounts.log_in("bob", "secret 2")
    assert done(data, "user", "remove", "bob") == "bob has no account any more\n"
    assert complaint(data, "user", "remove", "bob").startswith("there is no account bob")


@pytest.mark.parametrize(
    ("args", "stdin", "why"),
    [
        (("add", "ann"), "", "there is no password"),
        (("add", "ann"), "\nsecond line\n", "there is no password"),
        (("add", "ann"), "short\n", "a password has at least 6 characters"),
        (("add", "ann"), "x" * 1025, "a password has at most 1024 bytes"),
        (("add", "a b"), "secret\n", "a name cannot hold a space"),
        (("passwd", "eve"), "secret\n", "there is no account eve"),
        (("role", "eve", "owner"), "", "there is no account eve"),
    ],
)
def test_what_will_not_do_is_told_in_one_line(data: Path, args: list[str], stdin: str, why: str) -> None:
    AccessBook(make(data)).close()
    assert complaint(data, "user", *args, stdin=stdin).startswith(why)
    assert done(data, "user", "list") == ""
    assert done(data, "audit") == ""


def make(data: Path) -> Path:
    data.mkdir(parents=True)
    return data


@pytest.mark.parametrize(
    "args",
    [
        *(
            ["audit"],
            ["invite", "list"],
            ["invite", "revoke", "1"],
            ["user", "list"],
            ["user", "remove", "ann"],
        ),
        *(["user", "passwd", "ann"], ["user", "role", "ann", "owner"]),
    ],
)
def test_without_a_data_directory_there_is_nothing_and_none_is_made(data: Path, args: list[str]) -> None:
    assert str(data) in complaint(data, *args)
    assert not data.exists()


def test_no_password_can_be_an_argument(data: Path) -> None:
    ended = chatctl(data, "user", "add", "ann", "secret")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert not data.exists()


class Terminal:
    """A command in a terminal of its own."""

    def __init__(self, data: Path, *args: str) -> None:
        self.sent = ""
        self._master, slave = pty.openpty()
        env = environment(CHATCTL_DATA=str(data), TERM="xterm")
        self.proc = forked.start(args, env, [slave] * 3, session=True, terminal=True)
        os.close(slave)
        os.set_blocking(self._master, False)

    def _read(self) -> str:
        try:
            self.sent += os.read(self._master, 1 << 16).decode()
        except OSError:  # There is nothing, or nobody any more.
            return self.sent
        return self.sent

    def answer(self, prompt: str, line: str) -> None:
        """Waits for a prompt at the end, and types a line."""
        wait_for(lambda: self._read().endswith(prompt), prompt)
        os.write(self._master, line.encode() + b"\n")

    def end(self) -> int:
        wait_for(lambda: (self._read() or True) and self.proc.poll() is not None, "the end of the command")
        self._read()
        os.close(self._master)
        return self.proc.wait()


def test_a_password_is_typed_twice_and_not_seen(data: Path) -> None:
    terminal = Terminal(data, "user", "add", "ann")
    terminal.answer("New password of ann: ", "correct horse")
    terminal.answer("The same again: ", "correct horse")
    assert terminal.end() == 0
    assert "ann has an account now" in terminal.sent
    assert "correct" not in terminal.sent
    with AccessBook(data) as book:
        assert book.accounts.log_in("ann", "correct horse")


def test_two_passwords_are_none(data: Path) -> None:
    terminal = Terminal(data, "user", "add", "ann")
    terminal.answer("New password of ann: ", "correct horse")
    terminal.answer("The same again: ", "battery staple")
    assert terminal.end() == 1
    assert "those were two passwords" in terminal.sent
    assert done(data, "user", "list") == ""


def test_a_terminal_gets_a_table_and_a_picture(data: Path) -> None:
    done(data, "user", "add", "ann", stdin="secret\n")
    terminal = Terminal(data, "user", "list")
    assert terminal.end() == 0
    assert "came in last" in terminal.sent
    terminal = Terminal(data, "invite", "--qr", "--host", "h")
    assert terminal.end() == 0
    assert "chatctl join" in terminal.sent.splitlines()[0]
    assert len([line for line in terminal.sent.splitlines() if "\u2588\u2588\u2588\u2588" in line]) > 15
    assert len(done(data, "invite", "--qr", "--host", "h").splitlines()) == 2


# The audit


def test_what_was_done_is_in_the_audit(data: Path) -> None:
    done(data, "user", "add", "ann", "--role", "owner", stdin="secret 1\n")
    done(data, "user", "passwd", "ann", stdin="secret 2\n")
    done(data, "user", "role", "ann", "guest")
    done(data, "invite", "--room", "ops", "--host", "h")
    done(data, "invite", "revoke", "1")
    done(data, "user", "remove", "ann")
    with AccessBook(data) as book:
        book.audit.add("ann", "ban", "eve", until=1_700_000_000_000, reason="\x1b[2J\tspam")
    items = [json.loads(line) for line in done(data, "audit", "--json").splitlines()]
    assert [(item["name"], item["what"], item["whom"], item["reason"]) for item in items[:-1]] == [
        ("", "add", "ann", "owner"),
        ("", "passwd", "ann", ""),
        ("", "role", "ann", "guest"),
        ("", "invite", "1", ""),
        ("", "revoke", "1", ""),
        ("", "remove", "ann", ""),
    ]
    assert "secret" not in done(data, "audit", "--json")
    (line,) = done(data, "audit", "--limit", "1").splitlines()
    assert line.split("\t")[1:] == ["ann", "ban", "eve", "", "2023-11-14 22:13", "\\x1b[2J\\tspam"]


# Beside a server


def refusal(server: RunningServer, name: str, **hello: Any) -> str:
    """Returns the code with which somebody is not let in."""
    with server.raw() as client:
        client.send("hello", v=1, name=name, **hello)
        (error,) = client.all_until_end()
    assert error["t"] == "error"
    code: str = error["code"]
    return code


def test_a_running_server_takes_an_invitation_at_once(data: Path) -> None:
    with running_server("--data", str(data), "--key", "its-own-key-of-22-characters") as server:
        (link,) = links(done(data, "invite", "--room", "ops", "--role", "guest"))
        assert (link.host, link.port, link.room) == ("127.0.0.1", server.port, "ops")
        assert refusal(server, "eve", key="another") == "auth-failed"
        with server.raw() as bob:
            welcome = bob.hello("bob", key=link.key)
        assert welcome["role"] == "guest"
        assert refusal(server, "eve", key=link.key) == "auth-failed"
        server.client("bob", key=welcome["key"]).close()
        done(data, "invite", "revoke", done(data, "invite", "list").split()[0])
        assert refusal(server, "bob", key=welcome["key"]) == "auth-failed"


def test_a_running_server_takes_accounts_at_once(data: Path) -> None:
    with running_server("--data", str(data)) as server:
        server.client("ann").close()
        done(data, "user", "add", "ann", stdin="secret\n")
        assert refusal(server, "ann") == "auth-required"
        assert refusal(server, "ann", password="wrong secret") == "auth-failed"
        with server.raw() as ann:
            assert ann.hello("ann", password="secret")["account"]
            done(data, "user", "role", "ann", "moderator")
            ann.expect("account", role="moderator")
        done(data, "user", "passwd", "ann", stdin="better secret\n")
        assert refusal(server, "ann", password="secret") == "auth-failed"
        done(data, "user", "remove", "ann")
        wait_for(lambda: is_let_in(server, "ann"), "the name is free")
        assert [json.loads(line)["what"] for line in done(data, "audit", "--json").splitlines()] == [
            *("add", "role", "passwd", "remove")
        ]


def is_let_in(server: RunningServer, name: str) -> bool:
    with server.raw() as client:
        client.send("hello", v=1, name=name)
        frame = client.receive()
    return frame is not None and frame["t"] == "welcome"


def test_a_server_that_has_stopped_is_where_it_is_said_to_be(data: Path) -> None:
    with running_server("--data", str(data)) as server:
        assert links(done(data, "invite"))[0].port == server.port
        server.stop()
        assert links(done(data, "invite"))[0].port == 12345
