"""The commands at servers that want TLS, keys and passwords: as processes, and in a terminal."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked
from tests.helpers import SECONDS, environment, wait_for
from tests.scripted import line, welcome
from tests.tls_server import Act, Certificate, TlsServer, answer, authorities, let_in, refuse
from tests.window import Window

OURS = Certificate("127.0.0.1")
OTHER = Certificate("127.0.0.1")
KEY, PASSWORD, OWN = "k3y-s3cret", "p4ss-s3cret", "0wn-s3cret"


class Home:
    """A person's files, and what they do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.env = {"XDG_CONFIG_HOME": str(path / "config"), "XDG_STATE_HOME": str(path / "state")}
        self.known_hosts = path / "config" / "chatctl" / "known_hosts"
        self.keys = path / "state" / "chatctl" / "keys.json"
        self.said: list[str] = []  # all that commands said

    def run(self, *args: str, input: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        done = forked.run(args, environment(**self.env, **env), stdin=input, timeout=SECONDS)
        self.said += [done.stdout, done.stderr]
        assert "Traceback" not in done.stderr
        return done

    def files(self) -> dict[Path, str]:
        return {path: path.read_text() for path in self.path.rglob("*") if path.is_file()}

    def assert_secret(self) -> None:
        """No secret was shown, and none is kept but where that belongs; all files are for their owner."""
        for secret in (KEY, PASSWORD, OWN):
            assert secret not in "".join(self.said)
            assert not [path for path, text in self.files().items() if secret in text and path != self.keys]
        assert {path.stat().st_mode & 0o777 for path in self.files()} <= {0o600}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def link(server: TlsServer, certificate: Certificate = OURS, key: str = KEY) -> str:
    return f"chat://{server.where}/dev?pin={certificate.pin}#{key}"


COMMANDS = [
    ["join"],
    ["send", "hello"],
    ["tail", "-n", "1"],
    ["wait", "--match", "found"],
    ["who"],
    ["rooms"],
    ["history"],
    ["search", "x"],
]


def talk(*, ends: bool) -> Act:
    """Lets a client in and, where it stays until something happens, has that happen."""
    said = line("msg", id=1, at=1, room="dev", name="bob", text="found")
    end = line("bye", code="banned", text="go")

    def act(sock: socket.socket) -> None:
        sock.sendall(welcome() + line("room", room="dev", topic="", count=1, members=["ann"], last=0))
        if ends:
            sock.recv(65536)
            sock.sendall(line("room", room="dev", topic="", count=1, members=["ann"], last=0) + said + end)
        answer(sock)

    return act


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_link_is_all_a_command_needs(home: Home, command: list[str]) -> None:
    ends = command[0] in ("tail", "wait")
    with TlsServer(OURS, talk(ends=ends)) as server:
        done = home.run(*command, "--server", link(server), "--name", "ann", "--password", PASSWORD)
    assert (server.plain, server.connections) == (0, 1)
    assert (server.hellos[0]["key"], server.hellos[0]["password"]) == (KEY, PASSWORD)
    assert done.returncode == (4 if command[0] == "tail" else 0), done.stderr
    assert OURS.pin in home.known_hosts.read_text()
    home.assert_secret()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_wrong_pin_ends_every_command_before_anything_was_said(home: Home, command: list[str]) -> None:
    with TlsServer(OURS, let_in()) as server:
        done = home.run(*command, "--server", link(server, OTHER), "--password", PASSWORD)
    assert server.hellos == []
    assert done.returncode == (1 if command[0] == "join" else 4)
    (text,) = done.stderr.splitlines()
    assert f"SHA256:{OURS.pin} now, and SHA256:{OTHER.pin} in the link" in text
    assert not home.known_hosts.exists()
    home.assert_secret()


def test_a_server_is_shown_once_and_its_change_each_time(home: Home) -> None:
    with TlsServer(OURS, let_in()) as server:
        command = ["send", "--server", server.where, "--name", "ann", "hello"]
        done = home.run(*command)
        assert (done.returncode, done.stdout) == (0, "")
        new = f"chatctl: this server is new here: SHA256:{OURS.pin}, remembered in {home.known_hosts}\n"
        assert done.stderr == new
        assert server.plain == 1
        assert home.run(*command).stderr == ""
        server.certificate = OTHER
        for _ in range(2):
            done = home.run(*command)
            assert done.returncode == 4
            assert f"SHA256:{OTHER.pin} now, and SHA256:{OURS.pin} in {home.known_hosts}:2" in done.stderr
            assert f"remove line 2 of {home.known_hosts}" in done.stderr
        assert len(server.hellos) == 2
        # As somebody may have replaced it with one that is vouched for.
        vouched = authorities(home.path, OTHER)
        assert home.run(*command, SSL_CERT_FILE=vouched).returncode == 0


def test_without_tls_by_request_and_by_no_other_way(home: Home) -> None:
    with TlsServer(None, let_in()) as server:
        done = home.run("send", "--server", link(server), "hello")
        assert (done.returncode, done.stderr.count("\n")) == (3, 1)
        assert "speaks no TLS: the link asks for it" in done.stderr
        assert server.hellos == []
    with TlsServer(OURS, let_in()) as server:
        done = home.run("send", "--server", server.where, "--insecure", "hello")
        assert done.returncode == 4
        assert "speaks only TLS: leave out --insecure" in done.stderr
        assert (server.plain, server.hellos) == (1, [])
    home.assert_secret()


# Keys and passwords


@pytest.mark.parametrize("code", ["auth-required", "auth-failed"])
@pytest.mark.parametrize(
    "command", [["send", "x"], ["tail"], ["who"], ["history"]], ids=lambda words: words[0]
)
def test_a_script_is_told_in_one_line(home: Home, command: list[str], code: str) -> None:
    with TlsServer(OURS, refuse(code, "a key \x1b[2Jis needed")) as server:
        done = home.run(*command, "--server", link(server), "--password", "-", input=f"{PASSWORD}\n")
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert done.stderr == rf"chatctl: {server.where} says: a key \x1b[2Jis needed" + "\n"
    assert server.hellos[0]["password"] == PASSWORD
    home.assert_secret()


@pytest.mark.parametrize("secret", [f"{KEY}\x1b", f"{KEY}\udc80", KEY * 1_000])
def test_what_cannot_be_a_secret_is_not_repeated(home: Home, secret: str) -> None:
    for option in ("--key", "--password"):
        done = home.run("who", "--port", "1", option, secret)
        assert done.returncode == 4
        assert done.stderr.startswith(f"chatctl: that is no {option.removeprefix('--')}: ")
    home.assert_secret()


def test_what_follows_a_key_on_standard_input_is_said(home: Home) -> None:
    with TlsServer(OURS, let_in()) as server:
        done = home.run("join", link(server, key=""), "--name", "ann", "--key", "-", input=f"{KEY}\nhello\n")
    assert (done.returncode, server.hellos[0]["key"]) == (0, KEY)
    home.assert_secret()


def keys(server: TlsServer) -> list[str | None]:
    """Returns the keys that were said since this was asked last."""
    said = [hello.get("key") for hello in server.hellos]
    server.hellos.clear()
    return said


def test_a_key_that_a_server_gives_is_used_from_then_on(home: Home) -> None:
    good = [KEY]

    def act(sock: socket.socket) -> None:
        key = server.hellos[-1].get("key")
        entry = let_in(**({"key": OWN} if key == KEY else {}))
        (entry if key in good else refuse("auth-failed", "that key is used up"))(sock)

    with TlsServer(OURS, act) as server:
        command = ["send", "--server", link(server), "--name", "ann", "hello"]
        assert home.run(*command).returncode == 0
        assert keys(server) == [KEY]
        assert list(json.loads(home.keys.read_text())) == [server.where]
        good[:] = [OWN]
        assert home.run(*command).returncode == 0
        assert keys(server) == [OWN]
        for where in (server.where, link(server)):
            assert home.run("who", where, "--name", "ANN").returncode == 0
            assert keys(server) == [OWN]
        # It lets in nobody else.
        assert home.run("who", link(server), "--name", "bob").returncode == 4
        assert keys(server) == [KEY]
        # Another key comes first, and one that is not known any more last.
        assert home.run("who", link(server, key="x"), "--name", "ann").returncode == 0
        assert keys(server) == ["x", OWN]
        good[:] = ["y"]
        assert home.run("who", link(server), "--name", "ann").returncode == 4
        assert keys(server) == [OWN, KEY]
    home.assert_secret()


def test_whose_name_and_key_are_in_use_already_is_told_so(home: Home) -> None:
    def act(sock: socket.socket) -> None:
        taken = server.hellos[-1]["name"] == "ann"
        refuse(*(("name-taken", "that name is taken") if taken else ("auth-failed", "not you")))(sock)

    with TlsServer(OURS, act) as server:
        done = home.run("who", link(server), LOGNAME="ann")
        assert (done.returncode, len(server.hellos)) == (4, 2)
    assert "that name is taken" in done.stderr


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a":1}', b"\xff"])
def test_keys_that_cannot_be_read_are_none(home: Home, content: bytes) -> None:
    home.keys.parent.mkdir(parents=True)
    home.keys.write_bytes(content)
    home.keys.chmod(0o600)
    with TlsServer(OURS, let_in(key=OWN)) as server:
        assert home.run("send", "--server", link(server), "--name", "ann", "hello").returncode == 0
    assert OWN in home.keys.read_text()
    home.assert_secret()


def test_a_key_that_cannot_be_kept_is_told(home: Home) -> None:
    home.keys.mkdir(parents=True)
    with TlsServer(OURS, let_in(key=OWN)) as server:
        done = home.run("send", "--server", link(server), "--name", "ann", "hello")
    assert done.returncode == 0
    assert "the key that the server gave you is not kept" in done.stderr


def test_completion_uses_up_no_invitation_and_meets_nobody(home: Home) -> None:
    def completed(where: str) -> str:
        words = ["chatctl", "join", where, "--room", "lob"]
        env = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": "4", "_CHATCTL_COMPLETE": "complete_bash"}
        done = home.run(**env)
        assert done.stderr == ""
        return done.stdout

    with TlsServer(OURS, let_in()) as server:
        # A busy machine may take longer for a try than there is.
        wait_for(lambda: completed(link(server)).split() == ["lobby"], "the room", 3 * SECONDS)
        assert set(keys(server)) == {None}
        assert not home.known_hosts.exists()
        completed(server.where)
        assert keys(server) == []


# Asking


class Asked(Window):
    """``chatctl join`` at a server, by a person who is asked for something."""

    def __init__(self, home: Home, server: TlsServer, *args: str, key: str = "") -> None:
        where = link(server, key=key).rstrip("#")
        super().__init__(where, "ann", *args, env=home.env)

    def answer(self, question: str, text: str, times: int = 1) -> None:
        """Answers a question once it was asked so many times; what is typed before would be seen."""
        wait_for(lambda: self.text().count(question) == times, question)
        self.enter(text)


def test_the_password_is_asked_for_without_an_echo(home: Home) -> None:
    acts = [refuse("auth-required", "no key opens that: there is an account", wants="password"), let_in()]
    with TlsServer(OURS, *acts) as server, Asked(home, server) as window:
        window.answer("Password of ann:", PASSWORD)
        window.expect_somewhere("#dev>")
        window.enter("exit")
        assert window.end() == 0
        home.said.append(window.sent.decode())
    assert [hello.get("password") for hello in server.hellos] == [None, PASSWORD]
    home.assert_secret()


@pytest.mark.parametrize(
    "refusal",
    [
        refuse("auth-required", "this server wants a key"),
        refuse("auth-failed", "that invitation is over", wants="key"),
    ],
)
def test_the_key_is_asked_for_where_it_is_that(home: Home, refusal: Act) -> None:
    acts = [refusal, let_in()]
    with TlsServer(OURS, *acts) as server, Asked(home, server) as window:
        window.answer(f"Key for {server.where}:", KEY)
        window.expect_somewhere("#dev>")
        window.enter("exit")
        assert window.end() == 0
        home.said.append(window.sent.decode())
    assert [hello.get("key") for hello in server.hellos] == [None, KEY]
    home.assert_secret()


def test_three_tries_and_no_more(home: Home) -> None:
    with TlsServer(OURS, refuse("auth-failed", "wrong")) as server, Asked(home, server) as window:
        for tries in range(1, 4):
            window.answer("Password of ann:", PASSWORD, tries)
        assert window.end() == 1
        assert window.sent.decode().count("says: wrong") == 4
    assert len(server.hellos) == 4


@pytest.mark.parametrize("keys", ["\r", "\x04"])
def test_whoever_answers_nothing_gives_up(home: Home, keys: str) -> None:
    with TlsServer(OURS, refuse("auth-required", "password")) as server, Asked(home, server) as window:
        window.expect_somewhere("Password of ann:")
        window.type(keys)
        assert window.end() == 1
        assert any(line.startswith("chatctl: nothing was typed") for line in window.lines())
    assert len(server.hellos) == 1


def test_ctrl_c_gives_up_too(home: Home) -> None:
    with TlsServer(OURS, refuse("auth-required", "password")) as server, Asked(home, server) as window:
        window.expect_somewhere("Password of ann:")
        window.type("\x03")
        assert window.end() == 130
        assert window.sent.endswith(b"Password of ann: \r\n"), "the shell's prompt begins its own line"


def test_a_password_that_was_given_is_not_asked_for(home: Home) -> None:
    with (
        TlsServer(OURS, refuse("auth-failed", "wrong")) as server,
        Asked(home, server, "--password", PASSWORD) as window,
    ):
        assert window.end() == 1
    assert len(server.hellos) == 1


def test_a_secret_is_asked_for_on_request(home: Home) -> None:
    with TlsServer(OURS, let_in()) as server, Asked(home, server, "--key", "-") as window:
        window.answer("Key:", KEY)
        window.expect_somewhere("#dev>")
        window.enter("exit")
        assert window.end() == 0
        home.said.append(window.sent.decode())
    assert server.hellos[0]["key"] == KEY
    home.assert_secret()


def test_a_server_that_is_new_is_told_above_the_chat(home: Home) -> None:
    with TlsServer(OURS, let_in()) as server, Window(server.where, "ann", env=home.env) as window:
        window.expect_somewhere("#lobby>")
        window.expect_somewhere("chatctl: this server is new here: SHA256:")
        window.enter("exit")
        assert window.end() == 0


def test_secrets_are_in_no_process_list_where_they_are_read(home: Home) -> None:
    with TlsServer(OURS, let_in()) as server:
        process = subprocess.Popen(
            [sys.executable, "-m", "chatctl", "tail", link(server, key="").rstrip("#"), "--key", "-"],
            env=environment(**home.env),
            stdin=subprocess.PIPE,
        )
        assert process.stdin is not None
        process.stdin.write(f"{KEY}\n".encode())
        process.stdin.flush()
        wait_for(lambda: server.hellos, "the hello")
        for name in ("cmdline", "environ"):
            assert KEY.encode() not in Path(f"/proc/{process.pid}/{name}").read_bytes()
        process.terminate()
        process.communicate()
    assert os.WEXITSTATUS(process.returncode << 8) == 143
