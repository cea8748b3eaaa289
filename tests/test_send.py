"""``chatctl send``, as scripts use it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import queue
import re
import signal
import socket
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatctl.client.scripts.sending import Goal, Sending, words
from chatctl.messages import MAX_CLIENT_FRAME, Ack, Error
from chatctl.text import MAX_TEXT
from tests.helpers import SECONDS, RunningServer, fixed_port, fresh, running_server, wait_for
from tests.scripted import welcome
from tests.shell import Job, run, running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


def said(server: RunningServer, room: str) -> list[str]:
    """Returns what was said in a room."""
    with server.client(fresh("reader"), rooms={room: None}, backlog=500) as reader:
        return [frame["text"] for frame in reader.settle() if frame["t"] == "msg"]


@pytest.mark.parametrize(
    ("line", "texts"),
    [
        ("chatctl send the build   'is  done'", ["the build is  done"]),
        ("chatctl send -- -v", ["-v"]),
        ("echo piped | chatctl send", ["piped"]),
        ("printf 'two\\r\\nlines\\n\\n' | chatctl send --file -", ["two\nlines\n"]),
        ("printf 'no end' > file && chatctl send --file file", ["no end"]),
        ("printf 'a\\n\\n \\t\\nb\\r\\nc' | chatctl send --split lines", ["a", "b", "c"]),
        ("printf '\\377\\n' | chatctl send --split lines", ["\ufffd"]),
        ("chatctl send --split lines 'one\ntwo'", ["one", "two"]),
    ],
)  # fmt: skip
def test_what_is_said(server: RunningServer, line: str, texts: list[str], tmp_path: Path) -> None:
    room = fresh("room")
    done = run(server, line, cwd=tmp_path, CHATCTL_ROOM=room)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert said(server, room) == texts


def test_acks_are_frames(server: RunningServer) -> None:
    room = fresh("room")
    done = run(server, f"printf 'a\nb\n' | chatctl send --split lines --json --room '#{room.upper()}'")
    acks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(ack["t"], ack["room"], ack["id"]) for ack in acks] == [("ack", room, 1), ("ack", room, 2)]


def test_a_private_message_enters_no_room(server: RunningServer) -> None:
    with server.client("ann") as ann:
        ann.settle()
        assert run(server, "chatctl send --to ANN psst").returncode == 0
        (told,) = ann.settle()
        assert (told["t"], told["name"], told["text"]) == ("told", "eve", "psst")


def test_a_name_that_was_not_chosen_gives_way(server: RunningServer) -> None:
    with server.client("mallory"), server.client("mallory-2"):
        login = run(server, "unset CHATCTL_NAME; chatctl send --to mallory hello", LOGNAME="mallory")
        assert (login.returncode, login.stderr) == (0, "")
        done = run(server, "chatctl send --name mallory hello")
    assert (done.returncode, done.stdout) == (4, "")
    assert re.fullmatch(r"chatctl: .* says: .*taken.*\n", done.stderr)


NOT_A_TEXT = "a text has at most 8000 bytes"
NOBODY_THERE = "nothing listens at 127.0.0.1:1: is a server running there?"
UNREADABLE = "cannot read what is to be sent: Is a directory"


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("chatctl send --to nobody-here hello", 4, "nobody here has that name"),
        ("chatctl send '\033'", 4, "a text cannot hold the character U+001B"),
        (f"head -c {MAX_TEXT + 1} /dev/zero | tr '\\0' x | chatctl send", 4, NOT_A_TEXT),
        ("yes | chatctl send", 4, NOT_A_TEXT),
        (": | chatctl send", 4, "a text cannot be empty"),
        ("chatctl send --room 'no room' hello", 4, "a room cannot hold a space"),
        ("chatctl send --file nowhere", 1, "cannot open nowhere: No such file or directory"),
        ("chatctl send --file .", 1, UNREADABLE),
        ("chatctl send --split lines --file .", 1, UNREADABLE),
        ("chatctl send hello --server 127.0.0.1:1", 3, NOBODY_THERE),
        ("yes | chatctl send --split lines --server 127.0.0.1:1", 3, NOBODY_THERE),
    ],
)
def test_what_is_not_said_is_told_in_a_line(server: RunningServer, line: str, code: int, words: str) -> None:
    done = run(server, line)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", f"chatctl: {words}\n")


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
def test_what_cannot_be_told_is_not_printed_and_ends_nothing(server: RunningServer, where: str) -> None:
    room = fresh("room")
    done = run(server, f"printf 'a\033\nb\n' | chatctl send --split lines {where}", CHATCTL_ROOM=room)
    assert (done.returncode, done.stdout, said(server, room)) == (4, "", ["b"])
    down = run("127.0.0.1:1", f"chatctl send hello {where}")
    assert (down.returncode, down.stdout) == (3, "")


def test_a_login_name_that_cannot_be_one_here(server: RunningServer) -> None:
    done = run(server, "unset CHATCTL_NAME; chatctl send hello", LOGNAME="ann smith")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "chatctl: your login name will not do, a name cannot hold a space: choose one with --name\n"
    )


def test_lines_that_are_refused_are_told_and_the_rest_is_said(server: RunningServer) -> None:
    room = fresh("room")
    long = "x" * (3 * MAX_CLIENT_FRAME)
    done = run(server, "chatctl send --split lines", stdin=f"a\n\nb\x1b\n{long}\nc\n", CHATCTL_ROOM=room)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines() == [
        "chatctl: line 3: a text cannot hold the character U+001B",
        "chatctl: line 4: a text has at most 8000 bytes",
    ]
    assert said(server, room) == ["a", "c"]


def test_what_is_told_is_never_taken_for_data(server: RunningServer) -> None:
    line = "printf 'a\\033\\nb\\n' | chatctl send --split lines --json 2>&-"
    done = run(server, line, CHATCTL_ROOM=fresh("room"))
    assert done.returncode == 4
    assert [json.loads(ack)["t"] for ack in done.stdout.splitlines()] == ["ack"]


def test_lines_for_somebody_who_is_not_there_are_refused_by_the_server(server: RunningServer) -> None:
    done = run(server, "printf 'a\nb\n' | chatctl send --split lines --to nobody-here")
    assert done.returncode == 4
    assert done.stderr.splitlines() == [
        f"chatctl: line {number}: nobody here has that name" for number in (1, 2)
    ]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["hello", "--file", "-"], "not both"),
        (["hello", "--timeout", "0"], "more than 0"),
        (["hello", "--timeout", "nan"], "more than 0"),
        (["hello", "--split", "words"], "lines"),
    ],
)
def test_wrong_use(args: list[str], words: str) -> None:
    done = run("127.0.0.1:1", f"chatctl send {' '.join(args)}")
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


def test_nobody_is_asked_to_type_it() -> None:
    master, slave = pty.openpty()
    try:
        done = run("127.0.0.1:1", "chatctl send", stdin=slave, COLUMNS="200")
    finally:
        os.close(master)
        os.close(slave)
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is nothing to send: give TEXT or --file FILE, or pipe it in" in done.stderr


# A server that lets in, and says nothing more


class Silent:
    """Welcomes one client, and says nothing more but for `words`; for a ``with`` statement.

    Attributes:
        address: to connect to.
        heard: what the client sent.
    """

    def __init__(self, words: bytes = b"") -> None:
        self.heard = b""
        self._words = words
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Silent:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self._thread.join(SECONDS)

    def _serve(self) -> None:
        sock, _ = self._listener.accept()
        with sock:
            sock.sendall(welcome("eve") + self._words)
            while data := sock.recv(1 << 16):
                self.heard += data


NOT_ACKED = "chatctl: the server did not confirm it within 0.5 s\n"


def test_one_message_that_is_not_acked_in_time() -> None:
    with Silent() as silent:
        done = run(silent.address, "chatctl send hello --timeout 0.5")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == f"chatctl: messages: 1 perhaps not delivered\n{NOT_ACKED}"


def test_what_a_server_says_cannot_act_on_a_terminal() -> None:
    with Silent(b'{"t":"error","code":"x","text":"no\\u001b[2J\\nchatctl: fine"}\n') as silent:
        done = run(silent.address, "chatctl send hello")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.endswith("chatctl: no\\x1b[2J\\nchatctl: fine\n")


def test_lines_that_are_not_acked_in_time(tmp_path: Path) -> None:
    line = "exec chatctl send --split lines --timeout 0.5"
    with Silent() as silent, running(silent.address, line, tmp_path) as job:
        job.write("a\nb\n")
        assert job.end() == 5
        assert job.err == f"chatctl: messages: 2 perhaps not delivered\n{NOT_ACKED}"


def has_read_all(job: Job) -> bool:
    """Returns whether a job has read what was written for it, and all its threads wait for something."""
    unread = fcntl.ioctl(job.stdin, termios.FIONREAD, bytes(4))
    states = [path.read_text() for path in Path(f"/proc/{job.proc.pid}/task").glob("*/stat")]
    return unread == bytes(4) and {state.rpartition(")")[2].split()[0] for state in states} == {"S"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_tells_what_was_not_delivered(number: signal.Signals, tmp_path: Path) -> None:
    with Silent() as silent, running(silent.address, "exec chatctl send --split lines", tmp_path) as job:
        job.write("".join(f"{'x' * 6_000} {n}\n" for n in range(20)))
        wait_for(lambda: silent.heard.count(b"xxx 9"), "as much as may be on its way is")
        wait_for(lambda: has_read_all(job), "the others were read too")
        assert job.end(number) == 128 + number
        assert job.err == "chatctl: messages: 10 not delivered, 10 perhaps not delivered\n"


def test_a_reader_of_acks_that_has_enough_ends_it_quietly(server: RunningServer) -> None:
    line = "{ yes | chatctl send --split lines --json; echo $? >&2; } | head -n 1"
    done = run(server, line, CHATCTL_ROOM=fresh("room"))
    assert done.stdout.startswith('{"t":"ack"')
    assert done.stderr == "141\n"


# Haste


class Hasty:
    """A client whose server answers a post before `submit` returns, and whose user looks at that at once.

    Attributes:
        submitted: what was posted.
    """

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self.unacked: dict[str, str] = {}
        self._events: queue.SimpleQueue[list[Ack | Error]] = queue.SimpleQueue()
        self._taken, self._closed = threading.Event(), threading.Event()

    def submit(self, text: str, _room: str, *, to: str | None) -> str:
        assert to is None
        self.submitted.append(text)
        self._taken.clear()
        refusal = Error(code="bad-text", text="no", nonce=text)
        self._events.put([refusal if text == "b" else Ack(nonce=text, at=1)])
        self._taken.wait(0.1)  # Not longer: it need not be taken before all were submitted.
        self._closed.wait(0.1)  # It is too early for that.
        return text

    def receive(self, _timeout: float | None) -> list[Ack | Error]:
        events = self._events.get(timeout=SECONDS)
        self._taken.set()
        return events

    def wait_acked(self, _left: int = 0) -> bool:
        return True

    def leave(self) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()
        self._events.put([])


def test_an_answer_may_come_very_soon(capfd: pytest.CaptureFixture[str]) -> None:
    client: Any = Hasty()
    sending = Sending(client, Goal("lobby"), None, as_json=False)
    thread = threading.Thread(target=sending.post_lines, args=(words(["a\nb\nc"]),))
    thread.start()
    assert sending.follow() == 4
    thread.join(SECONDS)
    assert client.submitted == ["a", "b", "c"]
    assert capfd.readouterr().err == "chatctl: line 2: no\n"


# Lost lines


def test_lines_go_on_across_a_restart_of_the_server(tmp_path: Path) -> None:
    port = fixed_port()
    data = ("--port", str(port), "--data", str(tmp_path / "data"), "--rate", "0")
    line = "exec chatctl send --split lines"
    with running_server(*data) as first, running(f"127.0.0.1:{port}", line, tmp_path) as job:
        job.write("".join(f"line {number}\n" for number in range(2_000)))
        wait_for(lambda: said(first, "lobby"), "the first lines are there")
        first.kill()
        job.write("".join(f"line {number}\n" for number in range(2_000, 3_000)))
        wait_for(lambda: "waits until the server is back" in job.err, "the loss is told")
        with running_server(*data) as second:
            job.stdin.close()
            assert job.end() == 0
            assert "the server is back" in job.err
            everything = run(second, "chatctl history --since 0 --json")
    texts = [json.loads(line)["text"] for line in everything.stdout.splitlines()]
    assert texts == [f"line {number}" for number in range(3_000)]
