"""nc, ncat, telnet and bare sockets in one room with the others."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from chatctl.access.opened import AccessBook
from chatctl.history.memory import MemoryLog
from chatctl.server.config import Config
from chatctl.server.dialects import plain
from chatctl.server.server import Server
from tests.helpers import SECONDS, RawClient, RunningServer, fresh, running_server, wait_for
from tests.house import PASSWORD, House, act


def tool(name: str) -> str:
    """Returns the path of a program; without it there is no test, but in CI."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI") != "true":
        pytest.skip(f"{name} is not installed")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def server(data: Path) -> Iterator[RunningServer]:
    with running_server("--rate", "0", "--data", str(data)) as server:
        yield server


@pytest.fixture
def house(server: RunningServer, data: Path) -> Iterator[House]:
    with ExitStack() as clients:
        yield House(server, data, clients)


class Typist:
    """Somebody at a bare socket."""

    def __init__(self, host: str, port: int, *, narrow: bool = False, tls: bool = False) -> None:
        self.raw = RawClient(host, port, narrow=narrow, tls=tls)
        self.seen = b""

    def __enter__(self) -> Typist:
        return self

    def __exit__(self, *_: object) -> None:
        self.raw.close()

    def type(self, *lines: str) -> None:
        self.raw.send_bytes("".join(f"{line}\n" for line in lines).encode())

    def see(self, words: str) -> str:
        """Reads until `words` have come; returns what stood before them."""
        while words.encode() not in self.seen:
            data = self.raw.sock.recv(1 << 16)
            assert data, f"not before the end: {words!r} in {self.seen!r}"
            self.seen += data
        before, _, self.seen = self.seen.partition(words.encode())
        return before.decode()

    def settle(self) -> str:
        """Returns what came before the answer to a line that is typed now."""
        self.type("/nosuch")
        return self.see("! there is no /nosuch; /help lists the commands\n")

    def rest(self) -> str:
        while data := self.raw.sock.recv(1 << 16):
            self.seen += data
        return self.seen.decode()


def typist(server: RunningServer, name: str = "", **how: bool) -> Typist:
    """Returns somebody who is in, if they have a name."""
    one = Typist(server.host, server.port, **how)
    if name:
        one.type(name)
        one.see(f"- you are {name}")
        one.settle()
    return one


# The real programs


def run(command: list[str], typed: str) -> str:
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=SECONDS)
    return done.stdout


def told_of(client: RawClient, name: str) -> dict[str, Any]:
    """Returns the next that is told of somebody's coming or going; others may still be on their way out."""
    while name not in (frame := client.expect("presence"))["joined"] + frame["left"]:
        pass
    return frame


@pytest.mark.parametrize("program", ["nc.openbsd", "ncat"])
def test_one_line_of_shell_says_something(server: RunningServer, program: str) -> None:
    name, text = fresh("bob"), fresh("text")
    with server.client(fresh("ann")) as ann:
        seen = run([tool(program), "127.0.0.1", str(server.port)], f"{name}\n{text}\nexit\n")
        assert name in told_of(ann, name)["joined"]
        message = ann.expect("msg", text=text)
        assert (message["name"], message["room"]) == (name, "lobby")
        assert name in told_of(ann, name)["left"]
    first, *_, last = seen.splitlines()
    assert first == f"- you are {name}; /help lists the commands, exit leaves"
    assert last == "- goodbye"
    assert f"{name}: {text}" not in seen


@pytest.mark.parametrize("end", ["", "\n"])
def test_what_was_said_is_acted_on_and_answered_after_the_last_of_it(server: RunningServer, end: str) -> None:
    name = fresh("bob")
    with server.client(fresh("ann"), backlog=0) as ann:
        typed = f"{name}\none\n/me waves\n/who{end}"
        seen = run([tool("nc.openbsd"), "-N", "127.0.0.1", str(server.port)], typed)
        assert [(m["text"], m.get("kind")) for m in ann.messages(2)] == [("one", None), ("waves", "action")]
    assert seen.splitlines()[-1].startswith("- 2 in #lobby: ")


def test_expect_talks_by_telnet(server: RunningServer, tmp_path: Path) -> None:
    tool("telnet")
    name = fresh("tess")
    lines = [
        'expect "name: "',
        f'send "{name}\\r"',
        f'expect "you are {name}"',
        'send "helllo\\b \\x7f\\x7flo\\r"',
        'expect "ann: hi tess"',
        'send "/register\\r"',
        'expect "new password: "',
        'send "sesame opens\\r"',
        'expect "once more: "',
        'send "sesame opens\\r"',
        'expect "logged in"',
        'send "exit\\r"',
        'expect "goodbye"',
        "expect eof",
    ]
    with server.client("ann", backlog=0) as ann:
        # With a minus it negotiates, as on port 23.
        proc = expecting(tmp_path, f"telnet -- 127.0.0.1 -{server.port}", lines)
        assert ann.expect("msg")["name"] == name
        ann.say("hi tess")
        seen = finished(proc)
    assert "sesame" not in seen
    assert [line for line in seen.splitlines() if "\x1b" in line] == []
    assert "- goodbye" in seen


def expecting(tmp_path: Path, command: str, lines: list[str]) -> subprocess.Popen[str]:
    """Runs a script of expect's, which gives up where something does not come."""
    script = tmp_path / "script"
    give_up = "expect_before timeout { puts stderr {not in time}; exit 1 }"
    script.write_text("\n".join([f"set timeout {SECONDS:.0f}", f"spawn {command}", give_up, *lines, ""]))
    return subprocess.Popen(
        [tool("expect"), str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(proc: subprocess.Popen[str]) -> str:
    seen, errors = proc.communicate(timeout=2 * SECONDS)
    assert (proc.returncode, errors) == (0, ""), seen
    return seen.replace("\r", "")


def test_expect_talks_by_nc(server: RunningServer, tmp_path: Path) -> None:
    tool("nc.openbsd")
    name = fresh("nick")
    lines = ['expect "name: "', f'send "{name}\\r"', 'expect "in #lobby"', 'send "/nosuch\\r"']
    lines += [
        'expect "! there is no /nosuch"',
        'send "exit\\r"',
        'expect "goodbye"',
        'send "\\x04"',
        "expect eof",
    ]
    assert "- goodbye" in finished(expecting(tmp_path, f"nc.openbsd 127.0.0.1 {server.port}", lines))


def type_until(screen: BinaryIO, line: str, done: Callable[[bytes], bool]) -> None:
    """Types a line until something comes of it.

    Telnet drops what is typed while it changes the mode of the terminal, which it does when it likes.

    Args:
        screen: the terminal's other end.
        line: what is typed, without its end.
        done: gets what was on the screen since, and returns whether that came of it.
    """
    seen, typed, deadline = b"", 0.0, time.monotonic() + SECONDS
    while not done(seen):
        assert time.monotonic() < deadline, seen
        if time.monotonic() - typed > 1:
            typed = time.monotonic()
            screen.write(f"{line}\r".encode())
        if select.select([screen], [], [], 0.1)[0]:
            seen += os.read(screen.fileno(), 1 << 16)


def test_telnet_sends_all_letters(server: RunningServer) -> None:
    name, text = fresh("tove"), "\u00c4\u00d6\u00dc \u201cquoted\u201d \u65e5\u672c"
    terminal, inner = pty.openpty()
    command = [tool("telnet"), "--", "127.0.0.1", f"-{server.port}"]
    with (
        os.fdopen(terminal, "r+b", buffering=0) as screen,
        os.fdopen(inner, "r+b", buffering=0) as keys,
        server.client("ann", backlog=0) as ann,
        subprocess.Popen(command, stdin=keys, stdout=keys, stderr=keys) as proc,
    ):
        try:
            type_until(screen, name, lambda seen: b"in #lobby" in seen)
            type_until(screen, text, lambda _: text in [frame.get("text") for frame in ann.settle()])
            type_until(screen, "exit", lambda seen: b"goodbye" in seen)
            assert proc.wait(SECONDS) == 0
        finally:
            proc.kill()


# Coming in


def test_who_is_silent_is_asked_for_a_name(server: RunningServer) -> None:
    begun = time.monotonic()
    with typist(server) as bob:
        assert bob.see("name: ") == ""
        assert time.monotonic() - begun >= 1
        bob.type("not a name")
        bob.see("! a name cannot hold a space\nname: ")
        bob.type(name := fresh("bob"))
        bob.see(f"- you are {name}")


def test_three_names_that_cannot_be(server: RunningServer) -> None:
    with typist(server) as bob:
        for name in ("a b", "c d"):
            bob.type(name, "what is said then")
            bob.see("! a name cannot hold a space\nname: ")
        bob.type("e f", fresh("late"))
        assert bob.rest() == "! a name cannot hold a space\n"


def test_an_account_asks_for_its_password(server: RunningServer, house: House) -> None:
    name = house.account("owner")
    with typist(server) as bob:
        bob.type(name)
        bob.see("give its password\npassword: ")
        bob.type("wrong")
        bob.see("\npassword: ")
        bob.type(PASSWORD)
        bob.see(f"- you are {name}")
    with typist(server) as bob:
        bob.type(name, "wrong", "wrong", "wrong", PASSWORD)
        assert "you are" not in bob.rest()


def test_a_closed_server_asks_for_a_key() -> None:
    with running_server("--key", "sesame-sesame-sesame") as server, typist(server) as bob:
        bob.type("bob", "nothing")
        bob.see("- a key is needed")
        bob.see("key: ")
        bob.type("sesame-sesame-sesame", "/who")
        bob.see("- you are bob")
        bob.see("- 1 in #lobby: bob")


def test_what_is_typed_through_tls() -> None:
    with running_server("--tls", "required") as sealed, typist(sealed, tls=True) as bob:
        bob.see("name: ")
        bob.type("bob", "/who")
        bob.see("- 1 in #lobby: bob")


# Talking


def test_what_others_say_and_do(server: RunningServer) -> None:
    bob_name, ann_name = fresh("bob"), fresh("ann")
    with typist(server, bob_name) as bob, server.client(ann_name, rooms={}) as ann:
        ann.send("join", room="lobby")
        ann.say("one\ntwo")
        ann.say("waves", kind="action")
        ann.say("joined", kind="action")
        ann.say("caf\N{LATIN SMALL LETTER E WITH ACUTE}")
        ann.send("tell", to=bob_name, text="psst\n* ann joined")
        ann.send("topic", room="lobby", text="teatime")
        ann.send("rename", name=ann_name + "x")
        ann.send("part", room="lobby")
        seen = bob.see(f"* {ann_name}x left\n")
    assert seen.splitlines() == [
        f"* {ann_name} joined",
        f"{ann_name}: one",
        f"{ann_name}: two",
        f"* {ann_name} waves",
        f"* {ann_name}: joined",
        f"{ann_name}: caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        f"{ann_name} (private): psst",
        f"{ann_name} (private): * ann joined",
        f"- {ann_name} set the topic: teatime",
        f"* {ann_name} is now {ann_name}x",
    ]


def test_what_was_said_before(server: RunningServer) -> None:
    text = fresh("text")
    with server.client(fresh("ann")) as ann:
        ann.say(text)
        ann.settle()
    with typist(server) as bob:
        bob.type(fresh("bob"))
        bob.see(f": {text}\n")


def test_other_rooms(server: RunningServer) -> None:
    room = fresh("ops")
    name = fresh("ann")
    with typist(server, fresh("bob")) as bob, server.client(name, rooms={room: None}) as ann:
        bob.type(f"/join {room}", "hello ops", "/part", "hello lobby")
        bob.see(f"- in #{room}, 2 here")
        assert ann.expect("msg")["text"] == "hello ops"
        bob.see(f"#{room} * ")
        bob.type(f"/join {room}")
        bob.see(f"- in #{room}")
        ann.say("hi", room=room)
        bob.see(f"#{room} {name}: hi\n")


def test_a_line_that_is_too_long_is_told_of(server: RunningServer) -> None:
    with typist(server, fresh("bob")) as bob, server.client(fresh("ann"), backlog=0) as ann:
        bob.type("x" * 8001, "y" * 8000)
        bob.see("! a line has at most 8000 bytes\n")
        assert ann.expect("msg")["text"] == "y" * 8000


def test_who_is_muted_kicked_and_banned(server: RunningServer, house: House) -> None:
    _, moderator = house.staff()
    name = fresh("bob")
    with typist(server, name) as bob:
        act(moderator, "mute", name)
        bob.type("hello?")
        bob.see("! you are muted")
        act(moderator, "unmute", name)
        act(moderator, "kick", name, reason="enough")
        assert "enough" in bob.rest()
    with typist(server, name) as bob:
        act(moderator, "ban", name)
        assert "banned" in bob.rest()
    with typist(server) as bob:
        bob.type(name)
        assert bob.rest().startswith("! ")
    act(moderator, "unban", name)


def test_mail_comes_once(server: RunningServer, house: House) -> None:
    name, text = house.account("away"), fresh("text")
    with server.client(fresh("ann")) as ann:
        ann.send("tell", to=name, text=text)
        ann.expect("notice")
    for times in (1, 0):
        with typist(server) as bob:
            bob.type(name, PASSWORD, "/who", "exit")
            assert bob.rest().count(f"(private): {text}") == times


def test_a_slow_reader_is_cut_off(server: RunningServer) -> None:
    name = fresh("slow")
    with typist(server, name, narrow=True) as slow, server.client(fresh("ann")) as ann:
        for _ in range(400):
            ann.say("x" * 8000)
        ann.settle()
        assert slow.rest().endswith("- you are not reading what is sent\n")
        wait_for(lambda: f"{name} left (127.0.0.1): slow-consumer" in server.log, "the end of who is slow")


def test_a_rate_holds_for_lines() -> None:
    with running_server("--rate", "20", "--burst", "5") as server, typist(server, "bob") as bob:
        begun = time.monotonic()
        bob.type(*["/who"] * 25)
        for _ in range(25):
            bob.see("- 1 in #lobby: bob\n")
        assert time.monotonic() - begun > 0.8


# Time


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in this process that soon drops who does not answer, and who does not say who they are."""
    for word in ("HANDSHAKE_SECONDS", "SECONDS_TO_TYPE"):
        monkeypatch.setattr(plain, word, 3.0)
    with AccessBook(None) as book:
        running = Server(Config(port=0, rate=0, ping_after=0.5, drop_after=1), MemoryLog(), book)
        running.start()
        yield running
        running.stop()


def test_who_only_listens_is_not_dropped(impatient: Server) -> None:
    with Typist(*impatient.address) as bob, RawClient(*impatient.address) as silent:
        bob.type("bob")
        bob.see("- in #lobby, 1 here: bob\n")
        silent.hello("silent")
        assert silent.all_until_end()[-1]["code"] == "timeout"
        bob.type("/who")
        assert bob.see("- 1 in #lobby: bob\n") == "* silent joined\n* silent left\n"


def test_who_never_says_a_name_is_given_up(impatient: Server) -> None:
    with Typist(*impatient.address) as bob:
        bob.type("")
        assert bob.rest() == "name: ! you did not say who you are within 3 seconds\n"


def test_a_minute_is_given_to_people_who_begin_to_answer() -> None:
    dialect = plain.Plain()
    assert dialect.seconds == 10
    dialect.feed(b"b")
    assert dialect.seconds == 60
