"""``chatctl wait``, as scripts use it."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import RunningServer, fixed_port, fresh, running_server, wait_for
from tests.shell import is_there, on_a_terminal, run, running


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server("--rate", "0") as running:
        yield running


def test_the_first_message_that_matches_is_printed(server: RunningServer, tmp_path: Path) -> None:
    room = fresh("room")
    line = f"exec chatctl wait --room {room} --match '^(yes|no)\\b' --from ANN --json"
    with (
        server.client("ann", rooms={room: None}) as ann,
        server.client("bob", rooms={room: None}) as bob,
        running(server, line, tmp_path) as job,
    ):
        ann.say("yes, before", room=room)
        wait_for(lambda: is_there(server, room), "it is there")
        bob.say("yes", room=room)
        bob.settle()
        ann.say("oh yes", room=room)
        ann.say("no way", room=room)
        assert job.end() == 0
        frame = json.loads(job.out)
        assert (frame["t"], frame["name"], frame["text"], job.err) == ("msg", "ann", "no way", "")


def test_an_answer_may_be_private(server: RunningServer, tmp_path: Path) -> None:
    room, name = fresh("room"), fresh("ann")
    with (
        server.client(name) as ann,
        running(server, f"exec chatctl wait --room {room} --match .", tmp_path) as job,
    ):
        wait_for(lambda: is_there(server, room), "it is there")
        ann.send("tell", to="eve", text="go\u202e on")
        assert job.end() == 0
        assert job.out.endswith(f"{name} → you: go\\u202e on\n")


def test_what_was_said_already_counts_with_since(server: RunningServer) -> None:
    room = fresh("room")
    wait = f"chatctl wait --room {room} --match b"
    run(server, f"printf 'a\\nb1\\nb2\\n' | chatctl send --split lines --room {room}")
    done = run(server, f"{wait} --since 1h; echo $?; {wait} --since 2")
    first, code, second = done.stdout.splitlines()
    assert (first.split("  ", 1)[1], code, second.split("  ", 1)[1]) == ("eve: b1", "0", "eve: b2")


def test_it_is_shown_in_colours_on_a_terminal(server: RunningServer) -> None:
    run(server, "chatctl send --room colours red")
    shown = on_a_terminal(server, "chatctl wait --room colours --since 0 --match red")
    assert b"\x1b[38;5;" in shown
    assert b"red\r\n" in shown


def test_nothing_matches_in_time(server: RunningServer) -> None:
    done = run(server, "chatctl wait --match x --timeout 0.3")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == "chatctl: nothing matched within 0.3 s\n"


def test_a_pattern_that_takes_for_ever_ends_in_time(server: RunningServer) -> None:
    line = "chatctl send --room slow aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"
    done = run(server, f"{line}; chatctl wait --room slow --since 0 --match '^(a|a)*$' --timeout 0.5")
    assert (done.returncode, done.stdout) == (5, "")


def test_it_waits_on_across_a_restart_of_the_server(tmp_path: Path) -> None:
    port = fixed_port()
    data = ("--port", str(port), "--data", str(tmp_path / "data"))
    with (
        running_server(*data) as first,
        running(f"127.0.0.1:{port}", "exec chatctl wait --match go", tmp_path) as job,
    ):
        wait_for(lambda: is_there(first, "lobby"), "it is there")
        first.kill()
        with running_server(*data) as second:
            assert run(second, "chatctl send --name ann go").returncode == 0
            assert job.end() == 0
            assert job.out.endswith("ann: go\n")


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("chatctl wait --match x --server 127.0.0.1:1", 3, "nothing listens at 127.0.0.1:1"),
        ("chatctl wait --match x --room 'no room'", 4, "a room cannot hold a space"),
        ("chatctl wait --match x --from 'no name'", 4, "a name cannot hold a space"),
        ("chatctl wait", 2, "Missing option"),
        ("chatctl wait --match x --timeout 0", 2, "more than 0"),
        ("chatctl wait --match 'a(b' ", 2, "missing ), unterminated subpattern at position 1"),
        ("chatctl wait --match 'a{99999999999}'", 2, "too much of a pattern"),
    ],
)
def test_exit_codes(server: RunningServer, line: str, code: int, words: str) -> None:
    done = run(server, line)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_pattern_that_is_none_is_shown_with_its_fault(server: RunningServer) -> None:
    told = run(server, "chatctl wait --match 'ab[c'").stderr.splitlines()
    (place,) = (number for number, line in enumerate(told) if "ab[c" in line)
    assert told[place + 1].index("^") == told[place].index("[")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_without_a_word(server: RunningServer, number: signal.Signals, tmp_path: Path) -> None:
    room = fresh("room")
    with running(server, f"exec chatctl wait --match x --room {room}", tmp_path) as job:
        wait_for(lambda: is_there(server, room), "it is there")
        assert job.end(number) == 128 + number
        assert (job.out, job.err) == ("", "")
