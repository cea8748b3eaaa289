"""``chatctl join`` as people use it: in a real terminal, whose screen is looked at, and between pipes."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from chatctl.errors import Refused
from chatctl.text import check_text
from tests import forked
from tests.helpers import SECONDS, RunningServer, environment, running_server, wait_for
from tests.window import STAMP, Window, address, command

CTRL_C, CTRL_D, CTRL_U, UP, TAB = "\x03", "\x04", "\x15", "\x1b[A", "\t"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


@contextmanager
def two(server: RunningServer, columns: int = 80) -> Iterator[tuple[Window, Window]]:
    """Two people in the lobby."""
    with Window(server, "ann", columns=columns) as ann:
        ann.expect("#lobby>")
        with Window(server, "bob", columns=columns) as bob:
            bob.expect("#lobby>")
            ann.expect("→ bob joined", "#lobby>")
            yield ann, bob


# In a terminal


def test_two_people_chat(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.enter("hello bob")
        bob.expect("— in #lobby with 1 other: ann", "HH:MM  ann: hello bob", "#lobby>")
        bob.enter("hello ann")
        bob.enter("/me waves")
        ann.expect("HH:MM✓ ann: hello bob", "HH:MM  bob: hello ann", "HH:MM  * bob waves", "#lobby>")
        bob.expect("HH:MM  ann: hello bob", "HH:MM✓ bob: hello ann", "HH:MM✓ * bob waves", "#lobby>")
        bob.enter("exit")
        assert bob.end() == 0
        bob.expect("HH:MM✓ * bob waves")
        ann.expect("HH:MM  * bob waves", "← bob left", "#lobby>")


def test_the_line_being_typed_stays_whole(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        bob.type("half a li")
        bob.expect("#lobby> half a li")
        ann.enter("one")
        bob.expect("HH:MM  ann: one", "#lobby> half a li")
        ann.enter("two")
        bob.type("ne")
        bob.expect("HH:MM  ann: two", "#lobby> half a line")
        bob.type("\r")
        bob.expect("HH:MM  ann: two", "HH:MM✓ bob: half a line", "#lobby>")


def test_a_line_that_is_wider_than_the_window_stays_whole(server: RunningServer) -> None:
    with two(server, columns=30) as (ann, bob):
        bob.type("this line is longer than the window is wide")
        typed = ("#lobby> this line is longer th", "an the window is wide")
        bob.expect(*typed)
        ann.enter("and so is this one, as you can see")
        message = ("HH:MM  ann: and so is this", "       one, as you can see")
        bob.expect(*message, *typed)
        bob.enter("")
        bob.expect(
            *message, "HH:MM✓ bob: this line is", "       longer than the window", "       is wide", "#lobby>"
        )


def test_the_window_is_resized(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("#lobby>")
        ann.resize(30)
        ann.enter("this is said in a window that has become narrow")
        ann.expect(
            "HH:MM✓ ann: this is said in a", "       window that has become", "       narrow", "#lobby>"
        )


def test_everything_typed_at_once_is_said_in_order(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("#lobby>")
        ann.type("".join(f"line {number}\r" for number in range(50)) + "and")
        ann.expect(*(f"HH:MM✓ ann: line {number}" for number in range(30, 50)), "#lobby> and")


def test_one_can_type_while_very_much_is_said(server: RunningServer) -> None:
    with Window(server, "ann") as ann, server.client("bob") as bob:
        ann.expect("#lobby>")
        for number in range(2000):
            bob.say(f"line {number}")
        ann.type("half a li")
        wait_for(lambda: ann.lines()[-1:] == ["#lobby> half a li"], "the line being typed")
        ann.type("ne")
        ann.expect(*(f"HH:MM  bob: line {number}" for number in range(1980, 2000)), "#lobby> half a line")


def test_a_paste_of_several_lines_is_one_message(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.type("\x1b[200~one\r\ntwo\n\x1b[201~")
        ann.type("\r")
        bob.expect("HH:MM  ann: one", "            two", "#lobby>")


def test_ctrl_c_clears_the_line_and_twice_leaves(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.type("never mind")
        ann.expect("#lobby> never mind")
        ann.type(CTRL_C)
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        ann.type(CTRL_C)
        ann.expect("— Ctrl-C again leaves", "#lobby>")
        ann.type("x" + CTRL_C + CTRL_C)
        ann.expect("— Ctrl-C again leaves", "— Ctrl-C again leaves", "#lobby>")
        ann.type(CTRL_C)
        assert ann.end() == 0
        wait_for(lambda: "said bye" in server.log, "the server got a bye")


@pytest.mark.parametrize("keys", [CTRL_D, "exit\r", "/quit\r", "/QUIT\r", "last words\rexit\r"])
def test_leaving(server: RunningServer, keys: str) -> None:
    with Window(server, "ann") as ann:
        ann.expect("#lobby>")
        ann.type(keys)
        assert ann.end() == 0
        last = "HH:MM✓ ann: last words" if "last" in keys else "— in #lobby, nobody else is here"
        assert ann.lines()[-1] == last
        wait_for(lambda: "said bye" in server.log, "the server got a bye")


def test_ctrl_c_while_the_server_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host, port = silent.getsockname()
        with Window(f"{host}:{port}", "ann") as ann:
            silent.settimeout(SECONDS)
            accepted, _ = silent.accept()
            with accepted:
                accepted.recv(1024)
                ann.type(CTRL_C)
                assert ann.end() == 130
                assert ann.lines() == ["^C"]


def test_a_signal_leaves_the_terminal_in_order(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.type("half")
        ann.expect("#lobby> half")
        ann.proc.terminate()
        assert ann.end() == 128 + signal.SIGTERM
        wait_for(lambda: "said bye" in server.log, "the server got a bye")


def test_the_terminal_is_taken_away(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("#lobby>")
        ann.hang_up()
        ann.proc.wait(SECONDS)
        wait_for(lambda: "ann left" in server.log, "the server knows")


def test_tab_completes(server: RunningServer) -> None:
    with two(server) as (ann, _bob):
        ann.type("/he" + TAB)
        ann.expect("#lobby> /help")
        ann.type(CTRL_C + "/m" + TAB)
        ann.expect("— /me   /msg", "#lobby> /m")
        ann.type("s" + TAB + "b" + TAB + "psst\r")
        ann.expect("HH:MM✓ you → bob: psst", "#lobby>")
        ann.type("b" + TAB + "hi\r")
        ann.expect("HH:MM✓ ann: bob: hi", "#lobby>")
        ann.type("/join l" + TAB)
        ann.expect("#lobby> /join lobby")
        ann.type(CTRL_C + "nothing" + TAB)
        ann.expect("HH:MM✓ ann: bob: hi", "#lobby> nothing")


def test_what_was_entered_comes_back(server: RunningServer) -> None:
    with Window(server, "ann") as ann:
        ann.expect("#lobby>")
        ann.enter("once")
        ann.expect("HH:MM✓ ann: once", "#lobby>")
        ann.type(UP)
        ann.expect("HH:MM✓ ann: once", "#lobby> once")


def test_commands(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        bob.enter("/msg ann psst")
        ann.expect("HH:MM  bob → you: psst", "#lobby>")
        ann.enter("/reply what?")
        bob.expect("HH:MM✓ you → ann: psst", "HH:MM  ann → you: what?", "#lobby>")
        bob.enter("/reply that")
        ann.expect("HH:MM✓ you → bob: what?", "HH:MM  bob → you: that", "#lobby>")
        bob.enter("/nick rob")
        bob.expect("— you are now rob", "#lobby>")
        ann.expect("— bob is now rob", "#lobby>")
        ann.enter("/reply ah")
        bob.expect("HH:MM  ann → you: ah", "#lobby>")
        bob.enter("/topic")
        bob.expect("— #lobby has no topic", "#lobby>")
        bob.enter("/topic all about cats")
        ann.expect("— rob set the topic of #lobby: all about cats", "#lobby>")
        ann.enter("/topic")
        ann.expect("— the topic of #lobby: all about cats", "#lobby>")
        ann.enter("/who")
        ann.expect("— 2 in #lobby: ann, rob", "#lobby>")
        ann.enter("/rooms")
        ann.expect("— #lobby (2) — all about cats", "#lobby>")
        ann.enter("/help")
        ann.expect("  //TEXT                 say TEXT with one slash in front", "#lobby>")
        ann.enter("//help")
        bob.expect("HH:MM  ann: /help", "#lobby>")
        ann.expect("HH:MM✓ ann: /help", "#lobby>")
        ann.enter("/clear")
        wait_for(lambda: ann.lines() == ["#lobby>"], "an empty screen")


def test_rooms(server: RunningServer) -> None:
    with two(server) as (ann, bob):
        ann.enter("/join #Dev")
        ann.expect("— in #dev, nobody else is here", "#dev>")
        ann.enter("anyone?")
        ann.expect("HH:MM✓ ann: anyone?", "#dev>")
        bob.enter("where are you?")
        ann.expect("HH:MM  #lobby bob: where are you?", "#dev [1:lobby 1]>")
        bob.enter("/join dev")
        bob.expect("— in #dev with 1 other: ann", "HH:MM  ann: anyone?", "#dev>")
        ann.enter("/join lobby")
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        bob.enter("hello")
        ann.expect("HH:MM  #dev bob: hello", "#lobby [2:dev 1]>")
        ann.enter("/part")
        ann.expect("— you left #lobby", "#dev>")
        ann.enter("/part")
        ann.expect("— you left #dev", "(no room)>")
        ann.enter("hello?")
        ann.expect("! you are in no room; /join ROOM enters one", "(no room)> hello?")
        ann.type(CTRL_U)
        ann.enter("/join a-room-with-a-long-name")
        ann.expect("— in #a-room-with-a-long-name, nobody else is here", "#a-room-with-a-long-name>")


def test_what_cannot_be_done_is_said_in_one_line(server: RunningServer) -> None:
    above = "— in #lobby, nobody else is here"
    with Window(server, "ann") as ann:
        ann.expect(above, "#lobby>")
        for line, error in (
            ("/foo", "! there is no /foo; /help lists the commands"),
            ("/nick", "! /nick NAME: needs a name"),
            ("/nick a b", "! /nick NAME: there is a word too many"),
            ("/nick !", "! a name cannot start with a !"),
            ("/join !", "! a room cannot start with a !"),
            ("/msg zoe hi", "✗ nobody here has that name; not delivered: hi"),
            ("/reply hi", "! nobody has written to you yet"),
            ("/part elsewhere", "! you are not in that room"),
            ("\x1b[200~a\x1b[2Jb\x1b[201~", "! a text cannot hold the character U+001B"),
        ):
            ann.type(line)
            ann.type("\r")
            ann.expect_above(above, error)
            ann.type(CTRL_U)
            above = error


def test_a_hostile_text_stays_a_text(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann") as ann:
        ann.expect("— in #lobby with 1 other: bob", "#lobby>")
        bob.say("[red]x[/] \u202eevil\nHH:MM  ann: I am bob")
        ann.expect("HH:MM  bob: [red]x[/] \\u202eevil", "            HH:MM  ann: I am bob", "#lobby>")


def test_the_server_is_killed(server: RunningServer) -> None:
    with Window(server, "ann", "--no-reconnect") as ann:
        ann.expect("#lobby>")
        server.proc.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_stopped(server), "no thread of the server runs")
        ann.enter("lost words")
        ann.type("half a li")
        ann.expect("#lobby> half a li")
        server.kill()
        assert ann.end() == 1
        *_, undelivered, unsent, reason = ann.lines()
        assert undelivered == "! perhaps not delivered: lost words"
        assert unsent == "! not sent: half a li"
        assert reason in (
            "chatctl: the server closed the connection",
            "chatctl: lost the connection: Connection reset by peer",
        )


def test_the_server_stops(server: RunningServer) -> None:
    with Window(server, "ann", "--no-reconnect") as ann:
        ann.expect("— in #lobby, nobody else is here", "#lobby>")
        server.stop()
        assert ann.end() == 1
        assert ann.lines()[:-1] == ["— in #lobby, nobody else is here"]
        assert ann.lines()[-1].startswith("chatctl: ")


def test_a_name_that_is_taken(server: RunningServer) -> None:
    with server.client("ann"), Window(server, "Ann") as window:
        assert window.end() == 1
        assert window.lines() == [f"chatctl: {address(server)} says: that name is taken"]


def test_the_message_of_the_day_and_what_was_said_before() -> None:
    with running_server("--motd", "Be nice.") as server, server.client("bob") as bob:
        bob.say("early words", nonce="1")
        bob.expect("ack")
        with Window(server, "ann") as ann:
            ann.expect("— Be nice.", "— in #lobby with 1 other: bob", "HH:MM  bob: early words", "#lobby>")


@pytest.mark.parametrize(
    ("env", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours(server: RunningServer, env: dict[str, str], coloured: bool) -> None:
    with Window(server, "ann", env=env) as ann:
        wait_for(lambda: any("in #lobby" in line for line in ann.lines()), "the room")
        ann.enter("exit")
        assert ann.end() == 0
        assert (b"38;5" in ann.sent) == coloured


# Between pipes


def run(
    server: RunningServer | str, name: str, text: bytes, *args: str
) -> subprocess.CompletedProcess[bytes]:
    """Runs ``chatctl join`` with `text` at its standard input."""
    return forked.run_on_bytes(command(server, name, *args)[3:], environment(), stdin=text, timeout=SECONDS)


def outcome(done: subprocess.CompletedProcess[bytes]) -> tuple[int, list[str], list[str]]:
    """Returns exit code, lines of standard output with times as ``HH:MM``, and lines of standard error."""
    assert b"\x1b" not in done.stdout + done.stderr
    lines = [STAMP.sub("HH:MM", line) for line in done.stdout.decode().splitlines()]
    return done.returncode, lines, done.stderr.decode().splitlines()


@contextmanager
def piped(
    server: RunningServer, name: str, *args: str, stdout: int | IO[bytes] = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs ``chatctl join`` between pipes that stay open."""
    proc = subprocess.Popen(
        command(server, name, *args),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=environment(),
        bufsize=0,
    )
    with proc:
        try:
            yield proc
        finally:
            if proc.poll() is None:
                proc.kill()


def read_until(stream: IO[bytes] | None, wanted: bytes) -> bytes:
    """Returns what comes up to the line that has `wanted` in it."""
    assert stream is not None
    seen = b""
    while line := stream.readline():
        seen += line
        if wanted in line:
            return seen
    raise AssertionError(f"{wanted!r} is not in {seen!r}")


def refusal(text: str) -> str:
    """Returns what a server says of a text."""
    with pytest.raises(Refused) as caught:
        check_text(text)
    return str(caught.value)


def test_every_line_is_said_as_it_is(server: RunningServer) -> None:
    text = b"hello\n\n/me waves\n//x\r\nexit\n  spaces \n\xffoo\n[red]\nno line end"
    with server.client("bob") as bob:
        assert outcome(run(server, "ann", text)) == (0, ["— in #lobby with 1 other: bob"], [])
        said = ["hello", "/me waves", "//x", "exit", "  spaces ", "\ufffdoo", "[red]", "no line end"]
        assert bob.texts(len(said)) == said


def test_what_cannot_be_said_is_told_and_the_rest_is_said(server: RunningServer) -> None:
    text = b"one\n" + b"x" * 8000 + b"\r\n" + b"x" * 8001 + b"\na\x1b[2Jb\n" + b"y" * 300_000 + b"\ntwo\n"
    with server.client("bob") as bob:
        code, _, complaints = outcome(run(server, "ann", text))
        assert code == 1
        assert complaints == [
            f"chatctl: line 3: {refusal('x' * 8001)}",
            "chatctl: line 4: a text cannot hold the character U+001B",
            f"chatctl: line 5: {refusal('y' * 8001)}",
        ]
        assert bob.texts(3) == ["one", "x" * 8000, "two"]


def test_a_great_many_lines_arrive_in_order(server: RunningServer) -> None:
    with server.client("bob") as bob:
        lines = [f"line {number}" for number in range(5000)]
        assert outcome(run(server, "ann", "\n".join(lines).encode()))[0] == 0
        assert bob.texts(5000) == lines


def test_nothing_to_say(server: RunningServer) -> None:
    with server.client("bob") as bob:
        bob.say("early words", nonce="1")
        bob.expect("ack")
        seen = ["— in #lobby with 1 other: bob", "HH:MM  bob: early words"]
        assert outcome(run(server, "ann", b"")) == (0, seen, [])


def test_what_others_say_comes_as_plain_lines(server: RunningServer) -> None:
    with piped(server, "ann") as ann, server.client("bob") as bob:
        read_until(ann.stdout, b"#lobby")
        bob.say("one\ntwo")
        bob.say("waves", kind="action")
        bob.send("tell", to="ann", text="psst")
        lines = read_until(ann.stdout, b"psst").decode().splitlines()
        assert [STAMP.sub("HH:MM", line) for line in lines if not line.startswith("→")] == [
            "HH:MM  bob: one",
            "HH:MM  bob: two",
            "HH:MM  * bob waves",
            "HH:MM  bob → you: psst",
        ]
        assert ann.stdin is not None
        ann.stdin.write(b"h\xc3")
        ann.stdin.write(b"\xa9\n")
        assert bob.texts(1) == ["hé"]
        ann.stdin.close()
        assert ann.wait(SECONDS) == 0


def test_standard_input_may_be_closed(server: RunningServer) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *command(server, "ann")],
        capture_output=True,
        env=environment(),
        timeout=SECONDS,
    )
    assert outcome(done) == (0, ["— in #lobby, nobody else is here"], [])


def test_whoever_reads_may_stop_reading(server: RunningServer) -> None:
    with piped(server, "ann") as ann, server.client("bob") as bob:
        read_until(ann.stdout, b"#lobby")
        assert ann.stdout is not None
        assert ann.stderr is not None
        ann.stdout.close()
        bob.say("anyone?")
        assert ann.wait(SECONDS) == 141
        assert ann.stderr.read() == b""


def test_standard_output_takes_no_more(server: RunningServer) -> None:
    with Path("/dev/full").open("wb") as full, piped(server, "ann", stdout=full) as ann:
        assert ann.wait(SECONDS) == 1
        assert ann.stderr is not None
        assert ann.stderr.read() == b"chatctl: cannot write: No space left on device\n"


def is_stopped(server: RunningServer) -> bool:
    tasks = Path(f"/proc/{server.pid}/task").iterdir()
    return all("State:\tT" in (task / "status").read_text() for task in tasks)


def waits_at(server: RunningServer) -> bool:
    """Returns whether the system holds something that the server has not read yet."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    received = [row[4].partition(":")[2] for row in rows if row[1].endswith(f":{server.port:04X}")]
    return any(int(size, 16) for size in received)


def test_the_server_goes_while_a_pipe_is_open(server: RunningServer) -> None:
    with piped(server, "ann", "--no-reconnect") as ann:
        read_until(ann.stdout, b"#lobby")
        server.proc.send_signal(signal.SIGSTOP)
        wait_for(lambda: is_stopped(server), "no thread of the server runs")
        assert ann.stderr is not None
        stdin = ann.stdin
        assert stdin is not None
        stdin.write(b"lost words\n")
        wait_for(lambda: waits_at(server), "the line was sent")
        server.kill()
        assert ann.wait(SECONDS) == 1
        undelivered, reason = ann.stderr.read().decode().splitlines()
        assert undelivered == "chatctl: perhaps not delivered: lost words"
        assert reason.startswith("chatctl: ")


def test_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    code, lines, complaints = outcome(run(f"127.0.0.1:{port}", "ann", b"hello\n"))
    assert (code, lines) == (1, [])
    assert complaints == [f"chatctl: nothing listens at 127.0.0.1:{port}: is a server running there?"]


def test_a_pipe_is_interrupted(server: RunningServer) -> None:
    with piped(server, "ann") as ann:
        read_until(ann.stdout, b"#lobby")
        ann.send_signal(signal.SIGINT)
        assert ann.wait(SECONDS) == 130
        assert ann.stderr is not None
        assert ann.stderr.read() == b""


# One end a terminal, the other a pipe


def test_typed_and_written_to_a_pipe(server: RunningServer) -> None:
    with Window(server, "ann", stdout=subprocess.PIPE) as ann, server.client("bob") as bob:
        log = read_until(ann.proc.stdout, b"#lobby")
        ann.type("hello\n/me waves\n/who\n")
        assert bob.texts(2) == ["hello", "waves"]
        log += read_until(ann.proc.stdout, b"2 in #lobby")
        ann.type("/foo\n")
        ann.expect("chatctl: there is no /foo; /help lists the commands")
        ann.type("exit\n")
        assert ann.end() == 0
        assert b"\x1b" not in log
        lines = [STAMP.sub("HH:MM", line) for line in log.decode().splitlines()]
        assert {"HH:MM  ann: hello", "HH:MM  * ann waves"} <= set(lines)


def test_typed_and_written_to_a_pipe_that_ends(server: RunningServer) -> None:
    with Window(server, "ann", stdout=subprocess.PIPE) as ann:
        read_until(ann.proc.stdout, b"#lobby")
        assert ann.proc.stdout is not None
        ann.proc.stdout.close()
        ann.type("/help\n")
        assert ann.end() == 141


def test_ctrl_d_ends_what_is_typed(server: RunningServer) -> None:
    with Window(server, "ann", stdout=subprocess.PIPE) as ann:
        read_until(ann.proc.stdout, b"#lobby")
        ann.type("last words\n" + CTRL_D)
        assert ann.end() == 0
        assert b"last words" in read_until(ann.proc.stdout, b"last words")


def test_piped_in_and_written_to_a_terminal(server: RunningServer) -> None:
    with server.client("bob") as bob, Window(server, "ann", stdin=subprocess.PIPE) as ann:
        ann.expect("— in #lobby with 1 other: bob")
        bob.say("hello")
        ann.expect("HH:MM  bob: hello")
        assert b"38;5" in ann.sent
        assert ann.proc.stdin is not None
        ann.proc.stdin.close()
        assert ann.end() == 0
